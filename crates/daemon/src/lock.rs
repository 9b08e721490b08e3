//! The lock on the state directory: of two daemons with one directory, one acts (design section 8). That two daemons with
//! two directories are not of one deployment is seen to by the [claim](crate::claim).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use planner::ids::DeploymentId;

use crate::made::Made;

/// The file's name in the state directory.
pub(crate) const NAME: &str = "lock";

/// How long a lock is waited for.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);

/// How often the lock is tried to be had while others make the directory and remove it again.
const TRIES: usize = 16;

/// The pause between two tries.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// What to do when there are two. Two daemons of one deployment would take each other's runners for strays.
pub(crate) const ONE_OF_TWO: &str =
    "stop the other one, or give this one both a `deployment` and a `state_directory` of its own";

/// Why the state directory, or the deployment's name, cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be made or written to.
    #[error("cannot use the state directory {}", directory.display())]
    Unusable {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("the state directory {} is used by another forgescale (process {process})", directory.display())]
    Taken {
        /// Which.
        directory: PathBuf,
        /// The other process, as it wrote itself down.
        process: String,
    },
    /// Another process serves the deployment, with another state directory.
    #[error("the deployment {deployment} is served by another forgescale on this host{}", shown(*process))]
    Served {
        /// Which.
        deployment: DeploymentId,
        /// The other process, if it can be seen from here.
        process: Option<i32>,
    },
}

impl LockError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => {
                "state_directory must be a directory of the daemon's user, or one that it can make"
            }
            Self::Taken { .. } => {
                "stop the other one, have this one wait for its end (`run --follow`), or give this one both a `deployment` and a `state_directory` of its own"
            }
            Self::Served { .. } => ONE_OF_TWO,
        }
    }
}

fn shown(process: Option<i32>) -> String {
    process.map(|id| format!(" (process {id})")).unwrap_or_default()
}

/// A locked state directory. The lock ends with the process, however that ends.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    /// Before the lock: what was made goes while it is held.
    made: Made,
    _lock: File,
}

/// The lock's file, opened, and whether it was made for that.
struct Opened {
    file: File,
    is_new: bool,
}

impl StateDirectory {
    /// Makes the directory if need be and locks it. Blocks for a moment while another has it. What was made goes when
    /// this is dropped, unless it is [kept](Self::keep).
    pub fn lock(directory: &Path) -> Result<Self, LockError> {
        Self::lock_by(directory, try_for_a_moment)
    }

    /// The same, without waiting.
    pub fn try_lock(directory: &Path) -> Result<Self, LockError> {
        Self::lock_by(directory, File::try_lock)
    }

    fn lock_by(directory: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Self, LockError> {
        for _ in 0..TRIES {
            if let Some(locked) = Self::lock_once(directory, &lock)? {
                return Ok(locked);
            }
        }
        let source = io::Error::other("others make and remove it again and again");
        Err(LockError::Unusable { directory: directory.to_owned(), source })
    }

    /// Nothing when somebody removed it meanwhile: a lock on a file that is gone is none.
    fn lock_once(
        directory: &Path,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<Self>, LockError> {
        let unusable = |source| LockError::Unusable { directory: directory.to_owned(), source };
        let mut made = Made::default();
        let path = directory.join(NAME);
        let opened = made.folder(directory).and_then(|()| open(&path));
        let Opened { mut file, is_new } = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unusable)?,
        };
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // What cannot be read is not told.
                let _ = (&mut file).take(32).read_to_string(&mut process);
                return Err(LockError::Taken { directory: directory.to_owned(), process: process.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        if !is_at(&file, &path) {
            return Ok(None);
        }
        if is_new {
            made.file(path);
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Some(Self { path: directory.to_owned(), made, _lock: file }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was made for this, so that nothing in it is anybody else's.
    pub(crate) fn is_new(&self) -> bool {
        self.made.has_made(&self.path)
    }

    /// Files that are about to be made in it go with it, if it goes.
    pub(crate) fn makes(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        if self.is_new() {
            files.into_iter().for_each(|file| self.made.file(file));
        }
    }

    /// What was made elsewhere goes with it, too, and before it.
    pub(crate) fn takes_along(&mut self, made: &mut Made) {
        self.made.append(made);
    }

    /// It stays when the lock goes.
    pub(crate) fn keep(&mut self) {
        self.made.keep();
    }
}

fn open(path: &Path) -> io::Result<Opened> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match options.create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create_new(false).open(path).map(|file| Opened { file, is_new: false })
        }
        opened => opened.map(|file| Opened { file, is_new: true }),
    }
}

/// Whether a path leads to this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |found: std::fs::Metadata| {
        file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
    };
    std::fs::metadata(path).is_ok_and(same)
}

/// Whether a process has this lock. It is tried for an instant, which a daemon that starts in that very instant waits for.
pub(crate) fn is_taken(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A daemon that was killed while it was starting a process leaves the lock to that process, until its exec a moment
/// later. Whoever is started at once in its place waits for that.
fn try_for_a_moment(file: &File) -> Result<(), TryLockError> {
    let deadline = Instant::now() + MOMENT;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateDirectory::lock(directory.path()).unwrap();
        let error = StateDirectory::lock(directory.path()).unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(first);
        StateDirectory::lock(directory.path()).unwrap();
    }

    #[test]
    fn a_directory_that_was_made_goes_with_the_lock_unless_it_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a/b");
        let first = StateDirectory::lock(&deep).unwrap();
        // Whoever is refused removes nothing of the other's.
        StateDirectory::try_lock(&deep).unwrap_err();
        assert!(first.is_new() && deep.join(NAME).exists());
        drop(first);
        assert!(!place.path().join("a").exists());

        let mut first = StateDirectory::lock(&deep).unwrap();
        first.keep();
        drop(first);
        let second = StateDirectory::lock(&deep).unwrap();
        assert!(!second.is_new());
        drop(second);
        assert!(deep.join(NAME).exists());
    }

    #[test]
    fn a_lock_on_a_file_that_was_removed_meanwhile_is_none() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("a");
        let goes = std::cell::Cell::new(true);
        let locked = StateDirectory::lock_by(&directory, |file| {
            if goes.take() {
                std::fs::remove_dir_all(&directory).unwrap();
            }
            file.try_lock()
        });
        let locked = locked.unwrap();
        assert!(!goes.get() && directory.join(NAME).exists());
        StateDirectory::try_lock(&directory).unwrap_err();
        drop(locked);
    }

    #[test]
    fn a_directory_that_is_removed_again_and_again_is_unusable() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("a");
        let refused = StateDirectory::lock_by(&directory, |file| {
            std::fs::remove_dir_all(&directory).unwrap();
            file.try_lock()
        });
        assert!(matches!(refused, Err(LockError::Unusable { .. })), "{refused:?}");
    }
}
