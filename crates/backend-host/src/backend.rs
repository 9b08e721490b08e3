//! The host backend: the daemon's side.
//!
//! Each call works on one machine in a task of its own, one call at a time per machine. So a call that is abandoned at
//! its deadline still ends in a known state, and the next one finds it.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use ::backend::{Backend, BackendError, Capabilities, CreateRequest, Destroyed, Launch, Machines};
use planner::ids::MachineName;
use tokio::sync::watch;

use crate::control_group::{ControlGroup, ControlGroups, Hierarchy};
use crate::error::{At as _, HostError};
use crate::folder::{self, Folder};
use crate::held::{Held, HeldMachines};
use crate::records::MachineRecord;
use crate::settings::{HostSettings, Limits};
use crate::{create, destroy, listing, logs, reach, start};

/// What a host can do, and the defaults of what an operator may choose instead.
pub const CAPABILITIES: Capabilities = Capabilities {
    warm: false,
    // From create to a runner that contacts the forge: two processes started, measured far below this.
    boot_hint: Duration::from_secs(1),
    // Each start of a runner costs about a core for a moment.
    parallel_creates: 4,
    // Listing reads a few small files, and the end of a machine is told without it.
    list_interval: Duration::from_secs(2),
};

/// Makes machines on this host. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct HostBackend {
    host: Arc<Host>,
}

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) settings: HostSettings,
    control_groups: Option<ControlGroups>,
    /// Where groups can be, also those that an earlier daemon made.
    hierarchies: Vec<Hierarchy>,
    /// Held while a user is chosen for a machine.
    choosing: Mutex<()>,
    without_docker: Once,
    /// Folders that could not be read at the last listing: each is warned about once.
    pub(crate) unreadable: Mutex<BTreeSet<PathBuf>>,
    held: Mutex<HeldMachines>,
    changes: watch::Sender<u64>,
}

impl HostBackend {
    /// Checks the settings and makes the directory if it is missing. Starts nothing.
    pub fn new(mut settings: HostSettings) -> Result<Self, HostError> {
        let deployment = settings.deployment.as_str();
        if deployment.is_empty() || deployment.contains('\0') {
            return Err(HostError::BadDeployment);
        }
        settings.directory = std::path::absolute(&settings.directory).at(&settings.directory)?;
        if settings.directory.to_str().is_none() {
            return Err(HostError::DirectoryNotText { directory: settings.directory });
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&settings.directory).at(&settings.directory)?;
        reach::prepare(&settings)?;
        let control_groups = match ControlGroups::find(&settings.deployment, &settings.limits) {
            Ok(groups) => Some(groups),
            Err(reason) if settings.limits == Limits::default() => {
                tracing::info!(%reason, "machines have no control groups: they are ended by parents and markers alone");
                None
            }
            Err(reason) => return Err(HostError::NoLimits { reason }),
        };
        let host = Host {
            settings,
            control_groups,
            hierarchies: Hierarchy::all(),
            choosing: Mutex::default(),
            without_docker: Once::new(),
            unreadable: Mutex::default(),
            held: Mutex::default(),
            changes: watch::Sender::new(0),
        };
        Ok(Self { host: Arc::new(host) })
    }

    /// Tells when a listing has probably changed: a supervisor ended, or one of our calls did something. Supervisors of
    /// an earlier daemon are included from the first listing on. It is a hint to list now and carries no meaning.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.host.changes.subscribe()
    }

    /// Runs a call to its end, even if the caller does not wait for that.
    async fn finish<T: Send + 'static>(
        call: impl Future<Output = Result<T, HostError>> + Send + 'static,
    ) -> Result<T, HostError> {
        tokio::spawn(call).await.unwrap_or(Err(HostError::Abandoned))
    }
}

impl Host {
    /// The folder of a machine of this name.
    pub(crate) fn folder(&self, name: &MachineName) -> Result<Folder, HostError> {
        Folder::of(&self.settings.directory, name).ok_or(HostError::BadName)
    }

    /// The marker in the environment of each process of a machine.
    pub(crate) fn marker(&self, name: &MachineName) -> String {
        folder::marker(&self.settings.deployment, name)
    }

    /// Where the groups of machines are made, if they can be.
    pub(crate) fn control_groups(&self) -> Option<&ControlGroups> {
        self.control_groups.as_ref()
    }

    /// The group of a machine, if it has one.
    pub(crate) fn control_group(&self, record: &MachineRecord) -> Option<ControlGroup> {
        ControlGroup::recorded(
            record.control_group.as_deref()?,
            &self.hierarchies,
            &self.settings.deployment,
            &record.name,
        )
    }

    /// The right to choose a user for a machine.
    pub(crate) fn choosing(&self) -> MutexGuard<'_, ()> {
        self.choosing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says once that containers cannot be looked for.
    pub(crate) fn warn_without_docker(&self) {
        self.without_docker.call_once(|| {
            tracing::warn!("there is no program docker in the machines' PATH: containers of killed runners will stay");
        });
    }

    /// Everything held. Never locked across an await; a panic elsewhere leaves nothing half-done in it.
    pub(crate) fn held(&self) -> MutexGuard<'_, HeldMachines> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this call's turn at a machine.
    pub(crate) async fn turn(&self, name: &MachineName) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = Arc::clone(&self.held().entry(name.clone()).or_default().turn);
        turn.lock_owned().await
    }

    /// Changes what is held of a machine.
    pub(crate) fn update<T>(&self, name: &MachineName, change: impl FnOnce(&mut Held) -> T) -> T {
        change(self.held().entry(name.clone()).or_default())
    }

    /// Says that a listing has probably changed.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Work on files and processes, off the threads that must not wait.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        let host = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&host)).await.unwrap_or(Err(HostError::Abandoned))
    }
}

impl Backend for HostBackend {
    fn describe(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn create(&self, request: CreateRequest) -> Result<(), BackendError> {
        let name = request.name.clone();
        let host = Arc::clone(&self.host);
        let done = Self::finish(async move { create::create(&host, request).await }).await;
        done.map_err(|error| error.doing(format!("create machine {name}")))
    }

    async fn start(&self, machine: &MachineName, launch: Launch) -> Result<(), BackendError> {
        let (host, name) = (Arc::clone(&self.host), machine.clone());
        let done = Self::finish(async move { start::start(&host, &name, &launch).await }).await;
        done.map_err(|error| error.doing(format!("start the runner on machine {machine}")))
    }

    async fn list(&self) -> Result<Machines, BackendError> {
        let host = Arc::clone(&self.host);
        let done = Self::finish(async move { listing::list(&host).await }).await;
        done.map_err(|error| error.doing(format!("list machines in {}", self.host.settings.directory.display())))
    }

    async fn destroy(&self, machine: &MachineName, stop: Duration) -> Result<Destroyed, BackendError> {
        let (host, name) = (Arc::clone(&self.host), machine.clone());
        let done = Self::finish(async move { destroy::destroy(&host, &name, stop).await }).await;
        done.map_err(|error| error.doing(format!("destroy machine {machine}")))
    }

    async fn logs(&self, machine: &MachineName) -> Result<Vec<String>, BackendError> {
        let name = machine.clone();
        let done = self
            .host
            .blocking(move |host| {
                let folder = host.folder(&name).map_err(|_| HostError::NoMachine)?;
                logs::last_lines(&folder, &host.settings.deployment)
            })
            .await;
        done.map_err(|error| error.doing(format!("read the log of machine {machine}")))
    }
}
