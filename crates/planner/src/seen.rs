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
#[serde(untagged)]
pub enum MachineTags {
    /// It was made for a job.
    Job(JobTags),
    /// It was made ahead of any job.
    Warm(WarmTags),
}

/// The facts that a machine for one job is created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTags {
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

impl JobTags {
    /// The job that the machine was made for.
    pub fn job(&self) -> JobKey {
        JobKey { forge: self.scope.forge.clone(), handle: self.handle.clone() }
    }
}

/// The facts that a machine without a job is created with. A job is bound to it later ([`Binding`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WarmTags {
    /// The pool that it was made for.
    pub pool: PoolId,
    /// The image that it was made from, where one of the pool's labels names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A short fingerprint of all else that it was made from ([`crate::policy::WarmPolicy::made_of`]).
    pub made_of: String,
}

impl MachineTags {
    /// The pool that the machine was made for.
    pub fn pool(&self) -> &PoolId {
        match self {
            Self::Job(tags) => &tags.pool,
            Self::Warm(tags) => &tags.pool,
        }
    }

    /// The job that the machine was made for, if it was made for one.
    pub fn job(&self) -> Option<&JobTags> {
        match self {
            Self::Job(tags) => Some(tags),
            Self::Warm(_) => None,
        }
    }

    /// The job that the machine was made for, or that is bound to it: none where neither tags nor binding say whose it is.
    pub fn serving(&self, binding: Option<&Binding>) -> Option<JobTags> {
        let pool = match self {
            Self::Job(tags) => return Some(tags.clone()),
            Self::Warm(tags) => tags.pool.clone(),
        };
        let Binding { handle, attempt, at, .. } = binding?;
        let BoundAt { scope, scope_id } = at.clone()?;
        Some(JobTags { pool, scope, handle: handle.clone(), attempt: *attempt, scope_id })
    }

    /// What a machine was made from that was made without a job.
    pub fn warm(&self) -> Option<&WarmTags> {
        match self {
            Self::Warm(tags) => Some(tags),
            Self::Job(_) => None,
        }
    }
}

impl From<JobTags> for MachineTags {
    fn from(tags: JobTags) -> Self {
        Self::Job(tags)
    }
}

impl From<WarmTags> for MachineTags {
    fn from(tags: WarmTags) -> Self {
        Self::Warm(tags)
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
    /// Where that is registered, on a machine that was made without a job; the tags of the others tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<BoundAt>,
}

/// Where the runner of a binding is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundAt {
    /// The scope, or a repository within one.
    pub scope: ScopeKey,
    /// The id that the forge had for the scope, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_id: Option<i64>,
}

impl MachineSeen {
    /// The handle of the job that it was made for, or that was bound to it.
    pub fn handle(&self) -> Option<&Handle> {
        let bound = self.binding.as_ref().map(|binding| &binding.handle);
        bound.or_else(|| self.tags.job().map(|tags| &tags.handle))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ForgeId, ScopeId};

    #[test]
    fn tags_and_bindings_of_before_there_were_warm_machines_are_read() {
        let job = r#"{"pool":"p","scope":{"forge":"https://f","scope":"user"},"handle":"h","attempt":2,"scope_id":7}"#;
        let tags: MachineTags = serde_json::from_str(job).unwrap();
        assert_eq!(tags.job().and_then(|tags| tags.scope_id), Some(7));
        assert_eq!(serde_json::to_string(&tags).unwrap(), job);
        let binding: Binding = serde_json::from_str(r#"{"handle":"h","attempt":2,"runner":"u"}"#).unwrap();
        assert_eq!(binding.at, None);
    }

    #[test]
    fn what_a_warm_machine_carries_is_read_back() {
        let tags = WarmTags { pool: PoolId::new("p"), image: Some("node:22".to_owned()), made_of: "0123".to_owned() };
        let tags = MachineTags::from(tags);
        let text = serde_json::to_string(&tags).unwrap();
        assert_eq!(serde_json::from_str::<MachineTags>(&text).unwrap(), tags);
        let scope = ScopeKey { forge: ForgeId::new("https://f"), scope: ScopeId::new("org:acme") };
        let at = Some(BoundAt { scope, scope_id: Some(3) });
        let binding = Binding { handle: Handle::new("h"), attempt: Try(1), runner: RunnerUuid::new("u"), at };
        let text = serde_json::to_string(&binding).unwrap();
        assert_eq!(serde_json::from_str::<Binding>(&text).unwrap(), binding);
    }
}
