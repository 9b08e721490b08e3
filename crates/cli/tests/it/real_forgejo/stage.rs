//! One test's place on the real server, and the daemon that serves it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use super::forge::{Forge, Run};
use super::settings::{self, Settings};
use crate::e2e::daemon::Daemon;
use crate::e2e::processes;
use crate::e2e::world::{show_last_words, wait_for};

/// How long anything may take before a test is given up: a small server on a loaded machine has far less to do.
pub(super) const LIMIT: Duration = Duration::from_mins(3);

/// The pause between two looks, which a server feels.
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// A file system in memory, where there is one.
const SHARED_MEMORY: &str = "/dev/shm";

/// Held for writing while the server is restarted, for reading by every other test.
static RESTART: RwLock<()> = RwLock::new(());

/// Where the daemon watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Instance,
    Organization,
    Repository,
    User,
}

/// That the server is, or is not, restarted meanwhile.
enum Turn {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// Everything of one test. Dropping it removes all of it.
pub(super) struct Stage {
    pub(super) forge: Forge,
    /// Name of this test's deployment, organization, repository and label.
    pub(super) name: String,
    pub(super) place: TempDir,
    pub(super) memory: TempDir,
    pub(super) token: String,
    scope: Scope,
    /// The repository's owner.
    owner: String,
    daemon: Option<Daemon>,
    _turn: Turn,
}

impl Stage {
    /// Makes organization, repository and configuration, unless there is no server. The daemon does not run yet.
    pub(super) fn new(scope: Scope) -> Option<Self> {
        let settings = settings::read()?;
        let turn = Turn::Shared { _guard: RESTART.read().unwrap_or_else(PoisonError::into_inner) };
        Some(Self::build(&settings, scope, turn))
    }

    /// The same while no other test needs the server.
    pub(super) fn alone(scope: Scope) -> Option<Self> {
        let settings = settings::read()?;
        let turn = Turn::Alone { _guard: RESTART.write().unwrap_or_else(PoisonError::into_inner) };
        Some(Self::build(&settings, scope, turn))
    }

    fn build(settings: &Settings, scope: Scope, turn: Turn) -> Self {
        let forge = Forge::connect(settings);
        let name = unique_name();
        let owner = if scope == Scope::User { forge.user() } else { name.clone() };
        let place = TempDir::new().expect("a folder");
        let memory = TempDir::new_in(if Path::new(SHARED_MEMORY).is_dir() { SHARED_MEMORY } else { "/tmp" });
        let memory = memory.expect("a folder in memory");
        let token = settings.token.clone();
        let stage = Self { forge, name, place, memory, token, scope, owner, daemon: None, _turn: turn };
        // From here on dropping the stage removes what was made.
        let organization = (scope != Scope::User).then_some(stage.owner.as_str());
        if let Some(organization) = organization {
            stage.forge.create_organization(organization);
        }
        stage.forge.create_repository(organization, &stage.name);
        stage.write("token", &settings.token);
        stage.write("forgescale.toml", &stage.config(settings));
        stage
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.place.path().join(name);
        fs::write(&path, text).expect("a written file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    }

    fn config(&self, settings: &Settings) -> String {
        let stand_in = format!("[\"{}\", \"stand-in-runner\"]", env!("CARGO_BIN_EXE_forgescale"));
        let runner = settings.runner.as_ref().map_or(stand_in, |path| format!("\"{path}\""));
        format!(
            "deployment = \"{name}\"\nstate_directory = \"{state}\"\nruntime_directory = \"{memory}\"\n\n\
             [[forge]]\nurl = \"{url}\"\ntoken_file = \"token\"\nscopes = [\"{scope}\"]\ninterval = \"1s\"\n\n\
             [[pool]]\nname = \"here\"\nlabels = [\"{name}:host\"]\nbackend = \"here\"\nmax = 2\n\
             fetch_interval = \"1s\"\nclaim = \"10s\"\ngrace = \"2s\"\nstop = \"3s\"\n\n\
             [backend.here]\nkind = \"host\"\n{user}runner = {runner}\ninterval = \"500ms\"\n\n\
             [limits]\nsettle = \"2s\"\n",
            name = self.name,
            user = crate::as_this_user(),
            state = self.state().display(),
            memory = self.memory.path().display(),
            url = settings.url,
            scope = self.scope_words(),
        )
    }

    fn scope_words(&self) -> String {
        match self.scope {
            Scope::Instance => "instance".to_owned(),
            Scope::Organization => format!("org:{}", self.owner),
            Scope::Repository => format!("repo:{}", self.repository()),
            Scope::User => "user".to_owned(),
        }
    }

    /// The path of the scope's calls.
    pub(super) fn scope_path(&self) -> String {
        match self.scope {
            Scope::Instance => "/admin".to_owned(),
            Scope::Organization => format!("/orgs/{}", self.owner),
            Scope::Repository => format!("/repos/{}", self.repository()),
            Scope::User => "/user".to_owned(),
        }
    }

    /// Owner and name of the repository.
    pub(super) fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    pub(super) fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// Where machines have their folders.
    pub(super) fn machines(&self) -> PathBuf {
        self.state().join("machines/here")
    }

    /// Where runners have their credentials.
    pub(super) fn credentials(&self) -> PathBuf {
        self.memory.path().join("credentials").join(&self.name)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.place.path().join("daemon.log")
    }

    /// A path that jobs may use to say something, or to be held until it exists.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Lets whoever waits for this file go on.
    pub(super) fn let_go(&self, name: &str) {
        fs::write(self.file(name), "").expect("a gate");
    }

    /// Commits a workflow; `LABEL` in its text stands for this test's label, `PLACE` for its folder.
    pub(super) fn commit_workflow(&self, file: &str, text: &str) {
        let text = text.replace("LABEL", &self.name).replace("PLACE", &self.place.path().display().to_string());
        self.forge.commit(&self.repository(), &[(&format!(".forgejo/workflows/{file}"), &text)]);
    }

    pub(super) fn dispatch(&self, workflow: &str, inputs: &Value) -> Run {
        self.forge.dispatch(&self.repository(), workflow, inputs)
    }

    /// The run of a workflow that is there after so many others, once it is there.
    #[track_caller]
    pub(super) fn run_after(&self, others: usize, workflow: &str) -> Run {
        let mut found = None;
        until("there is the run", || {
            found = self.forge.runs(&self.repository(), workflow).get(others).copied();
            found.is_some()
        });
        found.expect("a run")
    }

    /// Starts the daemon.
    pub(super) fn start(&mut self) {
        self.daemon = Some(Daemon::start(&self.file("forgescale.toml"), &self.log(), &[]));
    }

    /// Starts a daemon that says everything that it can say.
    pub(super) fn start_talkative(&mut self) {
        self.daemon = Some(Daemon::start_talkative(&self.file("forgescale.toml"), &self.log()));
    }

    /// The daemon that was started.
    #[track_caller]
    pub(super) fn take_daemon(&mut self) -> Daemon {
        self.daemon.take().expect("a daemon that was started")
    }

    /// Waits until a job has this status; nothing else does where it is not shown.
    #[track_caller]
    pub(super) fn until_is(&self, run: Run, job: &str, status: &str) {
        let is = || self.forge.results(&self.repository(), run).get(job).is_some_and(|found| found == status);
        until(&format!("{job} is {status}"), is);
    }

    /// Waits until the jobs of a run that were not skipped are exactly these, each given to one runner once.
    #[track_caller]
    pub(super) fn until_results(&self, run: Run, expected: &[(&str, &str)]) {
        let mut last = None;
        let wanted = expected.iter().map(|(job, status)| ((*job).to_owned(), (*status).to_owned())).collect();
        let reached = wait_for(LIMIT, PAUSE, || {
            let results = self.forge.results(&self.repository(), run);
            let reached = results == wanted;
            last = Some(results);
            reached
        });
        assert!(reached, "expected {expected:?}, got {last:?}");
        let hand_outs = self.forge.hand_outs(&self.repository(), run);
        assert!(hand_outs.values().all(|&count| count == 1), "given out: {hand_outs:?}");
    }

    /// Waits until the logs of a run hold these texts.
    #[track_caller]
    pub(super) fn until_logged(&self, run: Run, texts: &[&str]) {
        let mut logs = Vec::new();
        let reached = wait_for(LIMIT, PAUSE, || {
            logs = self.forge.logs(&self.repository(), run);
            texts.iter().all(|text| logs.iter().any(|log| log.contains(text)))
        });
        assert!(reached, "{texts:?} are not all in the logs: {logs:#?}");
    }

    /// Removes what this test has made on the server; says what is in the way.
    fn clear(&self) -> Vec<String> {
        let mut failed = Vec::new();
        let left = self.forge.registrations("/admin", &self.name).unwrap_or_default();
        let mut paths: Vec<String> = left.iter().map(|(id, _)| format!("/admin/actions/runners/{id}")).collect();
        paths.push(format!("/repos/{}", self.repository()));
        if self.scope != Scope::User {
            paths.push(format!("/orgs/{}", self.owner));
        }
        for path in paths {
            failed.extend(self.forge.delete(&path).err());
        }
        failed
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.daemon = None;
        processes::end_all(&self.name);
        if std::thread::panicking() {
            show_last_words(&self.log());
        }
        for failed in self.clear() {
            let _ = writeln!(io::stderr(), "not removed: {failed}");
        }
    }
}

/// Waits until something holds.
#[track_caller]
pub(super) fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(wait_for(LIMIT, PAUSE, holds), "it never came to this: {what}");
}

/// A name that no other run of this test has used.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    format!("real-{:x}-{:x}-{}", since.as_secs(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
