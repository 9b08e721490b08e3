//! What the planner is told: answers to listings and actions, and its own decisions. Nothing else changes its state.

use std::fmt;

use crate::action::Action;
use crate::error_class::Failure;
use crate::ids::{ActionId, AssignmentKey, BackendId, MachineName, PoolId, RunnerId, RunnerUuid, ScopeKey};
use crate::overlap::ForeignRunner;
use crate::seen::{Exit, JobSeen, JobTags, Listing, MachineSeen, RunnerSeen};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The jobs of a scope were listed.
    JobsListed {
        /// Where.
        scope: ScopeKey,
        /// What was shown.
        listing: Listing<JobSeen>,
    },
    /// The jobs of a scope could not be listed.
    JobsNotListed {
        /// Where.
        scope: ScopeKey,
        /// Why.
        failure: Failure,
    },
    /// The runners of a scope were listed; only those of our deployment are in it.
    RunnersListed {
        /// Where.
        scope: ScopeKey,
        /// What was shown.
        listing: Listing<RunnerSeen>,
    },
    /// The runners of a scope could not be listed.
    RunnersNotListed {
        /// Where.
        scope: ScopeKey,
        /// Why.
        failure: Failure,
    },
    /// The repositories within a scope were listed again, after they could not be.
    RepositoriesListed {
        /// Where.
        scope: ScopeKey,
    },
    /// The repositories within a scope could not be listed, so that runners left behind in them are not found.
    RepositoriesNotListed {
        /// Where.
        scope: ScopeKey,
        /// Why.
        failure: Failure,
    },
    /// Every repository within a scope was looked at once: what an earlier life has left there is known.
    RepositoriesSwept {
        /// Where.
        scope: ScopeKey,
    },
    /// All runners were listed that could be given jobs of a scope: its own and those of what it belongs to.
    RunnersInReach {
        /// Where.
        scope: ScopeKey,
        /// Those that are not of our deployment.
        runners: Vec<ForeignRunner>,
    },
    /// The machines of a backend were listed.
    MachinesListed {
        /// Where.
        backend: BackendId,
        /// What was shown.
        listing: Listing<MachineSeen>,
    },
    /// The machines of a backend could not be listed.
    MachinesNotListed {
        /// Where.
        backend: BackendId,
        /// Why.
        failure: Failure,
    },
    /// The forge is called with another token for a scope from now on.
    TokenReplaced {
        /// Where.
        scope: ScopeKey,
    },
    /// The credentials of a registration are at hand (found in the runtime directory after a restart).
    CredentialsFound {
        /// Whose.
        runner: RunnerUuid,
    },
    /// An action was handed to its lane.
    Started {
        /// Its number.
        id: ActionId,
        /// What it is.
        action: Action,
    },
    /// An action was answered, or failed.
    Answered {
        /// Its number.
        id: ActionId,
        /// What came of it.
        answer: Answer,
    },
    /// The planner decided something that needs no call.
    Decided(Decision),
    /// The policy that is passed along is another one from now on (see [`crate::change`]).
    PolicyReplaced,
    /// By the schedule of a pool another count of its machines is kept ready without a job from now on. What the hour is
    /// only the edge knows.
    WarmCount {
        /// The pool.
        pool: PoolId,
        /// How many.
        count: u32,
    },
    /// The operator has confirmed that the jobs are gone which vanished together: the kills that are held now go on.
    Confirmed,
    /// Only time has passed.
    Passed,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The machine exists.
    Created,
    /// The runner is registered; its credentials are at hand.
    Registered {
        /// Its row id.
        id: RunnerId,
        /// Its uuid.
        uuid: RunnerUuid,
    },
    /// The runner was started.
    Started,
    /// The runner was taken back from its machine, which is ready for another job.
    Released,
    /// Nothing of the machine is left.
    Destroyed,
    /// The machine is being stopped.
    Stopping,
    /// The door is closed.
    Fenced,
    /// The task is this runner's.
    Ours,
    /// The task is another runner's.
    Another,
    /// The job was failed.
    EndedEarly,
    /// The forge does not know the registration (any more).
    RunnerGone,
    /// The registration exists.
    RunnerExists {
        /// Whether it ever declared labels.
        declared: bool,
    },
    /// The registration was deleted.
    Deleted,
    /// The last lines of the log.
    Log {
        /// Oldest first, bounded.
        lines: Vec<String>,
    },
    /// The scope's id.
    ScopeId {
        /// As the forge says.
        id: i64,
    },
    /// It failed.
    Failed(Failure),
}

/// A decision that only changes our own books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The job gets a machine that was made without one: an assignment begins.
    Bind {
        /// The assignment.
        key: AssignmentKey,
        /// The machine's backend.
        backend: BackendId,
        /// The machine.
        machine: MachineName,
        /// What a machine made for the job would carry.
        tags: JobTags,
    },
    /// The machine of an assignment, which was made without a job, goes back to those without one: no runner was asked for
    /// on it. What else there is of the assignment is cleaned up.
    HandBack {
        /// Which.
        key: AssignmentKey,
    },
    /// The assignment shall end.
    Conclude {
        /// Which.
        key: AssignmentKey,
        /// Why.
        reason: EndReason,
    },
    /// The job runs on our runner after all: the assignment goes on.
    Reinstate {
        /// Which.
        key: AssignmentKey,
    },
    /// All of the assignment is cleaned up but its machine, which cannot be removed: that is tried on, and keeps the job
    /// from nothing.
    SetAside {
        /// Which.
        key: AssignmentKey,
        /// What came of it.
        outcome: Outcome,
    },
    /// All of the assignment is cleaned up.
    Forget {
        /// Which.
        key: AssignmentKey,
        /// What came of it.
        outcome: Outcome,
    },
}

/// Why an assignment ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// Its process has ended, or its machine never got one and never will.
    ProcessEnded {
        /// How.
        exit: Exit,
    },
    /// A step of its launch failed for good.
    LaunchFailed {
        /// Which and why.
        failure: Failure,
    },
    /// Its runner did not contact the forge in time.
    BootOver,
    /// Its runner contacted the forge and was not given the job in time.
    HeldBack,
    /// Its job left the list before its runner was started.
    LeftBeforeStart,
    /// Its job left the list, its registration exists: the job ended without us.
    EndedElsewhere,
    /// Its job left the list and its registration is gone: the attempt is over, the process should end.
    Gone,
    /// Another runner has its job.
    TakenElsewhere,
    /// Its job ran too long.
    RunOver,
    /// Somebody removed its registration while its job was waiting.
    RegistrationRemoved,
    /// Its machine is listed no more.
    MachineVanished,
    /// It was made by an earlier life of ours and its runner was never started.
    NeverStarted,
}

impl EndReason {
    /// Whether its job has left, so that its process has a grace.
    pub(crate) fn begins_grace(&self) -> bool {
        match self {
            Self::Gone | Self::EndedElsewhere => true,
            Self::ProcessEnded { .. }
            | Self::LaunchFailed { .. }
            | Self::BootOver
            | Self::HeldBack
            | Self::LeftBeforeStart
            | Self::TakenElsewhere
            | Self::RunOver
            | Self::RegistrationRemoved
            | Self::MachineVanished
            | Self::NeverStarted => false,
        }
    }
}

impl fmt::Display for EndReason {
    /// For people, in the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProcessEnded { .. } => "its process has ended",
            Self::LaunchFailed { failure } => return write!(f, "a step of its launch failed: {}", failure.message),
            Self::BootOver => "its runner did not contact the forge in time",
            Self::HeldBack => "its runner was not given the job in time",
            Self::LeftBeforeStart => "its job left the list before its runner was started",
            Self::EndedElsewhere => "its job ended without it",
            Self::Gone => "its job is over at the forge",
            Self::TakenElsewhere => "another runner has its job",
            Self::RunOver => "its job ran too long",
            Self::RegistrationRemoved => "its registration was removed while its job waited",
            Self::MachineVanished => "its machine is listed no more",
            Self::NeverStarted => "an earlier start made it and never started its runner",
        })
    }
}

/// What came of an assignment, once all of it is cleaned up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its job ran on it and has ended.
    Completed,
    /// Its job ended without it: cancelled, or taken by another runner.
    EndedElsewhere,
    /// Its job was held back by the forge and waits on.
    Released,
    /// It failed before its job ran; the job waits on.
    LaunchFailed {
        /// Why, for people.
        error: String,
        /// Whether the job's next try is charged for it.
        charged: bool,
    },
    /// Its process died while the job ran.
    Lost,
}
