//! Room: how many machines exist or were asked for, and how many may (invariant 4). In one place, for all pools.

use std::collections::BTreeMap;

use super::context::Context;
use crate::ids::{BackendId, ForgeId, PoolId};
use crate::policy::PoolPolicy;
use crate::report::Reason;
use crate::sabotage::{self, Sabotage};

/// What counts towards one limit.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// Machines that exist or were asked for.
    used: u32,
    /// Those of them that wait for a job.
    spare: u32,
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
    pub(crate) fn charge_spare(&mut self, pool: &PoolId, backend: &BackendId) {
        self.counts(pool, backend, |count| {
            count.used += 1;
            count.spare += 1;
        });
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
    pub(crate) fn lacks(
        &self,
        policy: &crate::policy::Policy,
        pool: &PoolPolicy,
        forge: &ForgeId,
        repository: i64,
    ) -> Option<Reason> {
        let used = self.of_pool(&pool.id);
        if used >= pool.max {
            return Some(Reason::PoolFull { pool: pool.id.clone(), used, max: pool.max });
        }
        if sabotage::is(Sabotage::ForgetLimits) {
            return None;
        }
        let used = self.backends.get(&pool.backend).map_or(0, |count| count.used);
        if let Some(max) = policy.backends.get(&pool.backend).and_then(|backend| backend.max)
            && used >= max
        {
            return Some(Reason::BackendFull { backend: pool.backend.clone(), used, max });
        }
        if let Some(max) = policy.max
            && self.all.used >= max
        {
            return Some(Reason::DeploymentFull { used: self.all.used, max });
        }
        let max = pool.max_per_repository?;
        let used = self.repositories.get(&(pool.id.clone(), forge.clone(), repository)).copied().unwrap_or(0);
        (used >= max).then(|| Reason::RepositoryFull { pool: pool.id.clone(), used, max })
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
