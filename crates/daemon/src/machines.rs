//! The backends as the daemon calls them: a closed enum over one trait.

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backend::{Backend as _, BackendError, CreateRequest, Destroyed, Launch, Machines};
use backend_docker::{DockerBackend, DockerError, WithCaches, WithUnstarted};
use backend_host::{HostBackend, HostError, HostSettings, Limits, Program, RunAs};
use backend_modelled::ModelledBackend;
use planner::ids::{BackendId, DeploymentId, MachineName};
use tokio::sync::watch;

use crate::config::{self, BackendKind};
use crate::made::Made;

/// Above a backend's directory are that of all machines and the state directory.
const PLACES_ABOVE: usize = 2;

/// In the state directory, what is remembered of images.
const IMAGES: &str = "images";

/// The same of caches.
const CACHES: &str = "caches";

/// Lets other users pass through a place of ours, to what is theirs below. They cannot list it, and every file that the
/// daemon makes in it is for itself alone. Where it fails, the backend says who cannot pass.
fn let_pass(place: &Path) {
    // Made here, or the backend would make it, for itself alone.
    let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(place);
    if let Ok(metadata) = std::fs::metadata(place) {
        let mode = metadata.permissions().mode() | 0o111;
        let _ = std::fs::set_permissions(place, Permissions::from_mode(mode));
    }
}

/// How long the end of the daemon waits for what the machines of a backend share to be removed.
const CLOSING: Duration = Duration::from_secs(15);

/// Why a backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendRefused {
    /// That of this host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// One of containers.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

impl BackendRefused {
    /// What may help where only an operator can.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Host(error) => error.hint(),
            Self::Docker(error) => error.hint(),
        }
    }
}

/// One backend.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    /// Processes of this host.
    Host(HostBackend),
    /// Containers of an engine.
    Docker(DockerBackend),
    /// Of memory, for measurements: see [`crate::Daemon::start_modelled`].
    Modelled(ModelledBackend),
}

/// What a backend is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForWhat {
    /// For jobs.
    Serving,
    /// For removing what is there: no machine is made, so that nothing is needed for one.
    Cleaning(WithUnstarted),
}

impl ForWhat {
    fn with_unstarted(self) -> WithUnstarted {
        match self {
            Self::Serving => WithUnstarted::Settle,
            Self::Cleaning(with) => with,
        }
    }

    /// Where something is remembered of a backend's engine, beside the folder of all machines. Cleaning up pulls no image and
    /// uses no cache.
    fn record(self, of: &str, id: &BackendId, directory: &Path) -> Option<PathBuf> {
        let state = directory.ancestors().nth(PLACES_ABOVE).filter(|_| self == Self::Serving)?;
        Some(state.join(of).join(format!("{id}.json")))
    }

    fn limits(self, configured: Limits) -> Limits {
        match self {
            Self::Serving => configured,
            Self::Cleaning(_) => Limits::default(),
        }
    }
}

impl Backend {
    /// Makes it ready. `supervisor` is the program that looks after one machine of the host backend, and the directory is
    /// that backend's.
    pub(crate) fn new(
        id: &BackendId,
        config: &config::Backend,
        deployment: &DeploymentId,
        (directory, made): (&Path, &mut Made),
        supervisor: Program,
        what: ForWhat,
    ) -> Result<Self, BackendRefused> {
        let host = match &config.kind {
            BackendKind::Host(host) => host,
            BackendKind::Docker(docker) => {
                let mut settings = docker.settings(deployment, id, what.with_unstarted());
                settings.images_file = what.record(IMAGES, id, directory);
                settings.caches_file = what.record(CACHES, id, directory);
                return Ok(Self::Docker(DockerBackend::new(settings)?));
            }
        };
        let settings = HostSettings {
            directory: directory.to_owned(),
            deployment: deployment.clone(),
            supervisor,
            runner: host.program(),
            run_as: host.run_as.clone(),
            limits: what.limits(host.limits),
            cache: host.cache.clone(),
            path: host.path.clone(),
            environment: host.environment.clone().into_iter().collect(),
            log_limit: host.log_limit,
        };
        // Where it cannot be made, the backend says why.
        let _ = made.folder(directory);
        if settings.run_as != RunAs::Daemon {
            let places = directory.ancestors().skip(1).take(PLACES_ABOVE);
            places.for_each(let_pass);
        }
        Ok(Self::Host(HostBackend::new(settings)?))
    }

    pub(crate) async fn create(&self, request: CreateRequest) -> Result<(), BackendError> {
        match self {
            Self::Host(host) => host.create(request).await,
            Self::Docker(docker) => docker.create(request).await,
            Self::Modelled(modelled) => modelled.create(request).await,
        }
    }

    pub(crate) async fn start(&self, machine: &MachineName, launch: Launch) -> Result<(), BackendError> {
        match self {
            Self::Host(host) => host.start(machine, launch).await,
            Self::Docker(docker) => docker.start(machine, launch).await,
            Self::Modelled(modelled) => modelled.start(machine, launch).await,
        }
    }

    pub(crate) async fn release(&self, machine: &MachineName) -> Result<(), BackendError> {
        match self {
            Self::Host(host) => host.release(machine).await,
            Self::Docker(docker) => docker.release(machine).await,
            Self::Modelled(modelled) => modelled.release(machine).await,
        }
    }

    pub(crate) async fn list(&self) -> Result<Machines, BackendError> {
        match self {
            Self::Host(host) => host.list().await,
            Self::Docker(docker) => docker.list().await,
            Self::Modelled(modelled) => modelled.list().await,
        }
    }

    pub(crate) async fn destroy(&self, machine: &MachineName, stop: Duration) -> Result<Destroyed, BackendError> {
        match self {
            Self::Host(host) => host.destroy(machine, stop).await,
            Self::Docker(docker) => docker.destroy(machine, stop).await,
            Self::Modelled(modelled) => modelled.destroy(machine, stop).await,
        }
    }

    pub(crate) async fn logs(&self, machine: &MachineName) -> Result<Vec<String>, BackendError> {
        match self {
            Self::Host(host) => host.logs(machine).await,
            Self::Docker(docker) => docker.logs(machine).await,
            Self::Modelled(modelled) => modelled.logs(machine).await,
        }
    }

    /// One that is configured otherwise, in its place, if it can take over what is under way.
    pub(crate) fn replaced(&self, id: &BackendId, config: &config::Backend, deployment: &DeploymentId) -> Option<Self> {
        match (self, &config.kind) {
            (Self::Docker(before), BackendKind::Docker(docker)) => {
                let settings = docker.settings(deployment, id, WithUnstarted::Settle);
                Some(Self::Docker(before.replaced(settings)))
            }
            _ => None,
        }
    }

    /// Whether another one, configured later under the same name, looks after all that this one shares among machines.
    pub(crate) fn lives_on_in(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Docker(before), Self::Docker(next)) => before.shares_engine_with(next),
            _ => false,
        }
    }

    /// Removes what machines share, if none is left; tells what that was. What stays for lack of an answer is found by the
    /// next start.
    pub(crate) async fn close(&self, with: WithCaches) -> Vec<String> {
        match self {
            Self::Docker(docker) => answered(Box::pin(docker.close(with))).await,
            Self::Host(_) | Self::Modelled(_) => Vec::new(),
        }
    }

    /// What a close would remove, whether there are machines or not.
    pub(crate) async fn shared(&self, with: WithCaches) -> Vec<String> {
        match self {
            Self::Docker(docker) => answered(Box::pin(docker.shared(with))).await,
            Self::Host(_) | Self::Modelled(_) => Vec::new(),
        }
    }

    /// Tells when a listing has probably changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        match self {
            Self::Host(host) => host.changes(),
            Self::Docker(docker) => docker.changes(),
            Self::Modelled(modelled) => modelled.changes(),
        }
    }
}

/// The answer of an engine about what machines share; nothing, and a word in the log, without one.
async fn answered(call: impl Future<Output = Result<Vec<String>, BackendError>>) -> Vec<String> {
    match tokio::time::timeout(CLOSING, call).await {
        Ok(Ok(things)) => return things,
        Ok(Err(error)) => tracing::warn!(error = crate::chain(&error), "something is left on the container engine"),
        Err(_) => tracing::warn!("something is left on the container engine, which did not answer"),
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::let_pass;

    #[test]
    fn a_place_that_is_not_there_yet_lets_others_pass_too() {
        let above = tempfile::tempdir().unwrap();
        let place = above.path().join("machines");
        let_pass(&place);
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o711);
    }
}
