//! What is kept of the planner's books over a restart: the memory of handles.
//!
//! Moments of the journal count from the daemon's start, so they are kept as spans still to come, together with the time
//! of day at which they were saved.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::ids::{ForgeId, Handle, JobKey};
use planner::state::{HandleMemory, Rested};
use planner::time::Tick;
use serde::{Deserialize, Serialize};
use store::{MemoryChange, MemoryRow};

/// What the keys of this memory begin with.
const PREFIX: &str = "handle";

/// One handle's memory as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    forge: ForgeId,
    handle: Handle,
    memory: HandleMemory,
    saved_at: Tick,
    saved_at_ms: u64,
}

/// What was saved last, so that only changes are written.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    saved: BTreeMap<JobKey, HandleMemory>,
}

impl Remembered {
    /// Reads what an earlier life has kept; rows that cannot be read are forgotten.
    pub(crate) fn load(rows: &[MemoryRow], now: Tick, now_ms: u64) -> (Self, BTreeMap<JobKey, HandleMemory>) {
        let mut handles = BTreeMap::new();
        for row in rows.iter().filter(|row| row.key.starts_with(PREFIX)) {
            let Ok(kept) = serde_json::from_str::<Kept>(&row.value) else { continue };
            let key = JobKey { forge: kept.forge, handle: kept.handle };
            handles.insert(key, shifted(kept.memory, kept.saved_at, kept.saved_at_ms, now, now_ms));
        }
        (Self { saved: handles.clone() }, handles)
    }

    /// What has changed since it was saved last.
    pub(crate) fn changes(
        &self,
        handles: &BTreeMap<JobKey, HandleMemory>,
        now: Tick,
        now_ms: u64,
    ) -> Vec<MemoryChange> {
        let mut changes = Vec::new();
        for (job, memory) in handles {
            if self.saved.get(job).is_some_and(|saved| same(saved, memory)) {
                continue;
            }
            let kept = Kept {
                forge: job.forge.clone(),
                handle: job.handle.clone(),
                memory: memory.clone(),
                saved_at: now,
                saved_at_ms: now_ms,
            };
            changes.push(MemoryChange { key: key_of(job), value: serde_json::to_string(&kept).ok() });
        }
        let gone = self.saved.keys().filter(|job| !handles.contains_key(*job));
        changes.extend(gone.map(|job| MemoryChange { key: key_of(job), value: None }));
        changes
    }

    /// Notes that the changes up to these were saved. Until then they count as changes.
    pub(crate) fn were_saved(&mut self, handles: &BTreeMap<JobKey, HandleMemory>) {
        self.saved.clone_from(handles);
    }
}

fn key_of(job: &JobKey) -> String {
    format!("{PREFIX} {} {}", job.forge, job.handle)
}

/// Whether nothing differs that is worth a write: when a handle was listed last changes with every poll.
fn same(saved: &HandleMemory, memory: &HandleMemory) -> bool {
    HandleMemory { listed_at: saved.listed_at, ..memory.clone() } == *saved
}

/// Brings the moments of an earlier life into this one. A time of day that went backwards lengthens no rest.
fn shifted(memory: HandleMemory, saved_at: Tick, saved_at_ms: u64, now: Tick, now_ms: u64) -> HandleMemory {
    let passed = Duration::from_millis(now_ms.saturating_sub(saved_at_ms));
    let remaining = memory.rest_until.since(saved_at).saturating_sub(passed);
    HandleMemory {
        rest: if remaining.is_zero() { Rested::No } else { memory.rest },
        rest_until: now.plus(remaining),
        not_before: Tick::default(),
        listed_at: now,
        ..memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handles(rest_until: u64) -> BTreeMap<JobKey, HandleMemory> {
        let key = JobKey { forge: ForgeId::new("https://f"), handle: Handle::new("h") };
        let memory = HandleMemory {
            tries: 2,
            failures: 2,
            rest: Rested::LaunchFailed,
            rest_until: Tick(rest_until),
            ..HandleMemory::default()
        };
        BTreeMap::from([(key, memory)])
    }

    fn rows(changes: Vec<MemoryChange>) -> Vec<MemoryRow> {
        changes.into_iter().map(|change| MemoryRow { key: change.key, value: change.value.unwrap() }).collect()
    }

    #[test]
    fn a_rest_goes_on_after_a_restart_for_what_is_left_of_it() {
        let changes = Remembered::default().changes(&handles(90_000), Tick(30_000), 1_000_000);
        let (_, loaded) = Remembered::load(&rows(changes), Tick(5), 1_020_000);
        let memory = loaded.values().next().unwrap();
        assert_eq!((memory.tries, memory.rest, memory.rest_until), (2, Rested::LaunchFailed, Tick(40_005)));
    }

    #[test]
    fn a_time_of_day_that_went_backwards_lengthens_no_rest() {
        let changes = Remembered::default().changes(&handles(90_000), Tick(30_000), 1_000_000);
        let (_, loaded) = Remembered::load(&rows(changes), Tick(0), 10);
        assert_eq!(loaded.values().next().unwrap().rest_until, Tick(60_000));
    }

    #[test]
    fn a_time_of_day_that_jumped_ahead_ends_rests_and_nothing_else() {
        let changes = Remembered::default().changes(&handles(90_000), Tick(30_000), 1_000_000);
        let (_, loaded) = Remembered::load(&rows(changes), Tick(7), 1_000_000_000);
        let memory = loaded.values().next().unwrap();
        assert_eq!((memory.tries, memory.failures, memory.rest), (2, 2, Rested::No));
        assert_eq!(memory.rest_until, Tick(7));
    }

    #[test]
    fn only_changes_are_written_and_what_is_forgotten_is_removed() {
        let mut remembered = Remembered::default();
        let mut now = handles(90_000);
        assert_eq!(remembered.changes(&now, Tick(1), 1).len(), 1);
        assert_eq!(remembered.changes(&now, Tick(1), 1).len(), 1, "what was dropped is tried again");
        remembered.were_saved(&now);
        now.values_mut().next().unwrap().listed_at = Tick(7);
        assert_eq!(remembered.changes(&now, Tick(2), 2), []);
        let changes = remembered.changes(&BTreeMap::new(), Tick(3), 3);
        assert_eq!(changes, [MemoryChange { key: "handle https://f h".to_owned(), value: None }]);
    }
}
