//! When a machine last had each cache, as far as we know: when one was made with it, or when it could not be removed for being
//! in use. The engine does not tell: a volume has the time of its making alone.
//!
//! It is kept in a small file. Of a volume that is not in it the time begins when it is seen; so a loss of the file lets caches
//! stay longer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::backend::wall_ms;

use crate::record;

/// As large as tens of thousands of entries.
const MOST_BYTES: u64 = 8 << 20;

/// Milliseconds of the wall clock, by the names of volumes.
type Times = BTreeMap<String, u64>;

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Uses {
    /// None: it is remembered in memory alone.
    file: Option<PathBuf>,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    times: Times,
    /// Whether the file lacks something of it.
    is_news: bool,
}

impl Uses {
    /// What is remembered in that file.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { file, known: Mutex::default() }
    }

    /// Works with what is known, which is read at the first time. A file that cannot be read is begun anew.
    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(|| {
            let read = self.file.as_ref().map(|file| record::load(file, MOST_BYTES)).transpose();
            let times = read.unwrap_or_else(|error| {
                tracing::warn!(%error, "it is not known any more when caches were last used: they stay longer");
                None
            });
            Known { times: times.flatten().unwrap_or_default(), is_news: false }
        });
        work(known)
    }

    /// A machine is made with it now, or has it.
    pub(super) fn asked(&self, volume: &str) {
        self.asked_at(volume, wall_ms());
    }

    fn asked_at(&self, volume: &str, now_ms: u64) {
        self.with(|known| {
            known.times.insert(volume.to_owned(), now_ms);
            known.is_news = true;
        });
    }

    /// Of these volumes, which are all that there are, those that no machine had for so long; the longest unused first.
    pub(super) fn unused(&self, there: &BTreeSet<&str>, span: Duration) -> Vec<String> {
        self.unused_at(there, span, wall_ms())
    }

    /// Whether no machine had a volume for so long, as far as is known of it.
    pub(super) fn is_unused(&self, volume: &str, span: Duration) -> bool {
        self.with(|known| known.times.get(volume).is_some_and(|at| is_over(*at, span, wall_ms())))
    }

    fn unused_at(&self, there: &BTreeSet<&str>, span: Duration, now_ms: u64) -> Vec<String> {
        self.with(|known| {
            let before = known.times.len();
            known.times.retain(|volume, _| there.contains(volume.as_str()));
            known.is_news |= known.times.len() != before;
            for volume in there {
                if !known.times.contains_key(*volume) {
                    known.times.insert((*volume).to_owned(), now_ms);
                    known.is_news = true;
                }
            }
            let mut unused: Vec<_> = known.times.iter().filter(|(_, at)| is_over(**at, span, now_ms)).collect();
            unused.sort_by_key(|(_, at)| **at);
            unused.into_iter().map(|(volume, _)| volume.clone()).collect()
        })
    }

    /// Writes down what is news.
    pub(crate) async fn write_down(&self) {
        let Some(file) = self.file.clone() else { return };
        let Some(times) = self.with(|known| std::mem::take(&mut known.is_news).then(|| known.times.clone())) else {
            return;
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || record::save(&file, &times)).await {
            tracing::warn!(%error, "when caches were last used could not be written down");
            self.with(|known| known.is_news = true);
        }
    }
}

/// Whether a time lies longer back than that.
fn is_over(at_ms: u64, span: Duration, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(at_ms)) > span.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_millis(100);

    #[test]
    fn only_what_no_machine_was_made_with_for_long_is_unused() {
        let uses = Uses::new(None);
        let there = BTreeSet::from(["a", "b", "c"]);
        uses.asked_at("a", 20);
        uses.asked_at("b", 10);
        assert_eq!(uses.unused_at(&there, SPAN, 50), [""; 0]);
        assert_eq!(uses.unused_at(&there, SPAN, 121), ["b", "a"], "of what nobody knew the time has begun at 50");
        uses.asked_at("b", 121);
        assert_eq!(uses.unused_at(&there, SPAN, 151), ["a", "c"]);
        assert_eq!(uses.unused_at(&there, SPAN, 5), [""; 0], "a clock that was set back makes nothing old");
    }

    #[test]
    fn what_is_gone_is_forgotten_and_begins_anew_when_it_is_back() {
        let uses = Uses::new(None);
        uses.asked_at("a", 0);
        assert_eq!(uses.unused_at(&BTreeSet::new(), SPAN, 1000), [""; 0]);
        assert_eq!(uses.unused_at(&BTreeSet::from(["a"]), SPAN, 1000), [""; 0]);
        assert_eq!(uses.unused_at(&BTreeSet::from(["a"]), SPAN, 1101), ["a"]);
    }

    #[tokio::test]
    async fn it_is_found_again_in_its_file_and_a_broken_file_makes_nothing_old() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("caches/b.json");
        let there = BTreeSet::from(["a"]);
        let uses = Uses::new(Some(file.clone()));
        uses.asked_at("a", 7);
        uses.write_down().await;
        assert_eq!(Uses::new(Some(file.clone())).unused_at(&there, SPAN, 200), ["a"]);
        std::fs::write(&file, "{").unwrap();
        assert_eq!(Uses::new(Some(file)).unused_at(&there, SPAN, 200), [""; 0]);
    }
}
