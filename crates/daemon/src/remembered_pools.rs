//! What is kept over a restart of pools whose launches fail: a loop of crashes shall not try all of them again and again.
//!
//! As with handles, a moment is kept as a span still to come with the time of day at which it was saved; a deliberate
//! restart and another configuration of the pool forgive.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::ids::PoolId;
use planner::state::Breaker;
use planner::time::Tick;
use serde::{Deserialize, Serialize};
use store::{MemoryChange, MemoryRow};

use crate::fresh_start::FreshStart;

/// What the keys of this memory begin with.
const PREFIX: &str = "pool ";

/// One pool as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    pool: PoolId,
    breaker: Breaker,
    /// How it was configured then.
    configured: Option<String>,
    saved_at: Tick,
    saved_at_ms: u64,
}

/// What was saved last, so that only changes are written.
#[derive(Debug, Default)]
pub(crate) struct RememberedPools {
    saved: BTreeMap<PoolId, Breaker>,
}

impl RememberedPools {
    /// Reads what an earlier life has kept; rows that cannot be read are forgotten.
    pub(crate) fn load(
        rows: &[MemoryRow],
        fresh_start: &FreshStart,
        now: Tick,
        now_ms: u64,
    ) -> (Self, BTreeMap<PoolId, Breaker>) {
        let (mut saved, mut pools) = (BTreeMap::new(), BTreeMap::new());
        for row in rows.iter().filter(|row| row.key.starts_with(PREFIX)) {
            let Ok(kept) = serde_json::from_str::<Kept>(&row.value) else { continue };
            // A time of day that went backwards lengthens no rest.
            let passed = Duration::from_millis(now_ms.saturating_sub(kept.saved_at_ms));
            let remaining = kept.breaker.until.since(kept.saved_at).saturating_sub(passed);
            let breaker = Breaker { until: now.plus(remaining), ..kept.breaker };
            if !fresh_start.is_deliberate() && fresh_start.of_pool(&kept.pool) == kept.configured {
                pools.insert(kept.pool.clone(), breaker.clone());
            }
            saved.insert(kept.pool, breaker);
        }
        (Self { saved }, pools)
    }

    /// What has changed since it was saved last.
    pub(crate) fn changes(
        &self,
        pools: &BTreeMap<PoolId, Breaker>,
        fresh_start: &FreshStart,
        now: Tick,
        now_ms: u64,
    ) -> Vec<MemoryChange> {
        let changed = pools.iter().filter(|(pool, breaker)| self.saved.get(*pool) != Some(*breaker));
        let kept = changed.map(|(pool, breaker)| {
            let kept = Kept {
                pool: pool.clone(),
                breaker: breaker.clone(),
                configured: fresh_start.of_pool(pool),
                saved_at: now,
                saved_at_ms: now_ms,
            };
            MemoryChange { key: format!("{PREFIX}{pool}"), value: serde_json::to_string(&kept).ok() }
        });
        let gone = self.saved.keys().filter(|pool| !pools.contains_key(*pool));
        kept.chain(gone.map(|pool| MemoryChange { key: format!("{PREFIX}{pool}"), value: None })).collect()
    }

    /// Notes that the changes up to these were saved. Until then they count as changes.
    pub(crate) fn were_saved(&mut self, pools: &BTreeMap<PoolId, Breaker>) {
        self.saved.clone_from(pools);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools() -> BTreeMap<PoolId, Breaker> {
        let breaker = Breaker { failures: 7, until: Tick(90_000), last_error: "it says no".to_owned() };
        BTreeMap::from([(PoolId::new("p"), breaker)])
    }

    fn rows(changes: Vec<MemoryChange>) -> Vec<MemoryRow> {
        changes.into_iter().map(|change| MemoryRow { key: change.key, value: change.value.unwrap() }).collect()
    }

    #[test]
    fn a_broken_pool_rests_on_after_a_crash_and_is_forgiven_on_purpose() {
        let same = FreshStart::after_a_crash("1");
        let kept = rows(RememberedPools::default().changes(&pools(), &same, Tick(30_000), 1_000_000));
        let loaded = |fresh_start: &FreshStart| RememberedPools::load(&kept, fresh_start, Tick(5), 1_020_000).1;
        let breaker = loaded(&same).into_values().next().unwrap();
        assert_eq!((breaker.failures, breaker.until), (7, Tick(40_005)));
        assert!(loaded(&FreshStart::after_a_crash("2")).is_empty());
        assert!(loaded(&FreshStart::deliberate("1")).is_empty());
    }

    #[test]
    fn only_changes_are_written_and_what_is_forgiven_is_removed() {
        let fresh_start = FreshStart::after_a_crash("1");
        let mut remembered = RememberedPools::default();
        assert_eq!(remembered.changes(&pools(), &fresh_start, Tick(1), 1).len(), 1);
        remembered.were_saved(&pools());
        assert_eq!(remembered.changes(&pools(), &fresh_start, Tick(2), 2), []);
        let changes = remembered.changes(&BTreeMap::new(), &fresh_start, Tick(3), 3);
        assert_eq!(changes, [MemoryChange { key: "pool p".to_owned(), value: None }]);
    }
}
