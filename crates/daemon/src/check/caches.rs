//! What the caches of a backend's jobs take on its engine.

use std::time::Duration;

use backend_docker::{CachesSeen, DockerBackend, WithUnstarted, shown_bytes};
use planner::ids::BackendId;
use planner::report::counted;

use super::finding::Finding;
use crate::chain;
use crate::config::{Config, DockerSettings};

/// The engine goes through all files of all volumes, which may take a while on a slow disk.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Tells how many there are and how large, if there are any.
pub(super) async fn check(id: &BackendId, docker: &DockerSettings, config: &Config) -> Option<Finding> {
    let backend = DockerBackend::new(docker.settings(&config.deployment, id, WithUnstarted::Leave)).ok()?;
    let seen = match tokio::time::timeout(ANSWER_TIME, backend.look_at_caches()).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err(format!("the engine does not tell their size within {} s", ANSWER_TIME.as_secs())),
    };
    told(&format!("backend {id}"), docker.command, seen)
}

fn told(subject: &str, command: &str, seen: Result<CachesSeen, String>) -> Option<Finding> {
    match seen {
        Ok(CachesSeen { count: 0, .. }) => None,
        Ok(CachesSeen { count, bytes }) => {
            let message = format!("the engine has {} of jobs, of {}", counted(count, "cache"), shown_bytes(bytes));
            Some(Finding::ok(subject, message))
        }
        Err(why) => {
            let message = format!("how large the caches of jobs are is not known: {why}");
            Some(Finding::warning(subject, message).hint(format!("{command} system df --verbose tells it, too")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn the_size_of_caches_is_told_if_there_are_any() {
        let said = |seen| told("backend b", "podman", seen).map(|finding| (finding.verdict, finding.message));
        assert_eq!(said(Ok(CachesSeen::default())), None);
        let two = CachesSeen { count: 2, bytes: 3 << 30 };
        assert_eq!(said(Ok(two)), Some((Verdict::Ok, "the engine has 2 caches of jobs, of 3.0 GiB".to_owned())));
        let unknown = told("backend b", "podman", Err("no".to_owned())).unwrap();
        assert_eq!(unknown.verdict, Verdict::Warning);
        assert_eq!(unknown.hint.as_deref(), Some("podman system df --verbose tells it, too"));
    }
}
