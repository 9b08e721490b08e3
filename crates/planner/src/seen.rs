//! What the edges saw: jobs and runners of a forge, machines of a backend, each list with how far it can be believed.

use serde::{Deserialize, Serialize};

use crate::ids::{Handle, JobKey, JobName, MachineName, PoolId, RunnerId, RunnerUuid, ScopeKey, TaskId, Try};
use crate::label::RunsOn;
use crate::time::Tick;

/// One answer to one listing call.
///
/// It says nothing about a thing whose last action was answered after `begun_at` (design: "observations carry
/// `begun_at`"). An incomplete listing proves presence, never absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// When the call was begun.
    pub begun_at: Tick,
    /// Whether all that there is was shown.
    pub complete: bool,
    /// What was shown.
    pub rows: Vec<T>,
}

/// Where a job stands, as far as it is listed at all (protocol 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waiting, and not yet given to a runner.
    Waiting,
    /// Given to a runner.
    Running {
        /// The hand-out.
        task: TaskId,
    },
    /// A status that we do not know, or a row that could not be read beyond its handle: nothing is concluded from it.
    Unknown,
}

/// One row of a job list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSeen {
    /// The handle.
    pub handle: Handle,
    /// The row id, stable over attempts; smaller is older.
    pub id: i64,
    /// The repository's id.
    pub repository: i64,
    /// The id of its run, where the forge lists it: since Forgejo 16 (protocol 1.3).
    #[serde(default)]
    pub run: Option<i64>,
    /// The display name.
    pub name: JobName,
    /// The labels asked for, in order.
    pub runs_on: RunsOn,
    /// Where it stands.
    pub state: JobState,
}

/// One row of a runner list that carries our deployment's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerSeen {
    /// The row id.
    pub id: RunnerId,
    /// The uuid.
    pub uuid: RunnerUuid,
    /// Which job, try and register call it was made for, read from name and description.
    pub identity: crate::identity::RunnerIdentity,
    /// Whether it ever declared labels: proof that its process has contacted the forge.
    pub declared: bool,
    /// Whether its only label is the fence's.
    pub fenced: bool,
    /// Its activity by the forge's clocks: a hint, never proof (protocol 1.4).
    pub status: RunnerStatus,
}

/// Activity of a runner by the forge's own clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerStatus {
    /// No call for 60 s, or never.
    Offline,
    /// No task or log update for 10 s.
    Idle,
    /// A task or log update within 10 s.
    Active,
    /// A word that we do not know.
    Unknown,
}

/// The facts that a machine is created with and that every listing gives back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineTags {
    /// The pool that it was made for.
    pub pool: PoolId,
    /// The scope that its runner is registered in.
    pub scope: ScopeKey,
    /// The job.
    pub handle: Handle,
    /// The try.
    pub attempt: Try,
    /// The id that the forge had for the scope, where it has one: the name may come to mean another
    /// ([`crate::state::Identity`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_id: Option<i64>,
}

impl MachineTags {
    /// The job that the machine was made for.
    pub fn job(&self) -> JobKey {
        JobKey { forge: self.scope.forge.clone(), handle: self.handle.clone() }
    }
}

/// What was started on a machine; written by the backend together with the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The job.
    pub handle: Handle,
    /// The try.
    pub attempt: Try,
    /// The registration whose credentials were handed over.
    pub runner: RunnerUuid,
}

/// One machine of our deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSeen {
    /// Its name.
    pub name: MachineName,
    /// What it was created with.
    pub tags: MachineTags,
    /// What was started on it, if anything.
    pub binding: Option<Binding>,
    /// Where it stands.
    pub state: MachineState,
}

/// Where a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Asked for, not usable yet.
    Creating,
    /// Usable, nothing started on it.
    Ready,
    /// The runner process was started and has not ended, as far as known.
    Running,
    /// Being stopped.
    Stopping,
    /// The runner process is dead, since what it cannot outlive is; something that it started goes on. The job is lost
    /// as with an end, but there is something left to stop.
    Orphaned,
    /// The runner process and all that it started have ended, or it was never started and never will be: proof of death.
    Ended {
        /// How.
        exit: Exit,
    },
}

/// How the runner process of a machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code (protocol 3.6).
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was never started.
    NeverStarted,
    /// It has ended, nobody knows how (its supervisor was killed too).
    Unknown,
}
