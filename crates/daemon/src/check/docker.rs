//! Whether there is a container engine, for labels with the schema `docker`: without one Forgejo Runner ends at once
//! (protocol 3.6), for jobs of its other labels too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backend_host::{Permission, User};
use planner::label::Environment;
use tokio::net::UnixStream;

use super::access::may;
use super::finding::Finding;
use crate::config::{HostSettings, Pool};

/// Where Forgejo Runner looks when nobody tells it.
const USUAL: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// A socket on this machine takes a connection at once, unless whoever listens takes none any more.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Names an engine to Forgejo Runner.
const VARIABLE: &str = "DOCKER_HOST";

/// The sockets of engines on this machine that runners look at; none when they are told of one elsewhere.
pub(super) fn sockets(host: &HostSettings) -> Vec<PathBuf> {
    match host.environment.get(VARIABLE) {
        Some(address) => address.strip_prefix("unix://").map(PathBuf::from).into_iter().collect(),
        None => USUAL.map(PathBuf::from).to_vec(),
    }
}

/// Looks for an engine if a label needs one. An engine elsewhere than on this machine is left to the runner.
pub(super) async fn check<'a>(
    subject: &str,
    host: &HostSettings,
    pools: impl Iterator<Item = &'a Pool>,
) -> Option<Finding> {
    let mut labels = pools.flat_map(|pool| &pool.policy.labels);
    let label = labels.find(|label| matches!(label.environment(), Environment::Docker(_)))?;
    let sockets = sockets(host);
    if sockets.is_empty() {
        return None;
    }
    Some(judged(subject, label.name(), &sockets, host.run_as.users()).await)
}

async fn judged(subject: &str, label: &str, sockets: &[PathBuf], users: &[User]) -> Finding {
    let Some(socket) = first_that_answers(sockets).await else {
        let places: Vec<String> = sockets.iter().map(|socket| socket.display().to_string()).collect();
        let message = format!("the label {label} needs Docker or Podman, and none listens at {}", places.join(" or "));
        return Finding::error(subject, message).hint(
            "start one, name its socket (environment = { DOCKER_HOST = \"unix:///…\" }), or use labels with :host",
        );
    };
    let shown = socket.display();
    match users.iter().find(|user| !may(user, socket, Permission::Write).unwrap_or(false)) {
        None => Finding::ok(subject, format!("a container engine listens at {shown}")),
        Some(user) => {
            let message =
                format!("the label {label} needs the container engine at {shown}, which {} cannot use", user.name);
            Finding::error(subject, message)
                .hint(format!("put the user into the group of {shown}: usermod --append --groups docker {}", user.name))
        }
    }
}

async fn first_that_answers(sockets: &[PathBuf]) -> Option<&PathBuf> {
    for socket in sockets {
        if answers(socket).await {
            return Some(socket);
        }
    }
    None
}

/// Whether somebody takes connections there.
async fn answers(socket: &Path) -> bool {
    matches!(tokio::time::timeout(CONNECT_TIME, UnixStream::connect(socket)).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::check::Verdict;

    #[tokio::test]
    async fn an_engine_is_one_that_listens_and_that_the_user_can_use() {
        let place = tempfile::tempdir().unwrap();
        set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let socket = place.path().join("engine.sock");
        let ci = [User { name: "ci".to_owned(), uid: 4_000_000, gid: 4_000_000, groups: Vec::new() }];
        let judged =
            async |users: &[User]| judged("backend", "debian", std::slice::from_ref(&socket), users).await.verdict;
        assert_eq!(judged(&[]).await, Verdict::Error);
        let listener = UnixListener::bind(&socket).unwrap();
        set_permissions(&socket, Permissions::from_mode(0o660)).unwrap();
        assert_eq!((judged(&[]).await, judged(&ci).await), (Verdict::Ok, Verdict::Error));
        set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(judged(&ci).await, Verdict::Ok);
        drop(listener);
        assert_eq!(judged(&[]).await, Verdict::Error, "what is left of one is none");
    }
}
