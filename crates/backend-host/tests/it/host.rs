//! A directory, a backend on it and a script in the runner's place; and the check that nothing is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use backend::conformance::until;
use backend::{Backend as _, BackendError, CreateRequest, Destroyed, Launch, Machines, conformance};
use backend_host::{HostBackend, HostSettings, Limits, MARKER, Program, RunAs};
use planner::ids::{DeploymentId, MachineName};
use planner::seen::{Exit, MachineSeen, MachineState};
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

/// Longer than anything takes on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Keeps a script waiting until the test lets go. `$GO` is set for every runner.
pub(crate) const WAIT_FOR_GO: &str = "while [ ! -e \"$GO\" ]; do sleep 0.02; done\n";

pub(crate) struct Host {
    pub(crate) backend: HostBackend,
    pub(crate) settings: HostSettings,
    scratch: tempfile::TempDir,
}

impl Host {
    /// A host whose runner is this shell script.
    pub(crate) fn with_runner(script: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let runner = scratch.path().join("runner");
        fs::write(&runner, format!("{script}\n")).unwrap();
        let flag = |name: &str| (name.to_owned(), scratch.path().join(name).to_str().unwrap().to_owned());
        let settings = HostSettings {
            directory: scratch.path().join("machines"),
            // Random, so that the processes of one test are told from those of another.
            deployment: DeploymentId::new(format!("test-{}", Uuid::new_v4())),
            supervisor: program(example("supervisor")),
            // Read by a shell instead of executed: a file just written may still be open in another test's child.
            runner: Program { path: "/bin/sh".into(), arguments: vec![runner.to_str().unwrap().to_owned()] },
            run_as: RunAs::Daemon,
            limits: Limits::default(),
            cache: None,
            // With a docker program of ours, so that none of the host is asked.
            path: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake:/usr/local/bin:/usr/bin:/bin").to_owned(),
            environment: vec![flag("GO"), flag("UP"), flag("RUNS")],
            log_limit: 1 << 20,
        };
        let backend = HostBackend::new(settings.clone()).unwrap();
        Self { backend, settings, scratch }
    }

    /// The same, with changed settings.
    pub(crate) fn changed(mut self, change: impl FnOnce(&mut HostSettings)) -> Self {
        change(&mut self.settings);
        self.restart();
        self
    }

    /// A new backend on the same directory: what a restarted daemon has.
    pub(crate) fn restart(&mut self) {
        self.backend = HostBackend::new(self.settings.clone()).unwrap();
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.settings.directory.join(name)
    }

    /// Lets a script go on that waits.
    pub(crate) fn go(&self) {
        fs::write(self.scratch.path().join("GO"), "").unwrap();
    }

    /// Waits until the script has said that it is up (`touch "$UP"`).
    pub(crate) async fn up(&self) {
        let up = self.scratch.path().join("UP");
        until("the runner is up", async || up.exists()).await;
    }

    pub(crate) async fn create(&self, name: &str) -> Result<(), BackendError> {
        self.backend.create(request(name, PATIENCE)).await
    }

    pub(crate) async fn start(&self, name: &str) -> Result<(), BackendError> {
        self.backend.start(&MachineName::new(name), launch()).await
    }

    /// Creates and starts.
    pub(crate) async fn run(&self, name: &str) {
        self.create(name).await.unwrap();
        self.start(name).await.unwrap();
    }

    pub(crate) async fn list(&self) -> Machines {
        self.backend.list().await.unwrap()
    }

    pub(crate) async fn seen(&self, name: &str) -> Option<MachineSeen> {
        self.list().await.rows.into_iter().find(|row| row.name.as_str() == name)
    }

    pub(crate) async fn state(&self, name: &str) -> Option<MachineState> {
        self.seen(name).await.map(|row| row.state)
    }

    pub(crate) async fn destroy(&self, name: &str) -> Destroyed {
        self.destroy_within(name, PATIENCE).await
    }

    pub(crate) async fn destroy_within(&self, name: &str, stop: Duration) -> Destroyed {
        self.backend.destroy(&MachineName::new(name), stop).await.unwrap()
    }

    /// Waits until the machine has ended.
    pub(crate) async fn ended(&self, name: &str) -> Exit {
        let mut exit = None;
        until("the machine has ended", async || {
            if let Some(MachineState::Ended { exit: how }) = self.state(name).await {
                exit = Some(how);
            }
            exit.is_some()
        })
        .await;
        exit.unwrap()
    }

    pub(crate) async fn log(&self, name: &str) -> Vec<String> {
        self.backend.logs(&MachineName::new(name)).await.unwrap()
    }

    /// One of the small files, as JSON.
    pub(crate) fn record(&self, name: &str, file: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.folder(name).join(file)).unwrap()).unwrap()
    }

    pub(crate) fn supervisor(&self, name: &str) -> i32 {
        self.record(name, "supervisor.json")["process"]["id"].as_i64().unwrap().try_into().unwrap()
    }

    /// The living processes of all machines of this host, supervisors included.
    pub(crate) fn processes(&self) -> BTreeSet<i32> {
        let wanted = format!("{MARKER}={}/", self.settings.deployment);
        processes().into_iter().filter(|id| contains(&proc_file(*id, "environ"), wanted.as_bytes())).collect()
    }

    /// Destroys every machine, then checks that no file, process or zombie is left.
    pub(crate) async fn finish(self) {
        until("everything is destroyed", async || {
            let rows = self.list().await.rows;
            for row in &rows {
                self.backend.destroy(&row.name, PATIENCE).await.unwrap();
            }
            rows.is_empty()
        })
        .await;
        let left: Vec<_> = fs::read_dir(&self.settings.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new());
        assert_eq!(self.processes(), BTreeSet::new());
        assert_eq!(groups(self.settings.deployment.as_str()), Vec::<PathBuf>::new());
    }
}

/// A test that fails leaves no process and no group behind either.
impl Drop for Host {
    fn drop(&mut self) {
        while let Some(id) = self.processes().into_iter().find_map(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = kill_process(id, Signal::KILL);
        }
        for group in groups(self.settings.deployment.as_str()) {
            for machine in fs::read_dir(&group).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
                let _ = fs::remove_dir(machine.path());
            }
            let _ = fs::remove_dir(group);
        }
    }
}

/// The control groups of a deployment's machines below that of this process, or beside it.
pub(crate) fn groups(deployment: &str) -> Vec<PathBuf> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mounts = read("/proc/self/mountinfo");
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    let own = read("/proc/self/cgroup");
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let (Some(mount), Some(own)) = (mount, own) else { return Vec::new() };
    let name = format!("forgescale.{deployment}");
    Path::new(mount)
        .join(own)
        .ancestors()
        .take(2)
        .map(|group| group.join(&name))
        .filter(|group| group.exists())
        .collect()
}

pub(crate) fn program(path: impl Into<PathBuf>) -> Program {
    Program { path: path.into(), arguments: Vec::new() }
}

/// An example of this crate, which `cargo test` builds beside the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: `cargo test` builds it, `cargo test --test it` does not", path.display());
    path
}

pub(crate) fn request(name: &str, stop_grace: Duration) -> CreateRequest {
    conformance::request(MachineName::new(name), stop_grace)
}

pub(crate) fn launch() -> Launch {
    conformance::launch("0123456789012345678901234567890123456789")
}

/// Every process id that is in use by something other than a zombie.
pub(crate) fn processes() -> Vec<i32> {
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).filter(|id| is_alive(*id)).collect()
}

pub(crate) fn is_alive(id: i32) -> bool {
    let stat = String::from_utf8_lossy(&proc_file(id, "stat")).into_owned();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with(['Z', 'X']))
}

/// A file of a process; empty if it has ended.
pub(crate) fn proc_file(id: i32, name: &str) -> Vec<u8> {
    fs::read(format!("/proc/{id}/{name}")).unwrap_or_default()
}

pub(crate) fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

pub(crate) fn kill(id: i32, signal: &str) {
    let sent = std::process::Command::new("kill").args(["-s", signal, "--", &id.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Every regular file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() { open.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found
}
