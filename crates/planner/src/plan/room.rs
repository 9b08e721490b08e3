//! Room: how many machines exist or were asked for, and how many may (invariant 4). In one place, for all pools.

use std::collections::BTreeMap;

use super::context::Context;
use crate::ids::{BackendId, ForgeId, PoolId};
use crate::policy::{Policy, PoolPolicy};
use crate::report::Reason;
use crate::sabotage::{self, Sabotage};

/// What counts towards one limit.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// Machines that exist or were asked for.
    used: u32,
    /// Those of them that wait for a job.
    spare: u32,
    /// Those of these whose room is promised to a job.
    promised: u32,
}

impl Count {
    /// Machines that have a job, or will.
    fn with_job(self) -> u32 {
        self.used.saturating_sub(self.spare).saturating_add(self.promised)
    }
}

/// Counts of machines. Derived anew for each plan: there is no counter that could leak.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    all: Count,
    pools: BTreeMap<PoolId, Count>,
    backends: BTreeMap<BackendId, Count>,
    repositories: BTreeMap<(PoolId, ForgeId, i64), u32>,
}

impl Room {
    /// What exists or was asked for. A machine counts until nothing of it is left, and one that was refused until it has
    /// shown that it was.
    pub(crate) fn counted(state: &crate::state::State) -> Self {
        let mut room = Self::default();
        for (key, assignment) in &state.journal.assignments {
            let late = sabotage::is(Sabotage::ChargeLate) && assignment.busy.is_some();
            if assignment.occupies() && !late {
                let repository = assignment.job.as_ref().map(|job| (key.job.forge.clone(), job.repository));
                room.charge(&assignment.pool, &assignment.backend, repository);
            }
        }
        for ((backend, _), refused) in &state.journal.refused {
            room.charge(&refused.pool, backend, refused.repository.clone());
        }
        for ((backend, _), warm) in &state.journal.warm {
            let late = sabotage::is(Sabotage::ChargeLate) && warm.busy.is_some();
            if !late && !sabotage::is(Sabotage::IgnoreWarm) {
                room.charge_spare(&warm.tags.pool, backend);
            }
        }
        room
    }

    fn counts(&mut self, pool: &PoolId, backend: &BackendId, change: impl Fn(&mut Count)) {
        change(&mut self.all);
        change(self.pools.entry(pool.clone()).or_default());
        change(self.backends.entry(backend.clone()).or_default());
    }

    /// Counts one more that waits for a job.
    pub(super) fn charge_spare(&mut self, pool: &PoolId, backend: &BackendId) {
        self.counts(pool, backend, |count| {
            count.used += 1;
            count.spare += 1;
        });
    }

    /// Counts one that waited for a job as one with a job.
    pub(super) fn bind(&mut self, pool: &PoolId, backend: &BackendId, repository: (ForgeId, i64)) {
        self.counts(pool, backend, |count| count.spare = count.spare.saturating_sub(1));
        *self.repositories.entry((pool.clone(), repository.0, repository.1)).or_insert(0) += 1;
    }

    /// A job of a pool gets the room of one that waits, and goes.
    pub(super) fn promise(&mut self, pool: &PoolId, backend: &BackendId) {
        self.counts(pool, backend, |count| count.promised += 1);
    }

    /// Counts one more.
    pub(crate) fn charge(&mut self, pool: &PoolId, backend: &BackendId, repository: Option<(ForgeId, i64)>) {
        self.counts(pool, backend, |count| count.used += 1);
        if let Some((forge, repository)) = repository {
            *self.repositories.entry((pool.clone(), forge, repository)).or_insert(0) += 1;
        }
    }

    /// Machines of a pool.
    pub(crate) fn of_pool(&self, pool: &PoolId) -> u32 {
        self.pools.get(pool).map_or(0, |count| count.used)
    }

    /// Why no machine may be added for a repository in a pool; `None` when one may.
    pub(crate) fn lacks(&self, policy: &Policy, pool: &PoolPolicy, forge: &ForgeId, repository: i64) -> Option<Reason> {
        self.full(policy, pool).map(Full::reason).or_else(|| self.share(pool, forge, repository))
    }

    /// Why no job of a repository may be bound to a machine of a pool that waits; `None` when one may. It takes no more room
    /// than before: only those with a job count.
    pub(super) fn lacks_for_binding(
        &self,
        policy: &Policy,
        pool: &PoolPolicy,
        forge: &ForgeId,
        repository: i64,
    ) -> Option<Reason> {
        let full = self.reached(policy, pool, Count::with_job);
        full.map(Full::reason).or_else(|| self.share(pool, forge, repository))
    }

    /// The limit that keeps a pool from having one machine more, if one does.
    pub(super) fn full<'p>(&self, policy: &Policy, pool: &'p PoolPolicy) -> Option<Full<'p>> {
        self.reached(policy, pool, |count| count.used)
    }

    /// Whether one that waits for a job could make room for a job in a pool: there are not too many with a job already.
    pub(super) fn can_be_made(&self, policy: &Policy, pool: &PoolPolicy) -> bool {
        self.reached(policy, pool, Count::with_job).is_none()
    }

    fn reached<'p>(&self, policy: &Policy, pool: &'p PoolPolicy, count: impl Fn(Count) -> u32) -> Option<Full<'p>> {
        let full = |limit, of: Option<&Count>, max: Option<u32>| {
            let (used, max) = (of.copied().map_or(0, &count), max?);
            (used >= max).then_some(Full { limit, used, max })
        };
        if let Some(full) = full(Limit::Pool(&pool.id), self.pools.get(&pool.id), Some(pool.max)) {
            return Some(full);
        }
        if sabotage::is(Sabotage::ForgetLimits) {
            return None;
        }
        let of_backend = policy.backends.get(&pool.backend).and_then(|backend| backend.max);
        full(Limit::Backend(&pool.backend), self.backends.get(&pool.backend), of_backend)
            .or_else(|| full(Limit::Deployment, Some(&self.all), policy.max))
    }

    /// Why a repository may have no more machines of a pool.
    pub(super) fn share(&self, pool: &PoolPolicy, forge: &ForgeId, repository: i64) -> Option<Reason> {
        let max = pool.max_per_repository?;
        let used = self.repositories.get(&(pool.id.clone(), forge.clone(), repository)).copied().unwrap_or(0);
        (used >= max).then(|| Reason::RepositoryFull { pool: pool.id.clone(), used, max })
    }
}

/// A limit on machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit<'a> {
    Pool(&'a PoolId),
    Backend(&'a BackendId),
    Deployment,
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Full<'a> {
    pub(super) limit: Limit<'a>,
    used: u32,
    max: u32,
}

impl Full<'_> {
    fn reason(self) -> Reason {
        let Self { limit, used, max } = self;
        match limit {
            Limit::Pool(pool) => Reason::PoolFull { pool: pool.clone(), used, max },
            Limit::Backend(backend) => Reason::BackendFull { backend: backend.clone(), used, max },
            Limit::Deployment => Reason::DeploymentFull { used, max },
        }
    }
}

/// Why no pool serves these labels, if none does.
pub(super) fn unserved(context: &Context<'_>, runs_on: &[String]) -> Option<Reason> {
    let fits = |pool: &PoolPolicy| crate::label::fits(runs_on, &pool.labels);
    (!context.policy.pools.iter().any(fits)).then(|| no_pool(context, runs_on))
}

/// No pool fits: what the closest one lacks. One that has nothing of what is wanted is not close.
pub(super) fn no_pool(context: &Context<'_>, runs_on: &[String]) -> Reason {
    let wanted = crate::label::missing_labels(runs_on, &[]);
    let closest = context
        .policy
        .pools
        .iter()
        .map(|pool| (crate::label::missing_labels(runs_on, &pool.labels), pool.id.clone()))
        .filter(|(missing, _)| missing.len() < wanted.len())
        .min_by_key(|(missing, _)| missing.len());
    match closest {
        Some((missing_labels, pool)) => Reason::NoPool { missing_labels, closest: Some(pool) },
        None => Reason::NoPool { missing_labels: wanted, closest: None },
    }
}
