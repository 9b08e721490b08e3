//! How many machines without a job each pool keeps while nothing is disturbed: as many as are wanted, where there is room
//! for them (8), and no more for long (14).

use std::collections::BTreeMap;

use forge_model::Status;
use planner::action::Action;
use planner::ids::{BackendId, PoolId};
use planner::label::fits;
use planner::policy::PoolPolicy;

use super::bounds::{Bound, Standing};
use super::held_back::rested;
use crate::backends::Machine;
use crate::world::World;

impl World {
    pub(super) fn stocks(&mut self, standing: &mut Vec<Standing>) {
        let mut stocks = BTreeMap::new();
        for pool in &self.policy.pools {
            let off = [(Bound::Lack, self.lacks_spares(pool)), (Bound::Excess, self.has_spares_in_excess(pool))];
            for (bound, _) in off.into_iter().filter(|(_, is_off)| *is_off) {
                let key = (bound, pool.id.clone());
                let since = self.judge.stocks.get(&key).copied().unwrap_or(self.now);
                stocks.insert(key, since);
                let since = since.max(rested(self.stock_in_peace(pool)));
                standing.push(Standing { bound, subject: pool.id.to_string(), since, limit: self.stock_ms(pool) });
            }
        }
        self.judge.stocks = stocks;
    }

    /// A poll shows that a job runs, so that its machine does not come back; two lists that one is gone, or may be used
    /// again; and then there are calls.
    fn stock_ms(&self, pool: &PoolPolicy) -> u64 {
        let longest_poll = self.forges.keys().map(|id| self.longest_poll(id)).max().unwrap_or(0);
        longest_poll + 2 * self.machines_ms(&pool.backend) + self.settle_ms() + 2 * self.calls_ms()
    }

    /// Since when nothing disturbs a pool's backend, what is known of jobs, and what counts towards the pool's limits.
    fn stock_in_peace(&self, pool: &PoolPolicy) -> u64 {
        let calm = &self.judge.calm;
        let scopes = self.policy.scopes.keys().map(|scope| calm.of_scope(scope)).max().unwrap_or(0);
        let backends = self.policy.backends.keys().filter(|id| **id == pool.backend || self.policy.max.is_some());
        backends.map(|backend| calm.of_backend(backend)).fold(scopes, u64::max)
    }

    /// Whether a pool has room for one more, and neither has it nor makes it.
    fn lacks_spares(&self, pool: &PoolPolicy) -> bool {
        let wanted = self.wanted_spares(pool) as usize;
        wanted > 0
            && self.can_be_warm(&pool.id)
            && !self.rests(pool)
            && !self.stock_rests(&pool.id)
            && !self.has_ghosts()
            && self.takes_spares(&pool.backend)
            && self.limits_leave_room(pool)
            && self.kept(pool).count() < wanted
    }

    /// Machines of a pool that wait or will: one that is bound to a job that has not run may come back.
    fn kept(&self, pool: &PoolPolicy) -> impl Iterator<Item = &Machine> {
        let machines = self.backends.get(&pool.backend).into_iter().flat_map(|model| model.machines.values());
        let alive = machines.filter(|machine| !machine.stopping && !machine.has_ended() && !machine.has_run);
        alive.filter(move |machine| machine.is_current(&pool.backend, pool))
    }

    /// Whether machines without a job could not be made in a pool lately.
    fn stock_rests(&self, pool: &PoolId) -> bool {
        let mut rests = self.daemon.state.journal.warm_rests.iter();
        rests.any(|((of, _), rest)| of == pool && rest.until > self.tick())
    }

    /// Whether the lane of a backend takes one more: no more than half of it, so that jobs have the rest.
    fn takes_spares(&self, backend: &BackendId) -> bool {
        let flights = self.daemon.state.journal.in_flight.values();
        let is_one = |action: &Action| matches!(action, Action::CreateWarm { backend: at, .. } if at == backend);
        let under_way = flights.filter(|flight| is_one(&flight.action)).count();
        let slots = self.policy.backends.get(backend).map_or(0, |backend| backend.parallel_creates);
        under_way < slots.div_ceil(2) && !self.is_busy(backend)
    }

    /// Whether more machines wait in a pool than are wanted there or by jobs that wait for another try, or such as would be
    /// made otherwise now.
    fn has_spares_in_excess(&self, pool: &PoolPolicy) -> bool {
        let spares =
            self.spares().filter(|(_, name, machine)| *machine.tags.pool() == pool.id && self.is_plain(name, machine));
        let (current, outdated): (Vec<_>, Vec<_>) =
            spares.partition(|(backend, _, machine)| machine.is_current(backend, pool));
        !outdated.is_empty() || current.len() > self.wanted_spares(pool) as usize + self.turns_in(pool)
    }

    /// How many jobs wait that fit a pool, and were tried before or are like one that was held back: what came back from
    /// them is kept for their turn.
    fn turns_in(&self, pool: &PoolPolicy) -> usize {
        let attempts = self
            .forges
            .iter()
            .flat_map(|(id, side)| side.model.books().attempts().iter().map(move |attempt| (id, &side.model, attempt)));
        let waiting = attempts.filter(|(_, model, attempt)| {
            attempt.status == Status::Waiting && fits(&model.labels_of(attempt.job), &pool.labels)
        });
        let has_a_turn = waiting.filter(|(id, _, attempt)| {
            let kind = ((*id).clone(), attempt.repo.0, attempt.name.clone());
            self.judge.launched.contains(attempt.handle.as_str()) || self.judge.ever_held_back.contains(&kind)
        });
        has_a_turn.count()
    }
}
