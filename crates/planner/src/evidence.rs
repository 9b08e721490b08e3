//! Evidence: what has been observed how often and for how long.

use std::time::Duration;

use crate::sabotage::{self, Sabotage};
use crate::time::Tick;

/// The last two times that something was observed, by when the observations were begun. Decisions that could do harm ask
/// for two (invariant 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastTwo {
    newest: Option<Tick>,
    before: Option<Tick>,
}

impl LastTwo {
    /// Adds an observation; one that is not newer than the newest changes nothing.
    pub fn add(&mut self, begun_at: Tick) {
        if self.newest.is_none_or(|newest| begun_at > newest) {
            self.before = self.newest;
            self.newest = Some(begun_at);
        }
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// When the newest was begun.
    pub fn newest(&self) -> Option<Tick> {
        self.newest
    }

    /// Whether one was begun after `moment`.
    pub fn once_after(&self, moment: Tick) -> bool {
        self.newest.is_some_and(|newest| newest > moment)
    }

    /// Whether two were begun after `moment`.
    pub fn twice_after(&self, moment: Tick) -> bool {
        if sabotage::is(Sabotage::LookOnce) {
            return self.once_after(moment);
        }
        self.before.is_some_and(|before| before > moment || sabotage::is(Sabotage::BelieveBefore))
    }

    /// Whether there are two at all.
    pub fn twice(&self) -> bool {
        self.before.is_some() || sabotage::is(Sabotage::LookOnce) && self.newest.is_some()
    }
}

/// A clock that counts observed time: each observation that shows the state adds the time since the last one, but at most
/// twice the interval of observation. So a paused machine, an outage or a jumping clock of the wall ends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    last: Tick,
    total: Duration,
}

impl Clock {
    /// A clock that starts at zero now.
    pub fn starting(now: Tick) -> Self {
        Self { last: now, total: Duration::ZERO }
    }

    /// A clock that goes on now from what it had counted before.
    pub fn resuming(now: Tick, total: Duration) -> Self {
        Self { last: now, total }
    }

    /// Counts one observation that shows the state.
    pub fn observe(&mut self, begun_at: Tick, interval: Duration) {
        let most = if sabotage::is(Sabotage::CountUnobserved) { Duration::MAX } else { interval * 2 };
        self.total += begun_at.since(self.last).min(most);
        self.last = self.last.max(begun_at);
    }

    /// What it has counted.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// What is left of `limit`.
    pub fn remaining(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.total)
    }

    /// Whether it has counted more than `limit`.
    pub fn over(&self, limit: Duration) -> bool {
        self.total > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_between_observations_counts_as_two_intervals() {
        let mut clock = Clock::starting(Tick(0));
        clock.observe(Tick(3_000), Duration::from_secs(3));
        clock.observe(Tick(3_600_000), Duration::from_secs(3));
        assert_eq!(clock.total(), Duration::from_secs(9));
    }

    #[test]
    fn an_older_observation_counts_nothing() {
        let mut clock = Clock::starting(Tick(5_000));
        clock.observe(Tick(4_000), Duration::from_secs(3));
        assert_eq!(clock.total(), Duration::ZERO);
        clock.observe(Tick(6_000), Duration::from_secs(3));
        assert_eq!(clock.total(), Duration::from_secs(1));
    }

    #[test]
    fn two_observations_must_both_be_after_the_moment() {
        let mut seen = LastTwo::default();
        seen.add(Tick(1));
        seen.add(Tick(5));
        assert!(seen.once_after(Tick(1)) && !seen.twice_after(Tick(1)));
        seen.add(Tick(5));
        assert!(!seen.twice_after(Tick(1)));
        seen.add(Tick(6));
        assert!(seen.twice_after(Tick(1)));
    }
}
