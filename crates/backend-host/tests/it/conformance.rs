//! The suite that every backend runs.

use std::fs;
use std::path::PathBuf;

use backend::conformance::{self, Harness, RUNNER_SCRIPT, Row};
use backend_host::{HostBackend, HostSettings, Limits, MARKER, RunAs};
use planner::ids::DeploymentId;
use uuid::Uuid;

use crate::host::{contains, example, files, groups, proc_file, processes, program};

struct Processes {
    name: String,
    scratch: tempfile::TempDir,
}

impl Processes {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("runner"), RUNNER_SCRIPT).unwrap();
        Self { name: format!("host-{}", Uuid::new_v4()), scratch }
    }

    /// One directory for all deployments, so that each has to tell its own machines.
    fn machines(&self) -> PathBuf {
        self.scratch.path().join("machines")
    }

    fn unreadable(&self) -> PathBuf {
        self.machines().join("fs-unreadable")
    }

    /// The processes of a deployment's machines.
    fn of(deployment: &DeploymentId) -> Vec<i32> {
        let wanted = format!("{MARKER}={deployment}/");
        processes().into_iter().filter(|id| contains(&proc_file(*id, "environ"), wanted.as_bytes())).collect()
    }
}

impl Harness for Processes {
    type Backend = HostBackend;

    fn name(&self) -> &str {
        &self.name
    }

    async fn backend(&self, deployment: &DeploymentId) -> HostBackend {
        let mut runner = program("/bin/sh");
        runner.arguments.push(self.scratch.path().join("runner").to_str().unwrap().to_owned());
        let settings = HostSettings {
            directory: self.machines(),
            deployment: deployment.clone(),
            supervisor: program(example("supervisor")),
            runner,
            run_as: RunAs::Daemon,
            limits: Limits::default(),
            cache: None,
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            environment: Vec::new(),
            log_limit: 1 << 20,
        };
        HostBackend::new(settings).unwrap()
    }

    fn not_applicable(&self, _: Row) -> Option<&'static str> {
        None
    }

    async fn spoil(&self, _: &DeploymentId) {
        fs::create_dir(self.unreadable()).unwrap();
    }

    async fn unspoil(&self, _: &DeploymentId) {
        fs::remove_dir(self.unreadable()).unwrap();
    }

    async fn leftovers(&self, deployment: &DeploymentId) -> Vec<String> {
        // Rows come one after the other, so that all folders are those of one.
        let folders = fs::read_dir(self.machines()).unwrap().map(|entry| entry.unwrap().path());
        let groups = groups(deployment.as_str());
        let left = folders.chain(groups).map(|path| path.display().to_string());
        left.chain(Self::of(deployment).into_iter().map(|id| format!("process {id}"))).collect()
    }

    async fn places_of_token(&self, _: &DeploymentId, token: &str) -> Vec<String> {
        let holds = |content: Vec<u8>| contains(&content, token.as_bytes());
        let files = files(self.scratch.path()).into_iter().map(|path| path.display().to_string());
        // Of every process there is: a token in an argument is anybody's to read.
        let of_processes =
            processes().into_iter().flat_map(|id| ["environ", "cmdline"].map(|file| format!("/proc/{id}/{file}")));
        files.chain(of_processes).filter(|path| holds(fs::read(path).unwrap_or_default())).collect()
    }
}

#[tokio::test]
async fn the_host_backend_conforms() {
    let table = conformance::run(&Processes::new()).await;
    println!("{table}");
    assert_eq!(table.failed().count(), 0, "{table}");
}
