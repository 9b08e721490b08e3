//! Counts by the hour: a schedule says how many machines a pool keeps ready, and says another count now and then.

use std::collections::BTreeMap;

use planner::event::Event;
use planner::ids::PoolId;

use crate::happening::Happening;
use crate::world::{World, note};

/// How long an hour lasts, at the least and at the most, in milliseconds.
const HOUR_MS: (u64, u64) = (15_000, 90_000);

/// What the schedules of pools say now.
#[derive(Debug, Default)]
pub(crate) struct Hours {
    counts: BTreeMap<PoolId, u32>,
}

impl Hours {
    /// What a pool's schedule says, if it has one.
    pub(crate) fn count(&self, pool: &PoolId) -> Option<u32> {
        self.counts.get(pool).copied()
    }
}

impl World {
    /// A pool has a schedule, which says this at first.
    pub(crate) fn schedule(&mut self, pool: &PoolId, count: u32) {
        self.hours.counts.insert(pool.clone(), count);
        self.next_hour(pool);
    }

    fn next_hour(&mut self, pool: &PoolId) {
        let (shortest, longest) = HOUR_MS;
        let span = self.dice.warm.between(shortest, longest);
        let count = u32::try_from(self.dice.warm.between(0, super::drawn::MOST)).unwrap_or(0);
        self.after(span, Happening::Hour { pool: pool.clone(), count });
    }

    /// Another hour begins. In the end it stays what it is.
    pub(crate) fn hour_begins(&mut self, pool: &PoolId, count: u32) {
        if self.is_quiet() {
            return;
        }
        self.set_hour(pool, count);
        if !self.script.is_on() {
            self.next_hour(pool);
        }
    }

    fn set_hour(&mut self, pool: &PoolId, count: u32) {
        note!(self, "by the hour {pool} shall keep {count} machines without a job");
        self.hours.counts.insert(pool.clone(), count);
        self.tell_hour(pool, count);
    }

    /// A life begins, or reads another configuration: what the hour is it asks anew.
    pub(crate) fn tell_hours(&mut self) {
        for (pool, count) in self.hours.counts.clone() {
            self.tell_hour(&pool, count);
        }
    }

    /// What the hour is a daemon asks when it comes to it, so that one that was paused is told no older hour after a newer one.
    pub(crate) fn at_this_hour(&self, event: &Event) -> Option<Event> {
        let Event::WarmCount { pool, .. } = event else { return None };
        Some(Event::WarmCount { pool: pool.clone(), count: self.hours.count(pool)? })
    }

    fn tell_hour(&mut self, pool: &PoolId, count: u32) {
        let life = self.daemon.life;
        self.after(0, Happening::Deliver { life, event: Event::WarmCount { pool: pool.clone(), count } });
    }
}
