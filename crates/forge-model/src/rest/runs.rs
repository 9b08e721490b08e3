//! Runs and tasks of a repository (protocol 1.8).

use super::refusal::Refusal;
use crate::forge::Forge;
use crate::ids::{OwnerId, RepoId, RunId, TaskId};
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

/// One row of the run list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Run.
    pub id: RunId,
    /// Number within the repository.
    pub number: i64,
    /// File name of the workflow.
    pub workflow: String,
    /// Who caused it.
    pub actor: OwnerId,
    /// E.g. `refs/heads/main`.
    pub reference: String,
    /// Commit: 40 hexadecimal digits.
    pub sha: String,
    /// The word for the event.
    pub event: &'static str,
    /// Status, which is a failure while other jobs still run (protocol 2.1).
    pub status: Status,
    /// When it was made.
    pub created: Moment,
    /// When a job of it last changed.
    pub updated: Moment,
    /// When its first job was handed out.
    pub started: Option<Moment>,
    /// When it ended.
    pub stopped: Option<Moment>,
}

/// Parameters of the run list; what is absent or empty filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunQuery {
    /// Words of statuses, any of which.
    pub statuses: Vec<String>,
    /// Words for events, any of which.
    pub events: Vec<String>,
    /// Number within the repository.
    pub number: Option<i64>,
    /// File name of the workflow.
    pub workflow: Option<String>,
    /// Page from 1. Without a positive page all rows come.
    pub page: Option<i64>,
    /// Rows per page.
    pub limit: Option<i64>,
}

/// Words of statuses that the run list knows.
const STATUS_WORDS: [&str; 8] =
    ["unknown", "success", "failure", "cancelled", "skipped", "waiting", "running", "blocked"];

impl Forge {
    /// Runs of a repository, newest first: the rows of a page, and how many there are on all pages.
    pub fn list_runs(&self, repo: RepoId, query: &RunQuery) -> Result<(Vec<RunRow>, usize), Refusal> {
        if let Some(word) = query.statuses.iter().find(|word| !STATUS_WORDS.contains(&word.as_str())) {
            return Err(Refusal::Invalid(format!("unknown status: {word}")));
        }
        let among = |words: &[String], word: &str| words.is_empty() || words.iter().any(|known| known == word);
        let found: Vec<&Run> = self
            .runs
            .values()
            .rev()
            .filter(|run| run.repo == repo)
            .filter(|run| among(&query.statuses, run.status.word()) && among(&query.events, run.event))
            .filter(|run| query.number.is_none_or(|number| run.number == number))
            .filter(|run| query.workflow.as_ref().is_none_or(|workflow| run.workflow == *workflow))
            .collect();
        let total = found.len();
        let (skip, take) = self.settings.page(query.page, query.limit, total);
        Ok((found.into_iter().skip(skip).take(take).map(run_row).collect(), total))
    }

    /// One run of a repository.
    pub fn get_run(&self, repo: RepoId, run: RunId) -> Result<RunRow, Refusal> {
        self.run_of(repo, run).map(run_row)
    }

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

fn run_row(run: &Run) -> RunRow {
    RunRow {
        id: run.id,
        number: run.number,
        workflow: run.workflow.clone(),
        actor: run.actor,
        reference: run.reference.clone(),
        sha: run.sha.clone(),
        event: run.event,
        status: run.status,
        created: run.created,
        updated: run.updated,
        started: run.started,
        stopped: run.stopped,
    }
}
