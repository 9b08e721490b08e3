//! A decision of the planner about its own books.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backoff::backoff;
use crate::event::{Decision, EndReason, Outcome};
use crate::evidence::Clock;
use crate::ids::{AssignmentKey, Handle, PoolId};
use crate::policy::{Limits, Policy};
use crate::sabotage::{self, Sabotage};
use crate::seen::Exit;
use crate::state::{Assignment, Breaker, Ending, Journal, Rested, State, SuspectKey, Suspicion};
use crate::time::Tick;

pub(super) fn decided(state: &mut State, policy: &Policy, decision: &Decision, now: Tick) {
    let journal = &mut state.journal;
    match decision {
        Decision::Bind { key, backend, machine, tags } => {
            super::warm::bound(state, policy, key, backend, machine, tags, now);
        }
        Decision::HandBack { key } => super::warm::hand_back(journal, policy, key, now),
        Decision::Conclude { key, reason } => conclude(journal, &policy.limits, key, reason, now),
        Decision::Reinstate { key } => {
            if let Some(assignment) = journal.assignments.get_mut(key) {
                assignment.ending = None;
                assignment.grace = Clock::starting(now);
                assignment.idle = Clock::starting(now);
                keep_grace(journal, key);
            }
        }
        Decision::SetAside { key, outcome } => {
            if let Some(assignment) = journal.assignments.get(key).cloned() {
                remember(journal, &policy.limits, key, &assignment, outcome, now);
                set_aside(journal, key, now);
            }
        }
        Decision::Forget { key, outcome } => {
            if let Some(assignment) = journal.assignments.remove(key) {
                if assignment.parted.is_none() {
                    journal.buried.insert((assignment.backend.clone(), assignment.machine_name.clone()), now);
                }
                remember(journal, &policy.limits, key, &assignment, outcome, now);
            }
        }
    }
}

fn conclude(journal: &mut Journal, limits: &Limits, key: &AssignmentKey, reason: &EndReason, now: Tick) {
    let Some(assignment) = journal.assignments.get_mut(key) else { return };
    if let Some(error) = failed_launch(assignment, reason) {
        let breaker = journal.breakers.entry(assignment.pool.clone()).or_default();
        breaker.failed(limits, &assignment.pool, error, now);
    }
    assignment.ending = Some(Ending { reason: reason.clone(), at: now });
    // Another end than that of which an earlier life had counted the grace begins its own.
    let before = std::mem::take(&mut assignment.grace_before);
    assignment.grace = Clock::resuming(now, if reason.begins_grace() { before } else { Duration::ZERO });
    assignment.retry_at = now;
    assignment.failures = 0;
    let held_back = assignment.job.as_ref().filter(|_| *reason == EndReason::HeldBack);
    let another_left = assignment.another_left.is_some();
    let suspect = held_back.map(|job| SuspectKey::of(&key.job.forge, job));
    keep_grace(journal, key);
    if let Some(suspect) = suspect {
        suspect_after_release(journal, limits, &suspect, &key.job.handle, another_left, now);
    }
}

/// At once, so that a restart before the next listing of machines finds no grace of an end that is none any more.
fn keep_grace(journal: &mut Journal, key: &AssignmentKey) {
    if let (Some(assignment), Some(memory)) = (journal.assignments.get(key), journal.handles.get_mut(&key.job)) {
        memory.keep_grace(key.attempt, assignment.kept_grace());
    }
}

/// From the release of one on, jobs like it are suspects.
fn suspect_after_release(
    journal: &mut Journal,
    limits: &Limits,
    key: &SuspectKey,
    handle: &Handle,
    another_left: bool,
    now: Tick,
) {
    // Who leaves while there is a suspicion is noted with it, and makes way once: not again when a probe of then ends.
    let suspicion = journal.suspicions.entry(key.clone()).or_insert_with(|| Suspicion {
        releases: 0,
        rest_until: now,
        somebody_left: another_left,
        probed: std::collections::BTreeMap::new(),
        since: now,
    });
    // Who left while this one was tried may have made way for another: that is tried next, without a rest.
    suspicion.releases = suspicion.releases.saturating_add(1);
    suspicion.rest_until = now.plus(backoff(limits.suspect, limits.suspect_max, suspicion.releases, key.name.as_str()));
    suspicion.probed.insert(handle.clone(), now);
}

/// Its registration is gone, or was never there: nothing but the machine is left.
fn set_aside(journal: &mut Journal, key: &AssignmentKey, now: Tick) {
    let Some(assignment) = journal.assignments.get_mut(key) else { return };
    assignment.set_aside = Some(now);
    assignment.detached.get_or_insert(now);
    if let Some(registered) = assignment.registration.known_mut() {
        registered.gone = true;
    }
}

/// What an assignment that is over teaches about its job and its pool.
fn remember(
    journal: &mut Journal,
    limits: &Limits,
    key: &AssignmentKey,
    assignment: &Assignment,
    outcome: &Outcome,
    now: Tick,
) {
    if let Some(registered) = assignment.registration.known() {
        journal.credentials.remove(&registered.uuid);
    }
    let memory = journal.handle_mut(&key.job);
    memory.saw(key.attempt);
    if !assignment.keeps_its_job() {
        // Its job went on without it: later tries tell.
        return;
    }
    memory.not_before = now;
    judge_pool(&mut journal.breakers, &assignment.pool, outcome);
    let memory = journal.handle_mut(&key.job);
    match outcome {
        Outcome::Completed | Outcome::EndedElsewhere | Outcome::Lost => {
            memory.failures = 0;
            memory.rest = Rested::No;
        }
        Outcome::Released => {
            memory.failures = 0;
            memory.releases = memory.releases.saturating_add(1);
            memory.rest = Rested::HeldBack;
            let whose = key.job.handle.as_str();
            memory.rest_until = now.plus(backoff(limits.suspect, limits.suspect_max, memory.releases, whose));
        }
        Outcome::LaunchFailed { error, charged } => {
            memory.last_error.clone_from(error);
            memory.pool = Some(assignment.pool.clone());
            memory.rest = Rested::LaunchFailed;
            let whose = key.job.handle.as_str();
            if *charged {
                memory.failures = memory.failures.saturating_add(1);
            }
            let mut span = backoff(limits.backoff, limits.backoff_max, memory.failures.max(1), whose);
            // What nobody blames the job for parks it no longer than it is: its number may only be one that was used before.
            if *charged && memory.failures >= limits.boot_failures {
                memory.parked = memory.parked.saturating_add(1);
                memory.rest = Rested::Parked;
                span = backoff(limits.park, limits.park_max, memory.parked, whose);
                if sabotage::is(Sabotage::ParkForEver) {
                    span = std::time::Duration::from_hours(24);
                }
            }
            memory.rest_until = now.plus(span);
        }
    }
}

/// What failed when a runner has ended, or is given up, without its job ever having been seen to run. It is not waited for
/// what polls say of the job: until then a pool in which all fails would be filled again and again.
fn failed_launch(assignment: &Assignment, reason: &EndReason) -> Option<&'static str> {
    if assignment.track.running_since.is_some() || !assignment.may_have_started() {
        return None;
    }
    // A runner that gives up since the forge is away is no bad machine (protocol 3.6).
    let blameless = |exit: &Exit| match exit {
        Exit::Code(0) | Exit::NeverStarted => true,
        Exit::Code(code) => *code == 1 && assignment.forge_failed,
        Exit::Signal(_) | Exit::Unknown => false,
    };
    match reason {
        EndReason::BootOver => Some("its runner did not contact the forge in time"),
        EndReason::ProcessEnded { exit } if !blameless(exit) => Some("its runner ended without its job"),
        EndReason::ProcessEnded { .. }
        | EndReason::LaunchFailed { .. }
        | EndReason::HeldBack
        | EndReason::LeftBeforeStart
        | EndReason::EndedElsewhere
        | EndReason::Gone
        | EndReason::TakenElsewhere
        | EndReason::RunOver
        | EndReason::RegistrationRemoved
        | EndReason::MachineVanished
        | EndReason::NeverStarted => None,
    }
}

/// One launch that came far enough clears its pool.
fn judge_pool(breakers: &mut BTreeMap<PoolId, Breaker>, pool: &PoolId, outcome: &Outcome) {
    match outcome {
        // It was counted when its end was decided; now it is known what it said.
        Outcome::LaunchFailed { error, charged: true } => {
            if let Some(breaker) = breakers.get_mut(pool) {
                breaker.last_error.clone_from(error);
            }
        }
        Outcome::Completed | Outcome::Lost | Outcome::Released => {
            breakers.remove(pool);
        }
        // Nothing is known of the machine.
        Outcome::EndedElsewhere | Outcome::LaunchFailed { charged: false, .. } => {}
    }
}
