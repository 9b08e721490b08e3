//! How the launches of a pool went lately.

use serde::{Deserialize, Serialize};

use crate::backoff::backoff;
use crate::ids::PoolId;
use crate::policy::Limits;
use crate::time::Tick;

/// Launches of a pool that failed in a row, whichever jobs they were for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// How many.
    pub failures: u32,
    /// No launch before this moment; then one at a time.
    pub until: Tick,
    /// What the last one said.
    pub last_error: String,
}

impl Breaker {
    /// How many launches have to fail in a row: more than one job may fail by itself (three, until it is parked).
    pub const LAUNCHES: u32 = 5;

    /// Whether so many have failed that the pool itself is suspected.
    pub fn is_broken(&self) -> bool {
        self.failures >= Self::LAUNCHES
    }

    /// One more has failed.
    pub(crate) fn failed(&mut self, limits: &Limits, pool: &PoolId, error: &str, now: Tick) {
        self.failures = self.failures.saturating_add(1);
        error.clone_into(&mut self.last_error);
        if self.is_broken() {
            let times = self.failures - Self::LAUNCHES + 1;
            self.until = now.plus(backoff(limits.backoff, limits.backoff_max, times, pool.as_str()));
        }
    }
}
