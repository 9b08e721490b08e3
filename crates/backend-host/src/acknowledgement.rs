//! What a supervisor says back over the pipe of its standard output: one JSON line each.

use serde::{Deserialize, Serialize};

/// The largest line: room for a reason.
pub(crate) const LINE_LIMIT: usize = 4 << 10;

/// One line. After [`Started`](Self::Started) and [`NotStarted`](Self::NotStarted) the pipe is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Acknowledgement {
    /// The supervisor waits for the launch.
    Ready,
    /// The binding is written and the runner runs.
    Started,
    /// There is no runner and will not be one.
    NotStarted {
        /// Why, for people.
        reason: String,
    },
}
