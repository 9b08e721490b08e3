//! The clocks: monotonic for decisions, the wall's for records only.

use std::time::Instant;

use planner::time::Tick;

/// Counts from when it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts counting, from one: moment zero stands for "before everything".
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Now, for decisions.
    pub(crate) fn now(&self) -> Tick {
        self.at(Instant::now())
    }

    /// A moment since the start, for decisions.
    pub(crate) fn at(&self, moment: Instant) -> Tick {
        let since = moment.saturating_duration_since(self.origin);
        Tick(u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_add(1))
    }
}
