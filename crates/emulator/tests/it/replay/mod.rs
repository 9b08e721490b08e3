//! Replays exchanges recorded against real servers.
//!
//! The data are the recorded exchanges of the groups named in [`GROUPS`], in the order sent; the `event` of job contexts
//! is emptied. [`scenario`] brings the emulator into the state that a case was recorded in; then the recorded request is
//! sent and the answers are compared: status, headers, shape and values of the body. Numbers and random identifiers are
//! compared through a [`mapping`], which is one to one.

mod compare;
mod mapping;
mod scenario;

use std::collections::BTreeMap;

use base64::Engine as _;
use emulator::{Emulator, EmulatorClock, EmulatorSettings};
use forge_model::{Moment, Version};
use serde::Deserialize;
use serde_json::Value;

use crate::wire;
use mapping::{Kind, Mapping};

/// The groups of cases that must be there.
const GROUPS: [&str; 11] = [
    "jobs.",
    "register.happy.",
    "runners.list.",
    "runner.",
    "rpc.",
    "declare.",
    "fetch.",
    "updatetask.",
    "updatelog.",
    "ephemeral.",
    "early-end.",
];

/// How many exchanges were recorded in these groups, on each version.
const CASES: usize = 233;

/// Headers that matter to a client.
const HEADERS: [&str; 6] =
    ["Content-Type", "X-Total-Count", "Link", "Access-Control-Expose-Headers", "Allow", "Location"];

/// One recorded exchange.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    #[serde(rename = "case")]
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) request_headers: BTreeMap<String, String>,
    pub(crate) request_body: Option<String>,
    pub(crate) status: u16,
    pub(crate) response_headers: BTreeMap<String, String>,
    pub(crate) body: Option<String>,
}

impl Case {
    pub(crate) fn json(&self) -> Option<Value> {
        self.body.as_deref().and_then(|body| serde_json::from_str(body).ok())
    }

    pub(crate) fn request_json(&self) -> Option<Value> {
        self.request_body.as_deref().and_then(|body| serde_json::from_str(body).ok())
    }

    /// The number at the end of `…/runners/{id}`.
    pub(crate) fn runner_in_path(&self) -> Option<&str> {
        let (_, tail) = self.path.split_once("/actions/runners/")?;
        tail.parse::<i64>().is_ok().then_some(tail)
    }
}

#[tokio::test]
async fn version_15_answers_as_recorded() {
    replay(Version::V15, include_str!("../../data/v15.jsonl"), "http://127.0.0.1:3115/").await;
}

#[tokio::test]
async fn version_16_answers_as_recorded() {
    replay(Version::V16, include_str!("../../data/v16.jsonl"), "http://127.0.0.1:3117/").await;
}

#[expect(clippy::print_stdout, reason = "the count of replayed cases is part of the test's report")]
async fn replay(version: Version, data: &str, root_url: &str) {
    let cases: Vec<Case> = data.lines().map(|line| serde_json::from_str(line).expect("a recorded exchange")).collect();
    let mut settings = EmulatorSettings::new(version);
    settings.forge.root_url = root_url.to_owned();
    settings.keep_root_url = true;
    // The clean-ups of a real server would strike between the cases as the clock is moved.
    settings.clock = EmulatorClock::frozen(Moment::from_millis(1_795_474_000_000));
    let emulator = Emulator::start(settings).await.expect("a free port");
    let mut mapping = Mapping::default();
    let mut scenario = scenario::Scenario::new(&emulator, &cases);
    let mut mismatches = Vec::new();
    let mut replayed = 0;
    for case in &cases {
        scenario.before(case, &mut mapping);
        for mismatch in exchange(&emulator, case, &mut mapping, &scenario).await {
            mismatches.push(format!("{}: {mismatch}", case.name));
        }
        replayed += 1;
    }
    println!("{version:?}: {replayed} cases replayed, {} mismatches", mismatches.len());
    assert!(mismatches.is_empty(), "{} mismatches:\n{}", mismatches.len(), mismatches.join("\n"));
    assert_eq!(replayed, CASES);
    for group in GROUPS {
        assert!(cases.iter().any(|case| case.name.starts_with(group)), "no case of {group}");
    }
    assert_eq!(emulator.with_forge(|forge, _| forge.double_handouts()), 0);
    emulator.stop().await;
}

async fn exchange(
    emulator: &Emulator,
    case: &Case,
    mapping: &mut Mapping,
    scenario: &scenario::Scenario<'_>,
) -> Vec<String> {
    let path = path_to_send(case, mapping);
    let headers = headers_to_send(case, mapping, scenario);
    let body = body_to_send(case, mapping);
    let sent = wire::send(&emulator.url(), &case.method, &path, &headers, body.as_deref().map(str::as_bytes)).await;
    let reply = match sent {
        Ok(Some(reply)) => reply,
        Ok(None) => return vec!["no answer".to_owned()],
        Err(error) => return vec![error.to_string()],
    };
    let mut mismatches = Vec::new();
    if reply.status != case.status {
        mismatches.push(format!("status {} instead of {}: {}", reply.status, case.status, reply.text()));
    }
    for name in HEADERS {
        let recorded = case.response_headers.get(name).map(String::as_str);
        if reply.header(name) != recorded {
            mismatches.push(format!("{name} {:?} instead of {recorded:?}", reply.header(name)));
        }
    }
    compare::body(case, &path, &reply.text(), mapping, &mut mismatches);
    mismatches
}

fn path_to_send(case: &Case, mapping: &Mapping) -> String {
    match case.runner_in_path().and_then(|recorded| Some((recorded, mapping.emulated(Kind::Runner, recorded)?))) {
        Some((recorded, ours)) => format!("{}{ours}", case.path.strip_suffix(recorded).unwrap_or(&case.path)),
        None => case.path.clone(),
    }
}

fn headers_to_send(case: &Case, mapping: &Mapping, scenario: &scenario::Scenario<'_>) -> Vec<(String, String)> {
    let uuid = case.request_headers.get("x-runner-uuid").and_then(|uuid| mapping.emulated(Kind::Uuid, uuid));
    let credentials = base64::engine::general_purpose::STANDARD.encode("alice:PAT-alice_read_repository");
    case.request_headers
        .iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "x-runner-uuid" => uuid.unwrap_or(value).to_owned(),
                "x-runner-token" if value.starts_with("RUNNER-TOKEN") => {
                    uuid.and_then(|uuid| scenario.token_of(uuid, mapping)).unwrap_or_else(|| value.clone())
                }
                "Authorization" => value.replace("BASIC-CREDENTIALS", &credentials),
                _ => value.clone(),
            };
            (name.clone(), value)
        })
        .collect()
}

/// The recorded body, with handles and tasks that are known by now.
fn body_to_send(case: &Case, mapping: &Mapping) -> Option<String> {
    let Some(mut body) = case.request_json() else { return case.request_body.clone() };
    for (pointer, kind) in [("/handle", Kind::Handle), ("/state/id", Kind::Task), ("/taskId", Kind::Task)] {
        if let Some(value) = body.pointer_mut(pointer)
            && let Some(ours) = value.as_str().and_then(|recorded| mapping.emulated(kind, recorded))
        {
            *value = Value::String(ours.to_owned());
        }
    }
    Some(if body == case.request_json()? { case.request_body.clone()? } else { body.to_string() })
}
