//! Runs, jobs and tasks as the forge stores them, and the task as a runner gets it.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Handle, JobId, OwnerId, RepoId, RunId, RunnerId, TaskId};
use crate::moment::Moment;
use crate::script::{Condition, JobSpec};
use crate::status::Status;

/// What runs of one concurrency group do to each other (protocol 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupMode {
    /// A newer run cancels older ones.
    Cancel,
    /// A run waits until those before it have ended.
    Queue,
    /// No limit.
    Unlimited,
}

/// Key of a concurrency group: group names are compared in lower case, within one repository.
pub(crate) type GroupKey = (RepoId, String);

/// One run of a workflow.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) repo: RepoId,
    /// Counts from 1 within the repository.
    pub(crate) number: i64,
    pub(crate) workflow: String,
    pub(crate) event: &'static str,
    pub(crate) reference: String,
    pub(crate) sha: String,
    pub(crate) actor: OwnerId,
    pub(crate) group: GroupKey,
    pub(crate) mode: GroupMode,
    pub(crate) priority: i64,
    pub(crate) jobs: Vec<JobId>,
    pub(crate) status: Status,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
    pub(crate) started: Option<Moment>,
    pub(crate) stopped: Option<Moment>,
}

/// One job, in its current attempt.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) run: RunId,
    pub(crate) repo: RepoId,
    /// Who owned the repository when the run was created; not updated by a transfer.
    pub(crate) owner: OwnerId,
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) runs_on: Vec<String>,
    pub(crate) needs: Vec<String>,
    pub(crate) payload: String,
    pub(crate) condition: Condition,
    pub(crate) expands_to: Vec<JobSpec>,
    pub(crate) attempt: i64,
    pub(crate) handle: Handle,
    pub(crate) status: Status,
    /// What lists show instead of the status: a word of a later release.
    pub(crate) shown_as: Option<String>,
    pub(crate) task: Option<TaskId>,
    pub(crate) updated: Moment,
}

/// One attempt in a runner's hands, or what is left of it.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) job: JobId,
    pub(crate) handle: Handle,
    pub(crate) attempt: i64,
    pub(crate) runner: RunnerId,
    pub(crate) token: String,
    pub(crate) status: Status,
    pub(crate) started: Moment,
    /// The zombie clock: last `UpdateTask` or `UpdateLog`.
    pub(crate) updated: Moment,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) log: Vec<String>,
    pub(crate) log_rows: i64,
    pub(crate) log_archived: bool,
}

/// The jobs that somebody may still do something with, sorted as the forge reads them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// Waiting or running: the job list.
    pub(crate) listed: BTreeSet<JobId>,
    /// Waiting, in the order of hand-out: highest priority, longest untouched, lowest id (protocol 2.6).
    pub(crate) waiting: BTreeSet<(std::cmp::Reverse<i64>, Moment, JobId)>,
    /// Waiting or blocked, longest untouched first.
    pub(crate) untouched: BTreeSet<(Moment, JobId)>,
    /// Current handles.
    pub(crate) by_handle: BTreeMap<Handle, JobId>,
    /// Unfinished runs of each concurrency group.
    pub(crate) groups: BTreeMap<GroupKey, BTreeSet<RunId>>,
    /// Running tasks.
    pub(crate) tasks: BTreeSet<TaskId>,
    /// Runs whose blocked jobs are to be looked at, and when.
    pub(crate) emitter: BTreeSet<(Moment, RunId)>,
}

/// How a needed job ended (protocol 3.3, `TaskNeed`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Outputs of all jobs with that key, merged.
    pub outputs: BTreeMap<String, String>,
    /// Always a final status.
    pub result: Status,
}

/// What a job learns about its surroundings (protocol 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskContext {
    /// `owner/name`.
    pub repository: String,
    /// Name of the owner.
    pub repository_owner: String,
    /// Repository.
    pub repo_id: RepoId,
    /// Its owner today.
    pub owner_id: OwnerId,
    /// The word for the event, e.g. `push`.
    pub event_name: &'static str,
    /// E.g. `refs/heads/main`.
    pub reference: String,
    /// 40 hexadecimal digits.
    pub sha: String,
    /// Run.
    pub run_id: RunId,
    /// Number of the run within its repository.
    pub run_number: i64,
    /// Attempt, from 1.
    pub run_attempt: i64,
    /// File name of the workflow.
    pub workflow: String,
    /// Job key.
    pub job: String,
    /// Login of who caused the run.
    pub actor: String,
    /// Who caused the run.
    pub actor_id: OwnerId,
}

/// A task as its runner gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskAnswer {
    /// Task.
    pub id: TaskId,
    /// The attempt that it is.
    pub handle: Handle,
    /// YAML of a workflow with exactly this one job.
    pub payload: String,
    /// Surroundings.
    pub context: TaskContext,
    /// The job's own token: 40 hexadecimal digits, new on every recovery by request key (protocol 3.4).
    pub token: String,
    /// Ended needs by job key.
    pub needs: BTreeMap<String, Need>,
    /// Secrets of repository and owner, without the job token.
    pub secrets: BTreeMap<String, String>,
    /// Variables of repository and owner.
    pub vars: BTreeMap<String, String>,
}
