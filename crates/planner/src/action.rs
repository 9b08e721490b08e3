//! What the planner wants done. An action is complete: whoever carries it out chooses nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::RunnerIdentity;
use crate::ids::{
    AssignmentKey, BackendId, ForgeId, MachineName, Ordinal, PoolId, RepositoryKey, RunnerId, RunnerUuid, ScopeKey,
    TaskId,
};
use crate::policy::Limits;
use crate::seen::{BoundAt, JobTags, WarmTags};

/// One call to a forge or a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a machine. The first action of every assignment.
    Create {
        /// The assignment that begins with it.
        key: AssignmentKey,
        /// The backend.
        backend: BackendId,
        /// The machine's name.
        machine: MachineName,
        /// What the machine carries.
        tags: JobTags,
        /// The first label that its job asks for: that one picks the environment (protocol 4).
        label: String,
        /// What it carries instead of `tags` where its pool keeps machines without a job: it is made as one of them, so that
        /// it can become one, should its job turn out to be held back.
        warm: Option<WarmTags>,
        /// The repository that the machine serves and no other one, so that it may have what is that repository's alone: none
        /// where it may come to serve another's job.
        repository: Option<RepositoryKey>,
        /// How long its process may take to end when asked to.
        stop_grace: Duration,
    },
    /// Make a machine without a job.
    CreateWarm {
        /// The backend.
        backend: BackendId,
        /// The machine's name.
        machine: MachineName,
        /// What the machine carries.
        tags: WarmTags,
        /// How long the process of a job may take to end when asked to.
        stop_grace: Duration,
    },
    /// Remove a machine that never had a job, or whose job was taken back.
    DestroyWarm {
        /// The backend.
        backend: BackendId,
        /// The machine.
        machine: MachineName,
        /// Why.
        why: Leaving,
    },
    /// Take the runner back from a machine that was made without a job and on which no code of one ran.
    Release {
        /// The assignment.
        key: AssignmentKey,
        /// The backend.
        backend: BackendId,
        /// The machine.
        machine: MachineName,
    },
    /// Register an ephemeral runner.
    Register {
        /// The assignment.
        key: AssignmentKey,
        /// Where.
        scope: ScopeKey,
        /// The machine that it is for; part of the name.
        machine: MachineName,
        /// What name and description say.
        identity: RunnerIdentity,
    },
    /// Start the runner on its machine.
    Start {
        /// The assignment.
        key: AssignmentKey,
        /// The backend.
        backend: BackendId,
        /// The machine.
        machine: MachineName,
        /// The pool, for its labels.
        pool: PoolId,
        /// Whose credentials are handed over.
        runner: RunnerUuid,
        /// Where that is registered, for a warm machine.
        at: Option<BoundAt>,
    },
    /// Close the door: no job fits the runner from now on (protocol 2.11).
    Fence {
        /// The assignment.
        key: AssignmentKey,
        /// The runner.
        runner: RunnerUuid,
    },
    /// Ask whether the running task is this runner's (protocol 2.11).
    AskWhose {
        /// The assignment.
        key: AssignmentKey,
        /// The runner.
        runner: RunnerUuid,
        /// The task.
        task: TaskId,
    },
    /// Fail a job whose process is proven dead, with a readable reason (protocol 2.10).
    EndEarly {
        /// The assignment.
        key: AssignmentKey,
        /// The runner.
        runner: RunnerUuid,
        /// The task.
        task: TaskId,
        /// What the job's log will say.
        reason: String,
    },
    /// Look whether a registration still exists.
    LookUpRunner {
        /// The assignment.
        key: AssignmentKey,
        /// Where it is registered.
        scope: ScopeKey,
        /// Which.
        id: RunnerId,
    },
    /// Delete the registration of an assignment.
    DeleteRunner {
        /// The assignment.
        key: AssignmentKey,
        /// Where it is registered.
        scope: ScopeKey,
        /// Which.
        id: RunnerId,
    },
    /// Delete a registration of ours that belongs to no assignment.
    Sweep {
        /// Where it is registered.
        scope: ScopeKey,
        /// Which.
        id: RunnerId,
    },
    /// Stop a machine, or remove one that has ended.
    Destroy {
        /// The assignment.
        key: AssignmentKey,
        /// The backend.
        backend: BackendId,
        /// The machine.
        machine: MachineName,
        /// How long its process may take to end, from when it is first asked to.
        stop: Duration,
    },
    /// Read the last lines of a runner that failed to take its job.
    ReadLog {
        /// The assignment.
        key: AssignmentKey,
        /// The backend.
        backend: BackendId,
        /// The machine.
        machine: MachineName,
    },
    /// Look up the id that the forge has for a scope.
    CheckScope {
        /// Which.
        scope: ScopeKey,
    },
}

/// Why a machine without a job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaving {
    /// A job lacks the room that it takes.
    MakesRoom,
    /// Made anew it would be another: its image, its configuration, its pool or its pool's backend has changed.
    Outdated,
    /// It has reached the age at which another takes its place.
    TooOld,
    /// There are more than are wanted, of its image or in all.
    Surplus,
    /// It has ended.
    Ended,
    /// It is listed no more.
    Vanished,
    /// It did not become ready.
    NeverReady,
}

/// Where an action is carried out. Each lane has slots of its own, so that none waits for another (invariant 9); those of the
/// scopes of one forge share what they have beyond the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Registering in a scope, or at repositories within it, and looking at it.
    ForgeLaunch(ScopeKey),
    /// Looking up and deleting registrations in a scope, or at repositories within it.
    ForgeClean(ScopeKey),
    /// Fencing and asking with the credentials of runners of a forge.
    ForgeRunner(ForgeId),
    /// Creating and starting on a backend.
    BackendLaunch(BackendId),
    /// Destroying on a backend.
    BackendClean(BackendId),
}

impl Lane {
    /// The forge that is called, if it is one.
    pub fn forge(&self) -> Option<&ForgeId> {
        match self {
            Self::ForgeLaunch(scope) | Self::ForgeClean(scope) => Some(&scope.forge),
            Self::ForgeRunner(forge) => Some(forge),
            Self::BackendLaunch(_) | Self::BackendClean(_) => None,
        }
    }
}

impl Action {
    /// Its lane.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Create { backend, .. } | Self::CreateWarm { backend, .. } | Self::Start { backend, .. } => {
                Lane::BackendLaunch(backend.clone())
            }
            Self::Destroy { backend, .. }
            | Self::DestroyWarm { backend, .. }
            | Self::Release { backend, .. }
            | Self::ReadLog { backend, .. } => Lane::BackendClean(backend.clone()),
            Self::Register { scope, .. } | Self::CheckScope { scope } => Lane::ForgeLaunch(scope.watched()),
            Self::LookUpRunner { scope, .. } | Self::DeleteRunner { scope, .. } | Self::Sweep { scope, .. } => {
                Lane::ForgeClean(scope.watched())
            }
            Self::Fence { key, .. } | Self::AskWhose { key, .. } | Self::EndEarly { key, .. } => {
                Lane::ForgeRunner(key.job.forge.clone())
            }
        }
    }

    /// How long it may take before its answer counts as lost.
    pub fn deadline(&self, limits: &Limits) -> Duration {
        if self.lane().forge().is_some() { limits.forge_deadline } else { limits.backend_deadline }
    }

    /// The assignment that it belongs to, if it belongs to one.
    pub fn key(&self) -> Option<&AssignmentKey> {
        match self {
            Self::Create { key, .. }
            | Self::Register { key, .. }
            | Self::Start { key, .. }
            | Self::Fence { key, .. }
            | Self::AskWhose { key, .. }
            | Self::EndEarly { key, .. }
            | Self::LookUpRunner { key, .. }
            | Self::DeleteRunner { key, .. }
            | Self::Destroy { key, .. }
            | Self::Release { key, .. }
            | Self::ReadLog { key, .. } => Some(key),
            Self::CreateWarm { .. } | Self::DestroyWarm { .. } | Self::Sweep { .. } | Self::CheckScope { .. } => None,
        }
    }

    /// The place that it is about, for calls whose answer depends on whom the scope's token means.
    pub fn place(&self) -> Option<&ScopeKey> {
        match self {
            Self::Register { scope, .. }
            | Self::LookUpRunner { scope, .. }
            | Self::DeleteRunner { scope, .. }
            | Self::Sweep { scope, .. } => Some(scope),
            Self::Create { .. }
            | Self::CreateWarm { .. }
            | Self::DestroyWarm { .. }
            | Self::Release { .. }
            | Self::Start { .. }
            | Self::Fence { .. }
            | Self::AskWhose { .. }
            | Self::EndEarly { .. }
            | Self::Destroy { .. }
            | Self::ReadLog { .. }
            | Self::CheckScope { .. } => None,
        }
    }

    /// One word for logs, metrics and counters.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::CreateWarm { .. } => "create_warm",
            Self::DestroyWarm { .. } => "destroy_warm",
            Self::Release { .. } => "release",
            Self::Register { .. } => "register",
            Self::Start { .. } => "start",
            Self::Fence { .. } => "fence",
            Self::AskWhose { .. } => "ask_whose",
            Self::EndEarly { .. } => "end_early",
            Self::LookUpRunner { .. } => "look_up_runner",
            Self::DeleteRunner { .. } => "delete_runner",
            Self::Sweep { .. } => "sweep",
            Self::Destroy { .. } => "destroy",
            Self::ReadLog { .. } => "read_log",
            Self::CheckScope { .. } => "check_scope",
        }
    }
}

/// The ordinal of the register call that follows `last`.
pub(crate) fn next_ordinal(last: Option<Ordinal>) -> Ordinal {
    Ordinal(last.map_or(0, |ordinal| ordinal.0) + 1)
}
