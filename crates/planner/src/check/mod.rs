//! The plan checker: the invariants as code, judged from the state alone, without the planner's own reasoning.
//!
//! The daemon drops an action that breaks one and says so; tests and the simulation fail.

mod warm;

use std::fmt;

use crate::action::Action;
use crate::event::EndReason;
use crate::ids::{AssignmentKey, BackendId, PoolId};
use crate::plan::Room;
use crate::policy::Policy;
use crate::seen::JobState;
use crate::state::{Assignment, Ending, Fence, State};

/// An action that would break an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The number of the invariant (design section 6).
    pub invariant: u8,
    /// What would break it.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.what)
    }
}

/// Judges one action before it is handed over. With several, fold each before judging the next.
pub fn check(policy: &Policy, state: &State, action: &Action) -> Result<(), Violation> {
    one_at_a_time(state, action)?;
    in_a_scope_of_ours(policy, state, action)?;
    match action {
        Action::Create { key, backend, machine, tags, .. } => {
            no_second_launch(state, key)?;
            warm::is_free(state, backend, machine)?;
            within_max(policy, state, &tags.pool, backend)
        }
        Action::CreateWarm { backend, machine, tags, .. } => {
            warm::may_create(policy, state, backend, machine, tags)?;
            within_max(policy, state, &tags.pool, backend)
        }
        Action::DestroyWarm { backend, machine, .. } => warm::may_destroy(state, backend, machine),
        Action::Register { key, .. } | Action::Start { key, .. } => {
            no_other_runner(state, key)?;
            warm::is_its_own(state, key)
        }
        Action::Destroy { key, .. } => of(state, key, may_stop),
        Action::Release { key, .. } => {
            of(state, key, may_stop)?;
            of(state, key, warm::may_release)
        }
        Action::DeleteRunner { key, .. } => of(state, key, |assignment| may_delete(policy, assignment)),
        Action::Fence { key, .. } => of(state, key, may_fence),
        Action::EndEarly { key, .. } => of(state, key, may_end_early),
        Action::Sweep { scope, id } => may_sweep(policy, state, scope, *id),
        Action::AskWhose { .. } | Action::LookUpRunner { .. } | Action::ReadLog { .. } | Action::CheckScope { .. } => {
            Ok(())
        }
    }
}

fn broken(invariant: u8, what: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { invariant, what: what.into() })
}

fn of(
    state: &State,
    key: &AssignmentKey,
    judge: impl Fn(&Assignment) -> Result<(), Violation>,
) -> Result<(), Violation> {
    match state.journal.assignments.get(key) {
        Some(assignment) => judge(assignment),
        None => broken(7, format!("{key} is none of our assignments")),
    }
}

/// No second call for a thing while one is under way.
fn one_at_a_time(state: &State, action: &Action) -> Result<(), Violation> {
    let busy = action.key().and_then(|key| state.journal.assignments.get(key)).is_some_and(|of| of.busy.is_some());
    if busy { broken(1, format!("{} while a call is under way", action.word())) } else { Ok(()) }
}

/// Nothing is registered, deleted or looked up in a scope that may be another one than that of our runners.
fn in_a_scope_of_ours(policy: &Policy, state: &State, action: &Action) -> Result<(), Violation> {
    match action.place() {
        Some(place) => {
            let of = action.key().and_then(|key| state.journal.assignments.get(key));
            let is_ours = state.seen.whose_now(policy, place).is_of(of.and_then(|of| of.scope_id));
            if is_ours { Ok(()) } else { broken(7, format!("{place} may be another one now")) }
        }
        None => Ok(()),
    }
}

fn no_second_launch(state: &State, key: &AssignmentKey) -> Result<(), Violation> {
    let mut others = state.journal.assignments_of(&key.job).filter(|(_, other)| other.keeps_its_job());
    if let Some((other, _)) = others.next() {
        return broken(1, format!("{key} although {other} is not over"));
    }
    let tries = state.journal.handles.get(&key.job).map_or(0, |memory| memory.tries);
    if key.attempt.0 <= tries { broken(1, format!("{key} although try {tries} was seen")) } else { Ok(()) }
}

fn no_other_runner(state: &State, key: &AssignmentKey) -> Result<(), Violation> {
    let mut others = state.journal.assignments_of(&key.job).filter(|(other, of)| *other != key && of.keeps_its_job());
    others.next().map_or(Ok(()), |(other, _)| broken(1, format!("{key} although {other} is not over")))
}

fn within_max(policy: &Policy, state: &State, pool: &PoolId, backend: &BackendId) -> Result<(), Violation> {
    let occupied = |of: &dyn Fn(&PoolId, &BackendId) -> bool| {
        let assignments = state.journal.assignments.values().filter(|assignment| assignment.occupies());
        let made = assignments.map(|assignment| (&assignment.pool, &assignment.backend));
        let refused = state.journal.refused.iter().map(|((backend, _), refused)| (&refused.pool, backend));
        let warm = state.journal.warm.iter().map(|((backend, _), of)| (&of.tags.pool, backend));
        made.chain(refused).chain(warm).filter(|(pool, backend)| of(pool, backend)).count()
    };
    let reached = |count: usize, max: Option<u32>| max.is_some_and(|max| count >= max as usize);
    if reached(occupied(&|of, _| of == pool), policy.pool(pool).map(|pool| pool.max)) {
        return broken(4, format!("pool {pool} is full"));
    }
    if reached(occupied(&|_, of| of == backend), policy.backends.get(backend).and_then(|backend| backend.max)) {
        return broken(4, format!("backend {backend} is full"));
    }
    if reached(occupied(&|_, _| true), policy.max) { broken(4, "the deployment is full") } else { Ok(()) }
}

/// A machine whose job runs is stopped only by the run clock or when the job is gone, or when the job is another's.
fn may_stop(assignment: &Assignment) -> Result<(), Violation> {
    if assignment.is_dead() || assignment.detached.is_some() {
        return Ok(());
    }
    let Some(end) = &assignment.ending else { return broken(2, "a machine is stopped without a decided end") };
    let missing = assignment.track.missing.values().any(|missing| missing.polls.twice());
    match end.reason {
        EndReason::RunOver => Ok(()),
        EndReason::Gone | EndReason::EndedElsewhere if missing => Ok(()),
        EndReason::Gone | EndReason::EndedElsewhere => broken(5, "its job was not seen to be missing twice"),
        EndReason::ProcessEnded { .. }
        | EndReason::LaunchFailed { .. }
        | EndReason::BootOver
        | EndReason::HeldBack
        | EndReason::LeftBeforeStart
        | EndReason::TakenElsewhere
        | EndReason::RegistrationRemoved
        | EndReason::MachineVanished
        | EndReason::NeverStarted => match assignment.runs() {
            true if !missing && !is_anothers(assignment) => broken(2, "its job runs"),
            false if !missing && may_be_given_its_job(assignment, end) => broken(3, "its runner may be given its job"),
            true | false => Ok(()),
        },
    }
}

/// Whether the running job of an assignment is known to be on another runner.
fn is_anothers(assignment: &Assignment) -> bool {
    // It has no registration, or had not declared itself, while its job was running: a job is handed out once.
    let could_not_be = assignment.registration.known().is_some_and(|registered| {
        registered.gone && assignment.track.running.once_after(registered.touched)
            || assignment.track.running_since.is_some_and(|since| registered.undeclared.once_after(since))
    });
    matches!(assignment.whose, Some((_, false)))
        || assignment.contacted.is_none()
        || !assignment.may_have_started()
        || could_not_be
}

/// Whether a runner that contacted the forge, and whose job was last seen waiting, was neither fenced nor looked at since
/// its end was decided.
fn may_be_given_its_job(assignment: &Assignment, end: &Ending) -> bool {
    let exists = assignment.registration.known().is_some_and(|registered| !registered.gone);
    exists
        && assignment.may_have_started()
        && assignment.contacted.is_some()
        && assignment.fence == Fence::Open
        && !assignment.track.waiting.once_after(end.at)
}

/// A registration that may hold or get a job is not deleted.
fn may_delete(policy: &Policy, assignment: &Assignment) -> Result<(), Violation> {
    if !assignment.may_have_started() {
        return Ok(());
    }
    let Some(death) = assignment.death else { return may_delete_living(assignment) };
    let seen_waiting = assignment.track.state == JobState::Waiting && assignment.track.waiting.once_after(death.at);
    let watched = || assignment.track.missing.iter().filter(|(scope, _)| policy.scopes.contains_key(*scope));
    let left = watched().next().is_some() && watched().all(|(_, missing)| missing.polls.twice());
    let others = matches!(assignment.whose, Some((_, false)))
        || assignment
            .registration
            .known()
            .is_some_and(|registered| assignment.contacted.is_none() && registered.undeclared.once_after(death.at));
    if seen_waiting || left || others { Ok(()) } else { broken(3, "its registration may hold a job") }
}

/// A machine that could not be stopped: its runner was fenced or looked at, and its job was seen waiting twice since.
fn may_delete_living(assignment: &Assignment) -> Result<(), Violation> {
    let Some(end) = &assignment.ending else { return broken(3, "its process is not proven dead") };
    let closed_at = match assignment.fence {
        Fence::Closed { at } => at,
        Fence::Open => end.at,
    };
    let waits = assignment.track.state == JobState::Waiting && assignment.track.waiting.twice_after(closed_at);
    if waits && assignment.destroys > 0 { Ok(()) } else { broken(3, "its living runner may hold or get its job") }
}

/// The runner's own Declare would undo a fence made before it.
fn may_fence(assignment: &Assignment) -> Result<(), Violation> {
    if assignment.contacted.is_none() { broken(3, "it has not contacted the forge") } else { Ok(()) }
}

fn may_end_early(assignment: &Assignment) -> Result<(), Violation> {
    if assignment.is_dead() { Ok(()) } else { broken(2, "a job is failed although its process is not proven dead") }
}

fn may_sweep(
    policy: &Policy,
    state: &State,
    scope: &crate::ids::ScopeKey,
    id: crate::ids::RunnerId,
) -> Result<(), Violation> {
    let Some(stray) = state.journal.strays.get(&(scope.forge.clone(), id)) else {
        return broken(7, format!("runner {} is none of our strays", id.0));
    };
    let owned = state
        .journal
        .assignments
        .values()
        .any(|assignment| assignment.registration.known().is_some_and(|registered| registered.uuid == stray.uuid));
    if stray.declared && matches!(stray.job, JobState::Running { .. }) && !stray.job_missing.twice() {
        return broken(3, format!("runner {} may hold its running job", id.0));
    }
    if owned {
        return broken(3, format!("runner {} belongs to an assignment", id.0));
    }
    if !state.seen.nowhere_bound(policy, &stray.uuid, stray.first_seen) {
        return broken(5, format!("whether a machine is bound to runner {} is not known", id.0));
    }
    Ok(())
}

/// The count of machines that limits are judged by, for tests and reports.
pub fn machines(state: &State, pool: &PoolId) -> u32 {
    Room::counted(state).of_pool(pool)
}
