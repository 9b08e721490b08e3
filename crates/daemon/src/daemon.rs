//! The daemon: everything put together, started and stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend_host::{HostError, Program};
use backend_modelled::ModelledBackend;
use planner::ids::BackendId;
use planner::report::Report;
use planner::state::State;
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::claim::Claim;
use crate::clock::Clock;
use crate::config::Config;
use crate::forges::{ForgeError, Forges};
use crate::fresh_start::FreshStart;
use crate::lanes::Lanes;
use crate::lock::{LockError, StateDirectory};
use crate::machines::Backend;
use crate::names::Names;
use crate::notify::Notifier;
use crate::observers::{self, Reporting};
use crate::owner::{Owner, Wish, Written};
use crate::remembered::Remembered;
use crate::vault::Vault;
use crate::wall_ms;
use planner::event::Event;

/// How many events may wait for the owner. It drains them faster than any forge answers; when it is full, observers and
/// lanes wait.
const EVENTS: usize = 1024;

/// The store's file in the state directory.
const STORE: &str = "forgescale.sqlite";

/// The folder of a host backend's machines in the state directory; one folder below it for each backend.
const MACHINES: &str = "machines";

/// The folder of runners' credentials in the runtime directory; one folder below it for each deployment.
const CREDENTIALS: &str = "credentials";

/// What is not in the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Looks after one machine of the host backend: this program and its hidden subcommand.
    pub supervisor: Program,
    /// End as soon as everything was listed once and nothing is left to begin.
    pub once: bool,
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
        source: HostError,
    },
}

/// A running daemon. Ask its [`Control`] to stop it; dropped, it goes on blind.
#[derive(Debug)]
pub struct Daemon {
    owner: JoinHandle<()>,
    observers: JoinSet<()>,
    control: Control,
    reports: watch::Receiver<Arc<Report>>,
    _directory: StateDirectory,
    claim: Option<Claim>,
}

/// Tells a daemon to end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    wishes: Arc<watch::Sender<Wish>>,
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

    /// A wish only ever grows.
    fn wish(&self, wish: Wish) {
        self.wishes.send_modify(|current| *current = (*current).max(wish));
    }
}

impl Daemon {
    /// Locks the state directory, claims the deployment on this host, reads what is remembered and starts all tasks. Calls no forge and no backend before it
    /// returns. Blocks for a few files.
    pub fn start(config: &Config, options: &Options) -> Result<Self, StartError> {
        Self::start_on(config, options.once, |directory| backends(config, directory, &options.supervisor))
    }

    /// As [`Daemon::start`], with these machines in the place of what the configuration says of each backend but its
    /// limits and intervals: to measure what is around a backend.
    pub fn start_modelled(config: &Config, modelled: &ModelledBackend) -> Result<Self, StartError> {
        let backends = config.backends.keys().map(|id| (id.clone(), Backend::Modelled(modelled.clone())));
        Self::start_on(config, false, |_| Ok(backends.collect()))
    }

    fn start_on(
        config: &Config,
        once: bool,
        backends: impl FnOnce(&Path) -> Result<BTreeMap<BackendId, Backend>, StartError>,
    ) -> Result<Self, StartError> {
        let directory = StateDirectory::lock(&config.state_directory)?;
        let claim = Claim::of(&config.deployment)?;
        let clock = Clock::start();
        let policy = config.policy();
        let (store, loaded) = Store::open(&directory.path().join(STORE))?;
        let (remembered, handles) =
            Remembered::load(&loaded.memory, FreshStart::new(&loaded.memory, config), clock.now(), wall_ms());
        let forges = Arc::new(Forges::new(&config.forges, config.limits.forge_deadline)?);
        let backends = backends(&directory.path().join(MACHINES))?;
        // A register call has been answered or given up by then.
        let orphaned = config.limits.forge_deadline + config.limits.settle;
        let vault = Vault::open(credentials(config).as_deref(), orphaned);
        let mut state = State::default();
        state.journal.handles = handles;
        for runner in vault.runners() {
            planner::fold::fold(&mut state, &policy, &Event::CredentialsFound { runner }, clock.now());
        }

        let (sender, events) = mpsc::channel(EVENTS);
        let (runners_wanted, wanted) = watch::channel(policy.scopes.keys().cloned().collect());
        let (reports, latest) = watch::channel(Arc::default());
        let (wishes, wish) = watch::channel(Wish::Run);
        let reporting =
            Reporting { clock, deployment: config.deployment.clone(), events: sender.clone(), runners_wanted: wanted };
        let observers = observe(&policy, &forges, &backends, &reporting);
        let lanes = Arc::new(Lanes {
            deployment: config.deployment.clone(),
            limits: config.limits,
            forges: Arc::clone(&forges),
            backends,
            pools: config.pools.iter().map(|pool| (pool.policy.id.clone(), pool.clone())).collect(),
            vault,
            events: sender,
            calls: std::sync::Mutex::default(),
        });
        // Not before all that can keep us from starting.
        store.remember(vec![FreshStart::unmark()]);
        let owner = Owner {
            policy,
            state,
            clock,
            lanes,
            store,
            remembered,
            names: Names::start(forges),
            directory: directory.path().to_owned(),
            runners_wanted,
            reports,
            once,
            written: Written::default(),
            notifier: Notifier::of_process(),
        };
        let owner = tokio::spawn(owner.run(events, wish));
        let control = Control { wishes: Arc::new(wishes) };
        Ok(Self { owner, observers, control, reports: latest, _directory: directory, claim })
    }

    /// Tells it to end.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The latest report.
    pub fn reports(&self) -> watch::Receiver<Arc<Report>> {
        self.reports.clone()
    }

    /// Waits until it has ended. False when its owner or an observer died, which is a defect: a daemon that sees only a
    /// part of its world is stopped rather than left to guess.
    pub async fn ended(mut self) -> bool {
        let mut well = true;
        loop {
            tokio::select! {
                owner = &mut self.owner => return well && owner.is_ok(),
                () = let_in(self.claim.as_ref()) => {}
                Some(observer) = self.observers.join_next() => {
                    if observer.is_err() {
                        well = false;
                        self.control.wish(Wish::GiveUp);
                    }
                }
            }
        }
    }
}

async fn let_in(claim: Option<&Claim>) {
    match claim {
        Some(claim) => claim.let_in().await,
        None => std::future::pending().await,
    }
}

fn backends(
    config: &Config,
    directory: &Path,
    supervisor: &Program,
) -> Result<BTreeMap<BackendId, Backend>, StartError> {
    let mut backends = BTreeMap::new();
    for (id, backend) in &config.backends {
        let made = Backend::new(backend, &config.deployment, &directory.join(id.as_str()), supervisor.clone())
            .map_err(|source| StartError::Backend { backend: id.clone(), source })?;
        backends.insert(id.clone(), made);
    }
    Ok(backends)
}

fn credentials(config: &Config) -> Option<PathBuf> {
    let directory = config.runtime_directory.as_ref()?;
    Some(directory.join(CREDENTIALS).join(config.deployment.as_str()))
}

fn observe(
    policy: &planner::policy::Policy,
    forges: &Forges,
    backends: &BTreeMap<BackendId, Backend>,
    reporting: &Reporting,
) -> JoinSet<()> {
    let mut observers = JoinSet::new();
    for (key, scope) in forges.scopes() {
        observers.spawn(observers::scope(key.clone(), scope.clone(), reporting.clone()));
    }
    for (id, backend) in backends {
        let Some(interval) = policy.backends.get(id).map(|backend| backend.interval) else { continue };
        observers.spawn(observers::backend(id.clone(), backend.clone(), interval, reporting.clone()));
    }
    observers
}
