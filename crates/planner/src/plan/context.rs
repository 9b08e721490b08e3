//! What every part of a plan looks at, and the questions that more than one of them asks.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::action::Action;
use crate::ids::{AssignmentKey, ForgeId, PoolId, ScopeKey};
use crate::policy::{Clocks, Policy, PoolPolicy};
use crate::state::{Assignment, State, Whose};
use crate::time::Tick;

/// The inputs of a plan.
pub(super) struct Context<'a> {
    pub(super) policy: &'a Policy,
    pub(super) state: &'a State,
    pub(super) now: Tick,
    /// The preferred first: by priority, then in the order of the configuration.
    pub(super) pools: Vec<&'a PoolPolicy>,
    /// Whether the machines of all backends were listed completely since the start.
    pub(super) machines_listed: bool,
    /// Watched scopes that are another one now than that which a machine of ours was made for.
    pub(super) changed: BTreeSet<ScopeKey>,
}

/// Whether a job is still in the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Every list that ever showed it shows it, as far as known.
    Present,
    /// Some lists lack it; not all of them, or not twice.
    Missing,
    /// Two complete lists of every scope that showed it lack it.
    Left {
        /// Whether the scopes' ids were looked up since and are unchanged: only then something may be killed for it.
        proven: bool,
    },
    /// No scope that showed it is configured any more.
    Unwatched,
}

impl<'a> Context<'a> {
    pub(super) fn new(policy: &'a Policy, state: &'a State, now: Tick) -> Self {
        let mut pools: Vec<&PoolPolicy> = policy.pools.iter().collect();
        pools.sort_by_key(|pool| std::cmp::Reverse(pool.priority));
        let machines_listed = policy.backends.keys().all(|backend| state.seen.machines_listed(backend));
        let mut context = Self { policy, state, now, pools, machines_listed, changed: BTreeSet::new() };
        let assignments = state.journal.assignments.values();
        context.changed =
            assignments.filter(|of| context.is_anothers(of)).map(|assignment| assignment.scope.watched()).collect();
        context
    }

    /// Whether the job of an assignment is still in the lists.
    pub(super) fn presence(&self, assignment: &Assignment) -> Presence {
        let mut watched = false;
        let mut left = true;
        let mut missing = false;
        let mut proven = true;
        for (scope, lacking) in &assignment.track.missing {
            if !self.policy.scopes.contains_key(scope) {
                continue;
            }
            watched = true;
            left &= lacking.polls.twice();
            missing |= lacking.since.is_some();
            proven &= lacking.since.is_some_and(|since| self.identity_holds(assignment, scope, since));
        }
        match (watched, left, missing) {
            (false, ..) => Presence::Unwatched,
            (true, true, _) => Presence::Left { proven },
            (true, false, true) => Presence::Missing,
            (true, false, false) => Presence::Present,
        }
    }

    /// Whether every list that has lacked a job lacked it in a poll begun after `moment` too; where its scope is another one
    /// now, lists prove no absence and none is waited for.
    pub(super) fn lacked_after(&self, assignment: &Assignment, moment: Tick) -> bool {
        let mut watched = assignment.track.missing.iter().filter(|(scope, _)| self.policy.scopes.contains_key(scope));
        self.is_anothers(assignment) || watched.all(|(_, lacking)| lacking.polls.once_after(moment))
    }

    /// Whether a scope is known to be the one that an assignment was made for, by an answer asked for after `moment`.
    pub(super) fn identity_holds(&self, assignment: &Assignment, scope: &ScopeKey, moment: Tick) -> bool {
        let seen = &self.state.seen;
        let whose = seen.whose_now(self.policy, scope);
        let answered = seen.scopes.get(scope).and_then(|seen| seen.identity.answered);
        let is_fresh = answered.is_some_and(|answered| answered.asked_at > moment);
        assignment.is_of(scope, whose) && (is_fresh || whose == Whose::Everybodys)
    }

    /// Whether the scope of an assignment is known to be another one now than that which it was made for.
    pub(super) fn is_anothers(&self, assignment: &Assignment) -> bool {
        let whose = self.state.seen.whose_now(self.policy, &assignment.scope);
        whose.is_known() && !whose.is_of(assignment.scope_id)
    }

    /// Whether the job of an assignment may still be listed although the scope of the assignment is another one now, whose
    /// lists prove no absence: a list shows it, or has lacked it less than twice, or was not read in full.
    pub(super) fn may_be_listed(&self, key: &AssignmentKey, assignment: &Assignment) -> bool {
        let own = assignment.scope.watched();
        self.policy.scopes_of(&key.job.forge).any(|scope| {
            let seen = self.state.seen.scopes.get(scope).filter(|seen| seen.listed_at.is_some() && seen.complete);
            let Some(seen) = seen else { return true };
            let missing = assignment.track.missing.get(scope).filter(|_| *scope != own);
            seen.jobs.contains_key(&key.job.handle) || missing.is_some_and(|missing| !missing.polls.twice())
        })
    }

    /// Whether a call for an assignment may be made as far as its scope is concerned.
    pub(super) fn means_ours(&self, assignment: &Assignment, action: &Action) -> bool {
        let whose = |place| self.state.seen.whose_now(self.policy, place);
        action.place().is_none_or(|place| whose(place).is_of(assignment.scope_id))
    }

    /// How long after an answer of a forge its effect may still race with a call that was under way.
    pub(super) fn settle(&self, forge: &ForgeId) -> Duration {
        self.state.seen.settle(&self.policy.limits, forge, self.now)
    }

    /// The clocks of a pool ([`Policy::clocks`]).
    pub(super) fn clocks(&self, pool: &PoolId) -> Clocks {
        self.policy.clocks(pool)
    }

    /// Whether the credentials of an assignment's runner are at hand.
    pub(super) fn has_credentials(&self, assignment: &Assignment) -> bool {
        assignment
            .registration
            .known()
            .is_some_and(|registered| self.state.journal.credentials.contains(&registered.uuid))
    }
}
