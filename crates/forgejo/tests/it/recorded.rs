//! Bodies that real servers sent: every row of them decodes, and has a status that is known.

use std::collections::HashSet;

use forgejo::{JobStatus, RunnerStatus, Scope};
use serde::Deserialize;
use serde_json::Value;

use crate::client;
use crate::scripted::{Reply, Server};

#[derive(Deserialize)]
struct Recorded {
    case: String,
    kind: String,
    body: String,
}

fn recorded(lines: &str) -> Vec<Recorded> {
    lines.lines().map(|line| serde_json::from_str(line).expect("a recorded body")).collect()
}

/// Length of a list, 0 for `null`.
fn length(body: &str) -> usize {
    let value: Value = serde_json::from_str(body).expect("JSON");
    value.as_array().map_or(0, Vec::len)
}

async fn check(lines: &str, has_run_ids: bool) {
    let all = recorded(lines);
    assert!(all.len() > 30, "only {} bodies", all.len());
    let server = Server::start(all.iter().map(|recorded| Reply::json(200, &recorded.body))).await;
    let client = client(&server.url);
    let mut statuses = HashSet::new();
    for Recorded { case, kind, body } in &all {
        match kind.as_str() {
            "jobs" => {
                let listing = client.list_jobs(&Scope::Instance).await.expect("a listing");
                assert!(listing.complete && listing.bad_rows.is_empty(), "{case}: {listing:?}");
                assert_eq!(listing.rows.len(), length(body), "{case}");
                for job in listing.rows {
                    assert!(!job.handle.is_empty() && job.attempt > 0, "{case}: {job:?}");
                    assert_eq!(job.run_id.is_some(), has_run_ids, "{case}: {job:?}");
                    assert!(!matches!(job.status, JobStatus::Other(_)), "{case}: {job:?}");
                }
            }
            "runners" => {
                let listing = client.list_runners(&Scope::Instance).await.expect("a listing");
                assert!(listing.complete && listing.bad_rows.is_empty(), "{case}: {listing:?}");
                assert_eq!(listing.rows.len(), length(body), "{case}");
                statuses.extend(listing.rows.into_iter().map(|runner| runner.status));
            }
            _ => {
                let runner = client.get_runner(&Scope::Instance, 1).await.expect("a runner");
                assert!(runner.is_some_and(|runner| runner.ephemeral), "{case}");
            }
        }
    }
    // All that there are, and none besides.
    assert_eq!(statuses, HashSet::from([RunnerStatus::Offline, RunnerStatus::Idle, RunnerStatus::Active]));
}

#[tokio::test]
async fn version_15_is_understood() {
    check(include_str!("../data/forgejo-15.0.3.jsonl"), false).await;
}

#[tokio::test]
async fn version_17_is_understood() {
    check(include_str!("../data/forgejo-17dev.jsonl"), true).await;
}
