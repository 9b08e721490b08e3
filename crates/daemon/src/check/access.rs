//! What a user can do with a file, by the permissions of the file and of the directories above it.
//!
//! Deliberately absent: access control lists and capabilities. Both can only allow more than is judged here, by doing of
//! an operator's own.

use std::ffi::OsString;
use std::fs::{Metadata, symlink_metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use backend_host::{Permission, User};

/// Whether the user can do that with a file that is there.
pub(super) fn may(user: &User, path: &Path, wanted: Permission) -> io::Result<bool> {
    let path = std::fs::canonicalize(path)?;
    if !user.is_allowed(&std::fs::metadata(&path)?, wanted) {
        return Ok(false);
    }
    path.parent().map_or(Ok(true), |above| Ok(user.closed(above)?.is_none()))
}

/// Links on a path, as many as the kernel follows.
const LINKS: usize = 40;

/// What lets the user put another file in the place of this one: the file itself, or a directory on the way to it, also on
/// the way that symbolic links take. What is the user's own counts as open, since an owner can change its mode.
pub(super) fn replaceable(user: &User, path: &Path) -> Option<PathBuf> {
    let mut to_go = steps(&std::path::absolute(path).ok()?);
    let mut links = 0;
    let mut here = PathBuf::from("/");
    while let Some(step) = to_go.pop() {
        let name = match step {
            Step::Top => {
                here = PathBuf::from("/");
                continue;
            }
            Step::Up => {
                here.pop();
                continue;
            }
            Step::Down(name) => name,
        };
        let directory = symlink_metadata(&here).ok()?;
        let path = here.join(name);
        let entry = symlink_metadata(&path).ok()?;
        if changes(user, &directory) && !keeps(&directory, &entry, user) {
            return Some(here);
        }
        if entry.is_symlink() {
            links += 1;
            to_go.extend((links <= LINKS).then(|| steps(&std::fs::read_link(&path).unwrap_or_default()))?);
        } else if !entry.is_dir() && changes(user, &entry) {
            return Some(path);
        } else {
            here = path;
        }
    }
    None
}

enum Step {
    Top,
    Up,
    Down(OsString),
}

/// The steps along a path, the first one last.
fn steps(path: &Path) -> Vec<Step> {
    let step = |part: Component<'_>| match part {
        Component::RootDir => Some(Step::Top),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(step).collect()
}

/// Whether the user can change a file, or what a directory holds, now or after a change of its mode.
fn changes(user: &User, metadata: &Metadata) -> bool {
    metadata.uid() == user.uid || user.is_allowed(metadata, Permission::Write)
}

/// Whether this is a directory in which everybody can remove only what is their own, such as `/tmp`, and the entry is not.
fn keeps(directory: &Metadata, entry: &Metadata, user: &User) -> bool {
    directory.mode() & 0o1000 != 0 && directory.uid() != user.uid && entry.uid() != user.uid
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

    #[test]
    fn an_owner_can_replace_what_no_mode_lets_it_change() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("runner");
        write(&file, "").unwrap();
        set_permissions(&file, Permissions::from_mode(0o555)).unwrap();
        let uid = if rustix::process::geteuid().is_root() { 4_000_000 } else { rustix::process::geteuid().as_raw() };
        std::os::unix::fs::chown(&file, Some(uid), None).unwrap();
        let owner = User { name: "owner".to_owned(), uid, gid: 4_000_000, groups: Vec::new() };
        let stranger = User { uid: 4_000_001, ..owner.clone() };
        let metadata = std::fs::metadata(&file).unwrap();
        assert!(changes(&owner, &metadata) && !changes(&stranger, &metadata));
        assert!(replaceable(&owner, &file).is_some());
    }

    #[test]
    fn what_a_link_leads_through_counts_and_so_does_where_it_stands() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let stranger = User { name: "stranger".to_owned(), uid: 4_000_000, gid: 4_000_000, groups: Vec::new() };
        let make = |name: &str, mode: u32| {
            let directory = place.path().join(name);
            std::fs::create_dir(&directory).unwrap();
            set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
            directory
        };
        let (open, closed, sticky) = (make("open", 0o777), make("closed", 0o755), make("sticky", 0o1777));
        let runner = closed.join("runner");
        write(&runner, "").unwrap();
        set_permissions(&runner, Permissions::from_mode(0o755)).unwrap();
        let link = |from: &Path, to: &Path| symlink(to, from).map(|()| from.to_owned()).unwrap();
        let through_open = link(&open.join("link"), &runner);
        let to_open = link(&closed.join("to-open"), Path::new("../open/link"));
        let kept = link(&sticky.join("link"), &runner);
        let around = link(&closed.join("around"), &closed.join("around"));
        assert_eq!(replaceable(&stranger, &runner), None);
        assert_eq!(replaceable(&stranger, &through_open), Some(open.clone()), "it can put another link there");
        assert_eq!(replaceable(&stranger, &to_open), Some(open), "the same, one link later");
        assert_eq!(replaceable(&stranger, &kept), None, "a sticky directory keeps the links of others");
        assert_eq!(replaceable(&stranger, &around), None, "a link to itself comes to an end");
        set_permissions(&runner, Permissions::from_mode(0o757)).unwrap();
        assert_eq!(replaceable(&stranger, &kept), Some(runner));
    }
}
