//! The connection to the engine. Every call has a deadline; the version of the interface is agreed on once.

use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use planner::ids::MachineName;
use tokio::sync::OnceCell;

use crate::address::Address;
use crate::connection::Way;
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};
use crate::look::{self, Inspected, Listed};

/// Calls that only look, or change a record of the engine's. An idle engine answers in milliseconds, one that starts twenty
/// containers at once on two processors was seen to take ten seconds.
const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// Calls that end processes or remove files.
pub(crate) const LONG_DEADLINE: Duration = Duration::from_mins(1);

/// The engine. It is connected to with the first call, so that one that is away keeps no daemon from starting.
#[derive(Debug)]
pub(crate) struct Engine {
    way: Arc<Way>,
    connected: OnceCell<Docker>,
    is_podman: OnceCell<bool>,
}

impl Engine {
    pub(crate) fn new(address: Address) -> Self {
        Self { way: Arc::new(Way::new(address)), connected: OnceCell::new(), is_podman: OnceCell::new() }
    }

    /// A client that speaks a version of the interface which the engine knows. Whoever waits for another's attempt to
    /// connect waits no longer than for one of its own.
    pub(crate) async fn client(&self) -> Result<&Docker, DockerError> {
        let unreachable = |source| DockerError::Connect { source: Box::new(source) };
        let connect = async {
            let way = Arc::clone(&self.way);
            let transport = move |request: BollardRequest| {
                let way = Arc::clone(&way);
                async move { way.sent(request).await }
            };
            let seconds = LONG_DEADLINE.as_secs();
            let client =
                Docker::connect_with_custom_transport(transport, Some("http://engine"), seconds, API_DEFAULT_VERSION);
            client.map_err(unreachable)?.negotiate_version().await.map_err(unreachable)
        };
        let connected = tokio::time::timeout(CALL_DEADLINE, self.connected.get_or_try_init(|| connect)).await;
        let late = |_| DockerError::Late { call: "agree on a version", seconds: CALL_DEADLINE.as_secs() };
        connected.map_err(late)?
    }

    /// The way to it, for questions that the usual client does not ask.
    pub(crate) fn way(&self) -> &Way {
        &self.way
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
        let mut listed = self.call("list containers", look::list(&self.way, &version, &filter)).await?;
        listed.retain(|container| container.labels.as_ref().is_some_and(|found| labels::are_ours(whose, role, found)));
        Ok(listed)
    }

    /// A container by its id or name, as the engine has it now; none if there is no such container.
    pub(crate) async fn container(&self, id: &str) -> Result<Option<Inspected>, DockerError> {
        let version = self.client().await?.client_version().to_string();
        if_there(self.call("look at a container", look::inspect(&self.way, &version, id)).await)
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
        Ok(answer) => answer.map_err(|source| DockerError::of_call(call, source)),
        Err(_) => Err(DockerError::Late { call, seconds: deadline.as_secs() }),
    }
}
