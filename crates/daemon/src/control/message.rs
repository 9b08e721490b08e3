//! What is asked for and answered, as it goes over the socket.

use planner::report::{Alert, MachineReport, RunnerReport};
use serde::{Deserialize, Serialize};

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The kills that are held now, since many jobs vanished at once, shall go on.
    Confirm,
    /// The configuration shall be read again.
    Reload,
    /// What is being cleaned up, and what could not be?
    Gc {
        /// Whether to list everything at once before answering.
        list: bool,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The kills go on.
    Confirmed {
        /// How many were held.
        kills: u32,
        /// What is left at most of the grace of their processes, in milliseconds: they are stopped once it is over.
        grace_ms: u64,
    },
    /// The configuration was read and is used from now on.
    Reloaded(Reloaded),
    /// What there is to clean up.
    Cleaning(Left),
    /// It was not done, and nothing has changed.
    Refused {
        /// Why; never empty.
        reasons: Vec<Said>,
    },
    /// The configuration cannot be used, whenever it is read: nothing has changed.
    Unusable {
        /// Why; never empty.
        reasons: Vec<Said>,
    },
}

impl Reply {
    /// A refusal for one reason.
    pub(crate) fn refused(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { reasons: vec![Said { text: text.into(), hint: hint.into() }] }
    }
}

/// Something for a person to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What there is to say.
    pub text: String,
    /// What may help.
    pub hint: String,
}

/// What a reload has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Keys that have another value now, as `key: before -> now`.
    pub changed: Vec<String>,
    /// Keys that were changed in the file and keep their old value until the daemon is started anew.
    pub restart: Vec<String>,
    /// Pools that are configured no more while machines of them are there.
    pub draining: Vec<String>,
    /// What is allowed but doubtful.
    pub warnings: Vec<Said>,
}

/// What is there that shall go or cannot, bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Machines whose job does not run on them.
    pub machines: Vec<MachineReport>,
    /// Registrations that belong to no machine.
    pub runners: Vec<RunnerReport>,
    /// What could not be removed so far, and needs a human.
    pub set_aside: Vec<Alert>,
    /// Scopes and backends that could not be looked at.
    pub unseen: Vec<String>,
    /// How many more there are than are named.
    pub more: u32,
}
