//! The connection to the engine. Every call has a deadline; the version of the interface is agreed on once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use planner::ids::MachineName;
use tokio::sync::OnceCell;

use crate::error::DockerError;
use crate::labels::{self, Role, Whose};
use crate::look::{self, Inspected, Listed};

/// Calls that only look, or change a record of the engine's. An idle engine answers in milliseconds, one that starts twenty
/// containers at once on two processors was seen to take ten seconds.
const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// Calls that end processes or remove files.
pub(crate) const LONG_DEADLINE: Duration = Duration::from_mins(1);

/// The socket of most engines.
pub const USUAL_SOCKET: &str = "/var/run/docker.sock";

/// The socket of Podman where it runs as root; that of a user is `podman/podman.sock` in the user's runtime directory.
pub const PODMAN_SOCKET: &str = "/run/podman/podman.sock";

/// Reads `unix:///path`. The error is for people.
pub fn socket(address: &str) -> Result<PathBuf, &'static str> {
    match address.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(path.into()),
        Some(("tcp" | "ssh" | "http" | "https", _)) => {
            Err("engines on other hosts are not used by this version: name the socket of one on this host")
        }
        _ => Err("an engine is at unix:///path/of/socket"),
    }
}

/// The engine. It is connected to with the first call, so that one that is away keeps no daemon from starting.
#[derive(Debug)]
pub(crate) struct Engine {
    socket: PathBuf,
    connected: OnceCell<Docker>,
    is_podman: OnceCell<bool>,
}

impl Engine {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, connected: OnceCell::new(), is_podman: OnceCell::new() }
    }

    /// A client that speaks a version of the interface which the engine knows. Whoever waits for another's attempt to
    /// connect waits no longer than for one of its own.
    pub(crate) async fn client(&self) -> Result<&Docker, DockerError> {
        let unreachable = |source| DockerError::Connect { source: Box::new(source) };
        let connect = async {
            let path = self.socket.to_string_lossy();
            let client = Docker::connect_with_unix(&path, LONG_DEADLINE.as_secs(), API_DEFAULT_VERSION);
            client.map_err(unreachable)?.negotiate_version().await.map_err(unreachable)
        };
        let connected = tokio::time::timeout(CALL_DEADLINE, self.connected.get_or_try_init(|| connect)).await;
        let late = |_| DockerError::Late { call: "agree on a version", seconds: CALL_DEADLINE.as_secs() };
        connected.map_err(late)?
    }

    /// Where it is.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether it is Podman, by its own word.
    pub(crate) async fn is_podman(&self) -> Result<bool, DockerError> {
        let asked = async {
            let version = self.call("tell its version", self.client().await?.version()).await?;
            let parts = version.components.unwrap_or_default();
            Ok(parts.iter().any(|part| part.name.starts_with("Podman")))
        };
        self.is_podman.get_or_try_init(|| Box::pin(asked)).await.copied()
    }

    /// All containers of ours with one role, or of the machine of one name, whatever state they are in.
    pub(crate) async fn containers(
        &self,
        whose: &Whose,
        role: Role,
        name: Option<&MachineName>,
    ) -> Result<Vec<Listed>, DockerError> {
        let version = self.client().await?.client_version().to_string();
        let filter = labels::filter(whose, role, name);
        let mut listed = self.call("list containers", look::list(&self.socket, &version, &filter)).await?;
        listed.retain(|container| container.labels.as_ref().is_some_and(|found| labels::are_ours(whose, role, found)));
        Ok(listed)
    }

    /// A container by its id or name, as the engine has it now; none if there is no such container.
    pub(crate) async fn container(&self, id: &str) -> Result<Option<Inspected>, DockerError> {
        let version = self.client().await?.client_version().to_string();
        if_there(self.call("look at a container", look::inspect(&self.socket, &version, id)).await)
    }

    /// A short call.
    pub(crate) async fn call<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, bollard::errors::Error>> + Send,
    ) -> Result<T, DockerError> {
        within(call, CALL_DEADLINE, answer).await
    }

    /// A call that ends processes or removes files.
    pub(crate) async fn long_call<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, bollard::errors::Error>> + Send,
    ) -> Result<T, DockerError> {
        within(call, LONG_DEADLINE, answer).await
    }
}

/// The answer of a call about a thing; nothing where the engine does not have it.
pub(crate) fn if_there<T>(answer: Result<T, DockerError>) -> Result<Option<T>, DockerError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn within<T>(
    call: &'static str,
    deadline: Duration,
    answer: impl Future<Output = Result<T, bollard::errors::Error>> + Send,
) -> Result<T, DockerError> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(answer) => answer.map_err(|source| DockerError::Engine { call, source: Box::new(source) }),
        Err(_) => Err(DockerError::Late { call, seconds: deadline.as_secs() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_at_a_socket_of_this_host() {
        assert_eq!(socket("unix:///var/run/docker.sock").as_deref(), Ok(Path::new("/var/run/docker.sock")));
        for (text, word) in [
            ("ssh://ops@build.example", "other hosts"),
            ("tcp://build.example:2376", "other hosts"),
            ("/var/run/docker.sock", "unix:///"),
            ("unix://docker.sock", "unix:///"),
            ("", "unix:///"),
        ] {
            let refused = socket(text).unwrap_err();
            assert!(refused.contains(word), "{text}: {refused}");
        }
    }
}
