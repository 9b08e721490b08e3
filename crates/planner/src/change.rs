//! Another policy takes the place of the one before, while assignments are under way.
//!
//! Promises: no running job is touched. A pool that is not there any more launches nothing, and what it has goes on by its
//! own clocks until it is over. A scope or a backend cannot go while something of ours is there: nobody could watch or
//! remove it any more ([`stranded`]). A lower limit ends nothing: the number of machines only falls by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{BackendId, PoolId, ScopeKey};
use crate::policy::{Clocks, Policy};
use crate::state::State;

/// Something that a new policy would leave without anybody to look after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranded {
    /// A watched scope.
    Scope {
        /// Which.
        scope: ScopeKey,
        /// How many assignments are registered there, or will be.
        assignments: u32,
        /// How many registrations of ours are there that belong to no assignment.
        runners: u32,
    },
    /// A backend.
    Backend {
        /// Which.
        backend: BackendId,
        /// How many machines are there.
        machines: u32,
    },
}

/// What a new policy would leave without anybody to look after it; then it cannot be used now.
pub fn stranded(state: &State, next: &Policy) -> Vec<Stranded> {
    let mut scopes: BTreeMap<ScopeKey, (u32, u32)> = BTreeMap::new();
    let mut backends: BTreeMap<&BackendId, u32> = BTreeMap::new();
    for assignment in state.journal.assignments.values() {
        if next.scope_of_place(&assignment.scope).is_none() {
            scopes.entry(assignment.scope.watched()).or_default().0 += 1;
        }
        if assignment.occupies() && !next.backends.contains_key(&assignment.backend) {
            *backends.entry(&assignment.backend).or_default() += 1;
        }
    }
    for (backend, _) in state.journal.warm.keys().filter(|(backend, _)| !next.backends.contains_key(backend)) {
        *backends.entry(backend).or_default() += 1;
    }
    for stray in state.journal.strays.values().filter(|stray| next.scope_of_place(&stray.scope).is_none()) {
        scopes.entry(stray.scope.watched()).or_default().1 += 1;
    }
    let scopes =
        scopes.into_iter().map(|(scope, (assignments, runners))| Stranded::Scope { scope, assignments, runners });
    let backends =
        backends.into_iter().map(|(backend, machines)| Stranded::Backend { backend: backend.clone(), machines });
    scopes.chain(backends).collect()
}

/// The clocks of pools that the new policy has no more, as long as something of them is there.
pub fn retired(state: &State, before: &Policy, next: &Policy) -> BTreeMap<PoolId, Clocks> {
    let used: BTreeSet<&PoolId> = state.journal.assignments.values().map(|assignment| &assignment.pool).collect();
    let known = before.pools.iter().map(|pool| (&pool.id, &pool.clocks)).chain(&before.retired);
    known
        .filter(|(pool, _)| used.contains(pool) && next.pool(pool).is_none())
        .map(|(pool, clocks)| (pool.clone(), *clocks))
        .collect()
}
