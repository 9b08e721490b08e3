//! A small forge to test with, and the few moves that all tests make.

use std::collections::BTreeMap;
use std::time::Duration;

use forge_model::rest::{LabelFilter, Registration};
use forge_model::rpc::{Credentials, FetchAnswer, FetchAsk, RpcRefusal, TaskReport, TaskUpdate};
use forge_model::script::{JobSpec, RunSpec};
use forge_model::{Area, Forge, Handle, JobId, Moment, OwnerId, RepoId, RunId, Settings, Status, TaskId, Version};

/// A forge with one user and one repository, and its clock.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) forge: Forge,
    pub(crate) now: Moment,
    pub(crate) user: OwnerId,
    pub(crate) repo: RepoId,
}

impl World {
    pub(crate) fn new(version: Version) -> Self {
        let now = Moment::from_millis(1_000_000);
        let mut forge = Forge::new(Settings::new(version, "https://forge.example"), 1, now);
        let user = forge.create_user("ann", false);
        let repo = forge.create_repository(user, "app", false).expect("a user");
        Self { forge, now, user, repo }
    }

    /// Lets time pass and the forge do what is due.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.forge.advance(self.now);
    }

    /// Lets the job emitter do its work.
    pub(crate) fn settle(&mut self) {
        self.pass(Duration::from_secs(2));
    }

    pub(crate) fn push(&mut self, jobs: Vec<JobSpec>) -> RunId {
        self.push_run(RunSpec::new(self.repo, "ci.yml", jobs))
    }

    pub(crate) fn push_run(&mut self, spec: RunSpec) -> RunId {
        self.forge.push_run(self.now, spec).expect("a valid run")
    }

    pub(crate) fn job(&self, run: RunId, index: usize) -> JobId {
        self.forge.jobs_of_run(run)[index]
    }

    pub(crate) fn handle(&self, job: JobId) -> Handle {
        self.forge.handle_of(job).expect("a job").clone()
    }

    pub(crate) fn status(&self, job: JobId) -> Status {
        self.forge.job_status(job).expect("a job")
    }

    /// Names in the job list of the repository, newest first.
    pub(crate) fn listed(&self) -> Vec<String> {
        let rows = self.forge.list_jobs(Area::Repository(self.repo), &LabelFilter::Absent);
        rows.into_iter().map(|row| row.name).collect()
    }

    /// A declared runner with the label `debian`.
    pub(crate) fn runner(&mut self, area: Area, ephemeral: bool) -> Registration {
        let made = self.forge.register_runner(self.now, area, "r", "", ephemeral).expect("a name");
        self.declare(&made, &["debian"]).expect("a new runner");
        made
    }

    pub(crate) fn repo_runner(&mut self) -> Registration {
        self.runner(Area::Repository(self.repo), true)
    }

    pub(crate) fn declare(&mut self, runner: &Registration, labels: &[&str]) -> Result<(), RpcRefusal> {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        self.forge.declare(self.now, credentials(runner), "v1", &labels).map(|_| ())
    }

    pub(crate) fn ask(&mut self, runner: &Registration, ask: FetchAsk<'_>) -> Result<FetchAnswer, RpcRefusal> {
        self.forge.fetch_single_task(self.now, credentials(runner), ask)
    }

    /// The job that a runner gets, any or one in particular.
    pub(crate) fn take(&mut self, runner: &Registration, wanted: Option<JobId>) -> Option<TaskId> {
        let handle = wanted.map(|job| self.handle(job).to_string());
        let ask = FetchAsk { handle: handle.as_deref(), ..FetchAsk::default() };
        self.ask(runner, ask).expect("a registered runner").tasks.first().map(|task| task.id)
    }

    pub(crate) fn report(
        &mut self,
        runner: &Registration,
        task: TaskId,
        result: Option<Status>,
    ) -> Result<TaskUpdate, RpcRefusal> {
        let report = TaskReport { task, result, outputs: BTreeMap::new() };
        self.forge.update_task(self.now, credentials(runner), &report)
    }

    /// Runs a job on a new ephemeral runner to this end.
    pub(crate) fn run_to(&mut self, job: JobId, result: Status) {
        let runner = self.repo_runner();
        let task = self.take(&runner, Some(job)).expect("a job that may run");
        self.report(&runner, task, Some(result)).expect("its own task");
    }
}

pub(crate) fn credentials(runner: &Registration) -> Credentials<'_> {
    Credentials { uuid: &runner.uuid, token: &runner.token }
}

/// A job for the label `debian`.
pub(crate) fn job(key: &str) -> JobSpec {
    JobSpec::shell(key, &["debian"], "true")
}

pub(crate) const BOTH: [Version; 2] = [Version::V15, Version::V16];
