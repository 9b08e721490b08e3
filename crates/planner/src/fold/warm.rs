//! Machines without a job: what calls, answers and listings prove for them, and how one comes to a job and back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::action::Action;
use crate::backoff::after_failure;
use crate::error_class::{Acted, Concerns, ErrorClass, Failure};
use crate::event::Answer;
use crate::ids::{ActionId, AssignmentKey, BackendId, MachineName, PoolId};
use crate::policy::{Limits, Policy};
use crate::sabotage::{self, Sabotage};
use crate::seen::{Binding, Exit, JobTags, Listing, MachineSeen, MachineState, WarmTags};
use crate::state::{InFlight, Journal, MachineFact, Refused, Start, State, WarmMachine, note_image};
use crate::time::Tick;

use super::answered::{longer_rest, rest_for_image};

/// A call for such a machine was handed over.
pub(super) fn started(state: &mut State, id: ActionId, action: &Action, now: Tick) {
    let warm = &mut state.journal.warm;
    if let Action::CreateWarm { backend, machine, tags, .. } = action {
        let mut of = WarmMachine::new(tags.clone(), MachineFact::Asked, now);
        of.busy = Some(id);
        warm.insert((backend.clone(), machine.clone()), of);
    }
    if let Action::DestroyWarm { backend, machine, why } = action
        && let Some(of) = warm.get_mut(&(backend.clone(), machine.clone()))
    {
        of.busy = Some(id);
        of.leaving.get_or_insert(*why);
        of.destroys = of.destroys.saturating_add(1);
    }
}

/// A call for such a machine was answered, or its answer was lost.
pub(super) fn answered(journal: &mut Journal, policy: &Policy, flight: &InFlight, answer: &Answer, now: Tick) {
    // Not before the answer: nothing of a plan may follow from what was planned beside it.
    if let Action::Create { tags, label, .. } = &flight.action {
        note_label(journal, policy, &tags.pool, label, now);
    }
    if let Action::CreateWarm { backend, machine, tags, .. } = &flight.action {
        rest_after(journal, policy, tags, answer, now);
        let key = (backend.clone(), machine.clone());
        if let Some(refused) = made(journal, &policy.limits, &key, answer, flight.deadline, now) {
            journal.warm.remove(&key);
            journal.refused.insert(key, refused);
        }
    }
    if let Action::DestroyWarm { backend, machine, .. } = &flight.action {
        let key = (backend.clone(), machine.clone());
        if told_to_go(journal, &policy.limits, &key, answer, now) {
            journal.warm.remove(&key);
            journal.buried.insert(key, now);
        }
    }
}

/// A job was launched whose first label is this.
fn note_label(journal: &mut Journal, policy: &Policy, pool: &PoolId, label: &str, now: Tick) {
    if let Some(policy) = policy.pool(pool) {
        note_image(journal.images_asked_for.entry(pool.clone()).or_default(), policy.image(label), now);
    }
}

/// What the answer to a create says. `Some` when it was refused: it counts for a while, as others do.
fn made(
    journal: &mut Journal,
    limits: &Limits,
    key: &(BackendId, MachineName),
    answer: &Answer,
    deadline: Tick,
    now: Tick,
) -> Option<Refused> {
    let of = journal.warm.get_mut(key)?;
    of.busy = None;
    touched(of, now);
    let Answer::Failed(failure) = answer else {
        of.machine = MachineFact::Exists { state: MachineState::Ready };
        of.failures = 0;
        return None;
    };
    if failure.acted == Acted::No {
        return Some(Refused { pool: of.tags.pool.clone(), job: None, repository: None, at: now, deadline });
    }
    of.machine = MachineFact::Lost { since: now };
    failed(of, limits, failure, key.1.as_str(), now);
    None
}

/// What the answer to a removal says. Whether nothing of the machine is left.
fn told_to_go(
    journal: &mut Journal,
    limits: &Limits,
    key: &(BackendId, MachineName),
    answer: &Answer,
    now: Tick,
) -> bool {
    let Some(of) = journal.warm.get_mut(key) else { return false };
    of.busy = None;
    touched(of, now);
    if let Answer::Failed(failure) = answer {
        failed(of, limits, failure, key.1.as_str(), now);
        if failure.acted == Acted::Unasked {
            of.destroys = of.destroys.saturating_sub(1);
        }
        return false;
    }
    of.failures = 0;
    of.stop_accepted = Some(now);
    *answer == Answer::Destroyed
}

fn touched(of: &mut WarmMachine, now: Tick) {
    of.touched = now;
    of.absent.clear();
}

fn failed(of: &mut WarmMachine, limits: &Limits, failure: &Failure, whose: &str, now: Tick) {
    of.failures = of.failures.saturating_add(1);
    of.last_failure = Some(failure.clone());
    of.retry_at = now.plus(after_failure(limits, of.failures, failure, whose));
}

/// Its kind rests after a machine could not be made. The jobs of its pool do so only where the failure speaks of what they
/// need, too: room.
fn rest_after(journal: &mut Journal, policy: &Policy, tags: &WarmTags, answer: &Answer, now: Tick) {
    let kind = (tags.pool.clone(), tags.image.clone());
    let Answer::Failed(failure) = answer else {
        journal.warm_rests.remove(&kind);
        let labels = policy.pool(&tags.pool).into_iter().flat_map(|pool| &pool.labels);
        for label in labels.filter(|label| label.environment().image() == tags.image.as_deref()) {
            journal.environment_rests.remove(&(tags.pool.clone(), label.name().to_owned()));
        }
        return;
    };
    rest_of_kind(journal, &policy.limits, tags, failure, now);
    if speaks_of_room(failure) {
        let before = journal.pool_rests.get(&tags.pool);
        let rest = longer_rest(before, &policy.limits, failure, tags.pool.as_str(), now);
        journal.pool_rests.insert(tags.pool.clone(), rest);
    }
}

/// Machines of this kind rest.
pub(super) fn rest_of_kind(journal: &mut Journal, limits: &Limits, tags: &WarmTags, failure: &Failure, now: Tick) {
    let kind = (tags.pool.clone(), tags.image.clone());
    let whose = tags.image.as_deref().unwrap_or(tags.pool.as_str());
    let rest = rest_for_image(journal.warm_rests.get(&kind), limits, failure, whose, now);
    journal.warm_rests.insert(kind, rest);
}

fn speaks_of_room(failure: &Failure) -> bool {
    match failure.class {
        ErrorClass::Capacity | ErrorClass::Quota | ErrorClass::RateLimited { .. } => failure.concerns == Concerns::All,
        ErrorClass::Auth
        | ErrorClass::Forbidden
        | ErrorClass::Permanent
        | ErrorClass::Transient
        | ErrorClass::NotFound => false,
    }
}

/// A job gets a machine that waits.
pub(super) fn bound(
    state: &mut State,
    policy: &Policy,
    key: &AssignmentKey,
    backend: &BackendId,
    machine: &MachineName,
    tags: &JobTags,
    now: Tick,
) {
    let Some(of) = state.journal.warm.remove(&(backend.clone(), machine.clone())) else { return };
    let mut assignment = super::started::begun(state, key, backend, machine, tags, now);
    assignment.warm = Some(of.tags);
    assignment.machine = of.machine;
    assignment.machine_since = of.since;
    assignment.machine_touched = of.touched;
    assignment.machine_absent = of.absent;
    let label = assignment.job.as_ref().and_then(|job| job.runs_on.first());
    note_label(&mut state.journal, policy, &tags.pool, label.map_or("", String::as_str), now);
    state.journal.assignments.insert(key.clone(), assignment);
}

/// The machine of an assignment waits for another job from now on.
pub(super) fn hand_back(journal: &mut Journal, policy: &Policy, key: &AssignmentKey, now: Tick) {
    let Some(assignment) = journal.assignments.get_mut(key) else { return };
    let Some(tags) = assignment.warm.clone().filter(|_| assignment.parted.is_none()) else { return };
    let mut of = WarmMachine::new(tags, MachineFact::Exists { state: MachineState::Ready }, assignment.machine_since);
    of.touched = assignment.machine_touched;
    let was_started = assignment.may_have_started();
    if was_started {
        of.touched = now;
        // The release may be delivered twice: then the next runner would be taken back with the second.
        of.doubted_until = Some(now.plus(policy.limits.settle)).filter(|_| !sabotage::is(Sabotage::BindEarly));
    }
    of.retry_at = now;
    assignment.died(if was_started { Exit::Unknown } else { Exit::NeverStarted }, now);
    assignment.machine = MachineFact::Gone;
    assignment.parted = Some(now);
    journal.warm.insert((assignment.backend.clone(), assignment.machine_name.clone()), of);
}

/// What a listing shows bound belongs to whom it is bound to: an earlier life's call may have come late. Machines that wait
/// are found anew, and a launch of ours that is under way on one has lost it.
pub(super) fn let_go_of_bound(journal: &mut Journal, backend: &BackendId, listing: &Listing<MachineSeen>, now: Tick) {
    let warm = listing.rows.iter().filter(|row| row.tags.warm().is_some());
    let bound: BTreeMap<&MachineName, &Binding> =
        warm.filter_map(|row| Some((&row.name, row.binding.as_ref()?))).collect();
    if bound.is_empty() {
        return;
    }
    journal.warm.retain(|(of, name), machine| {
        let is_news = of == backend && listing.begun_at > machine.touched;
        !(is_news && bound.get(name).is_some_and(|binding| binding.at.is_some()))
    });
    for (key, assignment) in &mut journal.assignments {
        let may_be = assignment.backend == *backend && assignment.parted.is_none() && !assignment.adopted;
        let Some(binding) = bound.get(&assignment.machine_name).filter(|_| may_be) else { continue };
        if listing.begun_at > assignment.machine_touched && !is_of(binding, key) {
            if matches!(assignment.start, Start::Asked | Start::Lost { .. }) {
                // Nothing is started on a machine that is bound to another.
                assignment.start = Start::No;
            }
            assignment.died(Exit::NeverStarted, now);
            assignment.machine = MachineFact::Gone;
            assignment.parted = Some(now);
        }
    }
}

/// Whether it is an assignment's own. One that does not say where its runner is registered may be.
fn is_of(binding: &Binding, key: &AssignmentKey) -> bool {
    let is_at_its_forge = binding.at.as_ref().is_none_or(|at| at.scope.forge == key.job.forge);
    binding.handle == key.job.handle && binding.attempt == key.attempt && is_at_its_forge
}

/// What a listing proves for machines that wait, and for those of which nobody knew.
pub(super) fn listed(
    journal: &mut Journal,
    backend: &BackendId,
    listing: &Listing<MachineSeen>,
    assigned: &BTreeSet<MachineName>,
    settle: Duration,
    now: Tick,
) {
    let begun_at = listing.begun_at;
    for row in listing.rows.iter().filter(|row| !assigned.contains(&row.name)) {
        let Some(tags) = row.tags.warm() else { continue };
        let key = (backend.clone(), row.name.clone());
        if let Some(of) = journal.warm.get_mut(&key) {
            if begun_at > of.touched {
                shown(of, row, begun_at);
            }
            continue;
        }
        let is_adopted = row.binding.as_ref().is_some_and(|binding| binding.at.is_some());
        if !is_adopted && journal.buried.get(&key).is_none_or(|&buried_at| begun_at > buried_at) {
            journal.warm.insert(key, found(tags, row, begun_at, settle, now));
        }
    }
    if !listing.complete {
        return;
    }
    let shown: BTreeSet<&MachineName> = listing.rows.iter().map(|row| &row.name).collect();
    journal.warm.retain(|(of, name), machine| {
        let is_lacked = of == backend && !shown.contains(name) && begun_at > machine.touched;
        !(is_lacked && not_shown(machine, begun_at, settle))
    });
}

/// One that an earlier life has made. That life may have been about to start a runner on it.
fn found(tags: &WarmTags, row: &MachineSeen, begun_at: Tick, settle: Duration, now: Tick) -> WarmMachine {
    let mut of = WarmMachine::new(tags.clone(), MachineFact::Asked, begun_at);
    of.touched = Tick::default();
    of.doubted_until = Some(now.plus(settle));
    shown(&mut of, row, begun_at);
    of
}

/// What a row proves.
fn shown(of: &mut WarmMachine, row: &MachineSeen, begun_at: Tick) {
    of.absent.clear();
    of.is_bound = row.binding.is_some();
    let has_ended = matches!(row.state, MachineState::Ended { .. });
    of.machine = if has_ended { MachineFact::Ended } else { MachineFact::Exists { state: row.state } };
    let is_ready = row.state == MachineState::Ready && !of.is_bound;
    if is_ready && of.doubted_until.is_some_and(|until| begun_at > until) {
        of.doubted_until = None;
    }
}

/// What the lack of a row in a complete listing proves. Whether nothing of it is left, or it was never made.
fn not_shown(of: &mut WarmMachine, begun_at: Tick, settle: Duration) -> bool {
    match of.machine {
        MachineFact::Lost { since } => begun_at > since.plus(settle),
        MachineFact::Ended => true,
        MachineFact::Exists { .. } => {
            of.absent.add(begun_at);
            // After a removal that the backend accepted, two such listings are its completion.
            of.stop_accepted.is_some() && of.absent.twice()
        }
        MachineFact::Asked | MachineFact::Gone => false,
    }
}
