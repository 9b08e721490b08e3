//! Why a runner's call fails.

use std::fmt;

/// A refused call. `Display` gives the literal message (protocol 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcRefusal {
    /// `unauthenticated`: unknown or deleted UUID, or wrong token.
    Unregistered,
    /// `invalid_argument`, with the message.
    Invalid(&'static str),
    /// `already_exists`: rows for a log that was closed.
    LogArchived,
    /// `internal`, with the message.
    Internal(&'static str),
}

impl fmt::Display for RpcRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unregistered => "unregistered runner",
            Self::LogArchived => "log file has been archived",
            Self::Invalid(message) | Self::Internal(message) => message,
        })
    }
}

impl std::error::Error for RpcRefusal {}
