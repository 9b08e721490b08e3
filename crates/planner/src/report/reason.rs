//! Reasons, with their numbers. What a person reads of them is in [`super::words`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Leaving;
use crate::ids::{BackendId, Handle, MachineName, PoolId, ScopeKey, Try};

/// Why a job is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It asks for no label at all; such a job never runs (protocol 1.3).
    NoLabels,
    /// The forge gave it no handle: it is older than Forgejo 15 and cannot be targeted (protocol 1.3).
    NoHandle,
    /// No pool has all its labels.
    NoPool {
        /// What the closest pool lacks; all that is wanted where none is close.
        missing_labels: Vec<String>,
        /// The closest pool, if one has anything of what is wanted.
        closest: Option<PoolId>,
    },
    /// The pool that fits is full.
    PoolFull {
        /// The pool.
        pool: PoolId,
        /// Machines that exist or were asked for.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// The backend of the pool that fits is full.
    BackendFull {
        /// The backend.
        backend: BackendId,
        /// Machines that exist or were asked for.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// The deployment is full.
    DeploymentFull {
        /// Machines that exist or were asked for.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// The repository has its share of the pool.
    RepositoryFull {
        /// The pool.
        pool: PoolId,
        /// Machines of that repository in it.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// Earlier launches for it failed; the next comes later.
    BackingOff {
        /// For how long still.
        remaining: Duration,
        /// How many tries there were.
        tries: u32,
        /// What the last one said.
        last_error: String,
    },
    /// Too many launches for it failed; it rests until then, or until the operator restarts the daemon.
    Parked {
        /// For how long still.
        remaining: Duration,
        /// How many launches failed.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// The pool or its backend failed lately; the next try comes later.
    PoolBackingOff {
        /// The pool.
        pool: PoolId,
        /// For how long still.
        remaining: Duration,
        /// What the last failure said.
        last_error: String,
    },
    /// The machines of the pool's backend cannot be listed any more: nothing new is made there until they can.
    BackendAway {
        /// The backend.
        backend: BackendId,
        /// For how long already.
        away: Duration,
        /// What the last listing said.
        last_error: String,
    },
    /// There was no connection to the pool's backend when something was to be asked of it; the next try comes later.
    BackendBackingOff {
        /// The backend.
        backend: BackendId,
        /// For how long still.
        remaining: Duration,
        /// What the last failure said.
        last_error: String,
    },
    /// What its first label asks for could not be had in the pool lately: an image, say. The next try comes later.
    EnvironmentBackingOff {
        /// The pool.
        pool: PoolId,
        /// The label.
        label: String,
        /// For how long still.
        remaining: Duration,
        /// What the last failure said.
        last_error: String,
    },
    /// The forge holds it back although it lists it as waiting, most likely for its concurrency group; it is tried again
    /// later.
    HeldBack {
        /// How often its runner waited in vain.
        releases: u32,
        /// For how long it rests still.
        remaining: Duration,
    },
    /// A job like it was held back: one of them is tried at a time.
    Suspect {
        /// The one being tried, if there is one just now.
        probe: Option<Handle>,
        /// How often jobs like it were released.
        releases: u32,
        /// For how long they rest still.
        remaining: Duration,
    },
    /// The scope's list is stale: the forge does not answer.
    ForgeUnreachable {
        /// Where.
        scope: ScopeKey,
        /// How many listings failed in a row.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// The forge does not know the token.
    TokenUnknown {
        /// Where.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
        /// When it is tried again.
        remaining: Duration,
    },
    /// The token may not register runners there.
    TokenLacksScope {
        /// Where.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
        /// When it is tried again.
        remaining: Duration,
    },
    /// The scope refused a registration for another reason than the token: renamed, transferred, or gone.
    ScopeRefused {
        /// Where.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
        /// When it is tried again.
        remaining: Duration,
    },
    /// After a start nothing is launched before it is known what is there.
    NotListedYet {
        /// What is missing.
        of: String,
    },
    /// An earlier try for it is not proven over.
    EarlierTry {
        /// Which.
        attempt: Try,
    },
    /// We are about to stop and launch nothing any more.
    Draining,
    /// Its row could not be read.
    Unreadable,
    /// A machine that waits without a job is being removed: it gets the room.
    MakingRoom {
        /// The pool that it will be launched in.
        pool: PoolId,
        /// The machine that goes.
        machine: MachineName,
    },
    /// Its turn comes as soon as other calls are answered.
    NextInLine,
    /// It has a machine and a runner on the way.
    Launching {
        /// The pool.
        pool: PoolId,
        /// The machine.
        machine: MachineName,
        /// The try.
        attempt: Try,
        /// What is being done.
        step: LaunchStep,
    },
    /// Its runner asks for it and does not get it yet.
    Claiming {
        /// The machine.
        machine: MachineName,
        /// For how long.
        waited: Duration,
        /// For how long at the most.
        limit: Duration,
    },
    /// Its runner is being taken back.
    Releasing {
        /// The machine.
        machine: MachineName,
    },
    /// It runs on our machine.
    Running {
        /// The machine.
        machine: MachineName,
        /// For how long, as observed: the forge's lists do not tell when it began (protocol 1.3), and of what an earlier
        /// life of the daemon has observed only whole minutes are kept.
        ran: Duration,
    },
    /// Its process has ended; the next polls tell how the job did.
    ProcessEnded {
        /// The machine.
        machine: MachineName,
    },
    /// Its process has ended, its result has not arrived.
    ResultMissing {
        /// The machine.
        machine: MachineName,
    },
    /// A runner that is not ours runs it.
    RunsElsewhere,
}

impl Reason {
    /// The pool that it is about, if it is about one: that serves the job, or comes closest to it.
    pub fn pool(&self) -> Option<&PoolId> {
        match self {
            Self::PoolFull { pool, .. }
            | Self::RepositoryFull { pool, .. }
            | Self::PoolBackingOff { pool, .. }
            | Self::EnvironmentBackingOff { pool, .. }
            | Self::MakingRoom { pool, .. }
            | Self::Launching { pool, .. } => Some(pool),
            Self::NoPool { closest, .. } => closest.as_ref(),
            Self::NoLabels
            | Self::NoHandle
            | Self::BackendFull { .. }
            | Self::BackendAway { .. }
            | Self::BackendBackingOff { .. }
            | Self::DeploymentFull { .. }
            | Self::BackingOff { .. }
            | Self::Parked { .. }
            | Self::HeldBack { .. }
            | Self::Suspect { .. }
            | Self::ForgeUnreachable { .. }
            | Self::TokenUnknown { .. }
            | Self::TokenLacksScope { .. }
            | Self::ScopeRefused { .. }
            | Self::NotListedYet { .. }
            | Self::EarlierTry { .. }
            | Self::Draining
            | Self::Unreadable
            | Self::NextInLine
            | Self::Claiming { .. }
            | Self::Releasing { .. }
            | Self::Running { .. }
            | Self::ProcessEnded { .. }
            | Self::ResultMissing { .. }
            | Self::RunsElsewhere => None,
        }
    }
}

/// Which step of a launch is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchStep {
    /// The machine is being made.
    Creating,
    /// The runner is being registered.
    Registering,
    /// The runner is being started.
    Starting,
    /// The runner was started and has not contacted the forge yet.
    Booting,
}

/// Why a machine is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum MachineReason {
    /// Its runner is on the way.
    Launching {
        /// What is being done.
        step: LaunchStep,
    },
    /// It was found, after a restart say, and its job has not been listed since: how that stands is not known yet.
    Found,
    /// Its runner waits for its job.
    Claiming,
    /// Its job runs.
    Running,
    /// Its job has left the forge; the process has a while to end by itself.
    Grace {
        /// For how long still, as observed.
        remaining: Duration,
    },
    /// Many jobs vanished at once; nothing is killed until polls have agreed for a while.
    Held {
        /// For how long still, as observed.
        remaining: Duration,
    },
    /// Its runner is being fenced off before it is stopped.
    Fencing,
    /// Whose the running task is, is being asked.
    AskingWhose,
    /// What it needs next is not done: its scope is not known to be the one that it was made for.
    ScopeInDoubt {
        /// Which.
        scope: ScopeKey,
        /// Why not, as far as that is known.
        last_error: String,
    },
    /// Its job did not run on it; its runner is being taken back, and it waits for another.
    Releasing,
    /// It is being stopped.
    Stopping,
    /// It has ended and is being removed.
    Removing,
    /// The forge has not shown yet how its job stands after its end.
    AwaitingPolls,
    /// It is listed no more and nothing proves that it is dead.
    Vanished,
    /// It is being made, and will wait for a job.
    WarmCreating,
    /// It is ready and waits for a job.
    Warm,
    /// It was found, or taken back from a job that did not run: it gets no job before a list shows that no runner is on it.
    WarmInDoubt,
    /// It waits for a job no more and is being removed.
    WarmLeaving {
        /// Why.
        why: Leaving,
    },
}

/// Why a registration without a living assignment is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RunnerReason {
    /// Whether a machine is bound to it is not known yet.
    MachinesNotListed,
    /// It is young: its register call may still be under way somewhere.
    Settling {
        /// For how long still.
        remaining: Duration,
    },
    /// Its job is running: perhaps it holds it.
    JobRunning,
    /// The forge has not shown yet how its job stands.
    AwaitingPolls,
    /// It is being deleted.
    Deleting,
}
