//! Invariants 6 and 8 while no faults come any more: a job that could run is launched, and what is over is removed, each
//! within a bound.

use forge_model::{AttemptRecord, Status};
use planner::ids::MachineName;
use planner::label::fits;
use planner::policy::PoolPolicy;

use super::Rule;
use crate::backends::Machine;
use crate::forge::ForgeSide;
use crate::world::World;

/// How long a runnable job may have room and no machine: a parked handle's rest with its jitter (5 min), and polls.
pub const LAUNCH_BOUND_MS: u64 = 6 * 60_000;
/// How much longer for each other job like it, if one was ever held back: they are tried one after another, with a rest of up
/// to 75 s between, and a try takes boot, claim clock, settle time, stop and polls.
const PROBE_BOUND_MS: u64 = 2 * 60_000;
/// How long a runner may wait for a job that its forge holds back: boot clock (60 s, where somebody has deleted its
/// registration before it was seen), claim clock (15 s), settle time, stop (10 s), and polls of 5 s each.
const HOLD_BOUND_MS: u64 = 2 * 60_000;
/// How long a machine may outlive its job: a hold of mass kills, a lost stop or two, and what could not be removed at first.
pub const REMOVAL_BOUND_MS: u64 = 8 * 60_000;

impl World {
    /// Called every second of the quiet phase.
    pub(crate) fn judge_progress(&mut self) {
        let mut idle: Vec<(Rule, u64, String)> = Vec::new();
        for forge in self.forges.values() {
            let attempts = forge.model.books().attempts().iter().filter(|attempt| attempt.status == Status::Waiting);
            let waiting = attempts.filter(|attempt| !forge.unservable.contains(&attempt.run));
            let offered = waiting.filter(|attempt| forge.model.is_offered(attempt.job));
            for attempt in offered.filter(|attempt| !self.has_machine(attempt.handle.as_str())) {
                let labels = forge.model.labels_of(attempt.job);
                let mut pools = self.policy.pools.iter().filter(|pool| fits(&labels, &pool.labels));
                if pools.any(|pool| self.has_room(pool)) {
                    let bound = LAUNCH_BOUND_MS + PROBE_BOUND_MS * self.others_like(forge, attempt);
                    idle.push((Rule::Launched, bound, format!("{} could run and is not launched", attempt.handle)));
                }
            }
        }
        for (name, machine) in self.backends.values().flat_map(|model| &model.machines) {
            let Some(job) = machine.serves() else { continue };
            let over = self.status_of(job.handle.as_str()).is_none_or(Status::is_final);
            if over && self.now >= machine.undeletable_until {
                idle.push((Rule::Outlives, REMOVAL_BOUND_MS, format!("machine {name} outlives its job")));
            }
        }
        idle.extend(self.waits_in_vain());
        let now = self.now;
        self.judge.idle_since.retain(|what, _| idle.iter().any(|(.., idle)| idle == what));
        for (rule, bound, what) in idle {
            let since = *self.judge.idle_since.entry(what.clone()).or_insert(now);
            if now > since + bound {
                self.judge.breaks(rule, format!("{what} for {} s", bound / 1_000));
            }
        }
    }

    /// How many other attempts there ever were like one, if any of them was ever held back.
    fn others_like(&self, forge: &ForgeSide, attempt: &AttemptRecord) -> u64 {
        if !self.judge.ever_held_back.contains(&(forge.id.clone(), attempt.repo.0, attempt.name.clone())) {
            return 0;
        }
        let attempts = forge.model.books().attempts().iter();
        let alike = attempts.filter(|other| other.repo == attempt.repo && other.name == attempt.name);
        alike.count() as u64 - 1
    }

    /// Runners that wait for a job which their forge holds back.
    fn waits_in_vain(&self) -> Vec<(Rule, u64, String)> {
        let machines = self.backends.values().flat_map(|model| &model.machines);
        let removable = machines.filter(|(_, machine)| self.now >= machine.undeletable_until);
        let runners = removable.filter_map(|(name, machine)| Some((name, machine.process.as_ref()?)));
        let waiting = runners.filter(|(_, process)| process.declared_at.is_some() && process.task.is_none());
        let held = waiting.filter(|(_, process)| {
            let model = &self.forge(&process.forge).model;
            let attempt = model.books().attempt(&forge_model::Handle(process.handle.clone()));
            attempt.is_some_and(|of| of.status == Status::Waiting && !model.is_offered(of.job))
        });
        held.map(|(name, _)| (Rule::WaitsInVain, HOLD_BOUND_MS, format!("{name} waits for a job that is held back")))
            .collect()
    }

    fn has_machine(&self, handle: &str) -> bool {
        let mut machines = self.backends.values().flat_map(|model| model.machines.values());
        machines.any(|machine| machine.serves().is_some_and(|job| job.handle.as_str() == handle))
    }

    /// Whether every limit leaves room for one more machine of a pool, and its backend takes one more order: where machines
    /// boot for long, jobs wait in line.
    pub(super) fn has_room(&self, pool: &PoolPolicy) -> bool {
        pool.max_per_repository.is_none() && !self.is_busy(&pool.backend) && self.limits_leave_room(pool)
    }

    /// Whether pool, backend and deployment have room for one more machine of a pool.
    pub(super) fn limits_leave_room(&self, pool: &PoolPolicy) -> bool {
        self.is_below_limits(pool, |_, _| true)
    }

    /// Whether one more machine of those that count may be in a pool.
    pub(super) fn is_below_limits(&self, pool: &PoolPolicy, counts: impl Fn(&MachineName, &Machine) -> bool) -> bool {
        self.places_left(pool, counts) > 0
    }

    /// How many more machines of those that count may be in a pool.
    pub(super) fn places_left(&self, pool: &PoolPolicy, counts: impl Fn(&MachineName, &Machine) -> bool) -> usize {
        let all = self.backends.iter().flat_map(|(id, model)| model.machines.iter().map(move |one| (id, one)));
        let all: Vec<_> = all.filter(|(_, (name, machine))| counts(name, machine)).collect();
        let left = |count: usize, max: Option<u32>| max.map_or(usize::MAX, |max| (max as usize).saturating_sub(count));
        let of_pool = all.iter().filter(|(_, (_, machine))| *machine.tags.pool() == pool.id).count();
        let on_backend = all.iter().filter(|(id, _)| **id == pool.backend).count();
        let max_of_backend = self.policy.backends.get(&pool.backend).and_then(|backend| backend.max);
        left(of_pool, Some(pool.max)).min(left(on_backend, max_of_backend)).min(left(all.len(), self.policy.max))
    }
}
