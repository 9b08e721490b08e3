//! All that the planner knows: what it saw last, and its own books.
//!
//! The state is changed by [`crate::fold`] alone. It holds no secret and no time of day.

mod answer_times;
mod assignment;
mod breaker;
mod identity;
mod memory;
mod observation;
mod refused;
mod suspicion;
mod warm;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use answer_times::AnswerTimes;
pub use assignment::{
    Assignment, Death, Ending, Fence, JobTrack, MachineFact, Missing, Registered, Registration, Start,
};
pub use breaker::Breaker;
pub use identity::{Answered, Identity, Whose};
pub use memory::{GRACE_STEP, HandleMemory, RUN_STEP, Rested, TryFacts};
pub use observation::{Away, BackendSeen, Observation, ScopeSeen};
pub use refused::Refused;
pub use suspicion::{SuspectKey, Suspicion};
pub(crate) use warm::note_image;
pub use warm::{ImageAsked, WarmKind, WarmMachine};

use crate::action::Action;
use crate::error_class::Failure;
use crate::evidence::LastTwo;
use crate::identity::RunnerIdentity;
use crate::ids::{
    ActionId, AssignmentKey, BackendId, ForgeId, JobKey, MachineName, PoolId, RunnerId, RunnerUuid, ScopeKey,
};
use crate::policy::Policy;
use crate::seen::JobState;
use crate::time::Tick;

/// What was seen and what was done.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The latest listings.
    pub seen: Observation,
    /// Our own books.
    pub journal: Journal,
}

/// Our own books.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// What tells this life of the daemon from all others, if the edge said so: part of the names of machines that are made
    /// without a job, so that a call of an earlier life that comes late never means one of this.
    pub life: u64,
    /// The number of the last action.
    pub last_action: u64,
    /// Actions that were handed over and not answered.
    pub in_flight: BTreeMap<ActionId, InFlight>,
    /// Assignments that are not cleaned up.
    pub assignments: BTreeMap<AssignmentKey, Assignment>,
    /// What is remembered of handles: tries, failures, rests.
    pub handles: BTreeMap<JobKey, HandleMemory>,
    /// Kinds of jobs of which one was held back.
    pub suspicions: BTreeMap<SuspectKey, Suspicion>,
    /// Registrations of ours that belong to no assignment.
    pub strays: BTreeMap<(ForgeId, RunnerId), Stray>,
    /// Whose credentials are at hand.
    pub credentials: BTreeSet<RunnerUuid>,
    /// Pools whose machines could not be made lately.
    pub pool_rests: BTreeMap<PoolId, Rest>,
    /// Backends to which there was no connection when something was to be asked of them.
    pub backend_rests: BTreeMap<BackendId, Rest>,
    /// Environments that could not be had lately, by pool and the first label of the jobs that want them.
    pub environment_rests: BTreeMap<(PoolId, String), Rest>,
    /// Machines without a job.
    pub warm: BTreeMap<(BackendId, MachineName), WarmMachine>,
    /// Kinds of machines without a job that could not be made lately.
    pub warm_rests: BTreeMap<WarmKind, Rest>,
    /// What images the jobs of each pool asked for lately, the newest first, bounded.
    pub images_asked_for: BTreeMap<PoolId, Vec<ImageAsked>>,
    /// How many machines without a job the hour asks for, by pool, where a schedule says so.
    pub warm_counts: BTreeMap<PoolId, u32>,
    /// How launches went in pools in which one has failed since a job ran there.
    pub breakers: BTreeMap<PoolId, Breaker>,
    /// Scopes that refused a registration lately.
    pub scope_rests: BTreeMap<ScopeKey, Rest>,
    /// Scopes in which the answer to a register call was lost, and when a listing has to be begun that shows what it did.
    pub lost_registers: BTreeMap<ScopeKey, Tick>,
    /// Machines that are gone for good, until a listing begun afterwards has come: an older one proves nothing.
    pub buried: BTreeMap<(BackendId, MachineName), Tick>,
    /// Machines that were refused and may turn up after all.
    pub refused: BTreeMap<(BackendId, MachineName), Refused>,
}

/// An action that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// What.
    pub action: Action,
    /// When.
    pub since: Tick,
    /// When its answer counts as lost.
    pub deadline: Tick,
}

/// A registration of ours that belongs to no assignment: its answer was lost, or its assignment was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Where it is registered.
    pub scope: ScopeKey,
    /// Its uuid.
    pub uuid: RunnerUuid,
    /// What it was made for.
    pub identity: RunnerIdentity,
    /// When it was first seen as a stray.
    pub first_seen: Tick,
    /// Whether it was ever seen with labels.
    pub declared: bool,
    /// Whether its runner showed life when it was last seen: it has contacted the forge lately.
    pub online: bool,
    /// Listings that showed it.
    pub seen: LastTwo,
    /// Where its job stood when it was last listed, since the stray was first seen.
    pub job: JobState,
    /// Listings in a row that show its job waiting.
    pub job_waiting: LastTwo,
    /// Complete listings of its scope in a row that lack its job.
    pub job_missing: LastTwo,
    /// When it is next worth a try after a failed deletion.
    pub retry_at: Tick,
    /// How often its deletion failed.
    pub failures: u32,
    /// What the last of these failures said.
    pub last_failure: Option<Failure>,
}

/// A rest after failures, growing with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Until when.
    pub until: Tick,
    /// How many failures in a row.
    pub failures: u32,
    /// The last of them.
    pub last: Failure,
}

impl Stray {
    /// After how many vain deletions it stands in no launch's way: nothing can come of it, or it would not be deleted.
    const DELETIONS: u32 = 3;

    /// Whether it cannot be deleted, as it seems. It is tried on.
    pub fn is_set_aside(&self) -> bool {
        self.failures >= Self::DELETIONS
    }
}

impl Journal {
    /// The assignments of one job, oldest try first. More than one only while an earlier is being cleaned up.
    pub fn assignments_of<'a>(&'a self, job: &'a JobKey) -> impl Iterator<Item = (&'a AssignmentKey, &'a Assignment)> {
        let first = AssignmentKey { job: job.clone(), attempt: crate::ids::Try(0) };
        self.assignments.range(first..).take_while(move |(key, _)| key.job == *job)
    }

    /// How many living processes are kept since their jobs vanished together with many others.
    pub fn kills_held(&self) -> u32 {
        u32::try_from(self.held().count()).unwrap_or(u32::MAX)
    }

    /// What is left at most of the grace of these processes: it runs while they are held.
    pub fn grace_of_held(&self, policy: &Policy) -> Duration {
        let left = self.held().map(|assignment| {
            let grace = policy.clocks(&assignment.pool).grace;
            assignment.ending.as_ref().map_or(grace, |_| assignment.grace.remaining(grace))
        });
        left.max().unwrap_or_default()
    }

    fn held(&self) -> impl Iterator<Item = &Assignment> {
        self.assignments.values().filter(|assignment| assignment.hold.is_some() && !assignment.is_dead())
    }

    /// What is remembered of a handle.
    pub(crate) fn handle_mut(&mut self, job: &JobKey) -> &mut HandleMemory {
        self.handles.entry(job.clone()).or_default()
    }

    /// Whether a registration of ours may exist in a scope, so that its runners are worth listing with every poll.
    pub fn may_have_runners(&self, scope: &ScopeKey) -> bool {
        self.strays.values().any(|stray| stray.scope == *scope)
            || self.lost_registers.contains_key(scope)
            || self
                .assignments
                .values()
                .any(|assignment| assignment.scope == *scope && assignment.registration.may_exist())
    }
}

impl State {
    /// The ids of scopes, as far as they are known: those that machines were made for, else what the forge has answered.
    pub fn scope_ids(&self) -> BTreeMap<ScopeKey, i64> {
        let answered = self.seen.scopes.iter();
        let answered = answered.filter_map(|(scope, seen)| Some((scope.clone(), seen.identity.answered?.id)));
        let assignments = self.journal.assignments.values();
        let made_for = assignments.filter_map(|assignment| Some((assignment.scope.watched(), assignment.scope_id?)));
        answered.chain(made_for).collect()
    }

    /// Whether the runners of a scope should be listed together with its jobs.
    pub fn wants_runners(&self, policy: &Policy, scope: &ScopeKey) -> bool {
        policy.scopes.contains_key(scope)
            && (self.journal.may_have_runners(scope) || !self.seen.runners_of_place_listed(scope))
    }

    /// Repositories within watched scopes whose runners should be listed as often as may be: those in which a registration
    /// of ours may exist, and, while what exists is known neither from these lists nor from all backends, those of waiting
    /// jobs.
    pub fn wanted_repositories(&self, policy: &Policy) -> BTreeSet<ScopeKey> {
        let journal = &self.journal;
        let assignments = journal.assignments.values().filter(|assignment| assignment.registration.may_exist());
        let mut wanted: BTreeSet<ScopeKey> = assignments
            .map(|assignment| &assignment.scope)
            .chain(journal.strays.values().map(|stray| &stray.scope))
            .chain(journal.lost_registers.keys())
            .filter(|place| place.repository().is_some())
            .cloned()
            .collect();
        if !policy.backends.keys().all(|backend| self.seen.machines_listed(backend)) {
            for (scope, seen) in &self.seen.scopes {
                if policy.scopes.get(scope).is_some_and(|policy| policy.at_repository) {
                    wanted.extend(seen.jobs.values().map(|job| scope.at_repository(job.repository)));
                }
            }
        }
        wanted
    }
}
