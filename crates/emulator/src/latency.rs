//! How long answers take.

use std::time::Duration;

use crate::route::RouteKind;

/// Times that answers take on top of the emulator's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerTimes {
    /// A job list, whatever its length.
    pub list: Duration,
    /// A job list, more for each thousand rows.
    pub list_per_thousand_jobs: Duration,
    /// A registration.
    pub register: Duration,
    /// A deletion.
    pub delete: Duration,
}

impl AnswerTimes {
    /// No added time.
    pub const fn zero() -> Self {
        Self {
            list: Duration::ZERO,
            list_per_thousand_jobs: Duration::ZERO,
            register: Duration::ZERO,
            delete: Duration::ZERO,
        }
    }

    /// What a real server on `SQLite` took (protocol 1.3).
    pub const fn measured() -> Self {
        Self {
            list: Duration::from_millis(5),
            list_per_thousand_jobs: Duration::from_millis(20),
            register: Duration::from_millis(9),
            delete: Duration::from_millis(6),
        }
    }

    pub(crate) fn of(self, kind: RouteKind, rows: usize) -> Duration {
        match kind {
            RouteKind::ListJobs => {
                self.list + self.list_per_thousand_jobs * u32::try_from(rows).unwrap_or(u32::MAX) / 1000
            }
            RouteKind::RegisterRunner => self.register,
            RouteKind::DeleteRunner => self.delete,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_takes_longer_and_nothing_else_does() {
        let times = AnswerTimes::measured();
        assert_eq!(times.of(RouteKind::ListJobs, 0), Duration::from_millis(5));
        assert_eq!(times.of(RouteKind::ListJobs, 1000), Duration::from_millis(25));
        assert_eq!(times.of(RouteKind::RegisterRunner, 1000), Duration::from_millis(9));
        assert_eq!(times.of(RouteKind::DeleteRunner, 0), Duration::from_millis(6));
        assert_eq!(times.of(RouteKind::FetchTask, 0), Duration::ZERO);
    }
}
