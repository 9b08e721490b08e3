//! What a demo that was killed has left: the next one finds it and clears it away.
//!
//! ```text
//! directories made ─► locked `playing` in each ─► played ─► all of it removed, or with --keep the file alone
//!                          │ kill -9, or not all of it could be: the lock goes, the file stays
//!                          ▼
//!                     the next demo ─► machines destroyed ─► directories removed
//!                          ▲               │ not all of them
//!                          └───────────────┘
//! ```
//!
//! There are two directories where there is a file system in memory. What cleans up temporary directories may take one of
//! them, so that each can be found without the other; machines go with the first.
//!
//! A directory without that file is nobody's to remove: it is kept, or no demo's. So is one of another user.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::clearing::clear_machines;
use super::engine::Engine;
use super::stage::{PREFIX, SHARED_MEMORY, STATE};

/// The file that is locked for as long as its demo lives.
const PLAYING: &str = "playing";

/// The same before it is locked: no other demo is to find it unlocked.
const NOT_YET: &str = ".playing.new";

/// How much of it is read: two short texts.
const LIMIT: u64 = 16 << 10;

/// A demo that plays, as others see it. Dropping it lets the next one clear it away.
#[derive(Debug)]
pub(super) struct Playing {
    _locks: Vec<File>,
    directory: PathBuf,
}

impl Playing {
    /// Marks a demo's directories.
    pub(super) fn begin(
        directory: &Path,
        deployment: &str,
        runtime: &Path,
        engine: Option<&Engine>,
    ) -> io::Result<Self> {
        let told = json!({ "deployment": deployment, "runtime": runtime, "engine": engine.map(Engine::address) });
        let mut locks = vec![mark(directory, &told)?];
        if !runtime.starts_with(directory) {
            locks.push(mark(runtime, &told)?);
        }
        Ok(Self { _locks: locks, directory: directory.to_owned() })
    }

    /// Leaves the directory to whoever wants to look at it.
    pub(super) fn keep(self) -> io::Result<()> {
        fs::remove_file(self.directory.join(PLAYING))
    }
}

fn mark(directory: &Path, told: &Value) -> io::Result<File> {
    let mut file = File::create_new(directory.join(NOT_YET))?;
    file.lock()?;
    write!(file, "{told}")?;
    fs::rename(directory.join(NOT_YET), directory.join(PLAYING))?;
    Ok(file)
}

/// Clears away what earlier demos have left, and says where. What cannot be cleared away stays for the next one, with the
/// directory, which alone says where it is.
pub(super) async fn clear(mut say: impl FnMut(&str)) {
    // Those in memory last: most go with the others.
    let parents = [std::env::temp_dir(), PathBuf::from(SHARED_MEMORY)];
    for directory in parents.iter().flat_map(|parent| ours(parent)) {
        let Some(left) = Left::find(directory) else { continue };
        say(&format!("an earlier demo was killed: clearing away what it left in {}", left.directory.display()));
        let cleared = match &left.engine {
            Some(engine) => engine.clear(&left.deployment).await,
            None => clear_machines(&left.directory.join(STATE).join("machines"), &left.deployment).await,
        };
        if let Err(error) = cleared {
            let directory = left.directory.display();
            say(&format!(
                "some of it may still be there: {error:#}; {directory} stays, for the next demo to try again"
            ));
        } else if let Err(error) = left.remove() {
            say(&format!("cannot remove {}: {error}", left.directory.display()));
        }
    }
}

/// A demo that plays no more.
struct Left {
    /// So that only one demo clears it away.
    _lock: File,
    directory: PathBuf,
    deployment: String,
    runtime: Option<PathBuf>,
    engine: Option<Engine>,
}

impl Left {
    fn find(directory: PathBuf) -> Option<Self> {
        let lock = File::open(directory.join(PLAYING)).ok()?;
        lock.try_lock().ok()?;
        let mut text = String::new();
        (&lock).take(LIMIT).read_to_string(&mut text).ok()?;
        let told: Value = serde_json::from_str(&text).ok()?;
        let runtime = told["runtime"].as_str().map(PathBuf::from);
        // Nothing is removed for being named in a file: it must be a demo's as well.
        let runtime =
            runtime.filter(|runtime| ours(Path::new(SHARED_MEMORY)).contains(runtime) && *runtime != directory);
        let engine = match told["engine"].as_str() {
            Some(address) => Some(Engine::of_earlier(address)?),
            None => None,
        };
        Some(Self { _lock: lock, deployment: told["deployment"].as_str()?.to_owned(), directory, runtime, engine })
    }

    fn remove(&self) -> io::Result<()> {
        let folders = self.runtime.iter().chain([&self.directory]);
        folders.map(fs::remove_dir_all).try_for_each(|removed| match removed {
            // Another demo has found the one in memory by itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }
}

/// The directories of demos in one, as far as they are this user's.
fn ours(parent: &Path) -> Vec<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    let found = named.map(|entry| entry.path());
    found.filter(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == user)).collect()
}
