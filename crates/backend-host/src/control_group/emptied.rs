//! Removing a group with all that a job made below it.
//!
//! However deep a job nested them: the walk holds two open groups at a time, names no path, and goes back up by `..`, which
//! is safe since groups of version 2 cannot be moved. One call removes a limited number, from the bottom, and so leaves less
//! behind for the next one: nobody makes more when no process is left.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Groups removed per call: well below a second of work.
const REMOVED_PER_CALL: usize = 10_000;

const GROUP: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes everything below a group. False if something lives in it, or if there is more to do in another call. A group
/// that is gone has nothing below.
pub(super) fn empty(path: &Path) -> io::Result<bool> {
    walk(path, REMOVED_PER_CALL)
}

fn walk(path: &Path, mut removals: usize) -> io::Result<bool> {
    let Some(mut here) = open(CWD, path)? else { return Ok(true) };
    let mut way: Vec<CString> = Vec::new();
    loop {
        if let Some(name) = first_below(&here)? {
            // One that is gone by now was not ours to remove.
            let Some(below) = open(&here, name.as_c_str())? else { return Ok(false) };
            here = below;
            way.push(name);
            continue;
        }
        let Some(name) = way.pop() else { return Ok(true) };
        let Some(above) = open(&here, c"..")? else { return Ok(false) };
        here = above;
        match rustix::fs::unlinkat(&here, &name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NODEV) => {}
            Err(Errno::BUSY | Errno::NOTEMPTY | Errno::EXIST) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        removals -= 1;
        if removals == 0 {
            return Ok(false);
        }
    }
}

fn open(from: impl std::os::fd::AsFd, name: impl rustix::path::Arg) -> io::Result<Option<OwnedFd>> {
    match rustix::fs::openat(from, name, GROUP, Mode::empty()) {
        Err(Errno::NOENT | Errno::NODEV) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// A group below this one. What else is in there are the kernel's files, which go with it.
fn first_below(group: &OwnedFd) -> io::Result<Option<CString>> {
    for entry in Dir::read_from(group)? {
        let entry = match entry {
            Err(Errno::NOENT | Errno::NODEV) => return Ok(None),
            entry => entry?,
        };
        let name: &CStr = entry.file_name();
        if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{empty, walk};

    /// Directories one in the other, made by moving what there is into a new one: such a path is too long to be named.
    fn nest(place: &Path, depth: usize) {
        let (inner, outer) = (place.join("d"), place.join("outer"));
        for _ in 0..depth {
            fs::create_dir(&outer).unwrap();
            if inner.exists() {
                fs::rename(&inner, outer.join("d")).unwrap();
            }
            fs::rename(&outer, &inner).unwrap();
        }
    }

    fn left(place: &Path) -> usize {
        fs::read_dir(place).unwrap().count()
    }

    #[test]
    fn groups_are_removed_however_deep_and_wide_they_are() {
        let place = tempfile::tempdir().unwrap();
        nest(place.path(), 2_100);
        for wide in 0..50 {
            fs::create_dir_all(place.path().join(format!("{wide}/a/b"))).unwrap();
        }
        assert!(empty(place.path()).unwrap());
        assert_eq!(left(place.path()), 0);
        assert!(empty(&place.path().join("nothing")).unwrap());
    }

    #[test]
    fn a_call_does_a_limited_amount_and_the_next_ones_come_to_an_end() {
        let place = tempfile::tempdir().unwrap();
        for wide in 0..20 {
            fs::create_dir_all(place.path().join(format!("{wide}/a"))).unwrap();
        }
        // Forty in all, the lower ones first.
        for expected in [13, 5] {
            assert!(!walk(place.path(), 15).unwrap());
            assert_eq!(left(place.path()), expected);
        }
        assert!(walk(place.path(), 15).unwrap());
        assert_eq!(left(place.path()), 0);
    }

    #[test]
    fn a_group_in_use_stays_and_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(outside.path().join("precious")).unwrap();
        fs::create_dir_all(place.path().join("a/b")).unwrap();
        // In the place of a process: a file keeps a directory, as a member keeps a group.
        fs::write(place.path().join("a/b/file"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), place.path().join("link")).unwrap();
        assert!(!empty(place.path()).unwrap());
        assert!(place.path().join("a/b/file").exists() && outside.path().join("precious").exists());
    }
}
