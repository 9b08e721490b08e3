//! Puts the report together.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use super::context::Context;
use super::launch::Wanted;
use super::room::Room;
use super::warm;
use crate::error_class::ErrorClass;
use crate::ids::{AssignmentKey, BackendId, PoolId, ScopeKey};
use crate::report::{Alert, BackendReport, JobReport, MachineReason, MachineReport, PoolReport, Reason, ScopeReport};
use crate::sabotage::{self, Sabotage};
use crate::state::{Assignment, BackendSeen, Rest, Rested};

/// After how many vain destroys a human is told.
const DESTROYS_BEFORE_ALERT: u32 = 5;

/// After how many vain tries to make a machine without a job a human is told: one or two are nothing to mend.
const WARM_FAILURES: u32 = 3;

pub(super) fn job(job: &Wanted<'_>, reason: Reason) -> JobReport {
    JobReport {
        forge: job.key.forge.clone(),
        scope: job.scope.scope.clone(),
        handle: job.key.handle.clone(),
        id: job.row.id,
        repository: job.row.repository,
        run: job.row.run,
        name: job.row.name.clone(),
        runs_on: job.row.runs_on.clone(),
        state: job.row.state,
        reason,
    }
}

pub(super) fn machine(key: &AssignmentKey, assignment: &Assignment, reason: MachineReason) -> MachineReport {
    MachineReport {
        name: assignment.machine_name.clone(),
        backend: assignment.backend.clone(),
        pool: assignment.pool.clone(),
        handle: Some(key.job.handle.clone()),
        attempt: Some(key.attempt),
        reason,
    }
}

/// Where a list or a registration was refused for want of a right, and has not worked since.
fn lacking_rights(context: &Context<'_>) -> impl Iterator<Item = Alert> {
    // A refused registration is tried again only when a job wants it: without one the alert ends by itself.
    let stands = |rest: &&Rest| rest.until.plus(context.policy.limits.backoff_max) > context.now;
    let places: BTreeSet<&ScopeKey> =
        context.state.seen.scopes.keys().chain(context.state.journal.scope_rests.keys()).collect();
    let watched = places.into_iter().filter(|place| context.policy.scope_of_place(place).is_some());
    watched.filter_map(move |place| {
        let seen = context.state.seen.scopes.get(place);
        let refused = context.state.journal.scope_rests.get(place).filter(stands).map(|rest| &rest.last);
        let jobs = seen.and_then(|seen| seen.last_failure.as_ref());
        let runners = seen.and_then(|seen| seen.runners_last_failure.as_ref());
        let repositories = seen.and_then(|seen| seen.repositories_failure.as_ref());
        let mut failures = [jobs, runners, repositories, refused].into_iter().flatten();
        let failure = failures.find(|failure| matches!(failure.class, ErrorClass::Auth | ErrorClass::Forbidden))?;
        let (scope, message) = (place.clone(), failure.message.clone());
        Some(if failure.class == ErrorClass::Auth {
            Alert::TokenUnknown { scope, message }
        } else {
            Alert::TokenLacksScope { scope, message }
        })
    })
}

/// Persistent runners beside us.
fn overlaps(context: &Context<'_>) -> impl Iterator<Item = Alert> {
    let scopes = context.state.seen.scopes.iter().filter(|(scope, _)| context.policy.scopes.contains_key(scope));
    scopes.flat_map(|(scope, seen)| {
        seen.overlaps.iter().map(|overlap| Alert::Overlap {
            scope: scope.clone(),
            runner: overlap.name.clone(),
            labels: overlap.labels.clone(),
        })
    })
}

/// Adds pools, scopes and alerts.
pub(super) fn finish(context: &Context<'_>, plan: &mut Plan) {
    let room = Room::counted(context.state);
    let mut ready: BTreeMap<&PoolId, u32> = BTreeMap::new();
    for of in context.state.journal.warm.values().filter(|of| of.is_ready()) {
        *ready.entry(&of.tags.pool).or_default() += 1;
    }
    plan.report.pools = context
        .policy
        .pools
        .iter()
        .map(|pool| PoolReport {
            pool: pool.id.clone(),
            used: room.of_pool(&pool.id),
            max: pool.max,
            warm_wanted: warm::wanted(context, pool),
            warm_ready: ready.get(&pool.id).copied().unwrap_or(0),
        })
        .collect();
    plan.report.scopes = context
        .policy
        .scopes
        .keys()
        .map(|scope| {
            let seen = context.state.seen.scopes.get(scope);
            ScopeReport {
                scope: scope.clone(),
                listed_at: seen.and_then(|seen| seen.listed_at),
                failures: seen.map_or(0, |seen| seen.failures),
                last_error: seen.and_then(|seen| seen.last_failure.as_ref()).map(|failure| failure.message.clone()),
                runners_failures: seen.map_or(0, |seen| seen.runners_failures),
                runners_last_error: seen
                    .and_then(|seen| seen.runners_last_failure.as_ref())
                    .map(|failure| failure.message.clone()),
            }
        })
        .collect();
    plan.report.backends = context.policy.backends.keys().map(|backend| self::backend(context, backend)).collect();
    plan.report.alerts = alerts(context);
    if sabotage::is(Sabotage::TellAgain) {
        let jobs = &plan.report.jobs;
        // So many that it shows, and not so many that a big world takes hours.
        plan.report.jobs = jobs.iter().take(32).flat_map(|_| jobs.clone()).collect();
    }
}

fn backend(context: &Context<'_>, backend: &BackendId) -> BackendReport {
    let seen = context.state.seen.backends.get(backend);
    let last_failure = seen.and_then(|seen| seen.last_failure.as_ref());
    BackendReport {
        backend: backend.clone(),
        listed_at: seen.and_then(|seen| seen.begun_at),
        failures: seen.map_or(0, |seen| seen.failures),
        last_error: last_failure.map(|failure| failure.message.clone()),
        away_since: seen.and_then(BackendSeen::away).map(|away| away.since),
    }
}

fn alerts(context: &Context<'_>) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let journal = &context.state.journal;
    for (job, memory) in &journal.handles {
        if memory.rest == Rested::Parked && memory.rest_until > context.now {
            alerts.push(Alert::JobParked {
                forge: job.forge.clone(),
                handle: job.handle.clone(),
                failures: memory.failures,
                last_error: memory.last_error.clone(),
            });
        }
    }
    let count = journal.kills_held();
    if count > 0 {
        alerts.push(Alert::KillsHeld { count });
    }
    for (scope, seen) in &context.state.seen.scopes {
        if seen.listed_at.is_some() && !seen.complete {
            alerts.push(Alert::IncompleteListing { of: format!("the jobs of {scope}") });
        }
        if seen.runners_incomplete {
            alerts.push(Alert::IncompleteListing { of: format!("the runners of {scope}") });
        }
    }
    alerts.extend(context.changed.iter().map(|scope| Alert::ScopeChanged { scope: scope.clone() }));
    alerts.extend(overlaps(context));
    for (backend, seen) in &context.state.seen.backends {
        if seen.incomplete {
            alerts.push(Alert::IncompleteListing { of: format!("the machines of {backend}") });
        }
        if let Some(away) = seen.away() {
            let last_error = away.last_failure.message.clone();
            alerts.push(Alert::BackendAway { backend: backend.clone(), last_error });
        }
    }
    alerts.extend(lacking_rights(context));
    for (pool, breaker) in journal.breakers.iter().filter(|(_, breaker)| breaker.is_broken()) {
        alerts.push(Alert::PoolFails {
            pool: pool.clone(),
            failures: breaker.failures,
            last_error: breaker.last_error.clone(),
        });
    }
    for ((pool, label), rest) in &journal.environment_rests {
        // One that is still on its way is nothing to mend.
        if rest.last.class != ErrorClass::Capacity {
            alerts.push(Alert::EnvironmentFails {
                pool: pool.clone(),
                label: label.clone(),
                failures: rest.failures,
                last_error: rest.last.message.clone(),
            });
        }
    }
    for ((_, id), stray) in journal.strays.iter().filter(|(_, stray)| stray.is_set_aside()) {
        alerts.push(Alert::RunnerNotRemoved {
            scope: stray.scope.clone(),
            id: *id,
            tries: stray.failures,
            last_error: stray.last_failure.as_ref().map_or_else(String::new, |failure| failure.message.clone()),
        });
    }
    for assignment in journal.assignments.values().filter(|assignment| assignment.destroys > DESTROYS_BEFORE_ALERT) {
        alerts.push(Alert::MachineNotRemoved {
            machine: assignment.machine_name.clone(),
            tries: assignment.destroys,
            last_error: assignment.last_failure.as_ref().map_or_else(String::new, |failure| failure.message.clone()),
        });
    }
    let warm = journal.warm.iter().filter(|(_, of)| of.destroys > DESTROYS_BEFORE_ALERT);
    alerts.extend(warm.map(|((_, machine), of)| Alert::MachineNotRemoved {
        machine: machine.clone(),
        tries: of.destroys,
        last_error: of.last_failure.as_ref().map_or_else(String::new, |failure| failure.message.clone()),
    }));
    for ((pool, image), rest) in journal.warm_rests.iter().filter(|(_, rest)| rest.failures >= WARM_FAILURES) {
        alerts.push(Alert::WarmFails {
            pool: pool.clone(),
            image: image.clone(),
            failures: rest.failures,
            last_error: rest.last.message.clone(),
        });
    }
    alerts
}
