//! What a job left of its user in places that all users share, such as `/tmp`: the next job of that user would own it.
//!
//! Only for a user that is known to be one machine's alone, when no process of it is left. Then nobody but root can put
//! something else in the place of what is looked at: the place itself must be root's, with the sticky bit. No link is
//! followed, no other file system is entered, and one call does a limited amount of work.
//!
//! Deliberately absent: other places that a user could write to, message queues and shared memory of System V.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::{At as _, HostError};
use crate::removal;
use crate::user::User;

/// Where every user can write, on any Linux (file-hierarchy(7)).
const PLACES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// How many entries of a place are looked at: about a second of work.
const ENTRIES: usize = 200_000;

/// The sticky bit: everybody can remove only what is their own.
const STICKY: u32 = 0o1000;

/// Removes what a user owns there. False if there is more to do in another call. What cannot be removed stays and is told:
/// it is no reason to keep a machine.
pub(crate) fn clear(user: &User) -> bool {
    PLACES.iter().all(|place| {
        clear_one(Path::new(place), user.uid).unwrap_or_else(|error| {
            tracing::warn!(user = user.name, error = ::backend::chain(&error), "could not remove what a job left");
            true
        })
    })
}

fn clear_one(path: &Path, uid: u32) -> Result<bool, HostError> {
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
    let mut failed = None;
    for entry in Dir::read_from(&place).at(path)?.take(ENTRIES) {
        let entry = entry.at(path)?;
        if entry.file_name() == c"." || entry.file_name() == c".." {
            continue;
        }
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        match remove_if_theirs(&place, &about, path, name, uid) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(true), Err)
}

fn remove_if_theirs(
    place: &OwnedFd,
    about_place: &Stat,
    path: &Path,
    name: &OsStr,
    uid: u32,
) -> Result<bool, HostError> {
    let path = path.join(name);
    let about = match rustix::fs::statat(place, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(true),
        about => about.at(&path)?,
    };
    if about.st_uid != uid || about.st_dev != about_place.st_dev {
        return Ok(true);
    }
    if FileType::from_raw_mode(about.st_mode) == FileType::Directory {
        return removal::remove_within(&path, about.st_dev);
    }
    rustix::fs::unlinkat(place, name, AtFlags::empty()).at(&path).map(|()| true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::clear_one;

    #[test]
    fn a_place_that_others_could_rearrange_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        let own = rustix::process::geteuid().as_raw();
        for mode in [0o777, 0o700] {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert!(clear_one(place.path(), own).unwrap());
        }
        symlink(place.path(), place.path().join("link")).unwrap();
        assert!(clear_one(&place.path().join("link"), own).unwrap());
        assert!(clear_one(&place.path().join("nothing"), own).unwrap());
        assert!(place.path().join("file").exists());
    }
}
