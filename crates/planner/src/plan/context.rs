//! What every part of a plan looks at, and the questions that more than one of them asks.

use crate::ids::{PoolId, ScopeKey};
use crate::policy::{Clocks, Policy, PoolPolicy};
use crate::state::{Assignment, State};
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
        Self { policy, state, now, pools, machines_listed }
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
            proven &= lacking.since.is_some_and(|since| self.identity_holds(scope, since));
        }
        match (watched, left, missing) {
            (false, ..) => Presence::Unwatched,
            (true, true, _) => Presence::Left { proven },
            (true, false, true) => Presence::Missing,
            (true, false, false) => Presence::Present,
        }
    }

    /// Whether a scope is known to be the same one as ever, by an answer asked for after `moment`.
    pub(super) fn identity_holds(&self, scope: &ScopeKey, moment: Tick) -> bool {
        let checkable = self.policy.scopes.get(scope).is_some_and(|scope| scope.has_identity);
        !checkable
            || self
                .state
                .seen
                .scopes
                .get(scope)
                .is_some_and(|seen| !seen.identity.changed && seen.identity.same_at.is_some_and(|at| at > moment))
    }

    /// The clocks of a pool; the defaults for one that is configured no more.
    pub(super) fn clocks(&self, pool: &PoolId) -> Clocks {
        self.policy.pool(pool).map_or_else(Clocks::default, |pool| pool.clocks)
    }

    /// Whether the credentials of an assignment's runner are at hand.
    pub(super) fn has_credentials(&self, assignment: &Assignment) -> bool {
        assignment
            .registration
            .known()
            .is_some_and(|registered| self.state.journal.credentials.contains(&registered.uuid))
    }
}
