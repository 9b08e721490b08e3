//! Scopes: whom the forge means by them ([`crate::state::Identity`]).

use super::Plan;
use super::budget::Budget;
use super::context::Context;
use crate::action::Action;
use crate::ids::ScopeKey;
use crate::report::{MachineReason, Reason};
use crate::state::{Identity, ScopeSeen};

/// What is told of a scope that is another one than that of a machine.
const IS_ANOTHER: &str = "the forge now knows it under another id";

/// Looks up the id of scopes: once at the start and for each token, and before a missing job is believed to have left.
pub(super) fn look(context: &Context<'_>, budget: &mut Budget<'_>, plan: &mut Plan) {
    let nothing = ScopeSeen::default();
    for (scope, _) in context.policy.scopes.iter().filter(|(_, policy)| policy.has_identity) {
        let seen = context.state.seen.scopes.get(scope).unwrap_or(&nothing);
        let due = context.now >= seen.identity.retry_at && worth_a_look(context, scope, &seen.identity);
        if !due || under_way(context, scope) {
            continue;
        }
        let action = Action::CheckScope { scope: scope.clone() };
        if budget.take(&action.lane()) {
            plan.actions.push(action);
        }
    }
}

fn under_way(context: &Context<'_>, scope: &ScopeKey) -> bool {
    let mut calls = context.state.journal.in_flight.values();
    calls.any(|flight| matches!(&flight.action, Action::CheckScope { scope: checked } if checked == scope))
}

/// Whether something waits for the scope's id: it is not known, or not that of our machines, or a job has left whose
/// process lives or whose registration is still there.
fn worth_a_look(context: &Context<'_>, scope: &ScopeKey, identity: &Identity) -> bool {
    if identity.answered.is_none() || context.changed.contains(scope) {
        return true;
    }
    context.state.journal.assignments.values().any(|assignment| {
        let Some(missing) = assignment.track.missing.get(scope) else { return false };
        let left = missing.polls.twice()
            && missing.since.is_some_and(|since| !context.identity_holds(assignment, scope, since));
        let harmful = assignment.death.is_none_or(|death| {
            let registered = assignment.registration.known().filter(|registered| !registered.gone);
            registered.is_some_and(|registered| registered.listed.once_after(death.at))
        });
        left && harmful && assignment.may_have_started()
    })
}

/// Why nothing is launched or swept in a scope for now.
pub(super) fn why_held(context: &Context<'_>, scope: &ScopeKey) -> Option<Reason> {
    if context.changed.contains(scope) {
        let last_error = IS_ANOTHER.to_owned();
        return Some(Reason::ForgeUnreachable { scope: scope.clone(), failures: 0, last_error });
    }
    if context.state.seen.whose_now(context.policy, scope).is_known() {
        return None;
    }
    let why = last_failure(context, scope).map(|message| format!(" ({message})")).unwrap_or_default();
    Some(Reason::NotListedYet { of: format!("the id of {scope}{why}") })
}

/// Why a call for a machine is not made in its scope for now.
pub(super) fn in_doubt(context: &Context<'_>, scope: &ScopeKey) -> MachineReason {
    let is_known = context.state.seen.whose_now(context.policy, scope).is_known();
    let last_error = if is_known { Some(IS_ANOTHER) } else { last_failure(context, scope) };
    MachineReason::ScopeInDoubt { scope: scope.clone(), last_error: last_error.unwrap_or_default().to_owned() }
}

/// What the last failure to look up the id of a scope said.
fn last_failure<'a>(context: &Context<'a>, scope: &ScopeKey) -> Option<&'a str> {
    context.state.seen.scopes.get(scope)?.identity.last_failure.as_deref()
}
