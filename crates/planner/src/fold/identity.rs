//! Whom a scope means now. Where that has changed, what its lists seemed to prove is forgotten.

use crate::ids::{ActionId, ScopeKey};
use crate::state::{Answered, Missing, State, Whose};
use crate::time::Tick;

/// Another token is used from now on.
pub(super) fn token_replaced(state: &mut State, scope: &ScopeKey, now: Tick) {
    // What the old token was refused says nothing of the new one.
    state.journal.scope_rests.retain(|place, _| !place.is_within(scope));
    let last_call = ActionId(state.journal.last_action);
    state.seen.scopes.entry(scope.clone()).or_default().identity.means_whoever(last_call, now);
}

/// The forge has answered. Returns whether the id is another than that of a machine which was made for the scope.
pub(super) fn answered(state: &mut State, scope: &ScopeKey, answered: Answered, now: Tick) -> bool {
    let identity = &mut state.seen.scopes.entry(scope.clone()).or_default().identity;
    let before = identity.answered.replace(answered);
    if before.is_some_and(|before| before.id != answered.id) {
        identity.doubted_until = Some(now);
        forget_what_was_lacking(state, scope);
    }
    let whose = Whose::Of(answered.id);
    state.journal.assignments.values().any(|assignment| !assignment.is_of(scope, whose))
}

/// Nobody knows since when it is another: what its lists lacked until now is forgotten.
fn forget_what_was_lacking(state: &mut State, scope: &ScopeKey) {
    for assignment in state.journal.assignments.values_mut() {
        if let Some(missing) = assignment.track.missing.get_mut(scope) {
            *missing = Missing::default();
        }
        if assignment.scope.is_within(scope)
            && let Some(registered) = assignment.registration.known_mut()
        {
            registered.absent.clear();
        }
    }
    for stray in state.journal.strays.values_mut().filter(|stray| stray.scope.is_within(scope)) {
        stray.job_missing.clear();
    }
}
