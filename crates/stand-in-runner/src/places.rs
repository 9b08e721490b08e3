//! The directories of one job, below the runner's working directory:
//!
//! ```text
//! one-job-57/            (or one-job-57-2, …: never one that exists already)
//!   workspace/           where the steps run
//!   step-0/              script and environment files of the first step
//! ```

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Names that are tried before giving up: one for each time that the same task was begun here before.
const MAX_NAMES: u32 = 100;

/// The directories of one job.
#[derive(Debug)]
pub(crate) struct Places {
    root: PathBuf,
}

impl Places {
    /// Creates fresh directories for a task.
    pub(crate) fn create(parent: &Path, task: i64) -> Result<Self, Error> {
        let base = parent.join(format!("one-job-{task}"));
        let fail = |source| Error::Directory { action: "create", path: base.clone(), source };
        for attempt in 1..=MAX_NAMES {
            let root = if attempt == 1 { base.clone() } else { parent.join(format!("one-job-{task}-{attempt}")) };
            // For our eyes only: a script may hold secrets.
            match DirBuilder::new().mode(0o700).create(&root) {
                Ok(()) => {
                    let places = Self { root };
                    fs::create_dir(places.workspace()).map_err(fail)?;
                    return Ok(places);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(fail(error)),
            }
        }
        Err(fail(io::Error::from(ErrorKind::AlreadyExists)))
    }

    /// Where the steps run.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// Where a step's script and environment files go; not created yet.
    pub(crate) fn of_step(&self, index: usize) -> PathBuf {
        self.root.join(format!("step-{index}"))
    }

    /// Removes everything.
    pub(crate) fn remove(self) -> Result<(), Error> {
        fs::remove_dir_all(&self.root).map_err(|source| Error::Directory { action: "remove", path: self.root, source })
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn an_existing_directory_is_never_used_again() {
        let parent = tempfile::tempdir().unwrap();
        let first = Places::create(parent.path(), 57).unwrap();
        std::fs::write(first.workspace().join("file"), "x").unwrap();
        let second = Places::create(parent.path(), 57).unwrap();
        assert_ne!(first.workspace(), second.workspace());
        assert!(!second.workspace().join("file").exists());
        first.remove().unwrap();
        second.remove().unwrap();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
