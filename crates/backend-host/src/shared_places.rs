//! What a job left of its user in places that all users share, such as `/tmp`: the next job of that user would own it.
//!
//! Only for a user that is known to be one machine's alone, when no process of it is left. Then nobody but root can put
//! something else in the place of what is looked at: the place itself must be root's, with the sticky bit. No link is
//! followed, no other file system is entered, what belongs to others stays wherever it is, and one call removes a limited
//! number of entries. (It looks at as many as there are.)
//!
//! Deliberately absent: folders of other users, other places that a user could write to, message queues and shared memory of
//! System V.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{At as _, HostError};
use crate::removal::{self, Theirs};
use crate::user::User;

/// Where every user can write, on any Linux (file-hierarchy(7)).
const PLACES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// The sticky bit: everybody can remove only what is their own.
const STICKY: u32 = 0o1000;

/// Removes what a user owns there. False if there is more to do in another call. What cannot be removed stays and is told:
/// it is no reason to keep a machine.
pub(crate) fn clear(user: &User) -> bool {
    let mut left = removal::ENTRIES_PER_CALL;
    PLACES.iter().all(|place| {
        clear_one(Path::new(place), user.uid, &mut left).unwrap_or_else(|error| {
            tracing::warn!(user = user.name, error = ::backend::chain(&error), "could not remove what a job left");
            true
        })
    })
}

fn clear_one(path: &Path, uid: u32, left: &mut usize) -> Result<bool, HostError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = match rustix::fs::open(path, flags, Mode::empty()) {
        // Not there, or a link to another of them.
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return Ok(true),
        opened => opened.at(path)?,
    };
    let about = rustix::fs::fstat(&place).at(path)?;
    if about.st_uid != 0 || about.st_mode & STICKY == 0 {
        return Ok(true);
    }
    clear_place(&place, path, Theirs { uid, device: about.st_dev }, left)
}

fn clear_place(place: &OwnedFd, path: &Path, theirs: Theirs, left: &mut usize) -> Result<bool, HostError> {
    let mut failed = None;
    for entry in Dir::read_from(place).at(path)? {
        let entry = entry.at(path)?;
        if entry.file_name() == c"." || entry.file_name() == c".." {
            continue;
        }
        match remove_if_theirs(place, &path.join(OsStr::from_bytes(entry.file_name().to_bytes())), theirs, left) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(true), Err)
}

fn remove_if_theirs(place: &OwnedFd, path: &Path, theirs: Theirs, left: &mut usize) -> Result<bool, HostError> {
    let Some(name) = path.file_name() else { return Ok(true) };
    let about = match rustix::fs::statat(place, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(true),
        about => about.at(path)?,
    };
    if !theirs.include(&about) {
        return Ok(true);
    }
    if *left == 0 {
        return Ok(false);
    }
    if FileType::from_raw_mode(about.st_mode) == FileType::Directory {
        return removal::remove_theirs(path, theirs, left);
    }
    rustix::fs::unlinkat(place, name, AtFlags::empty()).at(path)?;
    *left -= 1;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use std::path::Path;

    use super::{Theirs, clear_one, clear_place};

    #[test]
    fn a_place_that_others_could_rearrange_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        let own = rustix::process::geteuid().as_raw();
        for mode in [0o777, 0o700] {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert!(clear_one(place.path(), own, &mut 9).unwrap());
        }
        symlink(place.path(), place.path().join("link")).unwrap();
        assert!(clear_one(&place.path().join("link"), own, &mut 9).unwrap());
        assert!(clear_one(&place.path().join("nothing"), own, &mut 9).unwrap());
        assert!(place.path().join("file").exists());
    }

    /// One call with this many removals. True if nothing is left to do.
    fn clear(place: &Path, mut left: usize) -> bool {
        let about = rustix::fs::stat(place).unwrap();
        let opened = std::fs::File::open(place).unwrap().into();
        let theirs = Theirs { uid: rustix::process::geteuid().as_raw(), device: about.st_dev };
        clear_place(&opened, place, theirs, &mut left).unwrap()
    }

    #[test]
    fn a_call_removes_a_limited_number_in_all_and_the_next_ones_come_to_an_end() {
        let place = tempfile::tempdir().unwrap();
        for directory in 0..4 {
            // Six to remove each: four files, and a directory in a directory.
            let inner = place.path().join(format!("{directory}/inner"));
            fs::create_dir_all(&inner).unwrap();
            for file in 0..4 {
                fs::write(inner.join(file.to_string()), "").unwrap();
            }
        }
        let left = || fs::read_dir(place.path()).unwrap().count();
        assert!(!clear(place.path(), 0));
        for expected in [3, 1] {
            assert!(!clear(place.path(), 10), "one limit for all");
            assert_eq!(left(), expected);
        }
        assert!(clear(place.path(), 10));
        assert_eq!(left(), 0);
    }
}
