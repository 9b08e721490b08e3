//! The user that a runner, and with it its job, runs as.
//!
//! Read from `/etc/passwd` and `/etc/group`: no service is asked, so nothing can hang. A user of another database can be
//! given as `UID:GID`, and has no further groups.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where users are looked up.
const USERS: &str = "/etc/passwd";
/// Where their further groups are.
const GROUPS: &str = "/etc/group";

/// A user with all that a process of it needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct User {
    /// The login name; the number, if it has none.
    pub name: String,
    /// The number of the user.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
    /// The numbers of its further groups, ascending.
    pub groups: Vec<u32>,
}

/// What somebody wants to do with a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Read a file.
    Read,
    /// Write to a file; to a socket, this is to connect.
    Write,
    /// Run a program.
    Run,
    /// Pass through a directory to what is below.
    Pass,
}

impl Permission {
    /// As others have it; owner and group have the same bits further left.
    fn bit(self) -> u32 {
        match self {
            Self::Read => 0o4,
            Self::Write => 0o2,
            Self::Run | Self::Pass => 0o1,
        }
    }
}

/// Why there is no such user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// A database could not be read.
    #[error("cannot read {file}")]
    Unreadable {
        /// Which.
        file: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nobody has this name or number.
    #[error("there is no user {text:?} in {USERS}")]
    Unknown {
        /// As given.
        text: String,
    },
}

impl User {
    /// Finds a user by its name, its number, or as `UID:GID`.
    pub fn look_up(text: &str) -> Result<Self, UserError> {
        let read = |file| fs::read_to_string(file).map_err(|source| UserError::Unreadable { file, source });
        let pair = text.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
        if let Some((uid, gid)) = pair {
            return Ok(Self { name: uid_text(uid), uid, gid, groups: Vec::new() });
        }
        find(text, &read(USERS)?, &read(GROUPS)?).ok_or_else(|| UserError::Unknown { text: text.to_owned() })
    }

    /// Whether it may do that with what has this mode: of owner, group and others, the first that fits decides alone. Access
    /// control lists and capabilities are not looked at.
    pub fn is_allowed(&self, metadata: &Metadata, wanted: Permission) -> bool {
        let shift = if metadata.uid() == self.uid {
            6
        } else if metadata.gid() == self.gid || self.groups.contains(&metadata.gid()) {
            3
        } else {
            0
        };
        self.is_root() || metadata.mode() & (wanted.bit() << shift) != 0
    }

    /// The nearest of a directory and those above it through which it cannot pass; nothing when the way is free.
    pub fn closed<'a>(&self, directory: &'a Path) -> io::Result<Option<&'a Path>> {
        for folder in directory.ancestors() {
            if !self.is_allowed(&fs::metadata(folder)?, Permission::Pass) {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    }

    /// Whether it is the superuser, under whatever name.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether this very process runs as it, with its group.
    pub fn is_ourselves(&self) -> bool {
        self.is_ours() && rustix::process::getegid().as_raw() == self.gid
    }

    /// Whether this very process runs as this user.
    pub fn is_ours(&self) -> bool {
        rustix::process::geteuid().as_raw() == self.uid
    }
}

fn uid_text(uid: u32) -> String {
    uid.to_string()
}

/// passwd(5): name, password, uid, gid, …; group(5): name, password, gid, members.
fn find(text: &str, users: &str, groups: &str) -> Option<User> {
    let user = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, uid, gid) = (*fields.first()?, fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        Some(User { name: name.to_owned(), uid, gid, groups: Vec::new() })
    };
    let known = || users.lines().filter_map(user);
    let number = text.parse::<u32>().ok();
    let mut found = known().find(|user| user.name == text).or_else(|| known().find(|user| Some(user.uid) == number))?;
    let member = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let is_member = fields.get(3)?.split(',').any(|member| member == found.name);
        is_member.then(|| fields.get(2)?.parse::<u32>().ok()).flatten()
    };
    let further: BTreeSet<u32> = groups.lines().filter_map(member).filter(|gid| *gid != found.gid).collect();
    found.groups = further.into_iter().collect();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::{User, UserError, find};

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nci:x:990:980::/srv/ci:/usr/sbin/nologin\nbroken:x\n\
        7:x:1007:1007::/:/bin/sh\nlater:x:7:7::/:/bin/sh\n";
    const GROUPS: &str = "root:x:0:\nci:x:980:ci\ndocker:x:120:alice,ci\nother:x:121:cid\nkvm:x:110:ci\nbroken\n";

    #[test]
    fn a_user_comes_with_its_groups() {
        let expected = User { name: "ci".into(), uid: 990, gid: 980, groups: vec![110, 120] };
        assert_eq!(find("ci", USERS, GROUPS), Some(expected.clone()));
        assert_eq!(find("990", USERS, GROUPS), Some(expected));
        assert_eq!(find("broken", USERS, GROUPS), None);
        assert_eq!(find("c", USERS, GROUPS), None);
    }

    #[test]
    fn a_name_that_looks_like_a_number_is_a_name() {
        assert_eq!(find("7", USERS, GROUPS).map(|user| user.uid), Some(1007));
    }

    #[test]
    fn a_user_of_no_database_is_given_by_two_numbers() {
        let user = User::look_up("4000000:4000001").unwrap();
        assert_eq!((user.name.as_str(), user.uid, user.gid, user.groups.len()), ("4000000", 4_000_000, 4_000_001, 0));
        assert!(!user.is_root() && !user.is_ours());
        assert!(matches!(User::look_up("no such user"), Err(UserError::Unknown { .. })));
        assert!(User::look_up("0").unwrap().is_root());
    }
}
