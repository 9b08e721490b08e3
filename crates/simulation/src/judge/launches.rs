//! The first launch of a job: begun as soon as the next poll shows it and there is room, or a machine without a job has
//! made way (invariant 14), whatever is broken elsewhere.

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

/// A job that could run, and has no machine yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanting {
    since: u64,
    /// Whether a machine without a job ever had its room: that has to go first.
    lacked_room: bool,
}

/// Where a job should be launched by now.
struct Place<'a> {
    pool: &'a PoolPolicy,
    /// Since when nothing disturbs that.
    peace: u64,
    /// Whether a machine without a job has its room.
    lacks_room: bool,
}

impl World {
    pub(super) fn launches(&mut self, standing: &mut Vec<Standing>) {
        let mut wanted = BTreeMap::new();
        let has_any = |pool: &PoolPolicy| self.spares().any(|(_, _, machine)| *machine.tags.pool() == pool.id);
        let pools = self.policy.pools.iter().filter(|pool| !self.rests(pool));
        let pools = pools.filter(|pool| self.has_room(pool) || has_any(pool) || self.can_be_made_room_in(pool));
        // Where not all can be launched there is always somebody whose turn it is not.
        let pools = pools.filter(|pool| self.waiting_for(pool) <= self.places_but_for_spares(pool));
        let open: Vec<&PoolPolicy> = pools.collect();
        if !open.is_empty() && !self.has_ghosts() {
            for (id, side) in &self.forges {
                let attempts = side.model.books().attempts().iter();
                for attempt in attempts.filter(|attempt| attempt.status == Status::Waiting) {
                    let Some(place) = self.may_be_launched(id, side, attempt, &open) else { continue };
                    let handle = attempt.handle.as_str().to_owned();
                    let known = self.judge.wanted.get(&handle).copied();
                    let mut wanting = known.unwrap_or(Wanting { since: self.now, lacked_room: false });
                    wanting.lacked_room |= place.lacks_room;
                    wanted.insert(handle.clone(), wanting);
                    // One that waits may be in doubt: found, or taken back just now.
                    let doubt = if self.has_room(place.pool) { 0 } else { self.settle_ms() };
                    let machines = self.machines_ms(&place.pool.backend);
                    let launch = self.longest_poll(id) + 2 * machines + self.line_ms() + doubt;
                    let (bound, limit) = if wanting.lacked_room {
                        (Bound::Yield, launch + self.slowest_boot_ms() + machines + self.calls_ms())
                    } else {
                        (Bound::Launch, launch)
                    };
                    let since = wanting.since.max(rested(place.peace));
                    standing.push(Standing { bound, subject: handle, since, limit });
                }
            }
        }
        self.judge.wanted = wanted;
    }

    /// How many jobs without a machine a pool could serve. Those of kinds that are held back yield to all others.
    fn waiting_for(&self, pool: &PoolPolicy) -> usize {
        let wanting = self.without_machine().filter(|(_, _, labels)| fits(labels, &pool.labels));
        wanting.filter(|(id, of, on)| !self.is_of_a_kind_that_is_held_back(id, of.repo.0, &of.name, on)).count()
    }

    /// Jobs that wait and have no machine, with the labels that they ask for.
    pub(super) fn without_machine(&self) -> impl Iterator<Item = (&ForgeId, &AttemptRecord, Vec<String>)> {
        let attempts = self.forges.iter().flat_map(|(id, side)| {
            let waiting = side.model.books().attempts().iter().filter(|attempt| attempt.status == Status::Waiting);
            waiting.map(move |attempt| (id, &side.model, attempt))
        });
        let idle = attempts.filter(|(_, _, attempt)| self.machines_for(attempt.handle.as_str()) == 0);
        idle.map(|(id, model, attempt)| (id, attempt, model.labels_of(attempt.job)))
    }

    /// Where a job should be launched by now; `None` for a job that was tried before, or that nobody may run.
    fn may_be_launched<'a>(
        &self,
        id: &ForgeId,
        side: &ForgeSide,
        attempt: &AttemptRecord,
        open: &[&'a PoolPolicy],
    ) -> Option<Place<'a>> {
        let handle = attempt.handle.as_str();
        if self.judge.launched.contains(handle) || !side.model.is_offered(attempt.job) || self.has_failed(handle) {
            return None;
        }
        let labels = side.model.labels_of(attempt.job);
        if labels.is_empty() || self.is_of_a_kind_that_is_held_back(id, attempt.repo.0, &attempt.name, &labels) {
            return None;
        }
        let scopes = shown_in(&side.areas, attempt.repo);
        let pools = open.iter().filter(|pool| fits(&labels, &pool.labels));
        let places = pools.filter_map(|pool| {
            let lacks_room = !self.has_room(pool) && !self.has_spare(pool, &labels);
            let may_be = !lacks_room || self.can_be_made_room_in(pool);
            may_be.then(|| Place { pool, peace: self.in_peace(id, &scopes, pool), lacks_room })
        });
        places.min_by_key(|place| (place.lacks_room, place.peace))
    }

    /// Whether a pool would have room if no machine waited for a job, or made way for one.
    fn can_be_made_room_in(&self, pool: &PoolPolicy) -> bool {
        pool.max_per_repository.is_none() && !self.is_busy(&pool.backend) && self.places_but_for_spares(pool) > 0
    }

    /// How many machines more a pool could have if none waited for a job, or made way for one.
    fn places_but_for_spares(&self, pool: &PoolPolicy) -> usize {
        self.places_left(pool, |name, machine| {
            let is_warm = machine.tags.warm().is_some() && machine.serves().is_none();
            !(is_warm && self.is_plain(name, machine))
        })
    }

    fn slowest_boot_ms(&self) -> u64 {
        self.backends.values().map(|model| model.boot.1).max().unwrap_or(0)
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
