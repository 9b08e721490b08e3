//! A listing of machines: what it proves for each assignment. A machine of ours without an assignment is adopted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{AssignmentKey, BackendId, MachineName, RunnerId, RunnerUuid};
use crate::policy::Policy;
use crate::sabotage::{self, Sabotage};
use crate::seen::{Exit, Listing, MachineSeen, MachineState};
use crate::state::{Assignment, Journal, MachineFact, Missing, Registered, Registration, Start, State};
use crate::time::Tick;

pub(super) fn listed(
    state: &mut State,
    policy: &Policy,
    backend: &BackendId,
    listing: &Listing<MachineSeen>,
    now: Tick,
) {
    let Some(backend_policy) = policy.backends.get(backend) else { return };
    let seen = state.seen.backends.entry(backend.clone()).or_default();
    if seen.begun_at.is_some_and(|newest| listing.begun_at <= newest) {
        return;
    }
    seen.begun_at = Some(listing.begun_at);
    seen.machines = listing.rows.iter().map(|machine| (machine.name.clone(), machine.clone())).collect();
    seen.incomplete = !listing.complete;
    seen.answered();
    if listing.complete {
        seen.listed.add(listing.begun_at);
    }
    let settle = policy.limits.settle;
    super::warm::let_go_of_bound(&mut state.journal, backend, listing, now);
    let assignments = state.journal.assignments.values();
    let assigned = assignments.filter(|assignment| assignment.backend == *backend && assignment.parted.is_none());
    let assigned: BTreeSet<MachineName> = assigned.map(|assignment| assignment.machine_name.clone()).collect();
    for row in &listing.rows {
        let waits = state.journal.warm.contains_key(&(backend.clone(), row.name.clone()));
        adopt(state, backend, row, waits || assigned.contains(&row.name), listing.begun_at, now);
    }
    super::warm::listed(&mut state.journal, backend, listing, &assigned, settle, now);
    state.journal.buried.retain(|(of, _), buried_at| of != backend || listing.begun_at <= *buried_at);
    forget_refused(state, policy, backend, listing);
    let rows = &state.seen.backends[backend].machines;
    let journal = &mut state.journal;
    for (key, assignment) in journal.assignments.iter_mut().filter(|(_, assignment)| assignment.backend == *backend) {
        match rows.get(&assignment.machine_name) {
            _ if assignment.parted.is_some() => {}
            Some(row) => shown(assignment, row, listing.begun_at, backend_policy.interval, settle, now),
            None if listing.complete => not_shown(assignment, listing.begun_at, settle, now),
            None => {}
        }
        let Some(memory) = journal.handles.get_mut(&key.job) else { continue };
        if assignment.track.running_since.is_some() {
            memory.keep_run(key.attempt, assignment.run.total());
        }
        memory.keep_grace(key.attempt, assignment.kept_grace());
    }
    own_strays(&mut state.journal);
}

/// What was refused and was not made, or was made and has an assignment, counts no more.
fn forget_refused(state: &mut State, policy: &Policy, backend: &BackendId, listing: &Listing<MachineSeen>) {
    let rows = &state.seen.backends[backend].machines;
    let (assignments, warm) = (&state.journal.assignments, &state.journal.warm);
    state.journal.refused.retain(|(of, name), refused| {
        if of != backend {
            return true;
        }
        let is_over = if rows.contains_key(name) {
            warm.contains_key(&(backend.clone(), name.clone()))
                || assignments.values().any(|of| of.backend == *backend && of.has_machine(name) && of.occupies())
        } else {
            refused.is_over(listing.begun_at, listing.complete, policy.limits.settle)
        };
        !is_over
    });
}

/// Begins an assignment for a machine that an earlier life of ours has made.
fn adopt(state: &mut State, backend: &BackendId, row: &MachineSeen, is_known: bool, begun_at: Tick, now: Tick) {
    let journal = &mut state.journal;
    let Some(tags) = row.tags.serving(row.binding.as_ref()) else { return };
    let mut key = AssignmentKey { job: tags.job(), attempt: tags.attempt };
    journal.handle_mut(&key.job).saw(key.attempt);
    let buried = journal.buried.get(&(backend.clone(), row.name.clone()));
    if is_known || buried.is_some_and(|&buried_at| begun_at <= buried_at) {
        return;
    }
    // Two backends may hold a machine of one name: an earlier life had no answer from the one and asked the other.
    if journal.assignments.contains_key(&key) {
        key.attempt = journal.handle_mut(&key.job).next_try();
        journal.handle_mut(&key.job).saw(key.attempt);
    }
    let mut assignment =
        Assignment::new(tags.scope.clone(), tags.pool.clone(), backend.clone(), row.name.clone(), begun_at);
    assignment.adopted = true;
    assignment.spoilt = Some(now);
    assignment.warm = row.tags.warm().cloned();
    assignment.scope_id = tags.scope_id;
    assignment.machine = MachineFact::Exists { state: row.state };
    assignment.machine_touched = Tick::default();
    assignment.retry_at = now;
    // That life's start may still be under way, so that an unbound machine is no proof that there was none.
    assignment.start = Start::Lost { since: now };
    let own = tags.scope.watched();
    for (scope, seen) in state.seen.scopes.iter().filter(|(scope, _)| scope.forge == key.job.forge) {
        let Some(listed) = seen.jobs.get(&key.job.handle) else { continue };
        if *scope == own {
            assignment.job = Some(listed.clone());
        }
        // A list of machines may take longer than one of jobs that was begun after it.
        if seen.listed_at.is_some_and(|listed_at| listed_at > begun_at) {
            assignment.track.missing.insert(scope.clone(), Missing::default());
        }
    }
    if let Some(facts) = journal.handle_mut(&key.job).facts_of(key.attempt) {
        assignment.waited = facts.waited;
        assignment.ran_before = facts.ran;
        if assignment.job.is_none() {
            assignment.job.clone_from(&facts.job);
            assignment.grace_before = facts.grace;
        }
    }
    journal.assignments.insert(key, assignment);
}

/// A registration whose machine was found is no stray.
fn own_strays(journal: &mut Journal) {
    let ids: BTreeMap<RunnerUuid, RunnerId> =
        journal.strays.iter().map(|((_, id), stray)| (stray.uuid.clone(), *id)).collect();
    let mut owned = BTreeSet::new();
    for registered in journal.assignments.values_mut().filter_map(|assignment| assignment.registration.known_mut()) {
        if let Some(id) = ids.get(&registered.uuid) {
            registered.id.get_or_insert(*id);
            owned.insert(registered.uuid.clone());
        }
    }
    journal.strays.retain(|_, stray| !owned.contains(&stray.uuid));
}

/// What a row proves.
fn shown(
    assignment: &mut Assignment,
    row: &MachineSeen,
    begun_at: Tick,
    interval: Duration,
    settle: Duration,
    now: Tick,
) {
    if begun_at <= assignment.machine_touched {
        return;
    }
    assignment.machine_absent.clear();
    if let Some(binding) = &row.binding {
        assignment.start = Start::Done;
        // The binding is what really runs. A registration made for it by mistake becomes a stray.
        if assignment.registration.known().is_none_or(|registered| registered.uuid != binding.runner) {
            assignment.registration =
                Registration::Known(Registered::new(None, binding.runner.clone(), Tick::default()));
        }
    }
    match row.state {
        MachineState::Ended { exit } => {
            if assignment.machine != MachineFact::Ended {
                // What was accepted was the stop; the removal is not asked for yet.
                assignment.stop_accepted = None;
            }
            assignment.machine = MachineFact::Ended;
            assignment.died(exit, now);
            if exit == Exit::NeverStarted {
                assignment.start = Start::No;
            }
            return;
        }
        MachineState::Orphaned => assignment.died(Exit::Unknown, now),
        MachineState::Creating | MachineState::Ready => {
            if let Start::Lost { since } = assignment.start
                && begun_at > since.plus(settle)
            {
                assignment.start = Start::No;
            }
        }
        MachineState::Running | MachineState::Stopping => {
            if assignment.runs() {
                assignment.run.observe(begun_at, interval);
            }
        }
    }
    if row.state != MachineState::Orphaned {
        // One that was thought to be gone, since it was listed no more, is listed again.
        assignment.death = None;
    }
    if assignment.ending.is_some() {
        assignment.grace.observe(begun_at, interval);
    }
    assignment.machine = MachineFact::Exists { state: row.state };
}

/// What the lack of a row in a complete listing proves.
fn not_shown(assignment: &mut Assignment, begun_at: Tick, settle: Duration, now: Tick) {
    if begun_at <= assignment.machine_touched {
        return;
    }
    match assignment.machine {
        MachineFact::Lost { since } if begun_at > since.plus(settle) => {
            assignment.machine = MachineFact::Gone;
            assignment.died(Exit::NeverStarted, now);
        }
        MachineFact::Ended => assignment.machine = MachineFact::Gone,
        MachineFact::Exists { .. } => {
            assignment.machine_absent.add(begun_at);
            // After a stop that the backend accepted, two such listings are its completion.
            let proven = assignment.stop_accepted.is_some() || sabotage::is(Sabotage::AbsenceIsDeath);
            if proven && assignment.machine_absent.twice() {
                assignment.machine = MachineFact::Gone;
                assignment.died(Exit::Unknown, now);
            }
        }
        MachineFact::Lost { .. } | MachineFact::Asked | MachineFact::Gone => {}
    }
}
