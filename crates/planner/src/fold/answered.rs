//! An action was answered, or its answer was lost.

use std::time::Duration;

use crate::action::Action;
use crate::backoff::{after_failure, backoff};
use crate::error_class::{Acted, Concerns, ErrorClass, Failure};
use crate::event::Answer;
use crate::evidence::Clock;
use crate::ids::{ActionId, AssignmentKey, ScopeKey};
use crate::policy::{Limits, Policy};
use crate::sabotage::{self, Sabotage};
use crate::seen::{Exit, JobTags, MachineState, WarmTags};
use crate::state::{
    Answered, Assignment, Fence, InFlight, Journal, MachineFact, Refused, Registered, Registration, Rest, Start, State,
};
use crate::time::Tick;

pub(super) fn answered(state: &mut State, policy: &Policy, id: ActionId, answer: &Answer, now: Tick) {
    // An answer that comes after it was given up is ignored: listings show what it did.
    let Some(flight) = state.journal.in_flight.remove(&id) else { return };
    let limits = &policy.limits;
    let lane = flight.action.lane();
    let mut settle = limits.settle;
    if let Some(forge) = lane.forge() {
        if !matches!(answer, Answer::Failed(_)) {
            state.seen.answered(forge, flight.since, now);
        }
        settle = state.seen.settle(limits, forge, now);
    }
    if let Action::Sweep { scope, id } = &flight.action {
        swept(&mut state.journal, limits, scope, *id, answer, now);
    }
    if let Action::CheckScope { scope } = &flight.action {
        let identity = &state.seen.scopes.entry(scope.clone()).or_default().identity;
        if identity.is_asked_of(id) {
            checked(state, limits, scope, answer, flight.since, now);
        }
    }
    super::unasked::rest_after(&mut state.journal, limits, &flight, answer, now);
    if super::unasked::takes_back(&mut state.journal, &flight, answer, now) {
        return;
    }
    super::warm::answered(&mut state.journal, policy, &flight, answer, now);
    if let Some(key) = flight.action.key() {
        rest_after(&mut state.journal, limits, &flight, answer, now);
        if let (Action::Register { scope, .. }, Answer::Failed(Failure { acted: Acted::Maybe, .. })) =
            (&flight.action, answer)
        {
            state.journal.lost_registers.insert(scope.clone(), now.plus(settle));
        }
        keep_refused(&mut state.journal, key, &flight, answer, now);
        of_assignment(&mut state.journal, policy, key, &flight, answer, now);
        detach_if_due(&mut state.journal, limits, key, &flight, answer, settle, now);
    }
}

/// A machine that was refused may turn up after all: its call may have been delivered twice.
fn keep_refused(journal: &mut Journal, key: &AssignmentKey, flight: &InFlight, answer: &Answer, now: Tick) {
    if let (Action::Create { backend, machine, tags, .. }, Answer::Failed(Failure { acted: Acted::No, .. })) =
        (&flight.action, answer)
    {
        let job = journal.assignments.get(key).and_then(|assignment| assignment.job.as_ref());
        let repository = job.map(|job| (key.job.forge.clone(), job.repository));
        let (pool, job) = (tags.pool.clone(), Some(key.job.clone()));
        let refused = Refused { pool, job, repository, at: now, deadline: flight.deadline };
        journal.refused.insert((backend.clone(), machine.clone()), refused);
    }
}

/// Pools, environments and scopes rest after failures to make machines or to register.
fn rest_after(journal: &mut Journal, limits: &Limits, flight: &InFlight, answer: &Answer, now: Tick) {
    match (&flight.action, answer) {
        // A machine alone proves nothing: a runner that started does.
        (Action::Start { pool, .. }, Answer::Started) => {
            journal.pool_rests.remove(pool);
        }
        (Action::Create { tags: JobTags { pool, .. }, label, warm, .. }, Answer::Created) => {
            journal.environment_rests.remove(&(pool.clone(), label.clone()));
            if let Some(WarmTags { image, .. }) = warm {
                journal.warm_rests.remove(&(pool.clone(), image.clone()));
            }
        }
        (Action::Create { warm: Some(warm), .. }, Answer::Failed(failure))
            if failure.concerns == Concerns::Environment =>
        {
            // Perhaps only such a machine cannot be made from its image: the next try is made for its job alone.
            super::warm::rest_of_kind(journal, limits, warm, failure, now);
        }
        (Action::Create { tags: JobTags { pool, .. }, label, .. }, Answer::Failed(failure))
            if failure.concerns == Concerns::Environment =>
        {
            let key = (pool.clone(), label.clone());
            let rest = rest_for_image(journal.environment_rests.get(&key), limits, failure, label, now);
            journal.environment_rests.insert(key, rest);
        }
        (Action::Start { pool, .. } | Action::Create { tags: JobTags { pool, .. }, .. }, Answer::Failed(failure)) => {
            let rest = longer_rest(journal.pool_rests.get(pool), limits, failure, pool.as_str(), now);
            journal.pool_rests.insert(pool.clone(), rest);
        }
        (Action::Register { scope, .. }, Answer::Registered { .. }) => {
            journal.scope_rests.remove(scope);
        }
        (Action::Register { scope, .. }, Answer::Failed(failure)) if rests_scope(failure) => {
            let rest = longer_rest(journal.scope_rests.get(scope), limits, failure, scope.scope.as_str(), now);
            journal.scope_rests.insert(scope.clone(), rest);
        }
        _ => {}
    }
}

/// Whether a scope rests after a failed registration. A lost answer says nothing of the scope, unless a pause was asked for
/// with it.
fn rests_scope(failure: &Failure) -> bool {
    match failure.class {
        ErrorClass::RateLimited { .. } => true,
        ErrorClass::Transient => false,
        ErrorClass::Capacity
        | ErrorClass::Quota
        | ErrorClass::Auth
        | ErrorClass::Forbidden
        | ErrorClass::Permanent
        | ErrorClass::NotFound => failure.acted == Acted::No,
    }
}

pub(super) fn longer_rest(before: Option<&Rest>, limits: &Limits, failure: &Failure, whose: &str, now: Tick) -> Rest {
    let failures = before.map_or(0, |rest| rest.failures).saturating_add(1);
    let until = now.plus(after_failure(limits, failures, failure, whose));
    Rest { until, failures, last: failure.clone() }
}

/// The same where an image could not be had: one that is on its way is waited for no longer each time.
pub(super) fn rest_for_image(
    before: Option<&Rest>,
    limits: &Limits,
    failure: &Failure,
    whose: &str,
    now: Tick,
) -> Rest {
    let is_on_its_way = failure.class == ErrorClass::Capacity && failure.concerns == Concerns::Environment;
    longer_rest(before.filter(|_| !is_on_its_way), limits, failure, whose, now)
}

fn of_assignment(
    journal: &mut Journal,
    policy: &Policy,
    key: &AssignmentKey,
    flight: &InFlight,
    answer: &Answer,
    now: Tick,
) {
    let Some(assignment) = journal.assignments.get_mut(key) else { return };
    assignment.busy = None;
    if let Answer::Failed(failure) = answer {
        failed(assignment, &policy.limits, key, flight, failure, now);
        return;
    }
    assignment.failures = 0;
    match answer {
        Answer::Created => {
            touched(assignment, now);
            assignment.machine = MachineFact::Exists { state: MachineState::Ready };
        }
        Answer::Registered { id, uuid } => {
            assignment.registration = Registration::Known(Registered::new(Some(*id), uuid.clone(), now));
            journal.credentials.insert(uuid.clone());
            journal.strays.remove(&(key.job.forge.clone(), *id));
        }
        Answer::Started => {
            touched(assignment, now);
            assignment.start = Start::Done;
        }
        Answer::Released => super::warm::hand_back(journal, policy, key, now),
        Answer::Destroyed => {
            touched(assignment, now);
            assignment.died(Exit::Unknown, now);
            assignment.machine = MachineFact::Gone;
        }
        Answer::Stopping => {
            touched(assignment, now);
            assignment.stop_accepted = Some(now);
            if sabotage::is(Sabotage::StopIsDeath) {
                assignment.died(Exit::Unknown, now);
            }
        }
        Answer::Fenced => assignment.fence = Fence::Closed { at: now },
        Answer::Ours => {
            assignment.whose = Some((now, true));
            assignment.idle = Clock::starting(now);
        }
        Answer::Another => assignment.whose = Some((now, false)),
        Answer::EndedEarly => {
            assignment.ended_early = true;
            registration_gone(assignment, now);
        }
        Answer::RunnerGone => {
            if let Action::LookUpRunner { .. } = flight.action {
                assignment.looked_up = Some((flight.since, false));
            }
            assignment.fence = Fence::Closed { at: now };
            registration_gone(assignment, now);
        }
        Answer::RunnerExists { declared } => looked_up(assignment, flight.since, *declared, now),
        Answer::Deleted => registration_gone(assignment, now),
        Answer::Log { lines } => assignment.log = Some(lines.clone()),
        Answer::ScopeId { .. } | Answer::Failed(_) => {}
    }
}

/// Gives an assignment's job free for another try where its machine cannot be removed.
fn detach_if_due(
    journal: &mut Journal,
    limits: &Limits,
    key: &AssignmentKey,
    flight: &InFlight,
    answer: &Answer,
    settle: Duration,
    now: Tick,
) {
    let may_be_due = matches!(answer, Answer::Failed(_)) || matches!(flight.action, Action::DeleteRunner { .. });
    let Some(assignment) = journal.assignments.get_mut(key).filter(|_| may_be_due) else { return };
    if detaches(assignment, &flight.action) {
        assignment.detached = Some(now);
        journal.handle_mut(&key.job).rest_after_detaching(limits, key, settle, now);
    }
}

/// Whether the assignment no longer keeps its job from another try: its machine cannot be removed, and no registration of
/// it exists after its deletion, or ever did.
fn detaches(assignment: &Assignment, action: &Action) -> bool {
    let in_vain = assignment.ending.is_some() && !assignment.is_dead() && assignment.destroys > 0;
    let deleted = matches!(action, Action::DeleteRunner { .. });
    let never_made = matches!(action, Action::Destroy { .. }) && !assignment.may_have_started();
    in_vain && (deleted || never_made) && assignment.detached.is_none() && !assignment.registration.may_exist()
}

pub(super) fn touched(assignment: &mut Assignment, now: Tick) {
    assignment.machine_touched = now;
    assignment.machine_absent.clear();
}

fn registration_gone(assignment: &mut Assignment, now: Tick) {
    if let Some(registered) = assignment.registration.known_mut() {
        registered.gone = true;
        registered.touched = now;
    }
}

fn looked_up(assignment: &mut Assignment, asked_at: Tick, declared: bool, now: Tick) {
    assignment.looked_up = Some((asked_at, true));
    if let Some(registered) = assignment.registration.known_mut() {
        registered.absent.clear();
        if !declared {
            registered.undeclared.add(asked_at);
        }
    }
    if declared && assignment.contacted.is_none() {
        assignment.contacted = Some(now);
        assignment.claim = Clock::starting(now);
    }
}

/// A failed call: what it leaves behind depends on whether it can have acted.
fn failed(
    assignment: &mut Assignment,
    limits: &Limits,
    key: &AssignmentKey,
    flight: &InFlight,
    failure: &Failure,
    now: Tick,
) {
    let lost = failure.acted == Acted::Maybe;
    assignment.failures = assignment.failures.saturating_add(1);
    assignment.last_failure = Some(failure.clone());
    assignment.retry_at = now.plus(after_failure(limits, assignment.failures, failure, key.job.handle.as_str()));
    match &flight.action {
        Action::Create { .. } => {
            touched(assignment, now);
            if lost {
                assignment.machine = MachineFact::Lost { since: now };
            } else {
                assignment.machine = MachineFact::Gone;
                assignment.died(Exit::NeverStarted, now);
            }
        }
        // A registration whose answer was lost is never adopted: if it is there, it is a stray.
        Action::Register { .. } => assignment.registration = Registration::None,
        Action::Start { .. } => {
            touched(assignment, now);
            assignment.spoilt = Some(now);
            // A binding that was listed meanwhile is stronger than the answer.
            if assignment.start == Start::Asked {
                assignment.start = if lost { Start::Lost { since: now } } else { Start::No };
            }
        }
        Action::Destroy { .. } => touched(assignment, now),
        Action::Release { .. } => {
            touched(assignment, now);
            if failure.acted != Acted::Unasked {
                assignment.spoilt = Some(now);
            }
        }
        Action::ReadLog { .. } => {
            assignment.log = Some(Vec::new());
            assignment.retry_at = now;
        }
        Action::Fence { .. }
        | Action::AskWhose { .. }
        | Action::EndEarly { .. }
        | Action::LookUpRunner { .. }
        | Action::DeleteRunner { .. }
        | Action::CreateWarm { .. }
        | Action::DestroyWarm { .. }
        | Action::Sweep { .. }
        | Action::CheckScope { .. } => {}
    }
}

fn swept(
    journal: &mut Journal,
    limits: &Limits,
    scope: &ScopeKey,
    id: crate::ids::RunnerId,
    answer: &Answer,
    now: Tick,
) {
    let key = (scope.forge.clone(), id);
    let Answer::Failed(failure) = answer else {
        journal.strays.remove(&key);
        return;
    };
    if let Some(stray) = journal.strays.get_mut(&key) {
        stray.last_failure = Some(failure.clone());
        stray.failures = stray.failures.saturating_add(1);
        let whose = stray.uuid.as_str();
        stray.retry_at = now.plus(backoff(limits.backoff, limits.backoff_max, stray.failures, whose));
    }
}

fn checked(state: &mut State, limits: &Limits, scope: &ScopeKey, answer: &Answer, asked_at: Tick, now: Tick) {
    let mut is_another = false;
    if let Answer::ScopeId { id } = answer {
        is_another = super::identity::answered(state, scope, Answered { id: *id, asked_at }, now);
    }
    let identity = &mut state.seen.scopes.entry(scope.clone()).or_default().identity;
    identity.last_failure = if let Answer::Failed(failure) = answer { Some(failure.message.clone()) } else { None };
    if matches!(answer, Answer::ScopeId { .. }) && !is_another {
        identity.failures = 0;
        return;
    }
    // Another id is no answer to build on either: it is asked again, ever less often.
    identity.failures = identity.failures.saturating_add(1);
    let span = backoff(limits.backoff, limits.backoff_max, identity.failures, scope.scope.as_str());
    identity.retry_at = now.plus(span);
}
