//! The job lists (protocol 1.3 and, for version 16, 1.8).

use std::collections::BTreeSet;

use super::refusal::Refusal;
use crate::forge::Forge;
use crate::ids::{Handle, JobId, OwnerId, RepoId, RunId};
use crate::job::Job;
use crate::runner::Area;
use crate::status::Status;

/// The `labels` parameter of the job list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LabelFilter {
    /// Not given: everything.
    #[default]
    Absent,
    /// Given without a label: only jobs without any.
    Empty,
    /// Only jobs with labels, all of them among these.
    Within(BTreeSet<String>),
}

impl LabelFilter {
    /// Reads the parameter as the forge does: trimmed as a whole, split at commas, empty parts dropped.
    pub fn parse(parameter: Option<&str>) -> Self {
        let Some(text) = parameter else { return Self::Absent };
        let labels: BTreeSet<String> =
            text.trim().split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if labels.is_empty() { Self::Empty } else { Self::Within(labels) }
    }

    fn admits(&self, runs_on: &[String]) -> bool {
        match self {
            Self::Absent => true,
            Self::Empty => runs_on.is_empty(),
            Self::Within(labels) => !runs_on.is_empty() && runs_on.iter().all(|label| labels.contains(label)),
        }
    }
}

/// One row of a job list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Job.
    pub id: JobId,
    /// Its run; shown since version 16 only.
    pub run_id: RunId,
    /// Attempt, from 1.
    pub attempt: i64,
    /// The attempt's handle.
    pub handle: Handle,
    /// Repository.
    pub repo_id: RepoId,
    /// Who owned it when the run was created.
    pub owner_id: OwnerId,
    /// Display name.
    pub name: String,
    /// Keys of needed jobs.
    pub needs: Vec<String>,
    /// Labels.
    pub runs_on: Vec<String>,
    /// Task of this attempt; 0 until it was handed out.
    pub task_id: i64,
    /// Status.
    pub status: Status,
    /// A word that the list shows instead ([`Forge::show_status_as`]).
    pub shown_as: Option<String>,
}

impl JobRow {
    /// The word for its status.
    pub fn status_word(&self) -> &str {
        self.shown_as.as_deref().unwrap_or(self.status.word())
    }
}

impl Forge {
    /// Waiting and running jobs of an area, newest first.
    pub fn list_jobs(&self, area: Area, labels: &LabelFilter) -> Vec<JobRow> {
        self.queue
            .listed
            .iter()
            .rev()
            .filter_map(|id| self.jobs.get(id))
            .filter(|job| match area {
                Area::Instance => true,
                Area::Owner(owner) => job.owner == owner,
                Area::Repository(repo) => job.repo == repo,
            })
            .filter(|job| labels.admits(&job.runs_on))
            .map(row)
            .collect()
    }

    /// All jobs of a run in every status, oldest first. Version 16 only: the only way to learn how a handle ended.
    pub fn list_run_jobs(&self, repo: RepoId, run: RunId) -> Result<Vec<JobRow>, Refusal> {
        Ok(self.run_of(repo, run)?.jobs.iter().filter_map(|id| self.jobs.get(id)).map(row).collect())
    }
}

fn row(job: &Job) -> JobRow {
    JobRow {
        id: job.id,
        run_id: job.run,
        attempt: job.attempt,
        handle: job.handle.clone(),
        repo_id: job.repo,
        owner_id: job.owner,
        name: job.name.clone(),
        needs: job.needs.clone(),
        runs_on: job.runs_on.clone(),
        task_id: job.task.map_or(0, |task| task.0),
        status: job.status,
        shown_as: job.shown_as.clone(),
    }
}
