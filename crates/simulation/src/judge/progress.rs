//! Invariants 6 and 8 while no faults come any more: a job that could run is launched, and what is over is removed, each
//! within a bound.

use forge_model::Status;
use planner::label::fits;
use planner::policy::PoolPolicy;

use crate::world::World;

/// How long a runnable job may have room and no machine: a parked handle's rest with its jitter (5 min), and polls.
pub const LAUNCH_BOUND_MS: u64 = 6 * 60_000;
/// How long a machine may outlive its job: a hold of mass kills, a lost stop or two, and what could not be removed at first.
pub const REMOVAL_BOUND_MS: u64 = 8 * 60_000;

impl World {
    /// Called every second of the quiet phase.
    pub(crate) fn judge_progress(&mut self) {
        let mut idle: Vec<(u8, u64, String)> = Vec::new();
        for forge in self.forges.values() {
            let attempts = forge.model.books().attempts().iter().filter(|attempt| attempt.status == Status::Waiting);
            let waiting = attempts.filter(|attempt| !forge.unservable.contains(&attempt.run));
            let offered = waiting.filter(|attempt| forge.model.is_offered(attempt.job));
            for attempt in offered.filter(|attempt| !self.has_machine(attempt.handle.as_str())) {
                let labels = forge.model.labels_of(attempt.job);
                let mut pools = self.policy.pools.iter().filter(|pool| fits(&labels, &pool.labels));
                if pools.any(|pool| self.has_room(pool)) {
                    idle.push((8, LAUNCH_BOUND_MS, format!("{} could run and is not launched", attempt.handle)));
                }
            }
        }
        for (name, machine) in self.backends.values().flat_map(|model| &model.machines) {
            let over = self.status_of(machine.tags.handle.as_str()).is_none_or(Status::is_final);
            if over && self.now >= machine.undeletable_until {
                idle.push((6, REMOVAL_BOUND_MS, format!("machine {name} outlives its job")));
            }
        }
        let now = self.now;
        self.judge.idle_since.retain(|what, _| idle.iter().any(|(.., idle)| idle == what));
        for (invariant, bound, what) in idle {
            let since = *self.judge.idle_since.entry(what.clone()).or_insert(now);
            if now > since + bound {
                self.judge.breaks(invariant, format!("{what} for {} s", bound / 1_000));
            }
        }
    }

    fn has_machine(&self, handle: &str) -> bool {
        let mut machines = self.backends.values().flat_map(|model| model.machines.values());
        machines.any(|machine| machine.tags.handle.as_str() == handle)
    }

    /// Whether every limit leaves room for one more machine of a pool.
    fn has_room(&self, pool: &PoolPolicy) -> bool {
        let all = || self.backends.iter().flat_map(|(id, model)| model.machines.values().map(move |one| (id, one)));
        let below = |count: usize, max: Option<u32>| max.is_none_or(|max| count < max as usize);
        pool.max_per_repository.is_none()
            && below(all().filter(|(_, machine)| machine.tags.pool == pool.id).count(), Some(pool.max))
            && below(
                all().filter(|(id, _)| **id == pool.backend).count(),
                self.policy.backends.get(&pool.backend).and_then(|backend| backend.max),
            )
            && below(all().count(), self.policy.max)
    }
}
