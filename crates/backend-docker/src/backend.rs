//! The Docker backend: the calls.
//!
//! Each call works in a task of its own, one call at a time for each machine. So a call that is abandoned at its deadline
//! still ends in a known state, and the next one finds it.

use std::sync::{Arc, Once, Weak};
use std::time::Duration;

use ::backend::{Backend, BackendError, Capabilities, CreateRequest, Destroyed, Launch, Machines};
use planner::ids::MachineName;
use tokio::sync::watch;

use crate::cache::Uses;
use crate::engine::Engine;
use crate::error::DockerError;
use crate::image::{Images, OfEngine, Ours};
use crate::labels::Whose;
use crate::memory::Memory;
use crate::network::OwnNetwork;
use crate::registry::RegistryAuth;
use crate::runner_volume::RunnerVolume;
use crate::settings::DockerSettings;
use crate::{create, destroy, listing, logs, start, warm};

/// What an engine can do, and the defaults of what an operator may choose instead.
pub const CAPABILITIES: Capabilities = Capabilities {
    warm: true,
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
    pub(crate) docker: Arc<Docker>,
}

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Docker {
    pub(crate) settings: DockerSettings,
    pub(crate) whose: Whose,
    pub(crate) engine: Arc<Engine>,
    pub(crate) images: Images,
    pub(crate) caches: Arc<Uses>,
    pub(crate) network: OwnNetwork,
    pub(crate) runner_volume: RunnerVolume,
    pub(crate) memory: Arc<Memory>,
    changes: watch::Sender<u64>,
    watching: Once,
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
        let engine = Arc::new(Engine::new(settings.address.clone()));
        let images = Images::of(source(&settings, &engine), ours(&settings));
        let caches = Arc::new(Uses::new(settings.caches_file.clone()));
        Ok(Self::with(settings, engine, images, caches, Arc::default()))
    }

    /// Another one in its place, with other settings, of the same deployment and name: calls that are under way go on, and
    /// the new one knows of them. It remembers images and caches where this one did.
    #[must_use]
    pub fn replaced(&self, settings: DockerSettings) -> Self {
        let Whose { deployment, backend } = self.docker.whose.clone();
        let (images_file, caches_file) =
            (self.docker.settings.images_file.clone(), self.docker.settings.caches_file.clone());
        let settings = DockerSettings { deployment, backend, images_file, caches_file, ..settings };
        let is_same = self.docker.images.ours().is_of(settings.images_file.as_ref(), &engine_of(&settings));
        let engine = Arc::new(Engine::new(settings.address.clone()));
        let source = source(&settings, &engine);
        let images = if is_same { self.docker.images.replaced(source) } else { Images::of(source, ours(&settings)) };
        let (caches, memory) = (Arc::clone(&self.docker.caches), Arc::clone(&self.docker.memory));
        Self::with(settings, engine, images, caches, memory)
    }

    fn with(
        settings: DockerSettings,
        engine: Arc<Engine>,
        images: Images,
        caches: Arc<Uses>,
        memory: Arc<Memory>,
    ) -> Self {
        let docker = Docker {
            engine,
            whose: settings.whose(),
            images,
            caches,
            network: OwnNetwork::default(),
            runner_volume: RunnerVolume::default(),
            settings,
            memory,
            changes: watch::Sender::new(0),
            watching: Once::new(),
        };
        Self { docker: Arc::new(docker) }
    }

    /// Whether both are on the same engine, by its address.
    #[must_use]
    pub fn shares_engine_with(&self, other: &Self) -> bool {
        self.docker.settings.address == other.docker.settings.address
    }

    /// Sees to it that the engine has an image before a job needs it, as the settings say when; however long that takes. The
    /// log says how a pull goes, and why one has failed.
    pub async fn bring(&self, image: &str) -> Result<(), BackendError> {
        let done = self.docker.images.bring(image, self.docker.settings.pull).await;
        done.map_err(|error| error.doing(format!("bring the image {image} ahead of a job")))
    }

    /// Tells when a listing has probably changed. It is a hint to list now and carries no meaning.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.docker.changes.subscribe()
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

fn source(settings: &DockerSettings, engine: &Arc<Engine>) -> OfEngine {
    OfEngine { engine: Arc::clone(engine), auth: settings.registry_auth.clone().map(RegistryAuth::new) }
}

fn ours(settings: &DockerSettings) -> Ours {
    Ours::new(settings.images_file.clone(), engine_of(settings))
}

/// The engine, by its address.
fn engine_of(settings: &DockerSettings) -> String {
    settings.address.to_string()
}

impl Docker {
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
        let (waiting, caller) = Caller::new();
        let done = self.finish(async move { start::start(&docker, &name, &launch, &caller).await }).await;
        drop(waiting);
        done.map_err(|error| error.doing(format!("start the runner on machine {machine}")))
    }

    async fn release(&self, machine: &MachineName) -> Result<(), BackendError> {
        let (docker, name) = (Arc::clone(&self.docker), machine.clone());
        let (waiting, caller) = Caller::new();
        let done = self.finish(async move { warm::release(&docker, &name, &caller).await }).await;
        drop(waiting);
        done.map_err(|error| error.doing(format!("take the runner back from machine {machine}")))
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
