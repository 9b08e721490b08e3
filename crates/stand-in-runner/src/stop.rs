//! Why and when a running job is stopped before its end.
//!
//! One stop per job: the first reason wins and stays. The job looks for it wherever it waits, kills what runs and
//! ends; nobody interrupts it from outside.

use runner_rpc::outcome::Result as Outcome;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Why a job is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The runner got SIGTERM or SIGINT.
    Signal,
    /// The forge told that the task has ended already, with this result.
    Forge(Outcome),
    /// The job's own `timeout-minutes` is over.
    JobTimeout,
    /// The runner's limit for any job is over.
    RunnerLimit,
}

impl Stop {
    /// The result that the job gets (protocol 3.6: a signal makes it fail, the runner's limit cancels it).
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Signal | Self::JobTimeout => Outcome::Failure,
            Self::Forge(outcome) => outcome,
            Self::RunnerLimit => Outcome::Cancelled,
        }
    }

    /// The reason as a log line.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Signal => "the runner was told to stop by a signal",
            Self::Forge(_) => "the forge ended the job",
            Self::JobTimeout => "the job's timeout-minutes are over",
            Self::RunnerLimit => "the runner's limit for one job is over",
        }
    }
}

/// The side that stops the job. Cloned freely.
#[derive(Clone, Debug)]
pub(crate) struct Stopper(watch::Sender<Option<Stop>>);

impl Stopper {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Stops the job, unless it is stopped already.
    pub(crate) fn stop(&self, stop: Stop) {
        self.0.send_if_modified(|current| current.is_none() && current.replace(stop).is_none());
    }

    /// The job's side, without a deadline.
    pub(crate) fn halt(&self) -> Halt {
        Halt { stop: self.0.subscribe(), stopper: self.clone(), deadline: None }
    }
}

/// The job's side: tells when the job has to end.
#[derive(Debug)]
pub(crate) struct Halt {
    stop: watch::Receiver<Option<Stop>>,
    stopper: Stopper,
    deadline: Option<Instant>,
}

impl Halt {
    /// Sets the deadline of the job's own `timeout-minutes`.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Whether the job is stopped already.
    pub(crate) fn now(&self) -> Option<Stop> {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.stopper.stop(Stop::JobTimeout);
        }
        *self.stop.borrow()
    }

    /// Waits until the job is stopped. May be dropped and called again.
    pub(crate) async fn wait(&mut self) -> Stop {
        loop {
            if let Some(stop) = self.now() {
                return stop;
            }
            let deadline = self.deadline;
            let expired = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.stop.changed() => {}
                () = expired => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use runner_rpc::outcome::Result as Outcome;
    use tokio::time::Instant;

    use super::{Stop, Stopper};

    #[tokio::test]
    async fn the_first_reason_stays() {
        let stopper = Stopper::new();
        let mut halt = stopper.halt();
        assert_eq!(halt.now(), None);
        stopper.stop(Stop::Forge(Outcome::Cancelled));
        stopper.stop(Stop::Signal);
        assert_eq!(halt.wait().await, Stop::Forge(Outcome::Cancelled));
        assert_eq!(stopper.halt().now(), Some(Stop::Forge(Outcome::Cancelled)));
    }

    #[tokio::test]
    async fn a_passed_deadline_stops_the_job() {
        let mut halt = Stopper::new().halt();
        halt.set_deadline(Some(Instant::now()));
        assert_eq!(halt.wait().await, Stop::JobTimeout);
    }
}
