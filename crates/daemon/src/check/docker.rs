//! Whether there is a container engine, for labels with the schema `docker`: without one Forgejo Runner ends at once
//! (protocol 3.6), for jobs of its other labels too.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use planner::label::Environment;

use super::finding::Finding;
use crate::config::{HostSettings, Pool};

/// Where Forgejo Runner looks when nobody tells it.
const USUAL: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// Names an engine to Forgejo Runner.
const VARIABLE: &str = "DOCKER_HOST";

/// Looks for an engine if a label needs one. An engine elsewhere than on this machine is left to the runner.
pub(super) fn check<'a>(subject: &str, host: &HostSettings, pools: impl Iterator<Item = &'a Pool>) -> Option<Finding> {
    let mut labels = pools.flat_map(|pool| &pool.policy.labels);
    let label = labels.find(|label| matches!(label.environment(), Environment::Docker(_)))?;
    let sockets: Vec<PathBuf> = match host.environment.get(VARIABLE) {
        Some(address) => vec![PathBuf::from(address.strip_prefix("unix://")?)],
        None => USUAL.map(PathBuf::from).to_vec(),
    };
    Some(judged(subject, label.name(), &sockets))
}

fn judged(subject: &str, label: &str, sockets: &[PathBuf]) -> Finding {
    if let Some(socket) = sockets.iter().find(|socket| answers(socket)) {
        return Finding::ok(subject, format!("a container engine listens at {}", socket.display()));
    }
    let places: Vec<String> = sockets.iter().map(|socket| socket.display().to_string()).collect();
    let message = format!("the label {label} needs Docker or Podman, and none listens at {}", places.join(" or "));
    Finding::error(subject, message)
        .hint("start one, name its socket (environment = { DOCKER_HOST = \"unix:///…\" }), or use labels with :host")
}

fn answers(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::check::Verdict;

    #[test]
    fn an_engine_is_one_that_listens() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("engine.sock");
        let judged = || judged("backend", "debian", std::slice::from_ref(&socket));
        assert_eq!(judged().verdict, Verdict::Error);
        let listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(judged().verdict, Verdict::Ok);
        drop(listener);
        assert_eq!(judged().verdict, Verdict::Error, "what is left of one is none");
    }
}
