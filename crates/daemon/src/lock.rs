//! The lock on the state directory: of two daemons with one directory, one acts (design section 8). That two daemons with
//! two directories are not of one deployment is seen to by the [claim](crate::claim).

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use planner::ids::DeploymentId;

/// The file's name in the state directory.
pub(crate) const NAME: &str = "lock";

/// How long a lock is waited for.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);

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
    _lock: File,
}

impl StateDirectory {
    /// Makes the directory if need be and locks it. Blocks for a moment while another has it.
    pub fn lock(directory: &Path) -> Result<Self, LockError> {
        Self::lock_by(directory, try_for_a_moment)
    }

    /// The same, without waiting.
    pub fn try_lock(directory: &Path) -> Result<Self, LockError> {
        Self::lock_by(directory, File::try_lock)
    }

    fn lock_by(directory: &Path, lock: impl FnOnce(&File) -> Result<(), TryLockError>) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { directory: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(directory.join(NAME)).map_err(unusable)?;
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
        file.set_len(0).and_then(|()| file.rewind()).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { path: directory.to_owned(), _lock: file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
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
}
