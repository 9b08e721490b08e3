//! A listing of runners: what it proves for each registration of ours.

use std::collections::{BTreeMap, BTreeSet};

use crate::error_class::Failure;
use crate::evidence::{Clock, LastTwo};
use crate::ids::{JobKey, RunnerUuid, ScopeKey};
use crate::overlap::{ForeignRunner, overlap};
use crate::policy::Policy;
use crate::seen::{JobState, Listing, RunnerSeen, RunnerStatus};
use crate::state::{Assignment, Fence, Journal, State, Stray};
use crate::time::Tick;

/// How many runners beside us are kept of one scope: enough for a person to see what is the matter.
const MOST_OVERLAPS: usize = 20;

pub(super) fn listed(state: &mut State, policy: &Policy, scope: &ScopeKey, listing: &Listing<RunnerSeen>, now: Tick) {
    let Some(scope_policy) = policy.scope_of_place(scope) else { return };
    let whose = state.seen.whose_list(policy, scope, listing.begun_at);
    let proves_absence = listing.complete && whose.is_known();
    let seen = state.seen.scopes.entry(scope.clone()).or_default();
    if seen.runners_begun_at.is_some_and(|newest| listing.begun_at <= newest) {
        return;
    }
    seen.runners_begun_at = Some(listing.begun_at);
    seen.runners_incomplete = !listing.complete;
    seen.runners_failures = 0;
    seen.runners_last_failure = None;
    if proves_absence {
        seen.runners.add(listing.begun_at);
        state.journal.lost_registers.retain(|of, since| of != scope || listing.begun_at <= *since);
    }
    let rows: BTreeMap<&RunnerUuid, &RunnerSeen> = listing.rows.iter().map(|row| (&row.uuid, row)).collect();
    let mut owned = BTreeSet::new();
    for assignment in state.journal.assignments.values_mut() {
        let Some(uuid) = assignment.registration.known().map(|registered| registered.uuid.clone()) else { continue };
        // Two places may be one repository, so that a row proves presence wherever it is shown; absence is proven by the
        // list of its own place alone.
        match rows.get(&uuid) {
            Some(row) => shown(assignment, row, listing.begun_at, scope_policy.interval),
            None if proves_absence && assignment.scope == *scope && whose.is_of(assignment.scope_id) => {
                not_shown(assignment, listing.begun_at);
            }
            None => {}
        }
        owned.insert(uuid);
    }
    note_strays(&mut state.journal, scope, listing, proves_absence, &owned, now);
}

pub(super) fn not_listed(state: &mut State, scope: &ScopeKey, failure: &Failure) {
    let seen = state.seen.scopes.entry(scope.clone()).or_default();
    seen.runners_failures = seen.runners_failures.saturating_add(1);
    seen.runners_last_failure = Some(failure.clone());
}

/// Whether the repositories of a scope can be gone through.
pub(super) fn repositories(state: &mut State, scope: &ScopeKey, failure: Option<&Failure>) {
    state.seen.scopes.entry(scope.clone()).or_default().repositories_failure = failure.cloned();
}

/// Persistent runners beside us. One that is offline is no matter for an alert: it takes nothing, and may never come back.
pub(super) fn in_reach(state: &mut State, policy: &Policy, scope: &ScopeKey, runners: &[ForeignRunner]) {
    let mut found = overlap(&policy.pools, runners);
    found.retain(|overlap| overlap.online);
    found.truncate(MOST_OVERLAPS);
    state.seen.scopes.entry(scope.clone()).or_default().overlaps = found;
}

/// What a row proves.
fn shown(assignment: &mut Assignment, row: &RunnerSeen, begun_at: Tick, interval: std::time::Duration) {
    let runs = assignment.runs();
    let contacted = assignment.contacted;
    let Some(registered) = assignment.registration.known_mut() else { return };
    registered.id = Some(row.id);
    if begun_at <= registered.touched {
        return;
    }
    registered.gone = false;
    registered.absent.clear();
    registered.listed.add(begun_at);
    if !row.declared {
        registered.undeclared.add(begun_at);
    } else if contacted.is_none() {
        assignment.contacted = Some(begun_at);
        assignment.claim = Clock::starting(begun_at);
    }
    // Closed by an earlier life, or by a call whose answer was lost.
    if row.fenced && assignment.fence == Fence::Open {
        assignment.fence = Fence::Closed { at: begun_at };
    }
    match row.status {
        RunnerStatus::Idle | RunnerStatus::Offline if runs => assignment.idle.observe(begun_at, interval),
        RunnerStatus::Idle | RunnerStatus::Offline | RunnerStatus::Active | RunnerStatus::Unknown => {
            assignment.idle = Clock::starting(begun_at);
        }
    }
}

/// What the lack of a row in a complete listing proves.
fn not_shown(assignment: &mut Assignment, begun_at: Tick) {
    if let Some(registered) = assignment.registration.known_mut()
        && begun_at > registered.touched
    {
        registered.absent.add(begun_at);
    }
}

/// Registrations of ours that belong to no assignment.
fn note_strays(
    journal: &mut Journal,
    scope: &ScopeKey,
    listing: &Listing<RunnerSeen>,
    proves_absence: bool,
    owned: &BTreeSet<RunnerUuid>,
    now: Tick,
) {
    journal.strays.retain(|_, stray| !owned.contains(&stray.uuid));
    let listed: BTreeSet<_> = listing.rows.iter().map(|row| row.id).collect();
    if proves_absence {
        journal.strays.retain(|(_, id), stray| stray.scope != *scope || listed.contains(id));
    }
    for row in listing.rows.iter().filter(|row| !owned.contains(&row.uuid)) {
        let job = JobKey { forge: scope.forge.clone(), handle: row.identity.handle.clone() };
        let memory = journal.handle_mut(&job);
        memory.saw(row.identity.attempt);
        memory.listed_at = memory.listed_at.max(now);
        let stray = journal.strays.entry((scope.forge.clone(), row.id)).or_insert_with(|| Stray {
            scope: scope.clone(),
            uuid: row.uuid.clone(),
            identity: row.identity.clone(),
            first_seen: now,
            declared: false,
            online: false,
            seen: LastTwo::default(),
            job: JobState::Unknown,
            job_waiting: LastTwo::default(),
            job_missing: LastTwo::default(),
            retry_at: now,
            failures: 0,
            last_failure: None,
        });
        stray.declared |= row.declared;
        stray.online = row.status != RunnerStatus::Offline;
        stray.seen.add(listing.begun_at);
    }
}
