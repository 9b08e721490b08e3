//! The first launch of a job: begun as soon as the next poll shows it and there is room, whatever is broken elsewhere.

use std::collections::BTreeMap;

use forge_model::{Area, AttemptRecord, Status};
use planner::ids::{ForgeId, ScopeKey};
use planner::label::fits;
use planner::policy::PoolPolicy;

use super::bounds::{Bound, CALL_MS, Standing};
use super::held_back::rested;
use crate::forge::ForgeSide;
use crate::world::World;

/// How long a lane is taken by a launch before: a machine is made, and a runner started.
const LANE_MS: u64 = 1_000 + 2 * CALL_MS;

impl World {
    pub(super) fn launches(&mut self, standing: &mut Vec<Standing>) {
        let mut wanted = BTreeMap::new();
        let has_any = |pool: &PoolPolicy| self.spares().any(|(_, _, machine)| *machine.tags.pool() == pool.id);
        let pools = self.policy.pools.iter();
        let pools = pools.filter(|pool| !self.rests(pool) && (self.has_room(pool) || has_any(pool)));
        let with_room: Vec<&PoolPolicy> = pools.collect();
        if !with_room.is_empty() && !self.has_ghosts() {
            for (id, side) in &self.forges {
                let attempts = side.model.books().attempts().iter();
                for attempt in attempts.filter(|attempt| attempt.status == Status::Waiting) {
                    let Some((pool, peace)) = self.may_be_launched(id, side, attempt, &with_room) else { continue };
                    let handle = attempt.handle.as_str().to_owned();
                    let since = self.judge.wanted.get(&handle).copied().unwrap_or(self.now);
                    wanted.insert(handle.clone(), since);
                    // One that waits may be in doubt: found, or taken back just now.
                    let doubt = if self.has_room(pool) { 0 } else { self.settle_ms() };
                    let limit = self.longest_poll(id) + 2 * self.machines_ms(&pool.backend) + self.line_ms() + doubt;
                    let since = since.max(rested(peace));
                    standing.push(Standing { bound: Bound::Launch, subject: handle, since, limit });
                }
            }
        }
        self.judge.wanted = wanted;
    }

    /// The pool in which a job should be launched by now, and since when nothing disturbs that; `None` for a job that was
    /// tried before, or that nobody may run.
    fn may_be_launched<'a>(
        &self,
        id: &ForgeId,
        side: &ForgeSide,
        attempt: &AttemptRecord,
        with_room: &[&'a PoolPolicy],
    ) -> Option<(&'a PoolPolicy, u64)> {
        let handle = attempt.handle.as_str();
        if self.judge.launched.contains(handle) || !side.model.is_offered(attempt.job) || self.has_failed(handle) {
            return None;
        }
        let labels = side.model.labels_of(attempt.job);
        if labels.is_empty() || self.is_of_a_kind_that_is_held_back(id, attempt.repo.0, &attempt.name, &labels) {
            return None;
        }
        let scopes = shown_in(&side.areas, attempt.repo);
        let pools = with_room.iter().filter(|pool| fits(&labels, &pool.labels));
        let pools = pools.filter(|pool| self.has_room(pool) || self.has_spare(pool, &labels));
        pools.map(|pool| (*pool, self.in_peace(id, &scopes, pool))).min_by_key(|(_, peace)| *peace)
    }

    fn is_of_a_kind_that_is_held_back(&self, forge: &ForgeId, repository: i64, name: &str, labels: &[String]) -> bool {
        let mut kinds = self.judge.held_back.keys();
        kinds.any(|(of, at, called, on)| of == forge && *at == repository && called == name && on == labels)
    }

    /// Since when all that a launch in a pool needs is left in peace: the scopes that show the job, the pool's backend, and
    /// for what an earlier life has left behind either all scopes of the forge or all backends; where all machines are
    /// counted together, all backends.
    fn in_peace(&self, forge: &ForgeId, scopes: &[&ScopeKey], pool: &PoolPolicy) -> u64 {
        let calm = &self.judge.calm;
        let own = scopes.iter().map(|scope| calm.of_scope(scope)).fold(calm.of_backend(&pool.backend), u64::max);
        let of_forge = self.policy.scopes.keys().filter(|scope| scope.forge == *forge);
        let scopes = of_forge.map(|scope| calm.of_scope(scope)).max().unwrap_or(0);
        let backends = self.policy.backends.keys().map(|backend| calm.of_backend(backend)).max().unwrap_or(0);
        let others = if self.policy.max.is_some() { backends } else { scopes.min(backends) };
        own.max(others)
    }

    /// How long a launch may wait for those before it, where a lane takes one at a time.
    fn line_ms(&self) -> u64 {
        let most: u64 = self.first_policy.pools.iter().map(|pool| u64::from(pool.max)).sum();
        self.calls_ms() + most * LANE_MS
    }
}

/// The scopes that show the jobs of a repository.
fn shown_in(areas: &BTreeMap<ScopeKey, Area>, repository: forge_model::RepoId) -> Vec<&ScopeKey> {
    let shows = |area: &Area| match area {
        Area::Repository(id) => *id == repository,
        Area::Owner(_) | Area::Instance => true,
    };
    areas.iter().filter(|(_, area)| shows(area)).map(|(scope, _)| scope).collect()
}
