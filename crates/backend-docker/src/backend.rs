//! The Docker backend: the calls.
//!
//! Each call works in a task of its own, one call at a time for each machine. So a call that is abandoned at its deadline
//! still ends in a known state, and the next one finds it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

use ::backend::{Backend, BackendError, Capabilities, CreateRequest, Destroyed, Launch, Machines};
use planner::ids::MachineName;
use planner::seen::Exit;
use tokio::sync::watch;

use crate::engine::Engine;
use crate::error::DockerError;
use crate::image::Images;
use crate::network::OwnNetwork;
use crate::runner_volume::RunnerVolume;
use crate::settings::{DockerSettings, Network};
use crate::unstarted::Unstarted;
use crate::{create, destroy, listing, logs, start};

/// What an engine can do, and the defaults of what an operator may choose instead.
pub const CAPABILITIES: Capabilities = Capabilities {
    fused_start: false,
    // A container and a runner in it.
    boot_hint: Duration::from_secs(2),
    // An engine starts few containers at once: more only wait there.
    parallel_creates: 4,
    // The engine tells of ends without it.
    list_interval: Duration::from_secs(2),
};

/// Makes machines with an engine. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct DockerBackend {
    docker: Arc<Docker>,
}

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Docker {
    pub(crate) settings: DockerSettings,
    pub(crate) engine: Arc<Engine>,
    pub(crate) images: Images,
    pub(crate) network: OwnNetwork,
    pub(crate) runner_volume: RunnerVolume,
    pub(crate) unstarted: Unstarted,
    /// How containers ended, by the engine's id. They never start again.
    pub(crate) exits: Mutex<BTreeMap<String, Exit>>,
    held: Mutex<BTreeMap<MachineName, Held>>,
    changes: watch::Sender<u64>,
    watching: Once,
}

/// What is remembered of a machine.
#[derive(Debug, Default)]
struct Held {
    turn: Arc<tokio::sync::Mutex<()>>,
    asked_to_end: Option<Instant>,
    /// Whether this daemon has begun to bind and start it.
    handed_over: bool,
}

/// Whoever waits for the answer to a call.
#[derive(Debug)]
pub(crate) struct Caller {
    waiting: Weak<()>,
}

impl Caller {
    /// One that waits as long as the first of the two is kept.
    fn new() -> (Arc<()>, Self) {
        let waiting = Arc::new(());
        let caller = Self { waiting: Arc::downgrade(&waiting) };
        (waiting, caller)
    }

    /// Nothing is begun for one that has given up: it counts on what listings show.
    pub(crate) fn still_waits(&self) -> Result<(), DockerError> {
        if self.waiting.strong_count() > 0 { Ok(()) } else { Err(DockerError::Abandoned) }
    }
}

impl DockerBackend {
    /// Checks the settings. Connects to nothing yet.
    pub fn new(settings: DockerSettings) -> Result<Self, DockerError> {
        let deployment = settings.deployment.as_str();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins = deployment.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !begins || deployment.len() > 63 || !deployment.bytes().all(is_plain) {
            return Err(DockerError::BadDeployment);
        }
        let docker = Docker {
            engine: Arc::new(Engine::new(settings.endpoint.clone())),
            settings,
            images: Images::default(),
            network: OwnNetwork::default(),
            runner_volume: RunnerVolume::default(),
            unstarted: Unstarted::default(),
            exits: Mutex::default(),
            held: Mutex::default(),
            changes: watch::Sender::new(0),
            watching: Once::new(),
        };
        Ok(Self { docker: Arc::new(docker) })
    }

    /// Tells when a listing has probably changed. It is a hint to list now and carries no meaning.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.docker.changes.subscribe()
    }

    /// Removes what machines share, the network and the runner's volume, if no machine is left. For the end of a daemon.
    pub async fn close(&self) -> Result<(), BackendError> {
        let docker = &self.docker;
        let deployment = &docker.settings.deployment;
        let done = async {
            let machines = listing::list(docker).await?;
            if machines.rows.is_empty() && machines.complete {
                docker.runner_volume.remove(&docker.engine, deployment).await?;
                if docker.settings.network == Network::Own {
                    docker.network.remove(&docker.engine, deployment).await?;
                }
            }
            Ok(())
        };
        done.await.map_err(|error: DockerError| error.doing("remove the network and the runner's volume".to_owned()))
    }

    /// Runs a call to its end, even if the caller does not wait for that.
    async fn finish<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, DockerError>> + Send + 'static,
    ) -> Result<T, DockerError> {
        self.docker.watching.call_once(|| {
            tokio::spawn(crate::watch::watch(Arc::downgrade(&self.docker)));
        });
        tokio::spawn(call).await.unwrap_or(Err(DockerError::Abandoned))
    }
}

impl Docker {
    fn held(&self) -> MutexGuard<'_, BTreeMap<MachineName, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this call's turn at a machine.
    pub(crate) async fn turn(&self, name: &MachineName) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = Arc::clone(&self.held().entry(name.clone()).or_default().turn);
        turn.lock_owned().await
    }

    /// Whether this daemon has asked it to end.
    pub(crate) fn asked_to_end(&self, name: &MachineName) -> bool {
        self.held().get(name).is_some_and(|held| held.asked_to_end.is_some())
    }

    /// Notes that this daemon binds and starts it.
    pub(crate) fn hands_over(&self, name: &MachineName) {
        self.held().entry(name.clone()).or_default().handed_over = true;
    }

    /// Whether it was this daemon that bound it.
    pub(crate) fn has_handed_over(&self, name: &MachineName) -> bool {
        self.held().get(name).is_some_and(|held| held.handed_over)
    }

    /// Notes that it is asked to end now; false if it was asked before.
    pub(crate) fn ask_to_end(&self, name: &MachineName, now: Instant) -> bool {
        let mut held = self.held();
        let asked = &mut held.entry(name.clone()).or_default().asked_to_end;
        let is_first = asked.is_none();
        asked.get_or_insert(now);
        is_first
    }

    /// It was not asked after all.
    pub(crate) fn take_back_asking(&self, name: &MachineName) {
        if let Some(held) = self.held().get_mut(name) {
            held.asked_to_end = None;
        }
    }

    /// Whether it has had its time to end, counted from when it was asked.
    pub(crate) fn time_is_over(&self, name: &MachineName, stop: Duration, now: Instant) -> bool {
        let asked = self.held().get(name).and_then(|held| held.asked_to_end);
        stop.is_zero() || asked.is_some_and(|asked| now.saturating_duration_since(asked) >= stop)
    }

    /// Whether it is known how a container ended.
    pub(crate) fn has_an_exit(&self, id: &str) -> bool {
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// Forgets what is remembered of machines that are gone and that no call is about.
    pub(crate) fn forget_gone(&self, is_there: impl Fn(&MachineName) -> bool, is_known: impl Fn(&str) -> bool) {
        self.held().retain(|name, held| is_there(name) || Arc::strong_count(&held.turn) > 1);
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| is_known(id));
    }

    /// Looks again for what machines need, before the next one is made.
    pub(crate) async fn forget_prepared(&self) {
        self.network.forget().await;
        self.runner_volume.forget().await;
    }

    /// Says that a listing has probably changed.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Backend for DockerBackend {
    fn describe(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn create(&self, request: CreateRequest) -> Result<(), BackendError> {
        let name = request.name.clone();
        let docker = Arc::clone(&self.docker);
        let (waiting, caller) = Caller::new();
        let done = self.finish(async move { create::create(&docker, &request, &caller).await }).await;
        drop(waiting);
        done.map_err(|error| error.doing(format!("create machine {name}")))
    }

    async fn start(&self, machine: &MachineName, launch: Launch) -> Result<(), BackendError> {
        let (docker, name) = (Arc::clone(&self.docker), machine.clone());
        let done = self.finish(async move { start::start(&docker, &name, &launch).await }).await;
        done.map_err(|error| error.doing(format!("start the runner on machine {machine}")))
    }

    async fn list(&self) -> Result<Machines, BackendError> {
        let docker = Arc::clone(&self.docker);
        let done = self.finish(async move { listing::list(&docker).await }).await;
        done.map_err(|error| error.doing("list machines".to_owned()))
    }

    async fn destroy(&self, machine: &MachineName, stop: Duration) -> Result<Destroyed, BackendError> {
        let (docker, name) = (Arc::clone(&self.docker), machine.clone());
        let done = self.finish(async move { destroy::destroy(&docker, &name, stop).await }).await;
        done.map_err(|error| error.doing(format!("destroy machine {machine}")))
    }

    async fn logs(&self, machine: &MachineName) -> Result<Vec<String>, BackendError> {
        let done = logs::last_lines(&self.docker, machine).await;
        done.map_err(|error| error.doing(format!("read the log of machine {machine}")))
    }
}
