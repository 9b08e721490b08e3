//! The state of one forge, and the questions about it that tests and demonstrations ask.

use std::collections::BTreeMap;

use crate::books::Books;
use crate::ids::{Handle, IdSource, JobId, OwnerId, RepoId, RunId, RunnerId, TaskId};
use crate::job::{Job, Queue, Run, Task};
use crate::moment::Moment;
use crate::owners::{Directory, Owner, Repository};
use crate::rest::Hook;
use crate::runner::{Area, Runner};
use crate::script::{Crons, Workflow};
use crate::settings::Settings;
use crate::status::Status;

/// One forge: everything that its database would hold.
#[derive(Clone, Debug)]
pub struct Forge {
    pub(crate) settings: Settings,
    pub(crate) born: Moment,
    pub(crate) ids: IdSource,
    pub(crate) directory: Directory,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) queue: Queue,
    pub(crate) runners: BTreeMap<RunnerId, Runner>,
    pub(crate) runner_of_uuid: BTreeMap<String, RunnerId>,
    /// Tasks by runner and request key (protocol 3.2).
    pub(crate) recoverable: BTreeMap<(RunnerId, String), Vec<TaskId>>,
    /// The version counter of each scope (protocol 3.4).
    pub(crate) versions: BTreeMap<Area, i64>,
    pub(crate) registration_tokens: BTreeMap<Area, String>,
    pub(crate) last_run_number: BTreeMap<RepoId, i64>,
    pub(crate) secrets: BTreeMap<RepoId, BTreeMap<String, String>>,
    pub(crate) variables: BTreeMap<RepoId, BTreeMap<String, String>>,
    pub(crate) workflows: BTreeMap<(RepoId, String), Workflow>,
    pub(crate) hooks: BTreeMap<i64, Hook>,
    pub(crate) crons: Crons,
    pub(crate) books: Books,
    pub(crate) last_run: i64,
    pub(crate) last_job: i64,
    pub(crate) last_task: i64,
    pub(crate) last_runner: i64,
    pub(crate) last_hook: i64,
    pub(crate) last_token: i64,
}

impl Forge {
    /// An empty forge, started at `now`. All drawn identifiers follow from `seed`.
    pub fn new(settings: Settings, seed: u64, now: Moment) -> Self {
        let crons = Crons::started(now, settings.cron_periods);
        let books = Books::new(settings.books_limit);
        Self {
            settings,
            born: now,
            ids: IdSource::new(seed),
            directory: Directory::default(),
            runs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            tasks: BTreeMap::new(),
            queue: Queue::default(),
            runners: BTreeMap::new(),
            runner_of_uuid: BTreeMap::new(),
            recoverable: BTreeMap::new(),
            versions: BTreeMap::new(),
            registration_tokens: BTreeMap::new(),
            last_run_number: BTreeMap::new(),
            secrets: BTreeMap::new(),
            variables: BTreeMap::new(),
            workflows: BTreeMap::new(),
            hooks: BTreeMap::new(),
            crons,
            books,
            last_run: 0,
            last_job: 0,
            last_task: 0,
            last_runner: 0,
            last_hook: 0,
            last_token: 0,
        }
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When the forge was made: since then its users and repositories exist, as far as answers show.
    pub const fn born(&self) -> Moment {
        self.born
    }

    /// Changes the settings while the forge runs, e.g. its version.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// What really happened so far.
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// How many attempts were ever handed to more than one task. Must be 0.
    pub fn double_handouts(&self) -> usize {
        self.books.double_handouts()
    }

    /// Registrations that exist now, by id.
    pub fn runners_now(&self) -> Vec<RunnerId> {
        self.runners.keys().copied().collect()
    }

    /// The repository with this id.
    pub fn repository(&self, id: RepoId) -> Option<&Repository> {
        self.directory.repositories.get(&id)
    }

    /// The repositories of a user or an organization, by id.
    pub fn repositories_of(&self, owner: OwnerId) -> impl Iterator<Item = &Repository> {
        self.directory.repositories.values().filter(move |repository| repository.owner == owner)
    }

    /// The repositories that a user owns or works on, by id: as a collaborator, an owner of their organization or in a
    /// team. Being a site administrator is no work.
    pub fn repositories_worked_on(&self, user: OwnerId) -> impl Iterator<Item = &Repository> {
        self.directory.repositories.values().filter(move |repository| self.directory.works_on(user, repository))
    }

    /// The user or organization with this id.
    pub fn owner(&self, id: OwnerId) -> Option<&Owner> {
        self.directory.owners.get(&id)
    }

    /// The user or organization of this name (case does not matter).
    pub fn owner_named(&self, name: &str) -> Option<&Owner> {
        self.directory.owner_named(name)
    }

    /// The jobs of a run, in the order of the workflow.
    pub fn jobs_of_run(&self, run: RunId) -> &[JobId] {
        self.runs.get(&run).map_or(&[], |run| &run.jobs)
    }

    /// The handle of a job's current attempt.
    pub fn handle_of(&self, job: JobId) -> Option<&Handle> {
        self.jobs.get(&job).map(|job| &job.handle)
    }

    /// The task that has a job's current attempt, once it was handed out.
    pub fn task_of(&self, job: JobId) -> Option<TaskId> {
        self.jobs.get(&job).and_then(|job| job.task)
    }

    /// The status of a job's current attempt.
    pub fn job_status(&self, job: JobId) -> Option<Status> {
        self.jobs.get(&job).map(|job| job.status)
    }

    /// Whether a job waits and its concurrency group lets it start now (protocol 2.5): some runner could be given it.
    pub fn is_offered(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|job| {
            job.status == Status::Waiting && self.runs.get(&job.run).is_some_and(|run| self.group_admits(run))
        })
    }

    /// The labels that a job asks for; none for one that does not exist.
    pub fn labels_of(&self, job: JobId) -> Vec<String> {
        self.jobs.get(&job).map(|job| job.runs_on.clone()).unwrap_or_default()
    }

    /// The status of a run.
    pub fn run_status(&self, run: RunId) -> Option<Status> {
        self.runs.get(&run).map(|run| run.status)
    }

    /// How many jobs are waiting or running in the whole forge.
    pub fn listed_jobs(&self) -> usize {
        self.queue.listed.len()
    }

    /// The kept log rows of a task.
    pub fn task_log(&self, task: TaskId) -> &[String] {
        self.tasks.get(&task).map_or(&[], |task| &task.log)
    }

    /// The next moment at which [`Forge::advance`] has something to do.
    pub fn next_due(&self) -> Option<Moment> {
        let emitter = self.queue.emitter.first().map(|(at, _)| *at);
        [emitter, self.crons.next()].into_iter().flatten().min()
    }
}
