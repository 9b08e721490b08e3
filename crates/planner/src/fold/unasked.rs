//! Calls to a backend for which there was no connection: nothing of them was sent, so that nothing of them can come late.
//!
//! The backend rests, and whatever the call was to begin was never begun. That is no failure of its job or its pool, which
//! may go elsewhere at once. The next call that makes or starts something and is answered ends it; a listing does not, since
//! an engine that answers those alone would be asked again and again.

use crate::action::{Action, Lane};
use crate::error_class::{Acted, Failure};
use crate::event::Answer;
use crate::ids::BackendId;
use crate::policy::Limits;
use crate::state::{InFlight, Journal, Start, SuspectKey};
use crate::time::Tick;

use super::answered::{longer_rest, touched};

/// The failure, if it is of this kind.
fn of(answer: &Answer) -> Option<&Failure> {
    let Answer::Failed(failure) = answer else { return None };
    (failure.acted == Acted::Unasked).then_some(failure)
}

/// What a call that was to begin something, or its lack, says of its backend.
pub(super) fn rest_after(journal: &mut Journal, limits: &Limits, flight: &InFlight, answer: &Answer, now: Tick) {
    let Lane::BackendLaunch(backend) = flight.action.lane() else { return };
    match of(answer) {
        Some(failure) => rest(journal, limits, &backend, failure, now),
        // An answer that was lost may never have been given.
        None if !matches!(answer, Answer::Failed(Failure { acted: Acted::Maybe, .. })) => {
            journal.backend_rests.remove(&backend);
        }
        None => {}
    }
}

/// Takes back what was never begun. Whether that is all that there is to say of the call.
pub(super) fn takes_back(journal: &mut Journal, flight: &InFlight, answer: &Answer, now: Tick) -> bool {
    if of(answer).is_none() {
        return false;
    }
    if let Action::Create { key, .. } = &flight.action {
        let job = journal.assignments.remove(key).and_then(|assignment| assignment.job);
        let suspect = job.map(|job| SuspectKey::of(&key.job.forge, &job));
        if let Some(suspicion) = suspect.and_then(|suspect| journal.suspicions.get_mut(&suspect)) {
            // It was its turn, and still is.
            suspicion.probed.remove(&key.job.handle);
            suspicion.somebody_left = true;
        }
        return true;
    }
    if let Action::CreateWarm { backend, machine, .. } = &flight.action {
        journal.warm.remove(&(backend.clone(), machine.clone()));
        return true;
    }
    if let Action::Start { key, .. } = &flight.action {
        if let Some(assignment) = journal.assignments.get_mut(key) {
            assignment.busy = None;
            touched(assignment, now);
            assignment.start = Start::No;
        }
        return true;
    }
    false
}

/// Calls that fail beside each other are one failure.
fn rest(journal: &mut Journal, limits: &Limits, backend: &BackendId, failure: &Failure, now: Tick) {
    let before = journal.backend_rests.get(backend);
    if before.is_some_and(|rest| rest.until > now) {
        return;
    }
    let rest = longer_rest(before, limits, failure, backend.as_str(), now);
    journal.backend_rests.insert(backend.clone(), rest);
}
