//! What may be done with machines without a job, and with those that had none.

use super::{Violation, broken};
use crate::action::Action;
use crate::ids::{AssignmentKey, BackendId, MachineName};
use crate::policy::Policy;
use crate::seen::{JobState, MachineState, WarmTags};
use crate::state::{Assignment, Fence, MachineFact, State};

/// Only for a pool that is there, under a name that nothing has, and not while we are about to stop.
pub(super) fn may_create(
    policy: &Policy,
    state: &State,
    backend: &BackendId,
    machine: &MachineName,
    tags: &WarmTags,
) -> Result<(), Violation> {
    if policy.draining || policy.pool(&tags.pool).is_none_or(|pool| pool.backend != *backend) {
        return broken(14, format!("a machine without a job for pool {}, which wants none", tags.pool));
    }
    is_free(state, backend, machine)
}

/// Nothing in the books has the name: a create would answer for that.
pub(super) fn is_free(state: &State, backend: &BackendId, machine: &MachineName) -> Result<(), Violation> {
    let key = (backend.clone(), machine.clone());
    let is_known = state.journal.warm.contains_key(&key)
        || state.journal.refused.contains_key(&key)
        || state.journal.assignments.values().any(|of| of.backend == *backend && of.machine_name == *machine);
    if is_known { broken(1, format!("the name {machine} is used already")) } else { Ok(()) }
}

/// One that waits for a job, without a call under way, and without a runner.
pub(super) fn may_destroy(state: &State, backend: &BackendId, machine: &MachineName) -> Result<(), Violation> {
    let Some(of) = state.journal.warm.get(&(backend.clone(), machine.clone())) else {
        return broken(7, format!("{machine} is none of our machines without a job"));
    };
    if of.busy.is_some() {
        return broken(1, format!("{machine} while a call is under way"));
    }
    if of.is_in_doubt() {
        return broken(2, "a call that comes late may give it a runner");
    }
    if of.is_bound && of.machine != MachineFact::Ended { broken(2, "a job may run on it") } else { Ok(()) }
}

/// A launch on a machine that no other launch has, and that is not just being taken back or removed.
pub(super) fn is_its_own(state: &State, key: &AssignmentKey) -> Result<(), Violation> {
    let journal = &state.journal;
    let Some(assignment) = journal.assignments.get(key).filter(|of| of.warm.is_some()) else { return Ok(()) };
    let (backend, machine) = (&assignment.backend, &assignment.machine_name);
    let is_it = |of_backend: &BackendId, of_machine: &MachineName| of_backend == backend && of_machine == machine;
    let is_going = journal.in_flight.values().any(|flight| {
        if let Action::Release { backend, machine, .. }
        | Action::DestroyWarm { backend, machine, .. }
        | Action::Destroy { backend, machine, .. } = &flight.action
        {
            is_it(backend, machine)
        } else {
            false
        }
    });
    let mut others = journal
        .assignments
        .iter()
        .filter(|(other, of)| *other != key && of.backend == *backend && of.has_machine(machine) && of.occupies());
    if is_going || others.next().is_some() || journal.warm.contains_key(&(backend.clone(), machine.clone())) {
        return broken(1, format!("{machine} is not {key}'s alone"));
    }
    if assignment.parted.is_some() { broken(1, format!("{machine} is {key}'s no more")) } else { Ok(()) }
}

/// A machine on which no code of a job ran: its runner was closed off, and its job was seen waiting since.
pub(super) fn may_release(assignment: &Assignment) -> Result<(), Violation> {
    let Fence::Closed { at } = assignment.fence else { return broken(2, "its runner was not closed off") };
    let waits = assignment.track.state == JobState::Waiting && assignment.track.waiting.once_after(at);
    let ran = assignment.track.running_since.is_some() || matches!(assignment.whose, Some((_, true)));
    if ran || !waits {
        return broken(2, "code of a job may have run on it");
    }
    let is_known = assignment.warm.is_some() && assignment.spoilt.is_none() && !assignment.is_dead();
    match assignment.machine {
        MachineFact::Exists { state: MachineState::Ready | MachineState::Running } if is_known => Ok(()),
        MachineFact::Asked
        | MachineFact::Lost { .. }
        | MachineFact::Exists { .. }
        | MachineFact::Ended
        | MachineFact::Gone => broken(2, "what ran on it is not known"),
    }
}
