//! What a user can do with a file, by the permissions of the file and of the directories above it.
//!
//! Deliberately absent: access control lists and capabilities. Both can only allow more than is judged here, by doing of
//! an operator's own.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use backend_host::{Permission, User};

/// Whether the user can do that with a file that is there.
pub(super) fn may(user: &User, path: &Path, wanted: Permission) -> io::Result<bool> {
    let path = std::fs::canonicalize(path)?;
    if !user.is_allowed(&std::fs::metadata(&path)?, wanted) {
        return Ok(false);
    }
    for above in path.ancestors().skip(1) {
        if !user.is_allowed(&std::fs::metadata(above)?, Permission::Pass) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What lets the user put another file in the place of this one: itself, or a directory above it.
pub(super) fn replaceable(user: &User, path: &Path) -> Option<PathBuf> {
    let path = std::fs::canonicalize(path).ok()?;
    let open = |part: &&Path| {
        let writes = |metadata: Metadata| user.is_allowed(&metadata, Permission::Write) && !keeps(&metadata, user);
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
    Ok(user.is_allowed(&std::fs::metadata(directory)?, Permission::Pass))
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
            (may(&stranger, &file, Permission::Read).unwrap(), may(&member, &file, Permission::Read).unwrap())
        };
        assert_eq!(read(0o600, 0o755), (false, false));
        assert_eq!(read(0o640, 0o755), (false, true));
        assert_eq!(read(0o604, 0o755), (true, false), "the group's permissions decide for its members");
        assert_eq!(read(0o644, 0o700), (false, false));
        read(0o662, 0o755);
        assert!(may(&stranger, &file, Permission::Write).unwrap() && !may(&stranger, &file, Permission::Read).unwrap());
        assert!(may(&stranger, &place.path().join("nothing"), Permission::Read).is_err());
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
