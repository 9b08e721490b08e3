//! What a user can do with a file, by the permissions of the file and of the directories above it.
//!
//! Deliberately absent: access control lists and capabilities. Both can only allow more than is judged here, by doing of
//! an operator's own.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use backend_host::User;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Read a file.
    Read,
    /// Write to a file; to a socket, this is to connect.
    Write,
    /// Run a program.
    Run,
}

/// Permission to pass through a directory, as others have it; owner and group have the same bits further left.
const PASS: u32 = 0o1;

impl Use {
    fn permission(self) -> u32 {
        match self {
            Self::Read => 0o4,
            Self::Write => 0o2,
            Self::Run => 0o1,
        }
    }
}

/// Whether the user can do that with a file that is there.
pub(super) fn may(user: &User, path: &Path, wanted: Use) -> io::Result<bool> {
    let path = std::fs::canonicalize(path)?;
    if !allows(&std::fs::metadata(&path)?, user, wanted.permission()) {
        return Ok(false);
    }
    for above in path.ancestors().skip(1) {
        if !allows(&std::fs::metadata(above)?, user, PASS) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What lets the user put another file in the place of this one: itself, or a directory above it.
pub(super) fn replaceable(user: &User, path: &Path) -> Option<PathBuf> {
    let path = std::fs::canonicalize(path).ok()?;
    let open = |part: &&Path| {
        let writes = |metadata: Metadata| allows(&metadata, user, Use::Write.permission()) && !keeps(&metadata, user);
        std::fs::metadata(part).is_ok_and(writes)
    };
    path.ancestors().find(open).map(Path::to_owned)
}

/// Whether this is a directory in which everybody can remove only what is their own, such as `/tmp`.
fn keeps(directory: &Metadata, user: &User) -> bool {
    directory.is_dir() && directory.mode() & 0o1000 != 0 && directory.uid() != user.uid
}

/// Whether the user can pass through a directory that is there; those above it are another question.
pub(super) fn passes(user: &User, directory: &Path) -> io::Result<bool> {
    Ok(allows(&std::fs::metadata(directory)?, user, PASS))
}

/// Of owner, group and others, the first that fits decides alone.
fn allows(metadata: &Metadata, user: &User, permission: u32) -> bool {
    let shift = if metadata.uid() == user.uid {
        6
    } else if metadata.gid() == user.gid || user.groups.contains(&metadata.gid()) {
        3
    } else {
        0
    };
    user.is_root() || metadata.mode() & (permission << shift) != 0
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_read_by_whom_its_permissions_and_its_directory_let() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("token");
        write(&file, "secret").unwrap();
        let owner = std::fs::metadata(&file).unwrap();
        // Numbers that nobody has: the tests may run as root.
        let (uid, gid) = (owner.uid() + 12_345, owner.gid() + 12_345);
        let stranger = User { name: "stranger".to_owned(), uid, gid, groups: Vec::new() };
        let member = User { groups: vec![owner.gid()], ..stranger.clone() };
        let read = |file_mode: u32, mode: u32| {
            set_permissions(&file, Permissions::from_mode(file_mode)).unwrap();
            set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
            (may(&stranger, &file, Use::Read).unwrap(), may(&member, &file, Use::Read).unwrap())
        };
        assert_eq!(read(0o600, 0o755), (false, false));
        assert_eq!(read(0o640, 0o755), (false, true));
        assert_eq!(read(0o604, 0o755), (true, false), "the group's permissions decide for its members");
        assert_eq!(read(0o644, 0o700), (false, false));
        read(0o662, 0o755);
        assert!(may(&stranger, &file, Use::Write).unwrap() && !may(&stranger, &file, Use::Read).unwrap());
        assert!(may(&stranger, &place.path().join("nothing"), Use::Read).is_err());
        assert!(passes(&stranger, place.path()).unwrap());
        assert_eq!(replaceable(&stranger, &file), Some(file.clone()), "anybody can write to it");
        read(0o644, 0o757);
        assert_eq!(replaceable(&stranger, &file), Some(place.path().to_owned()));
        read(0o644, 0o755);
        assert_eq!(replaceable(&stranger, &file), None);
        read(0o600, 0o750);
        assert!(passes(&member, place.path()).unwrap() && !passes(&stranger, place.path()).unwrap());
    }
}
