//! Statuses of jobs and runs (protocol 2.1).

/// What a job, a task or a run is.
///
/// ```text
/// blocked ─► waiting ─► running ─► success | failure | cancelled | skipped
///    └──────────┴──────────────► cancelled | skipped
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Ended well.
    Success,
    /// Ended badly.
    Failure,
    /// Ended by somebody's wish, or abandoned.
    Cancelled,
    /// Never had to run.
    Skipped,
    /// May be handed out (as far as the status tells).
    Waiting,
    /// Handed out.
    Running,
    /// Its needs have not ended.
    Blocked,
}

impl Status {
    /// Whether nothing follows any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Cancelled | Self::Skipped)
    }

    /// Whether the job list shows it.
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }

    /// The word in REST answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Blocked => "blocked",
        }
    }

    /// The status of a run from those of its jobs: the first rule that fits. "Fail fast": a run is a failure while other
    /// jobs of it still run.
    pub fn of_run(jobs: &[Self]) -> Self {
        if jobs.iter().all(|status| *status == Self::Skipped) {
            return Self::Skipped;
        }
        if jobs.iter().all(|status| matches!(status, Self::Success | Self::Skipped)) {
            return Self::Success;
        }
        [Self::Cancelled, Self::Failure, Self::Running, Self::Waiting]
            .into_iter()
            .find(|wanted| jobs.contains(wanted))
            .unwrap_or(Self::Blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{self, Blocked, Cancelled, Failure, Running, Skipped, Success, Waiting};

    fn check(jobs: &[Status], run: Status) {
        assert_eq!(Status::of_run(jobs), run, "{jobs:?}");
    }

    #[test]
    fn a_run_fails_fast() {
        check(&[Skipped, Skipped], Skipped);
        check(&[Success, Skipped], Success);
        check(&[Running, Cancelled, Failure], Cancelled);
        check(&[Running, Failure], Failure);
        check(&[Waiting, Running], Running);
        check(&[Blocked, Waiting], Waiting);
        check(&[Success, Blocked], Blocked);
    }
}
