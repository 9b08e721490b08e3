//! Identities. Every id has a type of its own, so that a runner's id is never taken for a job's.
//!
//! Texts are shared: a plan names each job, pool and scope many times over, and must not copy them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Eq, Hash)]
        #[expect(clippy::derived_hash_with_manual_eq, reason = "equality is that of the text, only quicker")]
        pub struct $name(Arc<str>);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        // Most texts that are compared are clones of one: a plan compares the forge of every job with every other's.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(Arc::from(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The identity of this autoscaler: everything it creates carries it, and it touches nothing else.
    DeploymentId
}
text_id! {
    /// One Forgejo server, by its base URL as configured.
    ForgeId
}
text_id! {
    /// A scope inside a forge, in the words of the configuration: `instance`, `org:acme`, `repo:tools/site`, `user`.
    ScopeId
}
text_id! {
    /// The handle of a job, one per attempt (protocol 2.2). Opaque; never empty here.
    Handle
}
text_id! {
    /// The display name of a job; not unique.
    JobName
}
text_id! {
    /// The uuid of a registration. Not a secret.
    RunnerUuid
}
text_id! {
    /// The name of a machine, the same for the same decision.
    MachineName
}
text_id! {
    /// The name of a pool.
    PoolId
}
text_id! {
    /// The name of a backend.
    BackendId
}

/// A repository of a forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RepositoryKey {
    /// The forge.
    pub forge: ForgeId,
    /// Its id there, which survives renames and is given to no other one.
    pub id: i64,
}

impl fmt::Display for RepositoryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.forge, self.id)
    }
}

/// A scope of a forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeKey {
    /// The forge.
    pub forge: ForgeId,
    /// The scope inside it.
    pub scope: ScopeId,
}

impl ScopeKey {
    /// A repository within this scope, as a place where runners are registered: the scope's name, `#` and the id, which
    /// survives renames. (No name at Forgejo holds a `#`.) Only watched scopes are in a policy and have job lists.
    #[must_use]
    pub fn at_repository(&self, repository: i64) -> Self {
        let scope = ScopeId::new(format!("{}#{repository}", self.watched().scope));
        Self { forge: self.forge.clone(), scope }
    }

    /// The watched scope: itself, or the one that the repository is within.
    #[must_use]
    pub fn watched(&self) -> Self {
        match self.parts() {
            Some((scope, _)) => Self { forge: self.forge.clone(), scope: ScopeId::new(scope) },
            None => self.clone(),
        }
    }

    /// Whether its watched scope is that one.
    pub fn is_within(&self, watched: &Self) -> bool {
        self.forge == watched.forge
            && self.parts().map_or(self.scope.as_str(), |(scope, _)| scope) == watched.scope.as_str()
    }

    /// The repository, if it is one within a watched scope.
    pub fn repository(&self) -> Option<i64> {
        self.parts().map(|(_, repository)| repository)
    }

    fn parts(&self) -> Option<(&str, i64)> {
        let (scope, repository) = self.scope.as_str().rsplit_once('#')?;
        Some((scope, repository.parse().ok()?))
    }
}

impl fmt::Display for ScopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.scope, self.forge)
    }
}

/// A job of a forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// The forge.
    pub forge: ForgeId,
    /// The handle there.
    pub handle: Handle,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.handle)
    }
}

/// The number of a try to serve one handle, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Try(pub u32);

/// The number of a register call within one try, from 1. Part of the runner's name, since the call is not
/// idempotent (protocol 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ordinal(pub u32);

/// The row id of a registration, unique within its forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunnerId(pub i64);

/// The id of a task: one hand-out of a job to a runner (protocol 2.2). 0 in listings means "none yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub i64);

/// The number of an action, unique within one life of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub u64);

/// One try for one job: the key of an assignment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssignmentKey {
    /// The job.
    pub job: JobKey,
    /// The try.
    pub attempt: Try,
}

impl fmt::Display for AssignmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} try {}", self.job.handle, self.attempt.0)
    }
}
