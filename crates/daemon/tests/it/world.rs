//! One test's forge, machines and daemon. The test plays the runners.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backend::{Backend as _, Launch};
use backend_modelled::ModelledBackend;
use daemon::Daemon;
use daemon::config::{Config, Surroundings};
use emulator::{Emulator, EmulatorSettings};
use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{Handle, RegistrationEnd, RepoId, Status, TaskId, TokenScope, TokenSpec, Version};
use planner::ids::MachineName;
use planner::report::Report;
use planner::seen::MachineSeen;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

/// Far more than anything takes.
const LIMIT: Duration = Duration::from_mins(1);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// The label of the pool.
const LABEL: &str = "debian";

/// How many there were.
static WORLDS: AtomicUsize = AtomicUsize::new(0);

/// What was started, in that order.
type Starts = Arc<Mutex<Vec<(MachineName, Launch)>>>;

/// All that a test needs.
pub(crate) struct World {
    emulator: Emulator,
    repository: RepoId,
    backend: ModelledBackend,
    starts: Starts,
    place: TempDir,
    daemon: Option<Daemon>,
}

impl World {
    /// A daemon with one pool, which has these lines.
    pub(crate) async fn new(pool: &str) -> Self {
        let emulator = Emulator::start(EmulatorSettings::new(Version::V16)).await.unwrap();
        let (repository, token) = emulator.with_forge(|forge, _| {
            let dana = forge.create_user("dana", false);
            let acme = forge.create_organization("acme", &[dana]);
            let site = forge.create_repository(acme, "site", false).unwrap();
            (site, forge.create_token(dana, TokenSpec::new(&[TokenScope::All])).unwrap())
        });
        let place = TempDir::new().unwrap();
        fs::write(place.path().join("token"), token).unwrap();
        fs::set_permissions(place.path().join("token"), fs::Permissions::from_mode(0o600)).unwrap();
        // A host has one daemon of a deployment, and worlds are tried side by side.
        let deployment = format!("ci-{}-{}", std::process::id(), WORLDS.fetch_add(1, Ordering::Relaxed));
        let text = format!(
            "deployment = \"{deployment}\"\nstate_directory = \"state\"\n\
             [[forge]]\nurl = \"{}\"\ntoken_file = \"token\"\nscopes = [\"org:acme\"]\ninterval = \"100ms\"\n\
             [backend.engine]\nkind = \"docker\"\nrunner = \"/bin/true\"\ninterval = \"100ms\"\n\
             [limits]\nsettle = \"200ms\"\nsuspect = \"200ms\"\n\
             [[pool]]\nname = \"debian\"\nlabels = [\"{LABEL}:docker://debian:13\"]\nbackend = \"engine\"\n\
             fetch_interval = \"100ms\"\nclaim = \"300ms\"\n{pool}\n",
            emulator.url()
        );
        fs::write(place.path().join("forgescale.toml"), text).unwrap();
        let starts = Starts::default();
        let noted = Arc::clone(&starts);
        let backend = ModelledBackend::new(move |machine, launch| {
            noted.lock().unwrap().push((machine.clone(), launch.clone()));
        });
        let mut world = Self { emulator, repository, backend, starts, place, daemon: None };
        world.start();
        world
    }

    /// Starts a daemon, on what the one before has left.
    pub(crate) fn start(&mut self) {
        let file = self.place.path().join("forgescale.toml");
        let config = Config::load(&file, &Surroundings::new(|_| None, false)).unwrap();
        self.daemon = Some(Daemon::start_modelled(&config, &self.backend).unwrap());
    }

    /// Ends the daemon at once.
    pub(crate) async fn stop(&mut self) {
        let daemon = self.daemon.take().unwrap();
        daemon.control().stop();
        assert!(daemon.ended().await);
    }

    /// Ends the daemon when nothing is left.
    pub(crate) async fn drain(&mut self) {
        let daemon = self.daemon.take().unwrap();
        daemon.control().drain();
        assert!(daemon.ended().await);
    }

    pub(crate) fn push(&self, concurrency: Concurrency) -> Handle {
        self.emulator.with_forge(|forge, now| {
            let spec = RunSpec::new(self.repository, "ci.yaml", vec![JobSpec::shell("build", &[LABEL], "true")]);
            let run = forge.push_run(now, spec.with_concurrency(concurrency)).unwrap();
            forge.handle_of(forge.jobs_of_run(run)[0]).unwrap().clone()
        })
    }

    /// How often runners were registered.
    pub(crate) fn registrations(&self) -> usize {
        self.emulator.with_forge(|forge, _| forge.books().registrations().len())
    }

    pub(crate) fn status(&self, handle: &Handle) -> Status {
        self.emulator.with_forge(|forge, _| forge.books().attempt(handle).unwrap().status)
    }

    /// The machines.
    async fn machines(&self) -> Vec<MachineSeen> {
        self.backend.list().await.unwrap().rows
    }

    /// Their names.
    pub(crate) async fn names(&self) -> Vec<MachineName> {
        self.machines().await.into_iter().map(|row| row.name).collect()
    }

    /// The latest report.
    pub(crate) fn report(&self) -> Arc<Report> {
        self.daemon.as_ref().unwrap().reports().borrow().clone()
    }

    /// Waits until a number of machines is ready without a job, and there is no other one.
    pub(crate) async fn until_ready(&self, count: u32) {
        self.until(&format!("{count} are ready"), || {
            let report = self.report();
            report.pools.first().is_some_and(|pool| (pool.used, pool.warm_ready) == (count, count))
        })
        .await;
    }

    /// Waits until a runner was started for a job for the `times`th time: on which machine, and with what.
    pub(crate) async fn until_started(&self, handle: &Handle, times: usize) -> (MachineName, Launch) {
        let started = || {
            let starts = self.starts.lock().unwrap();
            let mut of_job = starts.iter().filter(|(_, launch)| launch.handle.as_str() == handle.as_str());
            of_job.nth(times - 1).cloned()
        };
        self.until("its runner is started", || started().is_some()).await;
        started().unwrap()
    }

    /// The runner contacts the forge and asks for its job: the task, if it gets it.
    pub(crate) fn ask(&self, launch: &Launch) -> Option<TaskId> {
        self.emulator
            .with_forge(|forge, now| forge.declare(now, credentials(launch), "v12.8.2", &[LABEL.to_owned()]).ok())?;
        self.ask_again(launch)
    }

    /// It asks once more.
    pub(crate) fn ask_again(&self, launch: &Launch) -> Option<TaskId> {
        self.emulator.with_forge(|forge, now| {
            let ask = FetchAsk { tasks_version: 0, handle: Some(launch.handle.as_str()), request_key: None };
            forge.fetch_single_task(now, credentials(launch), ask).ok()?.tasks.first().map(|task| task.id)
        })
    }

    /// All that was started, in that order.
    pub(crate) fn started(&self) -> Vec<(MachineName, Launch)> {
        self.starts.lock().unwrap().clone()
    }

    /// How many machines were ever made.
    pub(crate) fn made(&self) -> usize {
        self.backend.made()
    }

    /// How many runners were taken back: deleted without having been given a job.
    pub(crate) fn taken_back(&self) -> usize {
        self.emulator.with_forge(|forge, _| {
            let books = forge.books();
            let deleted = books.registrations().iter().filter(|row| matches!(row.end, RegistrationEnd::Deleted(_)));
            deleted.filter(|row| books.hand_outs().iter().all(|hand_out| hand_out.runner != row.id)).count()
        })
    }

    /// The job has succeeded, and the runner ends.
    pub(crate) fn succeed(&self, machine: &MachineName, launch: &Launch, task: TaskId) {
        let report = TaskReport { task, result: Some(Status::Success), outputs: BTreeMap::new() };
        self.emulator.with_forge(|forge, now| forge.update_task(now, credentials(launch), &report)).unwrap();
        self.backend.end(machine, 0);
    }

    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !holds() {
            assert!(Instant::now() < deadline, "waited in vain until {what}: {:#?}", self.report());
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn credentials(launch: &Launch) -> Credentials<'_> {
    Credentials { uuid: launch.uuid.as_str(), token: launch.token.expose_secret() }
}
