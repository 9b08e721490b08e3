//! The daemon: everything put together, started and stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend_host::Program;
use backend_modelled::ModelledBackend;
use planner::event::Event;
use planner::ids::{BackendId, DeploymentId};
use planner::report::Report;
use planner::state::State;
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::alerts::Alerts;
use crate::claim::Claim;
use crate::clock::Clock;
use crate::collect::{Collect, Collecting, Collection};
use crate::config::Config;
use crate::control::{Desk, Request, Server};
use crate::forges::ForgeError;
use crate::fresh_start::FreshStart;
use crate::hours::Hours;
use crate::lanes::Lanes;
use crate::lock::{LockError, StateDirectory};
use crate::machines::{Backend, BackendRefused, ForWhat};
use crate::made::Made;
use crate::names::Names;
use crate::notify::Notifier;
use crate::observers::Reporting;
use crate::observing::Observing;
use crate::owner::{Owner, Purpose, Wish, Written};
use crate::parts::{self, Backends, Parts};
use crate::reload::InUse;
use crate::remembered::Remembered;
use crate::remembered_pools::RememberedPools;
use crate::tending::Tending;
use crate::vault::Vault;
use crate::wall_ms;

/// How many events may wait for the owner. It drains them faster than any forge answers; when it is full, observers and
/// lanes wait.
const EVENTS: usize = 1024;

/// How many requests may wait for the owner.
const ORDERS: usize = 4;

/// The store's file in the state directory.
const STORE: &str = "forgescale.sqlite";

/// The folder of a host backend's machines in the state directory; one folder below it for each backend.
pub(crate) const MACHINES: &str = "machines";

/// Begins the name of the folder, in the state directory, of a clean-up after another deployment.
const OF_ANOTHER: &str = "gc-";

/// The folder of runners' credentials in the runtime directory; one folder below it for each deployment.
const CREDENTIALS: &str = "credentials";

/// What is not in the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Looks after one machine of the host backend: this program and its hidden subcommand.
    pub supervisor: Program,
    /// End as soon as everything was listed once and nothing is left to begin.
    pub once: bool,
    /// Where the configuration was read, so that it can be read again.
    pub file: Option<PathBuf>,
}

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory, or another daemon of the deployment.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store.
    #[error("cannot open the store")]
    Store(#[from] StoreError),
    /// A forge.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// A backend.
    #[error("cannot use the backend {backend}")]
    Backend {
        /// Which.
        backend: BackendId,
        /// Why.
        #[source]
        source: BackendRefused,
    },
}

impl StartError {
    /// What a person can do about it, where something is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Lock(error) => Some(error.hint()),
            Self::Forge(error) => Some(error.hint()),
            Self::Backend { source, .. } => source.hint(),
            Self::Store(_) => None,
        }
    }
}

/// A running daemon. Ask its [`Control`] to stop it; dropped, it goes on blind.
#[derive(Debug)]
pub struct Daemon {
    owner: JoinHandle<bool>,
    control: Control,
    reports: watch::Receiver<Arc<Report>>,
    server: Option<Server>,
    claim: Option<Claim>,
    directory: Arc<StateDirectory>,
    vault: Arc<Vault>,
    /// Whether the state directory goes with the daemon.
    temporary: bool,
}

/// Tells a daemon what to do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    wishes: Arc<watch::Sender<Wish>>,
    desk: Arc<Desk>,
}

impl Control {
    /// Launch nothing more and end at once; running jobs go on, and the next start finds them.
    pub fn stop(&self) {
        self.wish(Wish::Stop);
    }

    /// Launch nothing more and end when every assignment is over.
    pub fn drain(&self) {
        self.wish(Wish::Drain);
    }

    /// Read the configuration again, as `forgescale reload` asks for. What comes of it is in the log.
    pub async fn reload(&self) {
        self.desk.ask(Request::Reload).await;
    }

    /// A wish only ever grows.
    fn wish(&self, wish: Wish) {
        self.wishes.send_modify(|current| *current = (*current).max(wish));
    }
}

/// What a daemon is started with.
struct Start<'a> {
    directory: StateDirectory,
    temporary: bool,
    config: &'a Config,
    backends: Backends,
    purpose: Purpose,
    /// The configuration's file and the program that looks after machines, where it can be read again.
    read_from: Option<(&'a Path, &'a Program)>,
}

impl Daemon {
    /// Locks the state directory, claims the deployment on this host, reads what is remembered and starts all tasks. Calls
    /// no forge and no backend before it returns. Blocks for a few files.
    pub fn start(config: &Config, options: &Options) -> Result<Self, StartError> {
        Self::start_in(StateDirectory::lock(&config.state_directory)?, config, options)
    }

    /// As [`Daemon::start`], in the state directory of the configuration, which is locked already.
    pub fn start_in(directory: StateDirectory, config: &Config, options: &Options) -> Result<Self, StartError> {
        let machines = directory.path().join(MACHINES);
        let backends = parts::backends(config, &machines, &options.supervisor, ForWhat::Serving, |_, _| None)?;
        let read_from = options.file.as_deref().map(|file| (file, &options.supervisor));
        let purpose = if options.once { Purpose::Once } else { Purpose::Serve };
        Start { directory, temporary: false, config, backends, purpose, read_from }.begin()
    }

    /// As [`Daemon::start`], with these machines in the place of what the configuration says of each backend but its
    /// limits and intervals: to measure what is around a backend.
    pub fn start_modelled(config: &Config, modelled: &ModelledBackend) -> Result<Self, StartError> {
        let backends = config.backends.keys().map(|id| (id.clone(), Backend::Modelled(modelled.clone()))).collect();
        let backends = Backends { backends, made: Made::default() };
        let directory = StateDirectory::lock(&config.state_directory)?;
        let purpose = Purpose::Serve;
        Start { directory, temporary: false, config, backends, purpose, read_from: None }.begin()
    }

    /// Cleans up after the configuration's own deployment, whose state directory is locked: launches nothing, and ends
    /// when nothing more can go.
    pub fn collect_in(
        directory: StateDirectory,
        config: &Config,
        supervisor: &Program,
        how: Collect,
    ) -> Result<Collection, StartError> {
        let machines = directory.path().join(MACHINES);
        // Where there was none, none is to be left: it would be this user's, and perhaps not the daemon's.
        let temporary = directory.is_new();
        Self::collect(directory, &machines, temporary, config, supervisor, how)
    }

    /// The same for another deployment, on the same backends and scopes: a daemon of the configuration's own may run
    /// beside it. Its state is a temporary one.
    pub fn collect_for(
        deployment: &DeploymentId,
        config: &mut Config,
        supervisor: &Program,
        how: Collect,
    ) -> Result<Collection, StartError> {
        config.deployment = deployment.clone();
        let directory = StateDirectory::try_lock(&config.state_directory.join(format!("{OF_ANOTHER}{deployment}")))?;
        Self::collect(directory, &config.state_directory.join(MACHINES), true, config, supervisor, how)
    }

    fn collect(
        directory: StateDirectory,
        machines: &Path,
        temporary: bool,
        config: &Config,
        supervisor: &Program,
        how: Collect,
    ) -> Result<Collection, StartError> {
        let backends = parts::backends(config, machines, supervisor, how.for_what(), |_, _| None)?;
        let (collecting, collected, waiting) = Collecting::new(how);
        let purpose = Purpose::Collect(Some(Box::new(collecting)));
        let daemon = Start { directory, temporary, config, backends, purpose, read_from: None }.begin()?;
        Ok(Collection { daemon, collected, waiting })
    }

    /// Tells it what to do.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The latest report.
    pub fn reports(&self) -> watch::Receiver<Arc<Report>> {
        self.reports.clone()
    }

    /// Waits until it has ended. False when its owner or an observer died, which is a defect.
    pub async fn ended(mut self) -> bool {
        let well = loop {
            tokio::select! {
                ended = &mut self.owner => break ended.unwrap_or(false),
                () = let_in(self.claim.as_ref()) => {}
            }
        };
        // The socket goes before the lock.
        if let Some(server) = self.server {
            server.stop().await;
        }
        self.vault.close();
        if self.temporary {
            // What stays is found by the next one of that deployment.
            let _ = std::fs::remove_dir_all(self.directory.path());
        }
        well
    }
}

impl Start<'_> {
    fn begin(self) -> Result<Daemon, StartError> {
        let (config, mut directory) = (self.config, self.directory);
        let mut backends = self.backends;
        directory.takes_along(&mut backends.made);
        let claim = Claim::of(&config.deployment)?;
        let clock = Clock::start();
        let parts = Parts::new(config, backends)?;
        let in_use = self
            .read_from
            .map(|(file, supervisor)| InUse::new(file, supervisor, &directory.path().join(MACHINES), config, &parts));
        let policy = parts.policy;
        let store = directory.path().join(STORE);
        directory.makes(store::files(&store));
        let (store, loaded) = Store::open(&store)?;
        // From here on nothing keeps it from starting.
        if !matches!(self.purpose, Purpose::Collect(_)) {
            directory.keep();
        }
        let directory = Arc::new(directory);
        let fresh_start = FreshStart::new(&loaded.memory, config);
        let (remembered_pools, breakers) = RememberedPools::load(&loaded.memory, &fresh_start, clock.now(), wall_ms());
        let (remembered, handles) = Remembered::load(&loaded.memory, fresh_start, clock.now(), wall_ms());
        // A register call has been answered or given up by then.
        let orphaned = config.limits.forge_deadline + config.limits.settle;
        let vault = Arc::new(Vault::open(credentials(config).as_deref(), orphaned));
        let mut state = State::default();
        state.journal.life = wall_ms();
        state.journal.handles = handles;
        state.journal.breakers = breakers;
        for runner in vault.runners() {
            planner::fold::fold(&mut state, &policy, &Event::CredentialsFound { runner }, clock.now());
        }

        let (sender, events) = mpsc::channel(EVENTS);
        let (runners_wanted, wanted) = watch::channel(policy.scopes.keys().cloned().collect());
        let (reports, latest) = watch::channel(Arc::default());
        let (wishes, wish) = watch::channel(Wish::Run);
        let (orders, ordered) = mpsc::channel(ORDERS);
        let reporting =
            Reporting { clock, deployment: config.deployment.clone(), events: sender.clone(), runners_wanted: wanted };
        let mut observing = Observing::new(reporting);
        observing.begin(&policy, &parts.forges, &parts.backends);
        if !matches!(self.purpose, Purpose::Collect(_)) {
            // The next start is one after a crash, unless this life is told to stop.
            store.remember(vec![FreshStart::unmark()]);
        }
        let mut tending = Tending::default();
        if matches!(self.purpose, Purpose::Serve) {
            tending.begin(&parts.backends, &parts.images);
        }
        let owner = Owner {
            policy,
            state,
            clock,
            store,
            remembered,
            remembered_pools,
            names: Names::start(Arc::clone(&parts.forges)),
            hours: Hours::new(parts.pools.values()),
            lanes: Arc::new(Lanes {
                deployment: config.deployment.clone(),
                limits: parts.limits,
                forges: parts.forges,
                backends: parts.backends,
                pools: parts.pools,
                vault: Arc::clone(&vault),
                events: sender,
                calls: Arc::default(),
            }),
            directory: directory.path().to_owned(),
            runners_wanted,
            reports,
            observing,
            tending,
            purpose: self.purpose,
            asked: Vec::new(),
            written: Written::default(),
            alerts: Alerts::default(),
            notifier: Notifier::of_process(),
        };
        let owner = tokio::spawn(owner.run(events, ordered, wish));
        let desk = Arc::new(Desk::new(orders, in_use));
        let server = listen(&directory, Arc::clone(&desk));
        let control = Control { wishes: Arc::new(wishes), desk };
        let temporary = self.temporary;
        Ok(Daemon { owner, control, reports: latest, server, claim, directory, vault, temporary })
    }
}

async fn let_in(claim: Option<&Claim>) {
    match claim {
        Some(claim) => claim.let_in().await,
        None => std::future::pending().await,
    }
}

/// Without its socket the daemon does all of its work, and cannot be asked for anything.
fn listen(directory: &Arc<StateDirectory>, desk: Arc<Desk>) -> Option<Server> {
    let started = Server::start(Arc::clone(directory), desk);
    started
        .inspect_err(|error| tracing::error!(%error, "the control socket cannot be used: the daemon cannot be asked for anything"))
        .ok()
}

fn credentials(config: &Config) -> Option<PathBuf> {
    let directory = config.runtime_directory.as_ref()?;
    Some(directory.join(CREDENTIALS).join(config.deployment.as_str()))
}
