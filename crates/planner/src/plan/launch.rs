//! Launches: which waiting jobs get a machine now, and why the others do not.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use super::budget::Budget;
use super::context::Context;
use super::placing::{Got, Placing};
use super::queue::{Queue, Ready};
use super::room::{self, Room};
use super::suspects::Suspects;
use super::warm::Spares;
use super::{reasons, report, scopes};
use crate::error_class::ErrorClass;
use crate::ids::{AssignmentKey, ForgeId, Handle, JobKey, ScopeKey, Try};
use crate::report::Reason;
use crate::sabotage::{self, Sabotage};
use crate::seen::{JobSeen, JobState};
use crate::state::{Assignment, Rested, ScopeSeen};

/// A listed job.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) key: JobKey,
    pub(super) scope: &'a ScopeKey,
    pub(super) row: &'a JobSeen,
    pub(super) seen: &'a ScopeSeen,
    /// What serves it already.
    served_by: Option<(&'a AssignmentKey, &'a Assignment)>,
}

impl Wanted<'_> {
    pub(super) fn repository(&self) -> (&ForgeId, i64) {
        (&self.key.forge, self.row.repository)
    }
}

/// Every listed job gets its reason in its place of the report's order, so that neither queue nor report sort them again.
/// Returns what is left of the room for machines without a job.
pub(super) fn launch<'a>(
    context: &Context<'a>,
    spares: &mut Spares<'a>,
    budget: &mut Budget<'_>,
    plan: &mut Plan,
) -> Room {
    let jobs = jobs_in_order(context);
    let mut reasons: Vec<Option<Reason>> = jobs.iter().map(|job| settled(context, job)).collect();
    let wanted = jobs.iter().zip(&reasons).filter(|(_, reason)| reason.is_none()).map(|(job, _)| job);
    let suspects = Suspects::new(context, wanted.filter(|job| !rests_for_itself(context, job)));
    let strays = strays(context);
    let mut ready = Vec::new();
    for (place, (job, reason)) in jobs.iter().zip(&mut reasons).enumerate().filter(|(_, (_, reason))| reason.is_none())
    {
        *reason = earlier_stray(&strays, job).or_else(|| held(context, &suspects, job));
        if reason.is_none() {
            ready.push(Ready { job, place, yields: suspects.yields(context, job) });
        }
    }
    let mut placing = Placing::new(context, spares, budget);
    let mut queue = Queue::new(ready, &machines(context));
    let mut left = Vec::new();
    while let Some((ready, turn)) = queue.next() {
        let placed = placing.place(ready.job);
        queue.done(turn, placed.got.is_some());
        match placed.got {
            Some(Got::Machine(decision)) => plan.decisions.push(decision),
            Some(Got::Room(action)) => plan.actions.push(action),
            None => left.push(ready),
        }
        reasons[ready.place] = Some(placed.reason);
    }
    // Not before all others had their turn: one that waits may serve a job instead of making room for another.
    for ready in left {
        if let Some(reason) = placing.make_room(ready.job) {
            reasons[ready.place] = Some(reason);
        }
    }
    let room = placing.room_for_spares();
    let told = jobs.iter().zip(reasons).filter_map(|(job, reason)| Some(report::job(job, reason?)));
    plan.report.jobs.extend(told);
    room
}

/// Registrations that belong to no assignment, by their jobs; without those that cannot be deleted.
fn strays<'a>(context: &Context<'a>) -> BTreeSet<(&'a ForgeId, &'a Handle, Try)> {
    let strays = context.state.journal.strays.iter().filter(|(_, stray)| !stray.is_set_aside());
    strays.map(|((forge, _), stray)| (forge, &stray.identity.handle, stray.identity.attempt)).collect()
}

/// A registration of an earlier try that stands in a job's way.
fn earlier_stray(strays: &BTreeSet<(&ForgeId, &Handle, Try)>, job: &Wanted<'_>) -> Option<Reason> {
    let (forge, handle, attempt) = strays.range((&job.key.forge, &job.key.handle, Try(0))..).next()?;
    (**forge == job.key.forge && **handle == job.key.handle).then_some(Reason::EarlierTry { attempt: *attempt })
}

/// How many machines each repository has.
fn machines<'a>(context: &Context<'a>) -> BTreeMap<(&'a ForgeId, i64), u32> {
    let mut machines = BTreeMap::new();
    for (key, assignment) in &context.state.journal.assignments {
        if let Some(job) = assignment.job.as_ref().filter(|_| assignment.occupies()) {
            *machines.entry((&key.job.forge, job.repository)).or_insert(0) += 1;
        }
    }
    machines
}

/// Every listed job once, with what serves it, oldest first within its forge: the order of the report.
fn jobs_in_order<'a>(context: &Context<'a>) -> Vec<Wanted<'a>> {
    let mut jobs = listed_jobs(context);
    // Jobs and assignments are in the same order here: both are walked once.
    let mut assignments = context.state.journal.assignments.iter().peekable();
    for job in &mut jobs {
        while let Some((key, assignment)) = assignments.next_if(|(key, _)| key.job <= job.key) {
            if key.job == job.key && assignment.keeps_its_job() {
                job.served_by = Some((key, assignment));
            }
        }
    }
    jobs.sort_unstable_by(|a, b| (&a.key.forge, a.row.id, &a.key.handle).cmp(&(&b.key.forge, b.row.id, &b.key.handle)));
    jobs
}

/// Every listed job once, by its key, in the scope that serves it: one that is listed freshly, then the narrowest (design
/// section 8).
fn listed_jobs<'a>(context: &Context<'a>) -> Vec<Wanted<'a>> {
    let mut jobs: Vec<((bool, u8), Wanted<'a>)> = Vec::new();
    let mut lists = 0;
    for (scope, seen) in &context.state.seen.scopes {
        let Some(scope_policy) = context.policy.scopes.get(scope) else { continue };
        let rank = (!seen.is_fresh(), scope_policy.width);
        lists += usize::from(!seen.jobs.is_empty());
        jobs.extend(seen.jobs.values().map(|row| {
            let key = JobKey { forge: scope.forge.clone(), handle: row.handle.clone() };
            (rank, Wanted { key, scope, row, seen, served_by: None })
        }));
    }
    // Each list is in this order already, so that sorting is merging. It is stable: of equals the first scope wins.
    if lists > 1 {
        jobs.sort_by(|(left_rank, left), (right_rank, right)| (&left.key, left_rank).cmp(&(&right.key, right_rank)));
        jobs.dedup_by(|(_, later), (_, first)| later.key == first.key);
    }
    jobs.into_iter().map(|(_, job)| job).collect()
}

/// Why a job needs no launch: it runs, is being served, or can never be. `None`: it wants one.
fn settled(context: &Context<'_>, job: &Wanted<'_>) -> Option<Reason> {
    if job.key.handle.as_str().is_empty() {
        return Some(Reason::NoHandle);
    }
    if let Some((key, assignment)) = job.served_by {
        return Some(reasons::job(context, key, assignment, job.row));
    }
    if sabotage::is(Sabotage::FailedAsSupply)
        && context.state.journal.handles.get(&job.key).is_some_and(|memory| memory.rest == Rested::LaunchFailed)
    {
        return Some(Reason::RunsElsewhere);
    }
    match job.row.state {
        JobState::Running { .. } => Some(Reason::RunsElsewhere),
        JobState::Unknown => Some(Reason::Unreadable),
        JobState::Waiting if job.row.runs_on.is_empty() => Some(Reason::NoLabels),
        JobState::Waiting => None,
    }
}

/// Why a job is not launched whatever room there is.
fn held(context: &Context<'_>, suspects: &Suspects<'_>, job: &Wanted<'_>) -> Option<Reason> {
    context
        .policy
        .draining
        .then_some(Reason::Draining)
        .or_else(|| unreachable_forge(context, job))
        // A job that nobody here serves would wait on after the scope's rest: that is told first.
        .or_else(|| resting_scope(context, job).map(|rest| room::unserved(context, &job.row.runs_on).unwrap_or(rest)))
        .or_else(|| resting_handle(context, suspects, job))
        .or_else(|| suspects.holds(context, job))
}

fn unreachable_forge(context: &Context<'_>, job: &Wanted<'_>) -> Option<Reason> {
    let seen = job.seen;
    if !seen.is_fresh() {
        let last_error = seen.last_failure.as_ref().map_or_else(String::new, |failure| failure.message.clone());
        return Some(Reason::ForgeUnreachable { scope: job.scope.clone(), failures: seen.failures, last_error });
    }
    if let Some(reason) = scopes::why_held(context, job.scope) {
        return Some(reason);
    }
    // No launch before it is known what an earlier life has left behind.
    let known = context.machines_listed
        || sabotage::is(Sabotage::LaunchBlindly)
        || context.state.seen.runners_listed(context.policy, &job.key.forge)
            && context.state.seen.runners_of_place_listed(&context.policy.place(job.scope, job.row.repository));
    (!known).then(|| Reason::NotListedYet { of: format!("the runners of {}", job.key.forge) })
}

fn resting_scope(context: &Context<'_>, job: &Wanted<'_>) -> Option<Reason> {
    if context.state.journal.scope_rests.is_empty() {
        return None;
    }
    let place = context.policy.place(job.scope, job.row.repository);
    let rest = context.state.journal.scope_rests.get(&place).filter(|rest| rest.until > context.now)?;
    let remaining = rest.until.since(context.now);
    let message = rest.last.message.clone();
    Some(match rest.last.class {
        ErrorClass::RateLimited { .. } | ErrorClass::Transient | ErrorClass::Capacity | ErrorClass::Quota => {
            Reason::ForgeUnreachable { scope: job.scope.clone(), failures: rest.failures, last_error: message }
        }
        ErrorClass::Auth => Reason::TokenUnknown { scope: job.scope.clone(), message, remaining },
        ErrorClass::Forbidden => Reason::TokenLacksScope { scope: job.scope.clone(), message, remaining },
        ErrorClass::Permanent | ErrorClass::NotFound => {
            Reason::ScopeRefused { scope: job.scope.clone(), message, remaining }
        }
    })
}

/// Whether a job is not to be tried for a reason of its own, so that it does not keep those alike from being tried.
fn rests_for_itself(context: &Context<'_>, job: &Wanted<'_>) -> bool {
    context.state.journal.handles.get(&job.key).is_some_and(|memory| match memory.rest {
        Rested::LaunchFailed | Rested::Parked => memory.rest_until > context.now,
        Rested::No | Rested::HeldBack => false,
    })
}

fn resting_handle(context: &Context<'_>, suspects: &Suspects<'_>, job: &Wanted<'_>) -> Option<Reason> {
    let memory = context.state.journal.handles.get(&job.key)?;
    if job.seen.listed_at.is_none_or(|listed_at| listed_at <= memory.not_before) && memory.tries > 0 {
        return Some(Reason::EarlierTry { attempt: Try(memory.tries) });
    }
    if memory.rest_until <= context.now {
        return None;
    }
    let remaining = memory.rest_until.since(context.now);
    let last_error = memory.last_error.clone();
    match memory.rest {
        Rested::No => None,
        Rested::LaunchFailed => Some(Reason::BackingOff { remaining, tries: memory.tries, last_error }),
        Rested::Parked => Some(Reason::Parked { remaining, failures: memory.failures, last_error }),
        // While its key is suspected, the key's rules say when it is tried.
        Rested::HeldBack if suspects.has(job) => None,
        Rested::HeldBack => Some(Reason::HeldBack { releases: memory.releases, remaining }),
    }
}
