//! Placing jobs: each whose turn it is gets a machine that waits, or room for one of its own, or a reason.

use std::collections::BTreeMap;

use super::breakers::Breakers;
use super::budget::Budget;
use super::context::Context;
use super::environments::Environments;
use super::launch::Wanted;
use super::reach;
use super::room::{self, Room};
use super::warm::{self, Spares};
use crate::action::{Action, Lane};
use crate::error_class::ErrorClass;
use crate::event::Decision;
use crate::identity::machine_name;
use crate::ids::{AssignmentKey, BackendId, MachineName, PoolId, RepositoryKey, Try};
use crate::policy::PoolPolicy;
use crate::report::{LaunchStep, Reason};
use crate::sabotage::{self, Sabotage};
use crate::seen::JobTags;
use crate::state::Rest;

/// What came of one job's turn.
pub(super) struct Placed {
    pub(super) reason: Reason,
    pub(super) got: Option<Got>,
}

/// What a job got.
pub(super) enum Got {
    /// A machine that waited for one.
    Machine(Decision),
    /// Room for a machine of its own.
    Room(Action),
}

/// All that is given to jobs in their turns.
pub(super) struct Placing<'p, 'b, 'a> {
    context: &'p Context<'a>,
    pools: Pools<'a>,
    breakers: Breakers,
    environments: Environments<'a>,
    room: Room,
    /// Pools and backends in which a job comes first as soon as a call can be made.
    next_in_line: Vec<(&'a PoolId, &'a BackendId)>,
    spares: &'p mut Spares<'a>,
    budget: &'p mut Budget<'b>,
}

impl<'p, 'b, 'a> Placing<'p, 'b, 'a> {
    pub(super) fn new(context: &'p Context<'a>, spares: &'p mut Spares<'a>, budget: &'p mut Budget<'b>) -> Self {
        Self {
            context,
            pools: Pools::new(context),
            breakers: Breakers::new(context),
            environments: Environments::new(context),
            room: Room::counted(context.state),
            next_in_line: Vec::new(),
            spares,
            budget,
        }
    }

    /// A machine for a job, if there is one, or room. Of pools that are equally preferred those with a machine that waits come
    /// first. The first fitting pool's reason is told when there is neither.
    pub(super) fn place(&mut self, job: &Wanted<'a>) -> Placed {
        let mut first = None;
        let (all, fitting) = self.pools.fitting(&job.row.runs_on);
        for alike in fitting.chunk_by(|left, right| all[*left].pool.priority == all[*right].pool.priority) {
            for offer in alike.iter().map(|&at| &all[at]) {
                let image = offer.pool.image(first_label(job));
                if !self.spares.has(offer.pool, image) {
                    continue;
                }
                let (forge, repository) = job.repository();
                let lacks = offer
                    .not_bound
                    .clone()
                    .or_else(|| self.room.lacks_for_binding(self.context.policy, offer.pool, forge, repository))
                    .or_else(|| self.breakers.lacks(offer.pool));
                if lacks.is_none()
                    && let Some((backend, machine)) = self.spares.take(offer.pool, image)
                {
                    self.breakers.launched(&offer.pool.id);
                    self.room.bind(&offer.pool.id, backend, (forge.clone(), repository));
                    return bind(self.context, offer.pool, backend, machine, job);
                }
            }
            for offer in alike.iter().map(|&at| &all[at]) {
                let label = first_label(job);
                let (forge, repository) = job.repository();
                let pool = offer.pool;
                let mut lacks = offer
                    .not_made
                    .clone()
                    .or_else(|| self.room.lacks(self.context.policy, pool, forge, repository))
                    .or_else(|| self.breakers.lacks(pool))
                    .or_else(|| self.environments.lacks(&pool.id, label));
                if lacks.is_none() && !self.budget.take(&Lane::BackendLaunch(pool.backend.clone())) {
                    self.next_in_line.push((&pool.id, &pool.backend));
                    lacks = Some(Reason::NextInLine);
                }
                if let Some(reason) = lacks {
                    first.get_or_insert(reason);
                    continue;
                }
                self.breakers.launched(&pool.id);
                self.environments.launched(&pool.id, label);
                self.room.charge(&pool.id, &pool.backend, Some((forge.clone(), repository)));
                return create(self.context, pool, self.spares, job);
            }
        }
        let reason = first.unwrap_or_else(|| room::no_pool(self.context, &job.row.runs_on));
        Placed { reason, got: None }
    }

    /// Lets a machine that waits go for a job that lacks its room (invariant 14), in the first pool where that helps: nothing
    /// else keeps the job from being launched there. Each goes for one job.
    pub(super) fn make_room(&mut self, job: &Wanted<'a>) -> Option<Reason> {
        let label = first_label(job);
        let (forge, repository) = job.repository();
        let (all, fitting) = self.pools.fitting(&job.row.runs_on);
        for offer in fitting.iter().map(|&at| &all[at]) {
            let pool = offer.pool;
            let Some(full) = self.room.full(self.context.policy, pool) else { continue };
            let is_held = offer.not_made.is_some()
                || self.room.share(pool, forge, repository).is_some()
                || self.breakers.lacks(pool).is_some()
                || self.environments.lacks(&pool.id, label).is_some();
            if is_held || !self.room.can_be_made(self.context.policy, pool) {
                continue;
            }
            if let Some((_, machine)) = self.spares.give_way(full.limit, pool, pool.image(label)) {
                self.room.promise(&pool.id, &pool.backend);
                return Some(Reason::MakingRoom { pool: pool.id.clone(), machine: machine.clone() });
            }
        }
        None
    }

    /// What is left for machines without a job. What a job gets next counts as taken.
    pub(super) fn room_for_spares(mut self) -> Room {
        for (pool, backend) in self.next_in_line {
            self.room.charge(pool, backend, None);
        }
        self.room
    }
}

/// The label that picks a job's environment (protocol 4).
fn first_label<'a>(job: &Wanted<'a>) -> &'a str {
    job.row.runs_on.first().map_or("", String::as_str)
}

/// A pool, and what keeps all jobs from it.
struct Offer<'a> {
    pool: &'a PoolPolicy,
    /// Why no machine is made in it.
    not_made: Option<Reason>,
    /// Why no job is bound to one that waits there.
    not_bound: Option<Reason>,
}

/// The pools, the preferred first; found once for all jobs that ask for the same labels.
struct Pools<'a> {
    all: Vec<Offer<'a>>,
    fitting: BTreeMap<&'a [String], Vec<usize>>,
}

impl<'a> Pools<'a> {
    fn new(context: &Context<'a>) -> Self {
        let offer = |pool: &&'a PoolPolicy| {
            let not_made = resting(context, pool);
            // One that waits needs no room that there is none of.
            let lacks_room = |rest: &Rest| matches!(rest.last.class, ErrorClass::Capacity | ErrorClass::Quota);
            let rests_for_room = context.state.journal.pool_rests.get(&pool.id).is_some_and(lacks_room);
            let not_bound = if rests_for_room { unknown_or_broken(context, pool) } else { not_made.clone() };
            Offer { pool, not_made, not_bound }
        };
        Self { all: context.pools.iter().map(offer).collect(), fitting: BTreeMap::new() }
    }

    /// All, and the places of those whose labels fit.
    fn fitting(&mut self, runs_on: &'a [String]) -> (&[Offer<'a>], &[usize]) {
        let all = &self.all;
        let fitting = self.fitting.entry(runs_on).or_insert_with(|| {
            (0..all.len()).filter(|&pool| crate::label::fits(runs_on, &all[pool].pool.labels)).collect()
        });
        (all, fitting)
    }
}

/// Why nothing is made in a pool for now, whatever room there is.
pub(super) fn resting(context: &Context<'_>, pool: &PoolPolicy) -> Option<Reason> {
    if let Some(reason) = unknown_or_broken(context, pool) {
        return Some(reason);
    }
    let rest = context.state.journal.pool_rests.get(&pool.id).filter(|rest| rest.until > context.now)?;
    let remaining = rest.until.since(context.now);
    Some(Reason::PoolBackingOff { pool: pool.id.clone(), remaining, last_error: rest.last.message.clone() })
}

/// Why nothing is launched in a pool: its backend is away, what there is is not known, or all its launches fail.
fn unknown_or_broken(context: &Context<'_>, pool: &PoolPolicy) -> Option<Reason> {
    if let Some(reason) = reach::lacks(context, &pool.backend).or_else(|| unlisted(context, &pool.backend)) {
        return Some(reason);
    }
    // What counts together must be known together.
    if context.policy.max.is_some()
        && let Some(reason) = context.policy.backends.keys().find_map(|backend| unlisted(context, backend))
    {
        return Some(reason);
    }
    Breakers::rests(context, pool)
}

fn unlisted(context: &Context<'_>, backend: &BackendId) -> Option<Reason> {
    if context.state.seen.machines_listed(backend) || sabotage::is(Sabotage::LaunchBlindly) {
        return None;
    }
    let seen = context.state.seen.backends.get(backend);
    let why = seen.and_then(|seen| seen.last_failure.as_ref()).map(|failure| format!(" ({})", failure.message));
    Some(Reason::NotListedYet { of: format!("backend {backend}{}", why.unwrap_or_default()) })
}

/// The next try for a job, and what a machine for it carries.
fn next_try(context: &Context<'_>, pool: &PoolPolicy, job: &Wanted<'_>) -> (AssignmentKey, JobTags) {
    let memory = context.state.journal.handles.get(&job.key);
    let attempt = memory.map_or(Try(1), crate::state::HandleMemory::next_try);
    let tags = JobTags {
        pool: pool.id.clone(),
        scope: context.policy.place(job.scope, job.row.repository),
        handle: job.key.handle.clone(),
        attempt,
        scope_id: context.state.seen.whose_now(context.policy, job.scope).id(),
    };
    (AssignmentKey { job: job.key.clone(), attempt }, tags)
}

fn launching(pool: &PoolPolicy, machine: MachineName, attempt: Try, step: LaunchStep) -> Reason {
    Reason::Launching { pool: pool.id.clone(), machine, attempt, step }
}

/// Where a pool keeps machines without a job, the machine is made as one of them.
fn create(context: &Context<'_>, pool: &PoolPolicy, spares: &mut Spares<'_>, job: &Wanted<'_>) -> Placed {
    let (key, tags) = next_try(context, pool, job);
    let warm = warm::tags(context, pool, pool.image(first_label(job)));
    let machine = match &warm {
        Some(_) => spares.next_name(context, pool),
        None => machine_name(&context.policy.deployment, &key.job, key.attempt),
    };
    let reason = launching(pool, machine.clone(), key.attempt, LaunchStep::Creating);
    let label = first_label(job).to_owned();
    let (forge, id) = job.repository();
    // Taken back, a machine of the other kind serves whichever job comes next.
    let repository = warm.is_none().then(|| RepositoryKey { forge: forge.clone(), id });
    let (backend, stop_grace) = (pool.backend.clone(), pool.clocks.stop);
    let create = Action::Create { key, backend, machine, tags, label, warm, repository, stop_grace };
    Placed { reason, got: Some(Got::Room(create)) }
}

fn bind(
    context: &Context<'_>,
    pool: &PoolPolicy,
    backend: &BackendId,
    machine: &MachineName,
    job: &Wanted<'_>,
) -> Placed {
    let (key, tags) = next_try(context, pool, job);
    let (backend, machine) = (backend.clone(), machine.clone());
    let reason = launching(pool, machine.clone(), key.attempt, LaunchStep::Registering);
    Placed { reason, got: Some(Got::Machine(Decision::Bind { key, backend, machine, tags })) }
}
