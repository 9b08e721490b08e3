//! Which images we have pulled, and when a job last asked for each: what may be removed again one day, and nothing else.
//!
//! An image carries no label of ours, so this is kept in a small file. What is not in it was brought by somebody else and is
//! never touched. A loss of the file costs disk alone.
//!
//! ```text
//! pulled ─► known by name and id ─► asked for, again and again ─► long not asked for: may go
//!                │ a pull brings another id under the name, or somebody else does
//!                └► ours: left behind, without a name, may go      somebody else's: forgotten
//! ```

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::record;

/// More than any engine has room for. Of what is beyond, the longest unused is forgotten.
const MOST: usize = 1000;

/// As large as that many entries with the longest names.
const MOST_BYTES: u64 = 1 << 20;

/// What is remembered of the images of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// Where the engine is: the images of another one are not these.
    engine: String,
    images: Vec<Pulled>,
}

/// An image that we have pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pulled {
    /// Under which name; none if the name is another image's by now.
    pub(super) name: Option<String>,
    /// The engine's id.
    pub(super) id: String,
    /// When it was pulled or asked for last, in milliseconds of the wall clock.
    pub(super) wanted_ms: u64,
}

impl Remembered {
    /// Nothing yet, of this engine.
    pub(super) fn of(engine: &str) -> Self {
        Self { engine: engine.to_owned(), images: Vec::new() }
    }

    /// A pull has ended, with these ids under the name before and after it.
    pub(super) fn pulled(&mut self, name: &str, before: Option<&str>, after: &str, now_ms: u64) {
        if before == Some(after) {
            // It was there: that it is ours is not said by this.
            self.asked(name, now_ms);
            return;
        }
        for known in self.images.iter_mut().filter(|known| known.name.as_deref() == Some(name)) {
            known.name = None;
        }
        // One that was left behind, and is back.
        self.images.retain(|known| known.name.is_some() || known.id != after);
        self.images.push(Pulled { name: Some(name.to_owned()), id: after.to_owned(), wanted_ms: now_ms });
        if self.images.len() > MOST
            && let Some(oldest) = (0..self.images.len()).min_by_key(|&at| self.images[at].wanted_ms)
        {
            self.images.remove(oldest);
        }
    }

    /// A job has asked for an image. Whether that is news worth writing down.
    pub(super) fn asked(&mut self, name: &str, now_ms: u64) -> bool {
        let known = self.images.iter_mut().find(|known| known.name.as_deref() == Some(name));
        known.is_some_and(|known| {
            let is_news = known.wanted_ms != now_ms;
            known.wanted_ms = now_ms;
            is_news
        })
    }

    /// Those that nobody has asked for in that time.
    pub(super) fn unused(&self, span_ms: u64, now_ms: u64) -> Vec<Pulled> {
        let is_unused = |known: &&Pulled| now_ms.saturating_sub(known.wanted_ms) > span_ms;
        self.images.iter().filter(is_unused).cloned().collect()
    }

    /// Forgets one, if it has not been asked for since.
    pub(super) fn forget(&mut self, of: &Pulled) {
        self.images.retain(|known| known != of);
    }

    /// Whether one is still as it was.
    pub(super) fn has(&self, of: &Pulled) -> bool {
        self.images.contains(of)
    }
}

/// What is remembered in a file; nothing where there is none, or that of another engine. Blocks.
pub(super) fn load(file: &Path, engine: &str) -> io::Result<Remembered> {
    let remembered: Option<Remembered> = record::load(file, MOST_BYTES)?;
    let is_ours = |remembered: &Remembered| remembered.engine == engine && remembered.images.len() <= MOST;
    Ok(remembered.filter(is_ours).unwrap_or_else(|| Remembered::of(engine)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[Pulled]) -> Vec<(Option<&str>, &str)> {
        of.iter().map(|pulled| (pulled.name.as_deref(), pulled.id.as_str())).collect()
    }

    #[test]
    fn only_what_a_pull_of_ours_brought_is_ours() {
        let mut known = Remembered::of("e");
        known.pulled("new:1", None, "a", 10);
        // It was there before, by somebody's hand.
        known.pulled("theirs:1", Some("b"), "b", 10);
        // The name was somebody's, the image that it means now is ours.
        known.pulled("moved:1", Some("c"), "d", 10);
        assert_eq!(names(&known.unused(0, 11)), [(Some("new:1"), "a"), (Some("moved:1"), "d")]);
    }

    #[test]
    fn an_image_that_was_replaced_is_left_behind_and_may_come_back() {
        let mut known = Remembered::of("e");
        known.pulled("node:22", None, "a", 10);
        known.pulled("node:22", Some("a"), "b", 20);
        assert_eq!(names(&known.unused(0, 99)), [(None, "a"), (Some("node:22"), "b")]);
        assert!(known.asked("node:22", 50));
        assert_eq!(names(&known.unused(30, 60)), [(None, "a")], "being asked for is for the one with the name");
        known.pulled("node:22", Some("b"), "a", 70);
        assert_eq!(names(&known.unused(0, 99)), [(None, "b"), (Some("node:22"), "a")]);
    }

    #[test]
    fn what_is_asked_for_stays_and_what_changed_since_a_look_is_not_forgotten() {
        let mut known = Remembered::of("e");
        known.pulled("a:1", None, "a", 0);
        assert!(known.unused(100, 100).is_empty());
        let unused = known.unused(100, 101).remove(0);
        assert!(known.has(&unused));
        assert!(known.asked("a:1", 101) && !known.asked("a:1", 101) && !known.asked("b:1", 101));
        assert!(!known.has(&unused) && known.unused(100, 150).is_empty());
        known.forget(&unused);
        assert_eq!(known.images.len(), 1);
        assert!(known.unused(0, 5).is_empty(), "a clock that was set back makes nothing old");
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let mut known = Remembered::of("e");
        for number in 0..2 * MOST {
            known.pulled(&format!("a:{number}"), None, &number.to_string(), number as u64);
        }
        assert_eq!(known.images.len(), MOST);
        assert!(known.asked(&format!("a:{}", 2 * MOST - 1), 0) && !known.asked("a:0", 1));
    }

    #[test]
    fn it_is_found_again_in_its_file_unless_that_is_of_another_engine() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("images/b.json");
        assert_eq!(load(&file, "e").unwrap(), Remembered::of("e"));
        let mut known = Remembered::of("e");
        known.pulled("a:1", None, "a", 7);
        record::save(&file, &known).unwrap();
        assert_eq!(load(&file, "e").unwrap(), known);
        assert_eq!(load(&file, "other").unwrap(), Remembered::of("other"));
        std::fs::write(&file, "{").unwrap();
        assert!(load(&file, "e").is_err());
        std::fs::write(&file, " ".repeat(2 << 20)).unwrap();
        assert!(load(&file, "e").is_err());
    }
}
