//! Whether a directory can keep secrets: it must be in memory, ours, and closed to everybody else.
//!
//! Deliberately absent: mending. A directory that somebody else has prepared may already hold what they want us to read.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// `statfs` types of file systems that live in memory: tmpfs and ramfs (`linux/magic.h`).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// proc, sysfs and control groups of both versions, by the same.
const THE_KERNELS: [u64; 4] = [0x9fa0, 0x6265_6572, 0x0027_e0eb, 0x6367_7270];

/// Write permission of group and others.
pub(crate) const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Any permission of group and others.
const OPEN_TO_OTHERS: u32 = 0o077;

/// Read permission of others.
const READABLE_BY_ALL: u32 = 0o004;

/// Others may add files, and cannot rename or remove those of somebody else.
const STICKY: u32 = 0o1000;

/// Why a directory cannot keep secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPrivate {
    /// It cannot be looked at.
    #[error("cannot look at {}", path.display())]
    Unknown {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is a file, or a link that leads somewhere else.
    #[error("{} is not a directory itself", path.display())]
    NotADirectory {
        /// Which.
        path: PathBuf,
    },
    /// Another user made it, and can change what is in it.
    #[error("{} belongs to user {owner}, not to user {wanted} that runs this", path.display())]
    OfAnother {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it must be.
        wanted: u32,
    },
    /// Other users have permissions on it.
    #[error("other users have permissions on {} (mode {mode:04o})", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Whether a file with these permissions can be read by everybody on this host who can reach it.
pub(crate) fn is_readable_by_all(mode: u32) -> bool {
    mode & READABLE_BY_ALL != 0
}

/// Whether it is on a file system that lives in memory.
pub(crate) fn is_in_memory(path: &Path) -> io::Result<bool> {
    let kind = rustix::fs::statfs(path)?.f_type;
    Ok(IN_MEMORY.iter().any(|&magic| u64::try_from(kind).is_ok_and(|kind| kind == magic)))
}

/// Whether it is on a file system by which the kernel shows what it knows: proc, sysfs, control groups.
pub(crate) fn is_the_kernels(path: &Path) -> io::Result<bool> {
    let kind = rustix::fs::statfs(path)?.f_type;
    Ok(THE_KERNELS.iter().any(|&magic| u64::try_from(kind).is_ok_and(|kind| kind == magic)))
}

/// Checks a directory that holds secrets itself: ours, and mode 0700.
pub(crate) fn closed(path: &Path) -> Result<(), NotPrivate> {
    let mode = ours(path)?.mode() & 0o7777;
    if mode & OPEN_TO_OTHERS != 0 { Err(NotPrivate::Open { path: path.to_owned(), mode }) } else { Ok(()) }
}

/// Checks a directory above one that holds secrets: nobody else may put another one in its place. It may be root's, and
/// others may read it.
pub(crate) fn guarded(path: &Path) -> Result<(), NotPrivate> {
    let metadata = directory(path)?;
    let (mode, wanted) = (metadata.mode() & 0o7777, rustix::process::geteuid().as_raw());
    if metadata.uid() != wanted && metadata.uid() != 0 {
        return Err(NotPrivate::OfAnother { path: path.to_owned(), owner: metadata.uid(), wanted });
    }
    if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 {
        return Err(NotPrivate::Open { path: path.to_owned(), mode });
    }
    Ok(())
}

fn ours(path: &Path) -> Result<Metadata, NotPrivate> {
    let metadata = directory(path)?;
    let wanted = rustix::process::geteuid().as_raw();
    if metadata.uid() == wanted {
        return Ok(metadata);
    }
    Err(NotPrivate::OfAnother { path: path.to_owned(), owner: metadata.uid(), wanted })
}

fn directory(path: &Path) -> Result<Metadata, NotPrivate> {
    let unknown = |source| NotPrivate::Unknown { path: path.to_owned(), source };
    let metadata = std::fs::symlink_metadata(path).map_err(unknown)?;
    if metadata.is_dir() { Ok(metadata) } else { Err(NotPrivate::NotADirectory { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn only_a_directory_of_ours_that_is_closed_keeps_secrets() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        create_dir(&path).unwrap();
        for (mode, is_closed, is_guarded) in [
            (0o700, true, true),
            (0o750, false, true),
            (0o755, false, true),
            (0o1777, false, true),
            (0o777, false, false),
        ] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!((closed(&path).is_ok(), guarded(&path).is_ok()), (is_closed, is_guarded), "{mode:o}");
        }
        let link = place.path().join("link");
        symlink(place.path(), &link).unwrap();
        assert!(matches!(closed(&link), Err(NotPrivate::NotADirectory { .. })));
        assert!(matches!(closed(&place.path().join("nothing")), Err(NotPrivate::Unknown { .. })));
    }
}
