//! A listing of jobs: what it proves for each assignment, for suspicions and for the hold of mass kills.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::Clock;
use crate::ids::{AssignmentKey, Handle, ScopeKey};
use crate::policy::Policy;
use crate::sabotage::{self, Sabotage};
use crate::seen::{JobSeen, JobState, Listing};
use crate::state::{Assignment, State, SuspectKey};
use crate::time::Tick;

pub(super) fn listed(state: &mut State, policy: &Policy, scope: &ScopeKey, listing: &Listing<JobSeen>, now: Tick) {
    let Some(scope_policy) = policy.scopes.get(scope) else { return };
    let whose = state.seen.whose_list(policy, scope, listing.begun_at);
    let complete = listing.complete || sabotage::is(Sabotage::BelieveIncomplete);
    let proves_absence = complete && whose.is_known();
    let seen = state.seen.scopes.entry(scope.clone()).or_default();
    if seen.listed_at.is_some_and(|listed_at| listing.begun_at <= listed_at) {
        return;
    }
    let rows: BTreeMap<Handle, JobSeen> = listing.rows.iter().map(|job| (job.handle.clone(), job.clone())).collect();
    let mut left_repositories = BTreeSet::new();
    if proves_absence {
        left_repositories
            .extend(seen.jobs.iter().filter(|(handle, _)| !rows.contains_key(*handle)).map(|(_, job)| job.repository));
    }
    let before = std::mem::take(&mut seen.waiting_since);
    let waiting = rows.values().filter(|row| row.state == JobState::Waiting).map(|row| &row.handle);
    let since = |handle: &Handle| before.get(handle).copied().unwrap_or(listing.begun_at);
    seen.waiting_since = waiting.map(|handle| (handle.clone(), since(handle))).collect();
    seen.jobs = rows;
    seen.listed_at = Some(listing.begun_at);
    seen.complete = listing.complete;
    seen.failures = 0;
    seen.last_failure = None;

    note_strays(state, scope, listing.begun_at, proves_absence);
    note_departures(state, scope, &left_repositories, now);
    note_handles(state, scope, now);
    let mut newly_missing = Vec::new();
    let mut claimed = Vec::new();
    let rows = &state.seen.scopes[scope].jobs;
    let mut ran = 0;
    for (key, assignment) in &mut state.journal.assignments {
        if key.job.forge != scope.forge || listing.begun_at <= assignment.begun_at {
            continue;
        }
        ran += usize::from(assignment.runs());
        if let Some(row) = rows.get(&key.job.handle) {
            if shown(assignment, scope, row, listing.begun_at, scope_policy.interval) {
                // Its machine works, so that its pool does.
                state.journal.breakers.remove(&assignment.pool);
                claimed.push((SuspectKey::of(&scope.forge, row), key.job.handle.clone()));
            }
        } else if proves_absence
            && assignment.is_of(scope, whose)
            && not_shown(assignment, scope, listing.begun_at, scope_policy.interval)
        {
            newly_missing.push(key.clone());
        }
    }
    hold_mass_kills(state, policy, &newly_missing, ran, listing.begun_at);
    for (key, handle) in claimed {
        claim_tells(state, policy, &key, &handle, now);
    }
    super::oblivion::tidy(state, now);
}

/// What a row proves. Returns whether the job is now first seen running.
fn shown(
    assignment: &mut Assignment,
    scope: &ScopeKey,
    row: &JobSeen,
    begun_at: Tick,
    interval: std::time::Duration,
) -> bool {
    assignment.track.missing.insert(scope.clone(), crate::state::Missing::default());
    assignment.hold = None;
    assignment.grace_before = std::time::Duration::ZERO;
    if row.state == JobState::Unknown || begun_at <= assignment.track.listed_at {
        return false;
    }
    assignment.track.listed_at = begun_at;
    assignment.track.state = row.state;
    assignment.job = Some(row.clone());
    match row.state {
        JobState::Waiting => {
            assignment.track.waiting.add(begun_at);
            if assignment.ending.is_none() {
                let clock = if assignment.contacted.is_some() { &mut assignment.claim } else { &mut assignment.boot };
                clock.observe(begun_at, interval);
            }
            false
        }
        JobState::Running { .. } => {
            assignment.track.running.add(begun_at);
            let first = assignment.track.running_since.is_none();
            if first {
                assignment.track.running_since = Some(begun_at);
                assignment.run = Clock::resuming(begun_at, std::mem::take(&mut assignment.ran_before));
                assignment.idle = Clock::starting(begun_at);
            }
            first
        }
        JobState::Unknown => false,
    }
}

/// What the lack of a row in a complete listing proves. Returns whether the job is now first missing.
fn not_shown(assignment: &mut Assignment, scope: &ScopeKey, begun_at: Tick, interval: std::time::Duration) -> bool {
    let Some(missing) = assignment.track.missing.get_mut(scope) else { return false };
    let first = missing.since.is_none();
    missing.since.get_or_insert(begun_at);
    missing.polls.add(begun_at);
    if let Some(hold) = &mut assignment.hold {
        hold.observe(begun_at, interval);
    }
    first
}

/// When more than a few and more than half of the running jobs vanish in one poll, the forge may have been restored from a
/// backup: kills of living processes among them are held (design section 5, "Left and gone").
fn hold_mass_kills(state: &mut State, policy: &Policy, missing: &[AssignmentKey], ran: usize, begun_at: Tick) {
    if missing.len() <= policy.limits.mass_left || missing.len() * 2 <= ran {
        return;
    }
    for key in missing {
        if let Some(assignment) = state.journal.assignments.get_mut(key) {
            assignment.hold = Some(Clock::starting(begun_at));
        }
    }
}

/// What a listing proves for the jobs of registrations that belong to no assignment.
fn note_strays(state: &mut State, scope: &ScopeKey, begun_at: Tick, proves_absence: bool) {
    let rows = &state.seen.scopes[scope].jobs;
    for ((forge, _), stray) in &mut state.journal.strays {
        if *forge != scope.forge || begun_at <= stray.first_seen {
            continue;
        }
        let row = rows.get(&stray.identity.handle).map(|row| row.state);
        match row {
            Some(JobState::Unknown) => {}
            Some(state) => {
                stray.job = state;
                stray.job_missing.clear();
                if state == JobState::Waiting {
                    stray.job_waiting.add(begun_at);
                } else {
                    stray.job_waiting.clear();
                }
            }
            None if proves_absence && stray.scope.is_within(scope) => stray.job_missing.add(begun_at),
            None => {}
        }
    }
}

/// After a job of a repository has left, the next suspect of it is tried at once, also when it becomes one only now.
fn note_departures(state: &mut State, scope: &ScopeKey, repositories: &BTreeSet<i64>, now: Tick) {
    for (key, suspicion) in &mut state.journal.suspicions {
        if key.forge == scope.forge && repositories.contains(&key.repository) {
            suspicion.somebody_left = true;
        }
    }
    for (key, assignment) in &mut state.journal.assignments {
        let repository = assignment.job.as_ref().map(|job| job.repository);
        if key.job.forge == scope.forge && repository.is_some_and(|repository| repositories.contains(&repository)) {
            assignment.another_left = assignment.another_left.or(assignment.contacted.map(|_| now));
        }
    }
}

/// Handles that are listed are remembered on.
fn note_handles(state: &mut State, scope: &ScopeKey, now: Tick) {
    let rows = &state.seen.scopes[scope].jobs;
    for (key, memory) in &mut state.journal.handles {
        if key.forge == scope.forge && rows.contains_key(&key.handle) {
            memory.listed_at = now;
        }
    }
}

/// A claim while another of the key runs shows that they do not exclude each other; otherwise the next one is tried after
/// the first back-off, or when somebody has left.
fn claim_tells(state: &mut State, policy: &Policy, key: &SuspectKey, claimed: &Handle, now: Tick) {
    let another_runs = state.seen.scopes.iter().filter(|(scope, _)| scope.forge == key.forge).any(|(_, seen)| {
        seen.jobs.values().any(|job| {
            job.handle != *claimed
                && matches!(job.state, JobState::Running { .. })
                && SuspectKey::of(&key.forge, job) == *key
        })
    });
    if another_runs {
        state.journal.suspicions.remove(key);
    } else if let Some(suspicion) = state.journal.suspicions.get_mut(key) {
        suspicion.releases = 1;
        suspicion.somebody_left = false;
        suspicion.rest_until = now.plus(policy.limits.suspect);
    }
}
