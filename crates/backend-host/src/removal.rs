//! Removing a machine's folder, whatever a job made of it; and what one user owns of a folder elsewhere.
//!
//! ```text
//! NAME: all but the records ─► renamed to .gone-NAME ─► the records ─► the folder
//! ```
//!
//! So a removal that is cut short is still listed as the machine that it was, and is taken up again. No link is ever
//! followed, a depth without limit needs a limited number of open files, and one call removes a limited number of entries.
//!
//! Where only one user's are removed, what others put into its folders stays, and such a folder is given to root. (What lies
//! deeper than the walk goes moves to the top with the folder that it is in.)

use std::ffi::{CStr, OsStr};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use planner::ids::MachineName;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::process::{Gid, Uid};

use crate::error::{At as _, HostError};
use crate::folder::{self, Folder};

/// Entries removed per call: about a second of work. A checkout with all its dependencies is of this order.
pub(crate) const ENTRIES_PER_CALL: usize = 100_000;

/// How deep the walk goes before it moves what is deeper to the top: two open files per level.
const DEPTH_LIMIT: usize = 32;

/// How often a directory is emptied again that something was put into meanwhile.
const EMPTYING_ROUNDS: usize = 4;

/// The records that say which machine it is and how it ended: the last to go.
const RECORDS: [&str; 4] = [folder::MACHINE, folder::SUPERVISOR, folder::BINDING, folder::EXIT];

/// Removes a machine of which no process is left. False if there is more to do in another call.
pub(crate) fn remove_machine(directory: &Path, folder: &Folder, name: &MachineName) -> Result<bool, HostError> {
    let mut removal = Removal::open(folder.path(), ENTRIES_PER_CALL)?;
    if !removal.empty(&RECORDS)? {
        return Ok(false);
    }
    let gone = directory.join(format!("{}{name}", folder::GONE_PREFIX));
    if gone.exists() && !remove_leftover(&gone)? {
        return Ok(false);
    }
    fs::rename(folder.path(), &gone).at(folder.path())?;
    remove_leftover(&gone)
}

/// Removes a folder that is no machine (any more). False if there is more to do.
pub(crate) fn remove_leftover(path: &Path) -> Result<bool, HostError> {
    if !Removal::open(path, ENTRIES_PER_CALL)?.empty(&[])? {
        return Ok(false);
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at(path),
        _ => Ok(true),
    }
}

/// What is removed of a folder that is not the daemon's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theirs {
    /// Entries of this user alone.
    pub(crate) uid: u32,
    /// On this file system alone.
    pub(crate) device: u64,
}

impl Theirs {
    pub(crate) fn include(self, about: &Stat) -> bool {
        about.st_uid == self.uid && about.st_dev == self.device
    }
}

/// Removes what a user owns of a folder of its own; the folder too, or else it is root's afterwards. Takes what it removed
/// from `left`; false if there is more to do when that is used up.
pub(crate) fn remove_theirs(path: &Path, theirs: Theirs, left: &mut usize) -> Result<bool, HostError> {
    let root = rustix::fs::open(path, DIRECTORY, Mode::empty()).at(path)?;
    if !theirs.include(&rustix::fs::fstat(&root).at(path)?) {
        return Ok(true);
    }
    let mut removal = Removal { path, theirs: Some(theirs), root, entries_left: *left, moved_up: 0 };
    let done = removal.empty(&[]).and_then(|emptied| {
        let root = removal.root.try_clone().at(path)?;
        Ok(emptied && removal.remove_or_give(CWD, path, &root).at(path)?)
    });
    *left = removal.entries_left;
    done
}

struct Removal<'a> {
    path: &'a Path,
    /// The only entries that are removed, if there is such a limit.
    theirs: Option<Theirs>,
    root: OwnedFd,
    entries_left: usize,
    moved_up: u64,
}

impl<'a> Removal<'a> {
    fn open(path: &'a Path, entries: usize) -> Result<Self, HostError> {
        make_usable(CWD, path).at(path)?;
        let root = rustix::fs::open(path, DIRECTORY, Mode::empty()).at(path)?;
        Ok(Self { path, theirs: None, root, entries_left: entries, moved_up: 0 })
    }

    /// Removes everything at the top but what is to be kept. False if the entries ran out.
    fn empty(&mut self, kept: &[&str]) -> Result<bool, HostError> {
        loop {
            let moved_before = self.moved_up;
            let root = self.root.try_clone().at(self.path)?;
            if !self.clear(&root, self.path, kept, 0)? {
                return Ok(false);
            }
            if self.moved_up == moved_before {
                return Ok(true);
            }
        }
    }

    fn clear(&mut self, directory: &OwnedFd, path: &Path, kept: &[&str], depth: usize) -> Result<bool, HostError> {
        for entry in Dir::read_from(directory).at(path)? {
            let entry = entry.at(path)?;
            let name = entry.file_name();
            if name == c"." || name == c".." || kept.iter().any(|kept| kept.as_bytes() == name.to_bytes()) {
                continue;
            }
            let entry_path = path.join(OsStr::from_bytes(name.to_bytes()));
            if !self.includes(directory, name).at(&entry_path)? {
                continue;
            }
            if self.entries_left == 0 {
                return Ok(false);
            }
            match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
                Ok(()) => self.entries_left -= 1,
                Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => {
                    if !self.remove_directory(directory, name, &entry_path, depth + 1)? {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error).at(&entry_path),
            }
        }
        Ok(true)
    }

    fn includes(&self, directory: &OwnedFd, name: &CStr) -> io::Result<bool> {
        let Some(theirs) = self.theirs else { return Ok(true) };
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(false),
            about => Ok(theirs.include(&about?)),
        }
    }

    fn remove_directory(
        &mut self,
        parent: &OwnedFd,
        name: &CStr,
        path: &Path,
        depth: usize,
    ) -> Result<bool, HostError> {
        if self.theirs.is_none() {
            make_usable(parent, name).at(path)?;
        }
        if depth > DEPTH_LIMIT {
            self.entries_left -= 1;
            return self.move_up(parent, name).at(path).map(|()| true);
        }
        let directory = match rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(true),
            opened => opened.at(path)?,
        };
        // Others may have put another one in its place since it was looked at.
        if self.theirs.is_some_and(|theirs| rustix::fs::fstat(&directory).is_ok_and(|about| !theirs.include(&about))) {
            return Ok(true);
        }
        for _ in 0..EMPTYING_ROUNDS {
            if !self.clear(&directory, path, &[], depth)? || self.entries_left == 0 {
                return Ok(false);
            }
            if self.remove_or_give(parent, name, &directory).at(path)? {
                return Ok(true);
            }
        }
        Err(Errno::NOTEMPTY).at(path)
    }

    /// Removes an emptied directory. What others have in it keeps it: then it is given to root, so that the user's next job
    /// is not its owner. False if something came into it that is to be removed too.
    fn remove_or_give(&mut self, parent: impl AsFd, name: impl Arg, directory: &OwnedFd) -> io::Result<bool> {
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) if self.theirs.is_some() => {
                rustix::fs::fchown(directory, Some(Uid::ROOT), Some(Gid::ROOT))?;
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.entries_left = self.entries_left.saturating_sub(1);
        Ok(true)
    }

    /// Moves a directory to the top, under a name that is free (or an empty directory, which it replaces).
    fn move_up(&mut self, parent: &OwnedFd, name: &CStr) -> io::Result<()> {
        loop {
            self.moved_up += 1;
            let target = format!(".deep-{}", self.moved_up);
            match rustix::fs::renameat(parent, name, &self.root, target) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                renamed => return Ok(renamed?),
            }
        }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Lets us read, change and enter a directory that may forbid it. Not following a link needs the detour over a
/// descriptor that opens nothing. Where it fails, what comes next says why.
fn make_usable(parent: impl AsFd, name: impl Arg) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        let _ = rustix::fs::chmod(format!("/proc/self/fd/{}", handle.as_raw_fd()), Mode::RWXU);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use planner::ids::MachineName;

    use super::{Removal, remove_leftover, remove_machine};
    use crate::folder::Folder;

    fn forbid(path: &Path) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }

    #[test]
    fn forbidden_folders_go_and_links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("precious"), "1").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let machine = directory.path().join("fs-1");
        fs::create_dir_all(machine.join("work/a/b")).unwrap();
        fs::write(machine.join("work/a/b/file"), "1").unwrap();
        symlink(outside.path(), machine.join("work/a/link")).unwrap();
        symlink(outside.path(), machine.join("home")).unwrap();
        forbid(&machine.join("work/a/b"));
        forbid(&machine.join("work/a"));
        let folder = Folder::new(machine);
        assert!(remove_machine(directory.path(), &folder, &MachineName::new("fs-1")).unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(outside.path().join("precious").exists());
    }

    #[test]
    fn depth_has_no_limit() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("deep");
        fs::create_dir(&root).unwrap();
        // Built from the inside out, since such a path is too long to be named at once.
        for _ in 0..1500 {
            fs::create_dir(directory.path().join("outer")).unwrap();
            if root.join("d").exists() {
                fs::rename(root.join("d"), directory.path().join("outer/d")).unwrap();
            }
            fs::rename(directory.path().join("outer"), root.join("d")).unwrap();
        }
        assert!(remove_leftover(&root).unwrap());
        assert!(!root.exists());
    }

    #[test]
    fn a_call_removes_a_limited_number_of_entries_and_the_next_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let machine = directory.path().join("fs-1");
        fs::create_dir(&machine).unwrap();
        fs::write(machine.join("machine.json"), "{}").unwrap();
        for file in 0..25 {
            fs::write(machine.join(format!("{file}")), "").unwrap();
        }
        let left = |path: &Path| fs::read_dir(path).unwrap().count();
        for expected in [16, 6] {
            assert!(!Removal::open(&machine, 10).unwrap().empty(&["machine.json"]).unwrap());
            assert_eq!(left(&machine), expected);
        }
        assert!(Removal::open(&machine, 10).unwrap().empty(&["machine.json"]).unwrap());
        assert_eq!(left(&machine), 1);
    }
}
