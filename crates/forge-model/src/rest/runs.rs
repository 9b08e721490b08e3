//! Runs and tasks of a repository (protocol 1.8).

use super::refusal::Refusal;
use crate::forge::Forge;
use crate::ids::{RepoId, RunId, TaskId};
use crate::job::{Run, Task};
use crate::moment::Moment;
use crate::status::Status;

/// One row of the task list: an attempt that a runner took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Task.
    pub id: TaskId,
    /// Display name of its job.
    pub name: String,
    /// E.g. `refs/heads/main`.
    pub reference: String,
    /// Commit: 40 hexadecimal digits.
    pub sha: String,
    /// Number of the run within its repository.
    pub run_number: i64,
    /// The word for the event.
    pub event: &'static str,
    /// File name of the workflow.
    pub workflow: String,
    /// Status.
    pub status: Status,
    /// When it was handed out.
    pub started: Moment,
    /// Its last report.
    pub updated: Moment,
}

impl Forge {
    /// All tasks of a repository, ended ones included, newest first.
    pub fn list_tasks(&self, repo: RepoId) -> Vec<TaskRow> {
        self.tasks.values().rev().filter_map(|task| self.task_row(task, repo)).collect()
    }

    fn task_row(&self, task: &Task, repo: RepoId) -> Option<TaskRow> {
        let job = self.jobs.get(&task.job).filter(|job| job.repo == repo)?;
        let run = self.runs.get(&job.run)?;
        Some(TaskRow {
            id: task.id,
            name: job.name.clone(),
            reference: run.reference.clone(),
            sha: run.sha.clone(),
            run_number: run.number,
            event: run.event,
            workflow: run.workflow.clone(),
            status: task.status,
            started: task.started,
            updated: task.updated,
        })
    }

    /// Deletes an ended run with its jobs, and the ephemeral runners that it used. Version 16 only.
    pub fn delete_run(&mut self, now: Moment, repo: RepoId, run: RunId) -> Result<(), Refusal> {
        let jobs = self.run_of(repo, run)?.jobs.clone();
        if jobs.iter().any(|job| self.job_status(*job).is_some_and(|status| !status.is_final())) {
            return Err(Refusal::Internal("run is not done".to_owned()));
        }
        self.forget_jobs(now, &jobs);
        self.runs.remove(&run);
        Ok(())
    }

    /// Cancels a run of a repository; an ended one stays as it is. Version 16 only.
    pub fn cancel_run_of(&mut self, now: Moment, repo: RepoId, run: RunId) -> Result<(), Refusal> {
        self.run_of(repo, run)?;
        self.cancel_run(now, run).map_err(|_| Refusal::NoRun { id: run })
    }

    pub(super) fn run_of(&self, repo: RepoId, run: RunId) -> Result<&Run, Refusal> {
        self.runs.get(&run).filter(|row| row.repo == repo).ok_or(Refusal::NoRun { id: run })
    }
}
