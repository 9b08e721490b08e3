//! One test's world: an emulated forge, directories, a configuration, and the daemon in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use emulator::{Emulator, EmulatorSettings};
use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{
    Area, AttemptRecord, Handle, OwnerId, RegistrationRecord, RepoId, RunId, Status, TokenScope, TokenSpec,
};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::config::{self, Setup};
use super::containers::Engine;
use super::daemon::Daemon;
use super::processes;
use crate::{Ran, check_quiet, forgescale, run};

/// How long anything may take before a test is given up. Far more than it takes.
const LIMIT: Duration = Duration::from_mins(1);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// After how long `explain` is asked again though the report is the same.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A file system in memory, where there is one.
const SHARED_MEMORY: &str = "/dev/shm";

/// How much of the daemon's log is shown when a test fails.
const LOG_TAIL: usize = 80;

/// Everything of one test. Dropping it ends every process of it.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) deployment: String,
    pub(crate) repository: RepoId,
    pub(crate) organization: OwnerId,
    pub(crate) token: String,
    pub(crate) place: TempDir,
    pub(crate) memory: TempDir,
    /// Where machines are containers.
    pub(crate) engine: Option<Engine>,
    daemon: Option<Daemon>,
    // Last, so that what runs on it is dropped before.
    runtime: Runtime,
}

/// A job that was pushed.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    pub(crate) run: RunId,
    pub(crate) handle: Handle,
}

impl World {
    /// Starts the forge and writes the configuration. The daemon does not run yet.
    pub(crate) fn new(setup: &Setup) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut forge = EmulatorSettings::new(setup.version);
        if let Some(engine) = &setup.engine {
            forge.listen.set_ip(engine.forge);
        }
        let emulator = runtime.block_on(Emulator::start(forge)).expect("a forge");
        let (organization, repository, token) = people(&emulator);
        let deployment = format!("e2e-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let place = TempDir::new().expect("a folder");
        let memory = TempDir::new_in(if Path::new(SHARED_MEMORY).is_dir() { SHARED_MEMORY } else { "/tmp" });
        let memory = memory.expect("a folder in memory");
        let text = config::text(setup, &deployment, &emulator.url(), place.path(), memory.path());
        write(&place.path().join("forgescale.toml"), &text, 0o600);
        write(&place.path().join("token"), &token, 0o600);
        if let Some(script) = setup.broken_runner {
            write(&place.path().join("broken-runner"), script, 0o700);
        }
        let (daemon, engine) = (None, setup.engine.clone());
        Self { emulator, deployment, repository, organization, token, place, memory, engine, daemon, runtime }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.place.path().join("forgescale.toml")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.place.path().join("daemon.log")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// Where machines have their folders.
    pub(crate) fn machines(&self) -> PathBuf {
        self.state().join("machines/here")
    }

    /// Where runners have their credentials.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.memory.path().join("credentials").join(&self.deployment)
    }

    /// Starts the daemon.
    pub(crate) fn start(&mut self, arguments: &[&str]) {
        self.daemon = Some(Daemon::start(&self.config(), &self.log(), arguments));
    }

    /// Starts a daemon that says everything that it can say.
    pub(crate) fn start_talkative(&mut self) {
        self.daemon = Some(Daemon::start_talkative(&self.config(), &self.log()));
    }

    /// Starts a daemon that waits for the end of the one that runs.
    pub(crate) fn follower(&self) -> Daemon {
        Daemon::start(&self.config(), &self.log(), &["--follow"])
    }

    /// Takes a daemon that was started elsewhere for its own.
    pub(crate) fn adopt(&mut self, daemon: Daemon) {
        self.daemon = Some(daemon);
    }

    /// The daemon that was started.
    #[track_caller]
    pub(crate) fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("a daemon that was started")
    }

    /// kill -9.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon that was started");
        assert!(daemon.ended().is_none(), "the daemon has ended by itself");
        daemon.kill();
    }

    /// Sends SIGTERM and waits for the end: the exit status.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.daemon().signal(Signal::TERM);
        self.ended()
    }

    /// Waits for the daemon's end: the exit status.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.daemon.take().expect("a daemon that was started").wait()
    }

    /// Changes the configuration, which a daemon does not see until it reads it again.
    #[track_caller]
    pub(crate) fn rewrite(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).expect("a configuration");
        assert!(text.contains(from), "no {from} in {text}");
        write(&self.config(), &text.replace(from, to), 0o600);
    }

    /// Writes another token for the daemon to find.
    pub(crate) fn write_token(&mut self, token: &str) {
        write(&self.place.path().join("token"), token, 0o600);
        token.clone_into(&mut self.token);
    }

    /// Stops the forge, does something, and starts it again at the same address with all that it knew.
    pub(crate) fn restart_forge(&mut self, meanwhile: impl FnOnce(&Self)) {
        let version = self.emulator.with_forge(|forge, _| forge.settings().version);
        let mut settings = EmulatorSettings::new(version);
        let nobody = self.runtime.block_on(Emulator::start(settings.clone())).expect("a forge");
        settings.listen = self.emulator.address();
        let stopped = std::mem::replace(&mut self.emulator, nobody);
        let past = self.runtime.block_on(stopped.stop());
        meanwhile(self);
        self.emulator = self.runtime.block_on(Emulator::resume(settings, past)).expect("the same address");
    }

    /// Pushes a run of one job with the label `debian`, which runs a shell script.
    pub(crate) fn push(&self, name: &str, script: &str) -> Pushed {
        self.push_job(JobSpec::shell("build", &["debian"], script).named(name), Concurrency::unlimited())
    }

    /// Pushes a run of one job.
    pub(crate) fn push_job(&self, job: JobSpec, concurrency: Concurrency) -> Pushed {
        self.emulator.with_forge(|forge, now| {
            let spec = RunSpec::new(self.repository, "ci.yaml", vec![job]).with_concurrency(concurrency);
            let run = forge.push_run(now, spec).expect("a run");
            let handle = forge.handle_of(forge.jobs_of_run(run)[0]).expect("a handle").clone();
            Pushed { run, handle }
        })
    }

    /// A script that goes on until [`World::let_go`].
    pub(crate) fn held(&self, name: &str) -> String {
        format!("until [ -e '{}' ]; do sleep 0.1; done", self.gate(name).display())
    }

    /// Lets jobs end that were held under that name.
    pub(crate) fn let_go(&self, name: &str) {
        fs::write(self.gate(name), "").expect("a gate");
    }

    fn gate(&self, name: &str) -> PathBuf {
        self.place.path().join(format!("gate-{name}"))
    }

    /// Cancels a run.
    pub(crate) fn cancel(&self, pushed: &Pushed) {
        self.emulator.with_forge(|forge, now| forge.cancel_run(now, pushed.run)).expect("a run");
    }

    /// What the forge's books say of a job.
    pub(crate) fn attempt(&self, pushed: &Pushed) -> AttemptRecord {
        self.emulator.with_forge(|forge, _| forge.books().attempt(&pushed.handle).cloned()).expect("an attempt")
    }

    pub(crate) fn is(&self, pushed: &Pushed, status: Status) -> bool {
        self.attempt(pushed).status == status
    }

    /// The registrations that were ever made for a job, oldest first.
    pub(crate) fn registrations(&self, pushed: &Pushed) -> Vec<RegistrationRecord> {
        let word = format!("handle={}", pushed.handle);
        self.emulator.with_forge(|forge, _| {
            let all = forge.books().registrations().iter();
            all.filter(|registration| registration.description.ends_with(&word)).cloned().collect()
        })
    }

    /// What the runner of a job reported as the job's log.
    pub(crate) fn job_log(&self, pushed: &Pushed) -> Vec<String> {
        self.emulator.with_forge(|forge, _| {
            let given = forge.books().hand_outs().iter().filter(|given| given.handle == pushed.handle);
            given.flat_map(|given| forge.task_log(given.task)).cloned().collect()
        })
    }

    /// The labels that a runner declared; nothing before.
    pub(crate) fn labels(&self, runner: forge_model::RunnerId) -> Vec<String> {
        let row = self.emulator.with_forge(|forge, now| forge.get_runner(now, Area::Instance, runner));
        row.ok().and_then(|row| row.labels).unwrap_or_default()
    }

    /// What `forgescale explain` says.
    #[track_caller]
    pub(crate) fn explain(&self, subject: &str) -> String {
        let ran = run(forgescale(["explain", subject, "--config"]).arg(self.config()));
        check_quiet(&ran);
        ran.out
    }

    /// Waits until `explain` says all these words of a job.
    #[track_caller]
    pub(crate) fn until_explained(&self, pushed: &Pushed, words: &[&str]) -> String {
        let mut last = String::new();
        let found = self.told(pushed.handle.as_str(), |ran| {
            last = if ran.status == Some(0) { ran.out } else { ran.err };
            words.iter().all(|word| last.contains(word))
        });
        assert!(found, "{words:?} never came for {}; the last was:\n{last}", pushed.handle);
        last
    }

    /// Waits until `explain all` says something.
    #[track_caller]
    pub(crate) fn until_told(&self, what: &str, mut holds: impl FnMut(&str) -> bool) {
        let told = self.told("all", |ran| ran.status == Some(0) && holds(&ran.out));
        assert!(told, "it is never told: {what}; {:#?}", self.attempts());
    }

    /// Whether `explain` comes to say something in time. It reads the report, so it is asked when there is a new one, and
    /// now and then besides.
    fn told(&self, subject: &str, mut holds: impl FnMut(Ran) -> bool) -> bool {
        let (mut read, mut asked) = (None, None::<Instant>);
        wait(|| {
            let written = fs::metadata(self.state().join("report.json")).and_then(|file| file.modified()).ok();
            if written == read && asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN) {
                return false;
            }
            (read, asked) = (written, Some(Instant::now()));
            holds(run(forgescale(["explain", subject, "--config"]).arg(self.config())))
        })
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl FnMut() -> bool) {
        let reached = wait(holds);
        assert!(reached, "it never came to this: {what}; {:#?}", self.attempts());
    }

    /// Every attempt with its status and how often it was handed out.
    fn attempts(&self) -> Vec<String> {
        self.emulator.with_forge(|forge, _| {
            let all = forge.books().attempts().iter();
            all.map(|row| format!("{} {}: {}, given {} times", row.handle, row.name, row.status.word(), row.hand_outs))
                .collect()
        })
    }

    /// Waits until a job has this status.
    #[track_caller]
    pub(crate) fn until_is(&self, pushed: &Pushed, status: Status) {
        let reached = wait(|| self.is(pushed, status));
        assert!(reached, "it is never {status:?}: {:?}", self.attempt(pushed));
    }

    /// Whether the daemon's log holds a text.
    pub(crate) fn logged(&self, text: &str) -> bool {
        !self.log_lines(text).is_empty()
    }

    /// The lines of the daemon's log that hold a text.
    pub(crate) fn log_lines(&self, text: &str) -> Vec<String> {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

/// Makes an organization `acme` with a repository, and a token of its owner, `dana`. Each new forge draws the same ones.
pub(super) fn people(emulator: &Emulator) -> (OwnerId, RepoId, String) {
    emulator.with_forge(|forge, _| {
        let dana = forge.create_user("dana", false);
        let acme = forge.create_organization("acme", &[dana]);
        let site = forge.create_repository(acme, "site", false).expect("a repository");
        (acme, site, forge.create_token(dana, TokenSpec::new(&[TokenScope::All])).expect("a token"))
    })
}

/// Whether something comes to hold in time.
pub(crate) fn wait(holds: impl FnMut() -> bool) -> bool {
    wait_for(LIMIT, PAUSE, holds)
}

/// Whether something comes to hold within so long, by looks with a pause between them.
pub(crate) fn wait_for(limit: Duration, pause: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(pause);
    }
}

pub(super) fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("a written file");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of ours");
}

#[expect(clippy::print_stderr, reason = "shown by the test harness, since the test fails")]
pub(crate) fn show_last_words(log: &Path) {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n");
    eprintln!("the daemon's last words, of {} lines:\n{tail}", lines.len());
}

impl Drop for World {
    fn drop(&mut self) {
        self.daemon = None;
        if std::thread::panicking() {
            show_last_words(&self.log());
        }
        let groups = processes::groups(&self.state().join("machines"));
        processes::end_all(&self.deployment);
        if let Some(engine) = &self.engine {
            engine.clear(&self.deployment);
        }
        processes::remove_groups(&groups);
    }
}
