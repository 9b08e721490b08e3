//! The images that we have pulled, as the calls of a backend share them: noted, written down, and removed when unused.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::backend::{chain, wall_ms};
use bollard::query_parameters::RemoveImageOptionsBuilder;

use super::remembered::{self, Pulled, Remembered};
use super::source::looked;
use crate::engine::Engine;
use crate::error::DockerError;
use crate::record;

/// How many are removed in one go: each can take seconds.
const AT_ONCE: usize = 20;

/// What is known of them.
#[derive(Debug)]
pub(crate) struct Ours {
    /// None: it is remembered in memory alone.
    file: Option<PathBuf>,
    engine: String,
    known: Mutex<Option<Known>>,
    /// When some were removed last.
    removed_at: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Known {
    remembered: Remembered,
    /// What of it is in the file.
    written: Remembered,
}

/// One that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Its name, or its id if it had none any more.
    pub(crate) image: String,
    /// What it took, with what it shares with others.
    pub(crate) bytes: u64,
}

impl Ours {
    /// Those of this engine, remembered in that file.
    pub(crate) fn new(file: Option<PathBuf>, engine: String) -> Self {
        Self { file, engine, known: Mutex::default(), removed_at: Mutex::default() }
    }

    /// Whether another one would be about the same.
    pub(crate) fn is_of(&self, file: Option<&PathBuf>, engine: &str) -> bool {
        self.file.as_ref() == file && self.engine == engine
    }

    /// A pull has ended, with these ids under the name before and after it.
    pub(super) fn pulled(&self, name: &str, before: Option<&str>, after: &str) {
        self.with(|known| known.remembered.pulled(name, before, after, wall_ms()));
    }

    /// A job has asked for an image.
    pub(super) fn asked(&self, name: &str) {
        self.with(|known| known.remembered.asked(name, wall_ms()));
    }

    /// Works with what is known, which is read at the first time: a small file, once. One that cannot be read is begun anew.
    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(|| {
            let read = self.file.as_ref().map(|file| remembered::load(file, &self.engine)).transpose();
            let remembered = read.unwrap_or_else(|error| {
                tracing::warn!(%error, "it is not known any more which images were pulled: they stay on the engine");
                None
            });
            let remembered = remembered.unwrap_or_else(|| Remembered::of(&self.engine));
            Known { written: remembered.clone(), remembered }
        });
        work(known)
    }

    /// Writes down what is news.
    pub(crate) async fn write_down(&self) {
        let Some(file) = self.file.clone() else { return };
        let Some(now) = self.with(|known| (known.written != known.remembered).then(|| known.remembered.clone())) else {
            return;
        };
        let to_write = now.clone();
        match tokio::task::spawn_blocking(move || record::save(&file, &to_write)).await {
            Ok(Ok(())) => self.with(|known| known.written = now),
            Ok(Err(error)) => tracing::warn!(%error, "which images were pulled could not be written down"),
            Err(_) => {}
        }
    }

    /// Whether it is time to remove some again; the next time will be as much later.
    pub(crate) fn is_time(&self, between: Duration, now: Instant) -> bool {
        let mut removed_at = self.removed_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = removed_at.is_none_or(|at| now.saturating_duration_since(at) >= between);
        if is_time {
            *removed_at = Some(now);
        }
        is_time
    }

    /// Removes those of which no job was told for so long, as far as nothing uses them.
    pub(crate) async fn remove_unused(&self, engine: &Engine, span: Duration) -> Vec<Removed> {
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let unused = self.with(|known| known.remembered.unused(span_ms, wall_ms()));
        let mut removed = Vec::new();
        for image in unused.into_iter().take(AT_ONCE) {
            match self.remove(engine, &image).await {
                Ok(gone) => removed.extend(gone),
                Err(error) => tracing::debug!(image = image.id, error = chain(&error), "an image was not removed"),
            }
        }
        removed
    }

    async fn remove(&self, engine: &Engine, image: &Pulled) -> Result<Option<Removed>, DockerError> {
        let name = image.name.as_ref().unwrap_or(&image.id);
        let there = looked(engine, name).await?;
        let is_ours = |there: &super::source::Image| {
            // An id without a name of ours may have got one from somebody else.
            there.id == image.id && (image.name.is_some() || !there.is_named)
        };
        let Some(there) = there.filter(is_ours) else {
            self.with(|known| known.remembered.forget(image));
            return Ok(None);
        };
        // A job may have asked for it meanwhile.
        if !self.with(|known| known.remembered.has(image)) {
            return Ok(None);
        }
        let client = engine.client().await?;
        let options = RemoveImageOptionsBuilder::default().force(false).noprune(false).build();
        match engine.long_call("remove an image", client.remove_image(name, Some(options), None)).await {
            Ok(_) => {
                self.with(|known| known.remembered.forget(image));
                Ok(Some(Removed { image: name.clone(), bytes: there.bytes }))
            }
            // A container uses it, or another image is made from it.
            Err(error) if error.status() == Some(409) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
impl Ours {
    /// An image was pulled at that moment.
    pub(super) fn pulled_at(&self, name: &str, id: &str, at_ms: u64) {
        self.with(|known| known.remembered.pulled(name, None, id, at_ms));
    }

    /// The names of those that no job has asked for in that time.
    pub(super) fn unused(&self, span: Duration) -> Vec<String> {
        let span_ms = u64::try_from(span.as_millis()).unwrap();
        let unused = self.with(|known| known.remembered.unused(span_ms, wall_ms()));
        unused.into_iter().filter_map(|image| image.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_removed_at_most_once_in_a_time_whoever_asks() {
        let (ours, start, hour) = (Ours::new(None, String::new()), Instant::now(), Duration::from_hours(1));
        let told = [0, 1, 59, 60, 61, 120].map(|minutes| ours.is_time(hour, start + Duration::from_mins(minutes)));
        assert_eq!(told, [true, false, false, true, false, true]);
    }
}
