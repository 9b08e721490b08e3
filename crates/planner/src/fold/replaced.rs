//! Another policy: what was seen and what rested under the old one.

use crate::policy::Policy;
use crate::state::{HandleMemory, State};
use crate::time::Tick;

/// Forgets what is of scopes and backends that are watched no more, and lets nothing rest: the operator may have mended
/// just what it rested for. Each scope may have another token now.
pub(super) fn replaced(state: &mut State, policy: &Policy, now: Tick) {
    state.seen.scopes.retain(|place, _| policy.scope_of_place(place).is_some());
    state.seen.backends.retain(|backend, _| policy.backends.contains_key(backend));
    let journal = &mut state.journal;
    journal.lost_registers.retain(|place, _| policy.scope_of_place(place).is_some());
    journal.buried.retain(|(backend, _), _| policy.backends.contains_key(backend));
    journal.refused.retain(|(backend, _), _| policy.backends.contains_key(backend));
    journal.pool_rests.clear();
    journal.backend_rests.clear();
    journal.environment_rests.clear();
    journal.breakers.clear();
    journal.scope_rests.clear();
    journal.warm_counts.clear();
    journal.warm_rests.clear();
    journal.images_asked_for.retain(|pool, _| policy.pool(pool).is_some());
    journal.handles.values_mut().for_each(HandleMemory::forgive);
    for scope in policy.scopes.keys() {
        super::identity::token_replaced(state, scope, now);
    }
}
