//! The latest listings of every scope and backend, and how far they can be believed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error_class::Failure;
use crate::evidence::LastTwo;
use crate::ids::{BackendId, ForgeId, Handle, MachineName, RunnerUuid, ScopeKey};
use crate::overlap::Overlap;
use crate::policy::{Limits, Policy};
use crate::seen::{JobSeen, MachineSeen};
use crate::state::{AnswerTimes, Identity, Whose};
use crate::time::Tick;

/// What was seen last.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// By scope; of repositories within scopes only what their runner lists showed.
    pub scopes: BTreeMap<ScopeKey, ScopeSeen>,
    /// By backend.
    pub backends: BTreeMap<BackendId, BackendSeen>,
    /// By forge: how long it took to answer lately.
    pub answer_times: BTreeMap<ForgeId, AnswerTimes>,
}

/// What was seen of a scope.
#[derive(Debug, Clone, Default)]
pub struct ScopeSeen {
    /// The rows of the last listing of its jobs.
    pub jobs: BTreeMap<Handle, JobSeen>,
    /// When each job that it shows waiting was first listed so.
    pub waiting_since: BTreeMap<Handle, Tick>,
    /// When that listing was begun.
    pub listed_at: Option<Tick>,
    /// Whether it was complete.
    pub complete: bool,
    /// Failed listings since.
    pub failures: u32,
    /// The last failure.
    pub last_failure: Option<Failure>,
    /// When the last listing of its runners was begun.
    pub runners_begun_at: Option<Tick>,
    /// Complete listings of its runners.
    pub runners: LastTwo,
    /// Whether the last listing of its runners was incomplete.
    pub runners_incomplete: bool,
    /// Failed listings of its runners since the last good one.
    pub runners_failures: u32,
    /// The last of these failures.
    pub runners_last_failure: Option<Failure>,
    /// Why the repositories within it cannot be listed.
    pub repositories_failure: Option<Failure>,
    /// Whether every repository within it was looked at since the start, where runners are registered there.
    pub repositories_swept: bool,
    /// Persistent runners in its reach that could take jobs of ours, bounded.
    pub overlaps: Vec<Overlap>,
    /// Its id at the forge.
    pub identity: Identity,
}

/// What was seen of a backend.
#[derive(Debug, Clone, Default)]
pub struct BackendSeen {
    /// The rows of the last listing.
    pub machines: BTreeMap<MachineName, MachineSeen>,
    /// When that listing was begun.
    pub begun_at: Option<Tick>,
    /// Complete listings.
    pub listed: LastTwo,
    /// Whether the last listing was incomplete.
    pub incomplete: bool,
    /// Failed listings since the last good one.
    pub failures: u32,
    /// When the first of them had failed.
    pub failing_since: Option<Tick>,
    /// The last failure.
    pub last_failure: Option<Failure>,
}

/// A backend whose listings fail: nothing new is made there, and what is there stays as it is, since nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away<'a> {
    /// Since when.
    pub since: Tick,
    /// The last failure.
    pub last_failure: &'a Failure,
}

impl BackendSeen {
    /// After how many failed listings in a row it counts as away: one may be a hiccup.
    const LISTINGS: u32 = 2;

    /// Whether it is away. One good listing ends that.
    pub fn away(&self) -> Option<Away<'_>> {
        let (since, last_failure) = (self.failing_since?, self.last_failure.as_ref()?);
        (self.failures >= Self::LISTINGS).then_some(Away { since, last_failure })
    }

    /// A listing has failed.
    pub(crate) fn not_listed(&mut self, failure: &Failure, now: Tick) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.last_failure = Some(failure.clone());
    }

    /// A listing has come.
    pub(crate) fn answered(&mut self) {
        self.failures = 0;
        self.failing_since = None;
        self.last_failure = None;
    }
}

impl ScopeSeen {
    /// Whether its jobs can be acted on: listed, and not failing now.
    pub fn is_fresh(&self) -> bool {
        self.listed_at.is_some() && self.failures == 0
    }

    /// Whether its runners were listed completely since the start.
    pub fn runners_listed(&self) -> bool {
        self.runners.newest().is_some()
    }
}

impl Observation {
    /// How long after an answer of a forge its effect may still race with a call that was under way: twice as long as the
    /// forge takes at the slowest, and no less than configured (design section 5). An answer that came after a call's
    /// deadline counts as one that came with it: the daemon itself may have been stopped meanwhile.
    pub fn settle(&self, limits: &Limits, forge: &ForgeId, now: Tick) -> Duration {
        let slowest = self.answer_times.get(forge).map_or(Duration::ZERO, |times| times.slowest(now));
        limits.settle.max(slowest.min(limits.forge_deadline) * 2)
    }

    /// Takes note of how long a forge took to answer.
    pub(crate) fn answered(&mut self, forge: &ForgeId, asked_at: Tick, now: Tick) {
        self.answer_times.entry(forge.clone()).or_default().note(now.since(asked_at), now);
    }

    /// Whether the runners of all scopes of a forge were listed completely since the start.
    pub fn runners_listed(&self, policy: &Policy, forge: &ForgeId) -> bool {
        policy.scopes_of(forge).all(|scope| self.runners_of_place_listed(scope))
    }

    /// Whether the runners of a scope, or of a repository within one, were listed completely since the start.
    pub fn runners_of_place_listed(&self, place: &ScopeKey) -> bool {
        self.scopes.get(place).is_some_and(ScopeSeen::runners_listed)
    }

    /// Whose a list of a place is that was begun then.
    pub fn whose_list(&self, policy: &Policy, place: &ScopeKey, begun_at: Tick) -> Whose {
        self.whose(policy, place, |identity| identity.of_lists_begun(begun_at))
    }

    /// Whose a place is now.
    pub fn whose_now(&self, policy: &Policy, place: &ScopeKey) -> Whose {
        self.whose(policy, place, Identity::now)
    }

    fn whose(&self, policy: &Policy, place: &ScopeKey, of: impl FnOnce(&Identity) -> Whose) -> Whose {
        if policy.scope_of_place(place).is_some_and(|scope| !scope.has_identity) {
            return Whose::Everybodys;
        }
        self.scopes.get(&place.watched()).map_or(Whose::Unknown, |seen| of(&seen.identity))
    }

    /// Whether everything was listed completely since the start: the jobs and runners of every scope, the machines of every
    /// backend.
    pub fn is_complete(&self, policy: &Policy) -> bool {
        policy.scopes.keys().all(|scope| self.is_scope_complete(policy, scope))
            && policy.backends.keys().all(|backend| self.machines_listed(backend))
    }

    /// Whether the jobs and runners of a scope were listed completely since the start.
    pub fn is_scope_complete(&self, policy: &Policy, scope: &ScopeKey) -> bool {
        self.scopes.get(scope).is_some_and(|seen| {
            let at_repository = policy.scopes.get(scope).is_some_and(|policy| policy.at_repository);
            let swept = !at_repository || seen.repositories_swept;
            seen.is_fresh() && seen.complete && seen.runners_listed() && swept
        })
    }

    /// Whether the machines of a backend were listed completely since the start.
    pub fn machines_listed(&self, backend: &BackendId) -> bool {
        self.backends.get(backend).is_some_and(|seen| seen.listed.newest().is_some())
    }

    /// Whether every backend was listed completely twice after `moment` and shows no machine bound to a runner.
    pub fn nowhere_bound(&self, policy: &Policy, runner: &RunnerUuid, moment: Tick) -> bool {
        policy.backends.keys().all(|backend| {
            self.backends.get(backend).is_some_and(|seen| {
                seen.listed.twice_after(moment)
                    && !seen
                        .machines
                        .values()
                        .any(|machine| machine.binding.as_ref().is_some_and(|binding| binding.runner == *runner))
            })
        })
    }
}
