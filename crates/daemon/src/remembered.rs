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

use crate::fresh_start::FreshStart;

/// What the keys of this memory begin with.
const PREFIX: &str = "handle";

/// One handle's memory as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    forge: ForgeId,
    handle: Handle,
    memory: HandleMemory,
    /// How the pool of its last failed launch was configured then.
    #[serde(default)]
    configured: Option<String>,
    saved_at: Tick,
    saved_at_ms: u64,
}

/// What was saved last, so that only changes are written.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    saved: BTreeMap<JobKey, HandleMemory>,
    fresh_start: FreshStart,
}

impl Remembered {
    /// Reads what an earlier life has kept; rows that cannot be read are forgotten.
    pub(crate) fn load(
        rows: &[MemoryRow],
        fresh_start: FreshStart,
        now: Tick,
        now_ms: u64,
    ) -> (Self, BTreeMap<JobKey, HandleMemory>) {
        let (mut saved, mut handles) = (BTreeMap::new(), BTreeMap::new());
        for row in rows.iter().filter(|row| row.key.starts_with(PREFIX)) {
            let Ok(kept) = serde_json::from_str::<Kept>(&row.value) else { continue };
            let key = JobKey { forge: kept.forge, handle: kept.handle };
            let was = shifted(kept.memory, kept.saved_at, kept.saved_at_ms, now, now_ms);
            let mut is = was.clone();
            fresh_start.forgive(&mut is, kept.configured.as_deref());
            saved.insert(key.clone(), was);
            handles.insert(key, is);
        }
        (Self { saved, fresh_start }, handles)
    }

    /// How the pools are configured.
    pub(crate) fn configured(&self) -> &FreshStart {
        &self.fresh_start
    }

    /// The pools are configured in another way from now on.
    pub(crate) fn are_configured(&mut self, configured: FreshStart) {
        self.fresh_start = configured;
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
                configured: self.fresh_start.fingerprint(memory),
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
    use planner::ids::PoolId;

    use super::*;

    fn handles(rest_until: u64) -> BTreeMap<JobKey, HandleMemory> {
        let key = JobKey { forge: ForgeId::new("https://f"), handle: Handle::new("h") };
        let memory = HandleMemory {
            tries: 2,
            failures: 2,
            rest: Rested::LaunchFailed,
            rest_until: Tick(rest_until),
            pool: Some(PoolId::new("p")),
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
        let (_, loaded) = Remembered::load(&rows(changes), FreshStart::default(), Tick(5), 1_020_000);
        let memory = loaded.values().next().unwrap();
        assert_eq!((memory.tries, memory.rest, memory.rest_until), (2, Rested::LaunchFailed, Tick(40_005)));
    }

    #[test]
    fn a_time_of_day_that_went_backwards_lengthens_no_rest() {
        let changes = Remembered::default().changes(&handles(90_000), Tick(30_000), 1_000_000);
        let (_, loaded) = Remembered::load(&rows(changes), FreshStart::default(), Tick(0), 10);
        assert_eq!(loaded.values().next().unwrap().rest_until, Tick(60_000));
    }

    #[test]
    fn a_time_of_day_that_jumped_ahead_ends_rests_and_nothing_else() {
        let changes = Remembered::default().changes(&handles(90_000), Tick(30_000), 1_000_000);
        let (_, loaded) = Remembered::load(&rows(changes), FreshStart::default(), Tick(7), 1_000_000_000);
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

    /// A memory that was saved while the pool was configured as `one`, and loaded at such a start.
    fn loaded(memory: impl FnOnce(&mut HandleMemory), fresh_start: FreshStart) -> HandleMemory {
        let mut handles = handles(90_000);
        memory(handles.values_mut().next().unwrap());
        let before = Remembered { fresh_start: FreshStart::after_a_crash("one"), ..Remembered::default() };
        let rows = rows(before.changes(&handles, Tick(30_000), 0));
        let (remembered, loaded) = Remembered::load(&rows, fresh_start, Tick(0), 0);
        let memory = loaded.values().next().unwrap().clone();
        let forgiven = memory.failures == 0;
        assert_eq!(remembered.changes(&loaded, Tick(0), 0).len(), usize::from(forgiven), "what is forgiven is saved");
        memory
    }

    fn parked(memory: &mut HandleMemory) {
        (memory.failures, memory.parked, memory.rest) = (3, 2, Rested::Parked);
    }

    #[test]
    fn a_deliberate_restart_and_another_configuration_end_rests_after_failed_launches() {
        for start in [FreshStart::deliberate("one"), FreshStart::after_a_crash("other"), FreshStart::default()] {
            for rest in [parked, |_: &mut HandleMemory| {}] {
                let memory = loaded(rest, start.clone());
                assert_eq!((memory.failures, memory.parked, memory.rest), (0, 0, Rested::No), "{start:?}");
                assert_eq!((memory.rest_until, memory.tries), (Tick(0), 2));
            }
        }
    }

    #[test]
    fn a_crash_ends_no_rest() {
        let memory = loaded(parked, FreshStart::after_a_crash("one"));
        assert_eq!((memory.failures, memory.parked, memory.rest), (3, 2, Rested::Parked));
        assert_eq!(memory.rest_until, Tick(60_000));
    }

    #[test]
    fn what_the_forge_holds_back_is_held_back_after_a_deliberate_restart_too() {
        let memory = loaded(|memory| memory.rest = Rested::HeldBack, FreshStart::deliberate("one"));
        assert_eq!((memory.rest, memory.rest_until), (Rested::HeldBack, Tick(60_000)));
    }

    #[test]
    fn a_memory_of_an_older_version_is_read_and_forgiven_by_a_deliberate_restart_alone() {
        let value = r#"{"forge":"https://f","handle":"h","saved_at":0,"saved_at_ms":0,"memory":{"tries":3,"failures":3,
            "parked":1,"rest_until":60000,"rest":"parked","releases":0,"last_error":"","not_before":0,"listed_at":0}}"#;
        let rows = [MemoryRow { key: "handle https://f h".to_owned(), value: value.to_owned() }];
        let rest = |start| Remembered::load(&rows, start, Tick(0), 0).1.values().next().unwrap().rest;
        assert_eq!(rest(FreshStart::after_a_crash("one")), Rested::Parked);
        assert_eq!(rest(FreshStart::deliberate("one")), Rested::No);
    }

    #[test]
    fn what_is_kept_of_a_try_is_read_again() {
        let mut handles = handles(0);
        let facts = planner::state::TryFacts {
            attempt: planner::ids::Try(2),
            job: None,
            waited: Some(Duration::from_secs(7)),
            grace: Duration::from_secs(40),
            ran: Duration::from_mins(90),
        };
        handles.values_mut().next().unwrap().latest = Some(facts.clone());
        let changes = Remembered::default().changes(&handles, Tick(1), 1);
        let (_, loaded) = Remembered::load(&rows(changes), FreshStart::default(), Tick(5), 1_000_000);
        assert_eq!(loaded.values().next().unwrap().latest, Some(facts), "whatever the wall's clock says");
    }
}
