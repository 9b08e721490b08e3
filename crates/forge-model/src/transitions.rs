//! The only places where statuses change, so that every index, counter and record follows.

use std::cmp::Reverse;

use crate::books::{AttemptRecord, HandOut, RegistrationEnd};
use crate::forge::Forge;
use crate::ids::{Handle, JobId, OwnerId, RepoId, RunId, RunnerId, TaskId};
use crate::job::{Job, Run, Task};
use crate::moment::Moment;
use crate::runner::Area;
use crate::status::Status;

impl Forge {
    fn priority(&self, run: RunId) -> Reverse<i64> {
        Reverse(self.runs.get(&run).map_or(0, |run| run.priority))
    }

    /// Takes a job out of every index that depends on its status, time or handle.
    fn unindex(&mut self, job: &Job) {
        let priority = self.priority(job.run);
        self.queue.listed.remove(&job.id);
        self.queue.waiting.remove(&(priority, job.updated, job.id));
        self.queue.untouched.remove(&(job.updated, job.id));
    }

    fn index(&mut self, job: &Job) {
        let priority = self.priority(job.run);
        if job.status.is_listed() {
            self.queue.listed.insert(job.id);
        }
        if job.status == Status::Waiting {
            self.queue.waiting.insert((priority, job.updated, job.id));
        }
        if matches!(job.status, Status::Waiting | Status::Blocked) {
            self.queue.untouched.insert((job.updated, job.id));
        }
    }

    /// Changes the priority of a run without losing its jobs' places.
    pub(crate) fn reprioritise(&mut self, run: RunId, priority: i64) {
        let jobs: Vec<Job> = self.jobs_of_run(run).iter().filter_map(|id| self.jobs.get(id)).cloned().collect();
        for job in &jobs {
            self.unindex(job);
        }
        if let Some(run) = self.runs.get_mut(&run) {
            run.priority = priority;
        }
        for job in &jobs {
            self.index(job);
        }
    }

    /// Gives a job another status and everything that follows from it, but the end of its task.
    pub(crate) fn set_job_status(&mut self, now: Moment, id: JobId, status: Status) {
        let Some(mut job) = self.jobs.remove(&id) else { return };
        self.unindex(&job);
        job.status = status;
        job.updated = now;
        self.index(&job);
        self.books.attempt_became(&job.handle, status, now);
        let (run, owner, repo) = (job.run, job.owner, job.repo);
        self.jobs.insert(id, job);
        if status == Status::Waiting {
            self.bump_versions(owner, repo);
        }
        if status.is_final() {
            self.queue.emitter.insert((now + self.settings.emitter_delay, run));
        }
        self.refresh_run(now, run);
    }

    /// Starts the next attempt of a job: new handle, no task (protocol 2.2). The first attempt, too, is made by this.
    /// The counters of the scopes are the caller's business, because the first attempts of a run count once.
    pub(crate) fn next_attempt(&mut self, now: Moment, id: JobId, status: Status) {
        let Some(mut job) = self.jobs.remove(&id) else { return };
        self.unindex(&job);
        self.queue.by_handle.remove(&job.handle);
        job.attempt += 1;
        job.handle = Handle(self.ids.uuid());
        job.task = None;
        job.status = status;
        job.updated = now;
        self.queue.by_handle.insert(job.handle.clone(), id);
        self.index(&job);
        self.books.attempt_made(AttemptRecord {
            handle: job.handle.clone(),
            job: id,
            run: job.run,
            repo: job.repo,
            name: job.name.clone(),
            attempt: job.attempt,
            waiting_at: None,
            started_at: None,
            ended_at: None,
            status: Status::Blocked,
            hand_outs: 0,
        });
        self.books.attempt_became(&job.handle, status, now);
        let run = job.run;
        self.jobs.insert(id, job);
        self.refresh_run(now, run);
    }

    /// Derives a run's status anew and keeps its place in its concurrency group.
    pub(crate) fn refresh_run(&mut self, now: Moment, id: RunId) {
        let Some(run) = self.runs.get(&id) else { return };
        let jobs: Vec<Status> = run.jobs.iter().filter_map(|job| self.jobs.get(job)).map(|job| job.status).collect();
        let status = Status::of_run(&jobs);
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.status = status;
        run.updated = now;
        if status == Status::Running {
            run.started.get_or_insert(now);
        }
        run.stopped = if status.is_final() { Some(run.stopped.unwrap_or(now)) } else { None };
        if status.is_final() {
            let emptied = self.queue.groups.get_mut(&run.group).is_some_and(|group| {
                group.remove(&id);
                group.is_empty()
            });
            if emptied {
                self.queue.groups.remove(&run.group);
            }
        } else {
            self.queue.groups.entry(run.group.clone()).or_default().insert(id);
        }
    }

    /// Counts up the version of the forge, of the owner and of the repository (protocol 3.4).
    pub(crate) fn bump_versions(&mut self, owner: OwnerId, repo: RepoId) {
        self.bump(Area::Instance);
        self.bump(Area::Owner(owner));
        self.bump(Area::Repository(repo));
    }

    /// Counts up the version of a runner's scope and, always, of the forge.
    pub(crate) fn bump_area(&mut self, area: Area) {
        self.bump(Area::Instance);
        if area != Area::Instance {
            self.bump(area);
        }
    }

    fn bump(&mut self, area: Area) {
        *self.versions.entry(area).or_insert(0) += 1;
    }

    /// Hands a job out: the new task and both records of it. The job is known to be waiting.
    pub(crate) fn hand_out(&mut self, now: Moment, job: JobId, runner: RunnerId, key: Option<&str>) -> Option<TaskId> {
        let (handle, attempt) = self.jobs.get(&job).map(|job| (job.handle.clone(), job.attempt))?;
        self.last_task += 1;
        let id = TaskId(self.last_task);
        let token = self.ids.secret();
        self.tasks.insert(
            id,
            Task {
                id,
                job,
                handle: handle.clone(),
                attempt,
                runner,
                token,
                status: Status::Running,
                started: now,
                updated: now,
                outputs: std::collections::BTreeMap::new(),
                log: Vec::new(),
                log_rows: 0,
                log_archived: false,
            },
        );
        self.queue.tasks.insert(id);
        if let Some(key) = key {
            self.recoverable.entry((runner, key.to_owned())).or_default().push(id);
        }
        if let Some(runner) = self.runners.get_mut(&runner) {
            runner.had_task = true;
        }
        self.books.handed_out(HandOut { handle, attempt, runner, task: id, at: now });
        if let Some(job) = self.jobs.get_mut(&job) {
            job.task = Some(id);
        }
        self.set_job_status(now, job, Status::Running);
        Some(id)
    }

    /// Ends a task and its job, and removes the ephemeral runner that had it (protocol 2.8).
    pub(crate) fn end_task(&mut self, now: Moment, id: TaskId, status: Status) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.status = status;
        let (job, runner) = (task.job, task.runner);
        self.queue.tasks.remove(&id);
        if self.jobs.get(&job).is_some_and(|job| job.task == Some(id)) {
            self.set_job_status(now, job, status);
        }
        if self.runners.get(&runner).is_some_and(|runner| runner.ephemeral) {
            self.unregister(runner, RegistrationEnd::UsedUp(now));
        }
    }

    /// Cancels a job in whatever state it is; an ended one stays as it is.
    pub(crate) fn cancel(&mut self, now: Moment, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        match (job.status, job.task) {
            (Status::Running, Some(task)) => self.end_task(now, task, Status::Cancelled),
            (status, _) if status.is_final() => {}
            _ => self.set_job_status(now, id, Status::Cancelled),
        }
    }

    /// Removes a registration. What it was doing stays as it is (protocol 1.7).
    pub(crate) fn unregister(&mut self, id: RunnerId, end: RegistrationEnd) {
        if let Some(runner) = self.runners.remove(&id) {
            self.runner_of_uuid.remove(&runner.uuid);
            self.books.unregistered(id, end);
        }
    }

    /// Whether the concurrency group lets jobs of this run start (protocol 2.5).
    pub(crate) fn group_admits(&self, run: &Run) -> bool {
        if run.mode != crate::job::GroupMode::Queue || !self.settings.concurrency_queue {
            return true;
        }
        let Some(group) = self.queue.groups.get(&run.group) else { return true };
        if group.range(..run.id).next().is_some() {
            return false;
        }
        let running = |id: &RunId| self.runs.get(id).is_some_and(|other| other.status == Status::Running);
        !group.iter().any(|id| *id != run.id && running(id))
    }
}
