//! Machines whose creates were refused: they still count for a while.
//!
//! A network may deliver a call twice. Where the first was refused, since there was no room, the second may be obeyed a
//! moment later, and the machine is there after all. So the place that it would take stays taken until that has shown.
//!
//! ```text
//! refused ─► counted ─► listed: an assignment of its own ─┐
//!               └─► a later listing lacks it ─────────────┴─► forgotten
//! ```
//!
//! Deliberately absent: the job does not wait for this, and may go to another pool at once. No runner was registered for
//! such a machine, so that it can take nothing.

use std::time::Duration;

use crate::ids::{ForgeId, JobKey, PoolId};
use crate::time::Tick;

/// A machine that was asked for and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its pool.
    pub pool: PoolId,
    /// Its job, if it was asked for one: as long as it may be there, its name is not used again.
    pub job: Option<JobKey>,
    /// The repository of its job, where that is known.
    pub repository: Option<(ForgeId, i64)>,
    /// When it was refused.
    pub at: Tick,
    /// The deadline of the call: that a delivery is obeyed later is not reckoned with.
    pub deadline: Tick,
}

impl Refused {
    /// Whether a listing that lacks it shows that it was never made. One that is incomplete proves no absence: it is only
    /// believed where no delivery can have been obeyed for long, so that a list that is never complete blocks no pool for
    /// ever.
    pub(crate) fn is_over(&self, begun_at: Tick, complete: bool, settle: Duration) -> bool {
        let since = if complete { self.at } else { self.deadline };
        begun_at > since.plus(settle)
    }
}
