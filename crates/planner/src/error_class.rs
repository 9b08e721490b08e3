//! Classes of errors, decided at the edge from structured codes (design section 4). Back-off and fall-back hang on them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of failure it was. An unknown error is [`ErrorClass::Transient`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Nothing left to make a machine from at the moment.
    Capacity,
    /// A limit of the account.
    Quota,
    /// Asked to slow down.
    RateLimited {
        /// For how long, if said.
        retry_after: Option<Duration>,
    },
    /// The credentials are not accepted.
    Auth,
    /// The credentials lack a right.
    Forbidden,
    /// Will not get better by itself.
    Permanent,
    /// May be better the next time.
    Transient,
    /// The thing is not there.
    NotFound,
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capacity => "no capacity",
            Self::Quota => "quota reached",
            Self::RateLimited { .. } => "rate limited",
            Self::Auth => "credentials refused",
            Self::Forbidden => "right missing",
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::NotFound => "not found",
        })
    }
}

/// Whether a failed call can have had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acted {
    /// Certainly not: nothing of it was sent. There was no connection.
    Unasked,
    /// Certainly not: it was refused.
    No,
    /// Nobody knows: the answer was lost.
    Maybe,
}

/// For what else a failed call speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concerns {
    /// For whatever is asked of the one that failed.
    #[default]
    All,
    /// For machines of the same environment alone: the image that their jobs' first label names cannot be had, say.
    Environment,
}

/// A failed call, as the planner needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its class.
    pub class: ErrorClass,
    /// Whether it can have acted.
    pub acted: Acted,
    /// For what else it speaks.
    #[serde(default)]
    pub concerns: Concerns,
    /// What was said, bounded, without secrets: for people.
    pub message: String,
}
