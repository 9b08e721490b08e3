//! Pushing and cancelling runs.

use super::{Condition, JobSpec, RunSpec, ScriptError};
use crate::forge::Forge;
use crate::ids::{Handle, JobId, RunId};
use crate::job::{GroupKey, GroupMode, Job, Run};
use crate::moment::Moment;
use crate::settings::Version;
use crate::status::Status;

impl Forge {
    /// Makes a run and its jobs. Jobs without needs wait at once; on version 16 a false `if:` skips them instead.
    /// Unfinished older runs of a cancelling group are cancelled first (protocol 2.5).
    pub fn push_run(&mut self, now: Moment, spec: RunSpec) -> Result<RunId, ScriptError> {
        let repository = self.directory.repositories.get(&spec.repo).ok_or(ScriptError::NoRepository(spec.repo))?;
        if !repository.actions_enabled {
            return Err(ScriptError::UnitOff(spec.repo));
        }
        check_needs(&spec)?;
        let owner = repository.owner;
        let (group, mode) = resolve_group(&spec);
        if mode == GroupMode::Cancel {
            self.cancel_group(now, &group);
        }
        let number = self.last_run_number.entry(spec.repo).or_insert(0);
        *number += 1;
        let number = *number;
        self.last_run += 1;
        let id = RunId(self.last_run);
        let sha = self.ids.secret();
        let jobs: Vec<(JobId, JobSpec)> = spec
            .jobs
            .into_iter()
            .map(|job| {
                self.last_job += 1;
                (JobId(self.last_job), job)
            })
            .collect();
        self.runs.insert(
            id,
            Run {
                id,
                repo: spec.repo,
                number,
                workflow: spec.workflow,
                event: spec.event.word(),
                reference: spec.reference,
                sha,
                actor: spec.actor.unwrap_or(owner),
                group,
                mode,
                priority: 0,
                jobs: jobs.iter().map(|(job, _)| *job).collect(),
                status: Status::Blocked,
                created: now,
                updated: now,
                started: None,
                stopped: None,
            },
        );
        let first_status: Vec<(JobId, Status)> =
            jobs.iter().map(|(job, spec)| (*job, self.status_at_creation(spec))).collect();
        for (job, spec_of_job) in jobs {
            self.jobs.insert(job, new_job(job, id, spec.repo, owner, spec_of_job, now));
        }
        for (job, status) in &first_status {
            self.next_attempt(now, *job, *status);
        }
        if first_status.iter().any(|(_, status)| *status == Status::Waiting) {
            self.bump_versions(owner, spec.repo);
        }
        if first_status.iter().any(|(_, status)| status.is_final()) {
            self.queue.emitter.insert((now + self.settings.emitter_delay, id));
        }
        Ok(id)
    }

    /// Whether a job can wait at once.
    fn status_at_creation(&self, spec: &JobSpec) -> Status {
        if !spec.needs.is_empty() {
            return Status::Blocked;
        }
        match (self.settings.version, spec.condition) {
            (Version::V16, Condition::Present { after_success: false, .. }) => Status::Skipped,
            _ => Status::Waiting,
        }
    }

    fn cancel_group(&mut self, now: Moment, group: &GroupKey) {
        let older: Vec<RunId> = self.queue.groups.get(group).into_iter().flatten().copied().collect();
        for run in older {
            self.cancel_jobs(now, run);
        }
    }

    /// Cancels every job of a run that has not ended; an ended run stays as it is.
    pub fn cancel_run(&mut self, now: Moment, run: RunId) -> Result<(), ScriptError> {
        if !self.runs.contains_key(&run) {
            return Err(ScriptError::NoRun(run));
        }
        self.cancel_jobs(now, run);
        Ok(())
    }

    fn cancel_jobs(&mut self, now: Moment, run: RunId) {
        for job in self.jobs_of_run(run).to_vec() {
            self.cancel(now, job);
        }
    }

    /// Cancels one job; an ended one stays as it is. Its ephemeral runner goes with it (protocol 2.7).
    pub fn cancel_job(&mut self, now: Moment, job: JobId) -> Result<(), ScriptError> {
        if !self.jobs.contains_key(&job) {
            return Err(ScriptError::NoJob(job));
        }
        self.cancel(now, job);
        Ok(())
    }

    /// Shows another word in the place of a job's status, as a later release might (`ready`, say); `None` ends that.
    /// Nothing else changes: the job is listed and handed out as before.
    pub fn show_status_as(&mut self, job: JobId, word: Option<&str>) -> Result<(), ScriptError> {
        let job = self.jobs.get_mut(&job).ok_or(ScriptError::NoJob(job))?;
        job.shown_as = word.map(str::to_owned);
        Ok(())
    }

    /// Sets a run's manual priority: jobs of higher ones are handed out first (protocol 2.6). Version 15 does not know
    /// priorities: nothing changes.
    pub fn set_priority(&mut self, run: RunId, priority: i64) -> Result<(), ScriptError> {
        if !self.runs.contains_key(&run) {
            return Err(ScriptError::NoRun(run));
        }
        match self.settings.version {
            Version::V15 => {}
            Version::V16 => self.reprioritise(run, priority),
        }
        Ok(())
    }
}

fn check_needs(spec: &RunSpec) -> Result<(), ScriptError> {
    for job in &spec.jobs {
        for need in &job.needs {
            if !spec.jobs.iter().any(|other| other.key == *need) {
                return Err(ScriptError::UnknownNeed { job: job.key.clone(), need: need.clone() });
            }
        }
    }
    Ok(())
}

/// The table of protocol 2.5.
fn resolve_group(spec: &RunSpec) -> (GroupKey, GroupMode) {
    let mode = match (spec.concurrency.cancel_in_progress, &spec.concurrency.group) {
        (Some(true), _) => GroupMode::Cancel,
        (Some(false), Some(_)) => GroupMode::Queue,
        (None, _) if spec.event.cancels_by_default() => GroupMode::Cancel,
        (Some(false) | None, _) => GroupMode::Unlimited,
    };
    let automatic = || format!("{} {} {}", spec.reference, spec.workflow, spec.event.word());
    let name = spec.concurrency.group.as_ref().map_or_else(automatic, |group| group.to_lowercase());
    ((spec.repo, name), mode)
}

pub(super) fn new_job(
    id: JobId,
    run: RunId,
    repo: crate::ids::RepoId,
    owner: crate::ids::OwnerId,
    spec: JobSpec,
    now: Moment,
) -> Job {
    Job {
        id,
        run,
        repo,
        owner,
        key: spec.key,
        name: spec.name,
        runs_on: spec.runs_on,
        needs: spec.needs,
        payload: spec.payload,
        condition: spec.condition,
        expands_to: spec.expands_to,
        attempt: 0,
        handle: Handle::default(),
        status: Status::Blocked,
        shown_as: None,
        task: None,
        updated: now,
    }
}
