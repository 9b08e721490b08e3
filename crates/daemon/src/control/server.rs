//! Listening on the socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::desk::Desk;
use super::message::Reply;
use super::{NAME, socket};
use crate::lock::StateDirectory;

/// How many are answered at once; the rest wait in the kernel's queue.
const CONNECTIONS: usize = 4;

/// The longest request, in bytes.
const LONGEST: u64 = 64 << 10;

/// How long a request may take to arrive, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a connection could not be taken: the process has too many files open, say.
const PAUSE: Duration = Duration::from_secs(1);

/// The task that listens. It ends, and removes the socket, when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    task: JoinHandle<()>,
}

impl Server {
    /// Starts to listen in a directory that is locked.
    pub(crate) fn start(directory: Arc<StateDirectory>, desk: Arc<Desk>) -> io::Result<Self> {
        let listener = UnixListener::from_std(socket::bind(directory.path())?)?;
        let bound = Bound { listener, directory };
        Ok(Self { task: tokio::spawn(bound.serve(desk)) })
    }

    /// Ends it, and waits until the socket is removed.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        // It was told to end.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The socket. It holds on to the directory's lock, so that no socket of the next daemon is removed in its place.
struct Bound {
    listener: UnixListener,
    directory: Arc<StateDirectory>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        // One that stays is replaced by the next daemon.
        let _ = std::fs::remove_file(self.directory.path().join(NAME));
    }
}

impl Bound {
    async fn serve(self, desk: Arc<Desk>) {
        let mut conversations = JoinSet::new();
        loop {
            if conversations.len() >= CONNECTIONS {
                conversations.join_next().await;
                continue;
            }
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        conversations.spawn(converse(stream, Arc::clone(&desk)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection to the control socket could not be taken");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = conversations.join_next() => {}
            }
        }
    }
}

/// One request and its answer. Whoever goes away in between gets none.
async fn converse(mut stream: UnixStream, desk: Arc<Desk>) {
    let reply = if allowed(&stream) {
        match timeout(PATIENCE, line(&mut stream)).await {
            Ok(Ok(line)) => answer(&line, &desk).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a request could not be read");
                return;
            }
            Err(_) => {
                let hint = format!("send one line of JSON within {} s", PATIENCE.as_secs());
                Reply::refused("no request came", hint)
            }
        }
    } else {
        let hint = "ask as the user that the daemon runs as, or as root";
        Reply::refused("this user may not ask the daemon for anything", hint)
    };
    let Ok(mut text) = serde_json::to_vec(&reply) else { return };
    text.push(b'\n');
    let _ = timeout(PATIENCE, stream.write_all(&text)).await;
}

/// Whether the process at the other end is our user's or root's.
fn allowed(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw())
}

async fn line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut line).await?;
    Ok(line)
}

async fn answer(line: &[u8], desk: &Desk) -> Reply {
    if !line.ends_with(b"\n") {
        return Reply::refused("the request is cut off", format!("send one line of at most {LONGEST} bytes"));
    }
    match serde_json::from_slice(line) {
        Ok(request) => desk.ask(request).await,
        Err(error) => Reply::refused(
            format!("the request cannot be understood: {error}"),
            "use the version of forgescale that the daemon runs, or restart the daemon",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::sync::mpsc;

    use super::*;
    use crate::control::{Order, Request, ask};

    /// A server whose owner says that seven kills were held, or has ended.
    fn served(there: bool) -> (tempfile::TempDir, Server) {
        let place = tempfile::tempdir().unwrap();
        let (orders, mut received) = mpsc::channel(1);
        if there {
            tokio::spawn(async move {
                while let Some(order) = received.recv().await {
                    if let Order::Confirm { answer } = order {
                        let _ = answer.send((7, Duration::from_mins(1)));
                    }
                }
            });
        }
        let directory = Arc::new(StateDirectory::lock(place.path()).unwrap());
        let server = Server::start(directory, Arc::new(Desk::new(orders, None))).unwrap();
        (place, server)
    }

    async fn confirm(place: &Path) -> Result<Reply, crate::control::ControlError> {
        let place = place.to_owned();
        let asked = move || ask(&place, &Request::Confirm, Duration::from_secs(20));
        tokio::task::spawn_blocking(asked).await.unwrap()
    }

    /// What is answered to a line of somebody's own.
    async fn said(place: &Path, line: &[u8]) -> String {
        let mut stream = UnixStream::connect(place.join(NAME)).await.unwrap();
        // It may be closed before all was taken.
        let _ = stream.write_all(line).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        // It ends with an error where not all was taken.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_is_answered_though_others_hold_connections_or_talk_nonsense() {
        let (place, server) = served(true);
        let silent = UnixStream::connect(place.path().join(NAME)).await.unwrap();
        assert!(said(place.path(), b"{\n").await.contains("cannot be understood"));
        assert!(said(place.path(), b"{\"request\":\"everything\"}\n").await.contains("cannot be understood"));
        assert!(said(place.path(), b"{\"request\":\"confirm\"}").await.contains("cut off"));
        assert!(said(place.path(), &vec![b' '; 100 << 10]).await.contains("cut off"));
        assert_eq!(confirm(place.path()).await.unwrap(), Reply::Confirmed { kills: 7, grace_ms: 60_000 });
        drop((silent, server));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn more_connections_than_are_served_at_once_are_served_one_after_the_other() {
        let (place, _server) = served(true);
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS {
            silent.push(UnixStream::connect(place.path().join(NAME)).await.unwrap());
        }
        let asked = tokio::spawn({
            let place = place.path().to_owned();
            async move { confirm(&place).await }
        });
        drop(silent);
        assert_eq!(asked.await.unwrap().unwrap(), Reply::Confirmed { kills: 7, grace_ms: 60_000 });
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn without_a_daemon_and_at_its_end_whoever_asks_is_told() {
        let nowhere = tempfile::tempdir().unwrap();
        assert!(matches!(confirm(nowhere.path()).await, Err(crate::control::ControlError::Nobody { .. })));
        let (place, _server) = served(false);
        let Reply::Refused { reasons } = confirm(place.path()).await.unwrap() else { panic!("it is not refused") };
        assert!(reasons[0].text.contains("is about to end"), "{reasons:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_daemon_without_a_file_reads_none_again() {
        let (place, _server) = served(true);
        let place = place.path().to_owned();
        let asked = move || ask(&place, &Request::Reload, Duration::from_secs(20));
        let Reply::Refused { reasons } = tokio::task::spawn_blocking(asked).await.unwrap().unwrap() else {
            panic!("it is not refused")
        };
        assert!(reasons[0].text.contains("not started with a configuration file"), "{reasons:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_socket_goes_before_the_lock() {
        let (place, server) = served(true);
        drop(server);
        // The lock comes free only after the socket was removed.
        let path = place.path().to_owned();
        tokio::task::spawn_blocking(move || StateDirectory::lock(&path).map(drop)).await.unwrap().unwrap();
        assert!(!place.path().join(NAME).exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_was_stopped_has_removed_its_socket() {
        let (place, server) = served(true);
        server.stop().await;
        assert!(!place.path().join(NAME).exists());
        StateDirectory::try_lock(place.path()).unwrap();
    }
}
