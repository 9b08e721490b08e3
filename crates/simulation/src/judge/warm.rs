//! Machines without a job: what was bound to whom (1, 2), and how many there are in the end (6, 8).

use planner::action::Action;
use planner::ids::{BackendId, JobKey, MachineName};
use planner::policy::PoolPolicy;
use planner::state::Breaker;

use super::Rule;
use crate::backends::Machine;
use crate::world::World;

/// In which time machines without a job that are asked for are counted, and how many there may be in a pool: four that are
/// refused at once, as often as their pool rests in between (5 s, then 10 s, less a quarter), and eight that take the
/// places of bound ones.
const STOCKING_SPAN_MS: u64 = 20_000;
const STOCKINGS: usize = 20;

impl World {
    /// Invariant 2: no runner is taken back from a machine on which a job ran. Called when that arrives.
    pub(crate) fn judge_released(&mut self, backend: &BackendId, name: &MachineName) {
        if self.has_run(backend, name) {
            self.judge
                .breaks(Rule::ReleasedUsed, format!("the runner of {name} is taken back although a job ran on it"));
        }
    }

    /// Invariants 1 and 2: a runner is started on a machine that has no other, and on which no job ever ran.
    pub(crate) fn judge_started(&mut self, backend: &BackendId, name: &MachineName, job: &JobKey) {
        if self.has_run(backend, name) {
            self.judge.breaks(Rule::UsedTwice, format!("{} is started on {name}, on which a job ran", job.handle));
        }
    }

    /// Invariant 14: no runner is registered for a machine that waits for a job. Called when that is begun.
    pub(super) fn judge_registered(&mut self, action: &Action) {
        let Action::Register { key, machine: name, .. } = action else { return };
        let Some(of) = self.daemon.state.journal.assignments.get(key) else { return };
        let waits = self.machine_at(&of.backend, name).is_some_and(Machine::is_spare);
        if waits {
            self.judge
                .breaks(Rule::SpareRegistered, format!("a runner of {key} is registered for {name}, which waits"));
        }
    }

    /// Whether a job was ever given to a runner on a machine.
    fn has_run(&self, backend: &BackendId, name: &MachineName) -> bool {
        self.machine_at(backend, name).is_some_and(|machine| machine.has_run)
    }

    /// Invariant 1: no two jobs have one machine. Called with every turn.
    pub(super) fn judge_bindings(&mut self) {
        let assignments = &self.daemon.state.journal.assignments;
        let mut bound: Vec<_> = assignments
            .iter()
            .filter(|(_, of)| of.warm.is_some() && of.parted.is_none() && of.occupies())
            .map(|(key, of)| ((&of.backend, &of.machine_name), key))
            .collect();
        bound.sort_unstable();
        let twice = bound.windows(2).find(|pair| pair[0].0 == pair[1].0);
        let waits = bound.iter().find(|((backend, name), _)| {
            let key = ((*backend).clone(), (*name).clone());
            self.daemon.state.journal.warm.contains_key(&key)
        });
        let what = match (twice, waits) {
            (Some(pair), _) => format!("{} is bound to {} and to {}", pair[0].0.1, pair[0].1, pair[1].1),
            (None, Some(((_, name), key))) => format!("{name} is bound to {key} and waits for a job"),
            (None, None) => return,
        };
        self.judge.breaks(Rule::OneBinding, what);
    }

    /// Invariant 13: machines without a job are not asked for round and round. Called when a call is begun.
    pub(super) fn judge_stocking(&mut self, action: &Action) {
        let Action::CreateWarm { tags, .. } = action else { return };
        let since = self.now.saturating_sub(STOCKING_SPAN_MS);
        let begun = self.judge.begun.entry((format!("pool {}", tags.pool), action.word())).or_default();
        begun.retain(|at| *at >= since);
        begun.push(self.now);
        let count = begun.len();
        if count > STOCKINGS {
            let what = format!("{count} machines without a job were asked for in {} in 20 s", tags.pool);
            self.judge.breaks(Rule::HotLoop, what);
        }
    }

    /// Whether a machine of a pool waits that a job with these labels can have. It takes no more room than before, but counts
    /// as one with a job then.
    pub(super) fn has_spare(&self, pool: &PoolPolicy, labels: &[String]) -> bool {
        let image = labels.first().and_then(|label| pool.image(label));
        let is_his = |backend: &BackendId, machine: &Machine| {
            let of = machine.tags.warm().and_then(|tags| tags.image.as_deref());
            let may_stay = !machine.hidden && machine.undeletable_until == 0;
            machine.is_current(backend, pool) && of == image && may_stay
        };
        pool.max_per_repository.is_none()
            && self.spares().any(|(backend, _, machine)| is_his(backend, machine))
            && self.is_below_limits(pool, |_, machine| !machine.is_spare())
    }

    /// Invariants 6 and 8: what is too much or too little of machines without a job, and which rule that breaks if it lasts.
    pub(crate) fn spares_left(&self) -> Option<(Rule, String)> {
        for (backend, name, machine) in self.spares() {
            let pool = self.policy.pool(machine.tags.pool());
            if !pool.is_some_and(|pool| machine.is_current(backend, pool)) {
                return Some((Rule::SparesLeft, format!("{name} waits for a job and is outdated")));
            }
        }
        for pool in &self.policy.pools {
            let count = self.spares().filter(|(_, _, machine)| *machine.tags.pool() == pool.id).count();
            let wanted = self.wanted_spares(pool) as usize;
            if count > wanted {
                return Some((Rule::SparesLeft, format!("{count} machines wait in {}, {wanted} are wanted", pool.id)));
            }
            // Where launches fail one after another nothing is kept ready until a job shows that the pool is mended.
            let is_broken = self.daemon.state.journal.breakers.get(&pool.id).is_some_and(Breaker::is_broken);
            if count < wanted && !is_broken && self.limits_leave_room(pool) {
                return Some((Rule::SparesKept, format!("{count} machines wait in {}, {wanted} are wanted", pool.id)));
            }
        }
        None
    }
}
