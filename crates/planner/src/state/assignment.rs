//! One assignment: the facts about a job, its runner and its machine, from the decision until all is cleaned up.
//!
//! Facts only. What follows from them is decided in `plan`; they are written in `fold`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error_class::Failure;
use crate::event::EndReason;
use crate::evidence::{Clock, LastTwo};
use crate::ids::{ActionId, BackendId, MachineName, Ordinal, PoolId, RunnerId, RunnerUuid, ScopeKey, TaskId};
use crate::sabotage::{self, Sabotage};
use crate::seen::{Exit, JobSeen, JobState, MachineState, WarmTags};
use crate::state::Whose;
use crate::time::Tick;

/// The facts of one assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Where its runner is registered: a watched scope or a repository within one. Never changes.
    pub scope: ScopeKey,
    /// The id that the forge had for that scope when the machine was made, where it has one.
    pub scope_id: Option<i64>,
    /// Its pool.
    pub pool: PoolId,
    /// Its backend.
    pub backend: BackendId,
    /// Its machine's name.
    pub machine_name: MachineName,
    /// What its machine was made with, where that was made without a job.
    pub warm: Option<WarmTags>,
    /// Since when such a machine can never go back to those without a job: what an earlier life did with it is not known,
    /// or a call that started or released it failed.
    pub spoilt: Option<Tick>,
    /// When its machine went back to those without a job, or turned out to be another's: from then on no list of machines
    /// speaks of this.
    pub parted: Option<Tick>,
    /// When its machine was asked for, or was found after a restart.
    pub machine_since: Tick,
    /// When it began, or was found after a restart.
    pub begun_at: Tick,
    /// Whether it was found after a restart.
    pub adopted: bool,
    /// The job's row, when it was last listed.
    pub job: Option<JobSeen>,
    /// From when its job was first listed as waiting until its machine was asked for, if that is known.
    pub waited: Option<Duration>,
    /// What the job lists say.
    pub track: JobTrack,
    /// The machine.
    pub machine: MachineFact,
    /// Complete listings without the machine, after the last action on it.
    pub machine_absent: LastTwo,
    /// When the last action on the machine was answered: older listings prove nothing.
    pub machine_touched: Tick,
    /// How and when its process ended.
    pub death: Option<Death>,
    /// The registration.
    pub registration: Registration,
    /// The last register call.
    pub ordinal: Option<Ordinal>,
    /// The start of the runner.
    pub start: Start,
    /// When its runner was first seen to have contacted the forge.
    pub contacted: Option<Tick>,
    /// When a job of its repository was first seen to have left the list since then: that one may have held its own back.
    pub another_left: Option<Tick>,
    /// From asking for the machine to contact.
    pub boot: Clock,
    /// From contact to the job running.
    pub claim: Clock,
    /// From the job running to its end.
    pub run: Clock,
    /// How much of its run an earlier life had counted.
    pub ran_before: Duration,
    /// From the job being gone to the stop.
    pub grace: Clock,
    /// How much of its grace an earlier life had counted: that does not begin anew.
    pub grace_before: Duration,
    /// For how long its runner read idle while its job ran.
    pub idle: Clock,
    /// The fence.
    pub fence: Fence,
    /// When the forge last said whose the running task is, and whether it is ours.
    pub whose: Option<(Tick, bool)>,
    /// When the registration was last looked up (begun), and whether it was there.
    pub looked_up: Option<(Tick, bool)>,
    /// Why it ends, once that is decided.
    pub ending: Option<Ending>,
    /// How long complete polls have agreed that its job vanished together with many others.
    pub hold: Option<Clock>,
    /// Its action under way: there is never more than one.
    pub busy: Option<ActionId>,
    /// Failed calls in a row.
    pub failures: u32,
    /// No call before this moment.
    pub retry_at: Tick,
    /// What the last failed call said.
    pub last_failure: Option<Failure>,
    /// How often its machine was told to go.
    pub destroys: u32,
    /// When the backend last accepted to remove its machine without having done so yet.
    pub stop_accepted: Option<Tick>,
    /// Since when its job may be served by another try although its machine is not proven gone: its registration is.
    pub detached: Option<Tick>,
    /// Since when all of it is cleaned up but its machine, which cannot be removed.
    pub set_aside: Option<Tick>,
    /// The last lines of its runner, once read.
    pub log: Option<Vec<String>>,
    /// Whether we failed its job ourselves, since its process was dead.
    pub ended_early: bool,
    /// Whether the forge failed to answer a listing since it began: then a runner that gives up at once is not to blame.
    pub forge_failed: bool,
}

/// What the job lists say of an assignment's job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTrack {
    /// Where it stood when it was last listed.
    pub state: JobState,
    /// When the newest listing that shows it was begun.
    pub listed_at: Tick,
    /// Listings that show it waiting.
    pub waiting: LastTwo,
    /// Listings that show it running.
    pub running: LastTwo,
    /// When a listing first showed it running.
    pub running_since: Option<Tick>,
    /// By scope that showed it: complete listings in a row that lack it.
    pub missing: BTreeMap<ScopeKey, Missing>,
}

/// Complete listings of one scope in a row that lack a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missing {
    /// When the first of them was begun.
    pub since: Option<Tick>,
    /// The last two.
    pub polls: LastTwo,
}

/// What is known of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineFact {
    /// Asked for, no answer yet.
    Asked,
    /// The answer was lost: it exists or not.
    Lost {
        /// Since when.
        since: Tick,
    },
    /// It exists, in this state when it was last seen.
    Exists {
        /// The state.
        state: MachineState,
    },
    /// Its process has ended, what is left of it exists.
    Ended,
    /// Nothing of it is left, or it was never made.
    Gone,
}

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// How.
    pub exit: Exit,
    /// When it became known: polls begun afterwards tell what came of the job.
    pub at: Tick,
}

/// What is known of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// There is none. (Answers that were lost leave strays behind.)
    None,
    /// Asked for, no answer yet.
    Asked,
    /// It was made.
    Known(Registered),
}

/// A registration that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its row id; unknown after a restart until it was listed.
    pub id: Option<RunnerId>,
    /// Its uuid.
    pub uuid: RunnerUuid,
    /// Whether the forge is known to have it no more.
    pub gone: bool,
    /// When the last action on it was answered: older listings prove nothing.
    pub touched: Tick,
    /// Complete listings without it.
    pub absent: LastTwo,
    /// Listings that show it without labels.
    pub undeclared: LastTwo,
    /// Listings that show it.
    pub listed: LastTwo,
}

/// What is known of the start of the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Not asked for.
    No,
    /// Asked for, no answer yet.
    Asked,
    /// The answer was lost: it was started or not.
    Lost {
        /// Since when.
        since: Tick,
    },
    /// It was started.
    Done,
}

/// What is known of the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// Open.
    Open,
    /// Closed since this answer.
    Closed {
        /// When it was answered.
        at: Tick,
    },
}

/// A decided end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// When it was decided.
    pub at: Tick,
}

impl Registration {
    /// Whether the forge may have it.
    pub fn may_exist(&self) -> bool {
        match self {
            Self::None => false,
            Self::Asked => true,
            Self::Known(registered) => !registered.gone,
        }
    }

    /// The registration, if it was made.
    pub fn known(&self) -> Option<&Registered> {
        match self {
            Self::Known(registered) => Some(registered),
            Self::None | Self::Asked => None,
        }
    }

    /// The registration, if it was made.
    pub fn known_mut(&mut self) -> Option<&mut Registered> {
        match self {
            Self::Known(registered) => Some(registered),
            Self::None | Self::Asked => None,
        }
    }
}

impl Registered {
    /// A registration that was just answered.
    pub fn new(id: Option<RunnerId>, uuid: RunnerUuid, touched: Tick) -> Self {
        Self {
            id,
            uuid,
            gone: false,
            touched,
            absent: LastTwo::default(),
            undeclared: LastTwo::default(),
            listed: LastTwo::default(),
        }
    }
}

impl Assignment {
    /// A new assignment, whose machine was just asked for or found.
    pub fn new(scope: ScopeKey, pool: PoolId, backend: BackendId, machine_name: MachineName, now: Tick) -> Self {
        let mut missing = BTreeMap::new();
        missing.insert(scope.watched(), Missing::default());
        Self {
            scope,
            scope_id: None,
            pool,
            backend,
            machine_name,
            warm: None,
            spoilt: None,
            parted: None,
            machine_since: now,
            begun_at: now,
            adopted: false,
            job: None,
            waited: None,
            track: JobTrack {
                state: JobState::Unknown,
                listed_at: Tick::default(),
                waiting: LastTwo::default(),
                running: LastTwo::default(),
                running_since: None,
                missing,
            },
            machine: MachineFact::Asked,
            machine_absent: LastTwo::default(),
            machine_touched: now,
            death: None,
            registration: Registration::None,
            ordinal: None,
            start: Start::No,
            contacted: None,
            another_left: None,
            boot: Clock::starting(now),
            claim: Clock::starting(now),
            run: Clock::starting(now),
            ran_before: Duration::ZERO,
            grace: Clock::starting(now),
            grace_before: Duration::ZERO,
            idle: Clock::starting(now),
            fence: Fence::Open,
            whose: None,
            looked_up: None,
            ending: None,
            hold: None,
            busy: None,
            failures: 0,
            retry_at: now,
            last_failure: None,
            destroys: 0,
            stop_accepted: None,
            detached: None,
            set_aside: None,
            log: None,
            ended_early: false,
            forge_failed: false,
        }
    }

    /// Whether a list of a scope, or an answer about it, is of the one that the machine was made for.
    pub fn is_of(&self, scope: &ScopeKey, whose: Whose) -> bool {
        whose.is_of(self.scope_id.filter(|_| self.scope.is_within(scope)))
    }

    /// The task of its job, while that runs.
    pub fn task(&self) -> Option<TaskId> {
        match self.track.state {
            JobState::Running { task } => Some(task),
            JobState::Waiting | JobState::Unknown => None,
        }
    }

    /// Whether its job runs, as last listed.
    pub fn runs(&self) -> bool {
        self.task().is_some()
    }

    /// Whether its runner may have been started.
    pub fn may_have_started(&self) -> bool {
        match self.start {
            Start::No => false,
            Start::Asked | Start::Lost { .. } | Start::Done => true,
        }
    }

    /// Whether its machine is this one of its backend.
    pub fn has_machine(&self, name: &MachineName) -> bool {
        self.parted.is_none() && self.machine_name == *name
    }

    /// Whether its machine was made without a job, and nothing speaks against its going back to those without one but that
    /// code of its job may have run on it.
    pub fn is_reusable(&self) -> bool {
        self.warm.is_some() && self.spoilt.is_none() && !self.is_dead()
    }

    /// Whether its machine can go back to those without a job as it is: no runner was ever asked for on it.
    pub fn is_unused(&self) -> bool {
        self.is_reusable()
            && self.start == Start::No
            && self.machine == MachineFact::Exists { state: MachineState::Ready }
            && self.machine_absent.newest().is_none()
            && self.destroys == 0
    }

    /// Whether its runner may be taken back from its machine, which then goes back to those without a job: the runner was
    /// started by this life, waited in vain, got nothing any more from then on, and a list begun after that still shows
    /// the job waiting. So it never had the job, and no code of a job ran on the machine.
    pub fn is_releasable(&self) -> bool {
        let Fence::Closed { at } = self.fence else { return false };
        let waits = self.track.state == JobState::Waiting && self.track.waiting.once_after(at);
        let is_there =
            matches!(self.machine, MachineFact::Exists { state: MachineState::Ready | MachineState::Running })
                && self.machine_absent.newest().is_none();
        let never_ran = self.track.running_since.is_none() && self.whose.is_none() && waits;
        self.is_reusable()
            && self.start == Start::Done
            && self.contacted.is_some()
            && self.destroys == 0
            && self.detached.is_none()
            && is_there
            && never_ran
    }

    /// Whether its machine exists or may exist: what limits count.
    pub fn occupies(&self) -> bool {
        self.machine != MachineFact::Gone
    }

    /// How much of its grace is worth keeping for a later life: none while it does not end, or ends for another reason.
    pub fn kept_grace(&self) -> Duration {
        if self.ending.as_ref().is_some_and(|end| end.reason.begins_grace()) {
            self.grace.total()
        } else {
            self.grace_before
        }
    }

    /// Whether it keeps its job from another try.
    pub fn keeps_its_job(&self) -> bool {
        self.detached.is_none()
            && !(sabotage::is(Sabotage::LaunchBeside) && self.ending.is_some())
            && !(sabotage::is(Sabotage::LaunchAgain) && self.start == Start::Done && self.contacted.is_none())
    }

    /// Whether its process is proven dead, or was never there.
    pub fn is_dead(&self) -> bool {
        self.death.is_some()
    }

    /// Whether its machine was listed before and two complete listings after the last action lack it.
    pub fn has_vanished(&self) -> bool {
        self.machine_absent.twice() && !self.is_dead()
    }

    /// Notes that its process is dead, once.
    pub fn died(&mut self, exit: Exit, now: Tick) {
        self.death.get_or_insert(Death { exit, at: now });
    }
}
