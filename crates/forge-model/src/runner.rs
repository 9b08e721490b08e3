//! Registrations of runners, and the areas in which they may work.

use std::time::Duration;

use crate::ids::{OwnerId, RepoId, RunnerId};
use crate::moment::Moment;

/// Silence after which a runner is shown as offline (protocol 1.4).
const OFFLINE_AFTER: Duration = Duration::from_mins(1);
/// Time since the last report of work after which a runner is shown as idle (protocol 1.4).
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// Longest name that Forgejo stores, in bytes (protocol 1.5).
const NAME_BYTES: usize = 255;

/// Where a registration works and what a request asks about, with names already resolved to ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The whole forge.
    Instance,
    /// All repositories of one user or organization.
    Owner(OwnerId),
    /// One repository.
    Repository(RepoId),
}

impl Area {
    /// The owner column of a row of this area: 0 unless it is an owner's.
    pub const fn owner_id(self) -> i64 {
        match self {
            Self::Owner(owner) => owner.0,
            Self::Instance | Self::Repository(_) => 0,
        }
    }

    /// The repository column of a row of this area: 0 unless it is a repository's.
    pub const fn repo_id(self) -> i64 {
        match self {
            Self::Repository(repo) => repo.0,
            Self::Instance | Self::Owner(_) => 0,
        }
    }
}

/// What Forgejo shows about a runner's liveness. A display heuristic: a runner never heard of is offline, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerStatus {
    /// No call for more than 60 s, or never one.
    Offline,
    /// In touch, no report of work for more than 10 s.
    Idle,
    /// Reported work within the last 10 s.
    Active,
}

impl RunnerStatus {
    /// The word in REST answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Active => "active",
        }
    }
}

/// One registration that has not been deleted.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) id: RunnerId,
    pub(crate) uuid: String,
    pub(crate) token: String,
    pub(crate) area: Area,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) ephemeral: bool,
    pub(crate) version: String,
    /// `None` until the runner has declared itself.
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) created: Moment,
    pub(crate) last_online: Option<Moment>,
    pub(crate) last_active: Option<Moment>,
    /// Whether it was ever given a task: an ephemeral runner gets no second one (protocol 2.8).
    pub(crate) had_task: bool,
}

impl Runner {
    pub(crate) fn status(&self, now: Moment) -> RunnerStatus {
        let within = |last: Option<Moment>, span: Duration| last.is_some_and(|last| now.since(last) <= span);
        if !within(self.last_online, OFFLINE_AFTER) {
            RunnerStatus::Offline
        } else if within(self.last_active, IDLE_AFTER) {
            RunnerStatus::Active
        } else {
            RunnerStatus::Idle
        }
    }
}

/// A name as Forgejo stores it: more than 255 bytes become at most 252 bytes and an ellipsis.
pub(crate) fn stored_name(name: &str) -> String {
    if name.len() <= NAME_BYTES {
        return name.to_owned();
    }
    let mut end = NAME_BYTES - '…'.len_utf8();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::stored_name;

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        assert_eq!(stored_name(&"x".repeat(255)), "x".repeat(255));
        assert_eq!(stored_name(&"x".repeat(256)), format!("{}…", "x".repeat(252)));
        assert_eq!(stored_name(&"ü".repeat(200)), format!("{}…", "ü".repeat(126)));
    }
}
