//! An action was handed over: it is charged from now on. Likewise a machine that was bound.

use std::time::Duration;

use crate::action::Action;
use crate::ids::{ActionId, AssignmentKey, BackendId, MachineName};
use crate::policy::Policy;
use crate::sabotage::{self, Sabotage};
use crate::seen::JobTags;
use crate::state::{Assignment, InFlight, Registration, Start, State, SuspectKey, TryFacts};
use crate::time::Tick;

pub(super) fn started(state: &mut State, policy: &Policy, id: ActionId, action: &Action, now: Tick) {
    let journal = &mut state.journal;
    journal.last_action = journal.last_action.max(id.0);
    let deadline = now.plus(action.deadline(&policy.limits));
    journal.in_flight.insert(id, InFlight { action: action.clone(), since: now, deadline });
    if let Action::Create { key, backend, machine, tags, warm, .. } = action {
        let mut assignment = begun(state, key, backend, machine, tags, now);
        assignment.warm.clone_from(warm);
        state.journal.assignments.insert(key.clone(), assignment);
    }
    super::warm::started(state, id, action, now);
    let Some(assignment) = action.key().and_then(|key| state.journal.assignments.get_mut(key)) else { return };
    assignment.busy = Some(id);
    match action {
        Action::Register { identity, .. } => {
            assignment.ordinal = Some(identity.ordinal);
            assignment.registration = Registration::Asked;
        }
        Action::Start { .. } => assignment.start = Start::Asked,
        Action::Release { key, .. } if sabotage::is(Sabotage::BindEarly) => {
            super::warm::hand_back(&mut state.journal, policy, key, now);
        }
        Action::Destroy { .. } => assignment.destroys = assignment.destroys.saturating_add(1),
        Action::Create { .. }
        | Action::CreateWarm { .. }
        | Action::DestroyWarm { .. }
        | Action::Release { .. }
        | Action::Fence { .. }
        | Action::AskWhose { .. }
        | Action::EndEarly { .. }
        | Action::LookUpRunner { .. }
        | Action::DeleteRunner { .. }
        | Action::Sweep { .. }
        | Action::ReadLog { .. }
        | Action::CheckScope { .. } => {}
    }
}

/// The assignment that begins with a machine for a job: one that is asked for, or one that is there.
pub(super) fn begun(
    state: &mut State,
    key: &AssignmentKey,
    backend: &BackendId,
    machine: &MachineName,
    tags: &JobTags,
    now: Tick,
) -> Assignment {
    let job = job_of(state, key, tags);
    let since = state.seen.scopes.get(&tags.scope.watched()).and_then(|of| of.waiting_since.get(&key.job.handle));
    let waited = since.map(|since| now.since(*since));
    let mut assignment = Assignment::new(tags.scope.clone(), tags.pool.clone(), backend.clone(), machine.clone(), now);
    assignment.scope_id = tags.scope_id;
    if let Some(job) = job {
        assignment.track.state = job.state;
        assignment.job = Some(job);
    }
    assignment.waited = waited;
    note_probe(state, key, assignment.job.as_ref(), now);
    let job = assignment.job.clone();
    let memory = state.journal.handle_mut(&key.job);
    memory.saw(key.attempt);
    memory.listed_at = now;
    memory.latest = Some(TryFacts { attempt: key.attempt, job, waited, grace: Duration::ZERO, ran: Duration::ZERO });
    assignment
}

/// The row of the job that a machine is made for.
fn job_of(state: &State, key: &AssignmentKey, tags: &JobTags) -> Option<crate::seen::JobSeen> {
    state.seen.scopes.get(&tags.scope.watched())?.jobs.get(&key.job.handle).cloned()
}

/// A launch for a suspect is the probe of its key.
fn note_probe(state: &mut State, key: &AssignmentKey, job: Option<&crate::seen::JobSeen>, now: Tick) {
    let suspect = job.map(|job| SuspectKey::of(&key.job.forge, job));
    if let Some(suspicion) = suspect.and_then(|suspect| state.journal.suspicions.get_mut(&suspect)) {
        suspicion.somebody_left = false;
        suspicion.probed.insert(key.job.handle.clone(), now);
    }
}
