//! Folds events into the state. This is bookkeeping: it writes down what an event proves and decides nothing.

mod answered;
mod decided;
mod identity;
mod jobs;
mod machines;
mod oblivion;
mod replaced;
mod runners;
mod started;
mod unasked;
mod warm;

use crate::error_class::{Acted, Concerns, ErrorClass, Failure};
use crate::event::{Answer, Event};
use crate::ids::ActionId;
use crate::policy::Policy;
use crate::sabotage::{self, Sabotage};
use crate::state::State;
use crate::time::Tick;

/// Folds one event that became known `now`. Total: an event that fits nothing changes nothing.
pub fn fold(state: &mut State, policy: &Policy, event: &Event, now: Tick) {
    lose_late_answers(state, policy, now);
    match event {
        Event::JobsListed { scope, listing } => {
            state.seen.answered(&scope.forge, listing.begun_at, now);
            jobs::listed(state, policy, scope, listing, now);
        }
        Event::JobsNotListed { scope, .. } if sabotage::is(Sabotage::BelieveFailure) => {
            let empty = crate::seen::Listing { begun_at: now, complete: true, rows: Vec::new() };
            jobs::listed(state, policy, scope, &empty, now);
        }
        Event::JobsNotListed { scope, failure } => {
            let seen = state.seen.scopes.entry(scope.clone()).or_default();
            seen.failures = seen.failures.saturating_add(1);
            seen.last_failure = Some(failure.clone());
            for assignment in
                state.journal.assignments.values_mut().filter(|assignment| assignment.scope.is_within(scope))
            {
                assignment.forge_failed = true;
            }
        }
        Event::RunnersListed { scope, listing } => {
            state.seen.answered(&scope.forge, listing.begun_at, now);
            runners::listed(state, policy, scope, listing, now);
        }
        Event::RunnersNotListed { scope, failure } => runners::not_listed(state, scope, failure),
        Event::RepositoriesListed { scope } => runners::repositories(state, scope, None),
        Event::RepositoriesNotListed { scope, failure } => runners::repositories(state, scope, Some(failure)),
        Event::RepositoriesSwept { scope } => {
            state.seen.scopes.entry(scope.clone()).or_default().repositories_swept = true;
        }
        Event::RunnersInReach { scope, runners } => runners::in_reach(state, policy, scope, runners),
        Event::MachinesListed { backend, listing } => machines::listed(state, policy, backend, listing, now),
        Event::MachinesNotListed { backend, failure } => {
            state.seen.backends.entry(backend.clone()).or_default().not_listed(failure, now);
        }
        Event::TokenReplaced { scope } => identity::token_replaced(state, scope, now),
        Event::CredentialsFound { runner } => {
            state.journal.credentials.insert(runner.clone());
        }
        Event::Started { id, action } => started::started(state, policy, *id, action, now),
        Event::Answered { id, answer } => answered::answered(state, policy, *id, answer, now),
        Event::Decided(decision) => decided::decided(state, policy, decision, now),
        Event::PolicyReplaced => replaced::replaced(state, policy, now),
        Event::WarmCount { pool, count } => {
            state.journal.warm_counts.insert(pool.clone(), *count);
        }
        Event::Confirmed => {
            for assignment in state.journal.assignments.values_mut() {
                assignment.hold = None;
            }
        }
        Event::Passed => {}
    }
}

/// An action past its deadline counts as answered "nobody knows" (design section 2).
fn lose_late_answers(state: &mut State, policy: &Policy, now: Tick) {
    let late: Vec<ActionId> =
        state.journal.in_flight.iter().filter(|(_, flight)| flight.deadline < now).map(|(&id, _)| id).collect();
    for id in late {
        let failure = Failure {
            class: ErrorClass::Transient,
            acted: Acted::Maybe,
            concerns: Concerns::All,
            message: "no answer within its deadline".to_owned(),
        };
        answered::answered(state, policy, id, &Answer::Failed(failure), now);
    }
}
