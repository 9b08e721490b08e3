//! Whether there is a container engine, for labels with the schema `docker`: without one Forgejo Runner ends at once
//! (protocol 3.6), for jobs of its other labels too.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backend_host::{Permission, User};
use planner::label::Environment;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::access::may;
use super::finding::Finding;
use crate::config::{HostSettings, Pool};

/// Where Forgejo Runner looks when nobody tells it.
const USUAL: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// An engine on this machine answers at once, unless it hangs.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// What every engine answers, whoever asks.
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";

/// How an answer begins.
const ANSWER: &[u8] = b"HTTP/1.";

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
    let found = look(&sockets, ANSWER_TIME).await;
    Some(judged(subject, label.name(), &sockets, found, host.run_as.users()))
}

/// What is at the sockets.
#[derive(Clone, Copy)]
enum Found<'a> {
    Engine(&'a Path),
    /// Somebody takes connections, and does not answer as an engine does.
    Silent(&'a Path),
    Nobody,
}

fn judged(subject: &str, label: &str, sockets: &[PathBuf], found: Found<'_>, users: &[User]) -> Finding {
    let socket = match found {
        Found::Engine(socket) => socket,
        Found::Silent(socket) => {
            let shown = socket.display();
            let message =
                format!("the label {label} needs Docker or Podman, and what listens at {shown} does not answer");
            return Finding::error(subject, message).hint("restart the container engine, and look into its log");
        }
        Found::Nobody => {
            let places: Vec<String> = sockets.iter().map(|socket| socket.display().to_string()).collect();
            let places = places.join(" or ");
            let message = format!("the label {label} needs Docker or Podman, and none listens at {places}");
            return Finding::error(subject, message).hint(
                "start one, name its socket (environment = { DOCKER_HOST = \"unix:///…\" }), or use labels with :host",
            );
        }
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

/// The first engine that answers, each within that time.
async fn look(sockets: &[PathBuf], each: Duration) -> Found<'_> {
    let mut silent = Found::Nobody;
    for socket in sockets {
        let connected = tokio::time::timeout(each, UnixStream::connect(socket)).await;
        let Ok(Ok(connection)) = connected else { continue };
        if matches!(tokio::time::timeout(each, is_engine(connection)).await, Ok(Ok(true))) {
            return Found::Engine(socket);
        }
        silent = Found::Silent(socket);
    }
    silent
}

/// Whether an answer comes to what every engine answers.
async fn is_engine(mut connection: UnixStream) -> io::Result<bool> {
    connection.write_all(PING).await?;
    let mut answer = [0; ANSWER.len()];
    connection.read_exact(&mut answer).await?;
    Ok(answer == ANSWER)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::net::UnixListener;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::check::Verdict;

    /// Time that an answer of the test itself never needs.
    const PLENTY: Duration = Duration::from_mins(1);

    /// A socket that somebody listens at and that everybody may use.
    fn listening(socket: &Path) -> UnixListener {
        let listener = UnixListener::bind(socket).unwrap();
        set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
        listener
    }

    /// Answers everybody at the socket like this until it is aborted.
    fn answering(listener: UnixListener, answer: &'static [u8]) -> JoinHandle<()> {
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut asked = [0; PING.len()];
                connection.read_exact(&mut asked).await.unwrap();
                connection.write_all(answer).await.unwrap();
            }
        })
    }

    async fn finding(sockets: &[PathBuf], users: &[User], each: Duration) -> Finding {
        judged("backend", "debian", sockets, look(sockets, each).await, users)
    }

    #[tokio::test]
    async fn an_engine_is_one_that_answers_and_that_the_user_can_use() {
        let place = tempfile::tempdir().unwrap();
        set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let sockets = [place.path().join("engine.sock")];
        let ci = [User { name: "ci".to_owned(), uid: 4_000_000, gid: 4_000_000, groups: Vec::new() }];
        let verdict = async |users: &[User]| finding(&sockets, users, PLENTY).await.verdict;
        assert_eq!(verdict(&[]).await, Verdict::Error);
        let engine = answering(listening(&sockets[0]), b"HTTP/1.1 200 OK\r\n\r\nOK");
        assert_eq!((verdict(&[]).await, verdict(&ci).await), (Verdict::Ok, Verdict::Ok));
        set_permissions(&sockets[0], Permissions::from_mode(0o660)).unwrap();
        assert_eq!((verdict(&[]).await, verdict(&ci).await), (Verdict::Ok, Verdict::Error));
        engine.abort();
        assert!(engine.await.unwrap_err().is_cancelled());
        assert_eq!(verdict(&[]).await, Verdict::Error, "what is left of one is none");
    }

    #[tokio::test]
    async fn what_takes_connections_and_never_answers_is_no_engine_and_hides_none() {
        let place = tempfile::tempdir().unwrap();
        let sockets = ["silent.sock", "engine.sock"].map(|name| place.path().join(name));
        let _silent = listening(&sockets[0]);
        let short = Duration::from_millis(20);
        let found = finding(&sockets, &[], short).await;
        assert_eq!(found.verdict, Verdict::Error);
        assert!(found.message.contains("silent.sock does not answer"), "{}", found.message);
        let engine = answering(listening(&sockets[1]), b"HTTP/1.1 200 OK\r\n\r\nOK");
        assert!(matches!(look(&sockets[1..], PLENTY).await, Found::Engine(_)));
        assert!(matches!(look(&sockets, Duration::from_secs(1)).await, Found::Engine(found) if found == sockets[1]));
        engine.abort();
        let _other = answering(listening(&place.path().join("other.sock")), b"SSH-2.0-OpenSSH");
        assert!(matches!(look(&[place.path().join("other.sock")], PLENTY).await, Found::Silent(_)));
    }
}
