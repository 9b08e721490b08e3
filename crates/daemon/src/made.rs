//! What an attempt makes on the disk: it goes again when the attempt is refused.
//!
//! Promises: only what this process made itself goes, and a folder only while it is empty, which the kernel sees to. So
//! nothing of anybody else's goes, and nothing that has been put there meanwhile.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Files and folders that were made. Dropped, it removes them again; see [`Made::keep`].
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// The ones above first.
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    /// Makes a folder for us alone, with those above it that are missing. One that is there stays as it is.
    pub(crate) fn folder(&mut self, path: &Path) -> io::Result<()> {
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir());
        let missing: Vec<&Path> = missing.collect();
        for folder in missing.into_iter().rev() {
            match DirBuilder::new().mode(0o700).create(folder) {
                Ok(()) => self.folders.push(folder.to_owned()),
                // Somebody was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes note of a file that this process has made.
    pub(crate) fn file(&mut self, path: PathBuf) {
        self.files.push(path);
    }

    /// Whether a folder was made, and is this one's alone to remove.
    pub(crate) fn has_made(&self, folder: &Path) -> bool {
        self.folders.iter().any(|made| made == folder)
    }

    /// Takes over what another has made; that goes first.
    pub(crate) fn append(&mut self, later: &mut Self) {
        self.folders.append(&mut later.folders);
        self.files.append(&mut later.files);
    }

    /// All of it stays: the attempt came to something.
    pub(crate) fn keep(&mut self) {
        self.folders.clear();
        self.files.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // What cannot be removed is in use, or somebody else's by now.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_was_made_goes_and_what_was_there_stays() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("there")).unwrap();
        let mut made = Made::default();
        made.folder(&place.path().join("there/a/b")).unwrap();
        made.folder(&place.path().join("there/a/c")).unwrap();
        fs::write(place.path().join("there/a/file"), "").unwrap();
        made.file(place.path().join("there/a/file"));
        assert!(made.has_made(&place.path().join("there/a")) && !made.has_made(&place.path().join("there")));
        drop(made);
        assert_eq!(names(place.path()), ["there"]);
        assert_eq!(names(&place.path().join("there")), Vec::<String>::new());
    }

    #[test]
    fn a_folder_in_which_somebody_has_put_something_stays() {
        let place = tempfile::tempdir().unwrap();
        let mut made = Made::default();
        made.folder(&place.path().join("a/b")).unwrap();
        fs::write(place.path().join("a/of-another"), "").unwrap();
        drop(made);
        assert_eq!(names(&place.path().join("a")), ["of-another"]);
    }

    #[test]
    fn what_is_kept_stays() {
        let place = tempfile::tempdir().unwrap();
        let mut made = Made::default();
        made.folder(&place.path().join("a")).unwrap();
        made.keep();
        drop(made);
        assert_eq!(names(place.path()), ["a"]);
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a"), "").unwrap();
        Made::default().folder(&place.path().join("a")).unwrap_err();
        Made::default().folder(&place.path().join("a/b")).unwrap_err();
        assert_eq!(names(place.path()), ["a"]);
    }
}
