//! Brings the report to the forge: every second while the job runs, and with bounded tries at its end (protocol 3.6).
//!
//! ```text
//! job runs:  UpdateLog, UpdateTask ─(1 s)─► again …      a failed call is told and left to the next turn
//! job ended: UpdateLog(no_more), UpdateTask(result) ─► done, or all again after 0.1, 0.2, 0.4 … 25.6 s, then given up
//! ```
//!
//! Promises: an answer that says that the task has ended on the forge stops the job; the result is never sent before
//! the last log rows are stored. Deliberately absent: a 401 is no
//! such answer. The runner of a cancelled job learns nothing and works to the end, exactly as the real one.

use std::sync::Arc;
use std::time::Duration;

use runner_rpc::outcome::Result as Outcome;
use runner_rpc::{Credentials, RunnerClient};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::console::{chain, say};
use crate::error::Error;
use crate::report::Report;
use crate::stop::{Stop, Stopper};

/// Most calls with log rows in one turn: enough for a full log buffer.
const MAX_LOG_CALLS: usize = 200;

/// How often and how long the runner reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Time between two reports of a running job.
    pub report_interval: Duration,
    /// Tries to bring the last report to the forge.
    pub final_tries: u32,
    /// Pause after the first of these tries; it doubles with every further one.
    pub first_pause: Duration,
}

impl Default for Pace {
    /// What was measured of the real runner: a report every second; at the end 10 tries within 51 s (protocol 3.6).
    fn default() -> Self {
        Self { report_interval: Duration::from_secs(1), final_tries: 10, first_pause: Duration::from_millis(100) }
    }
}

/// Who reports what to whom.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) client: RunnerClient,
    pub(crate) credentials: Credentials,
    pub(crate) report: Arc<Report>,
    pub(crate) pace: Pace,
}

impl Delivery {
    /// Reports until told that the job has ended. Begins at once, so that a short job is seen running too.
    pub(crate) async fn keep_up(self, stopper: Stopper, mut ended: oneshot::Receiver<()>) {
        loop {
            let log = self.send_log().await;
            if let Err(error) = &log {
                say(chain(error));
            }
            match self.send_state().await {
                Ok(stored @ (Outcome::Cancelled | Outcome::Failure)) => stopper.stop(Stop::Forge(stored)),
                Ok(Outcome::Unspecified | Outcome::Success | Outcome::Skipped) => {}
                Err(error) => say(chain(&error)),
            }
            tokio::select! {
                biased;
                _ = &mut ended => return,
                () = sleep(self.pace.report_interval) => {}
                // Not after a failure: a talkative job must not make calls to a broken forge any more frequent.
                () = self.report.filling(), if log.is_ok() => {}
            }
        }
    }

    /// Brings the rest of the log and the result to the forge, or gives up after the last try.
    pub(crate) async fn conclude(&self) {
        let mut pause = self.pace.first_pause;
        for left in (0..self.pace.final_tries).rev() {
            match self.send_rest().await {
                Ok(()) => return,
                Err(error) => say(format_args!("task {}: {}; {left} tries left", self.report.task(), chain(&error))),
            }
            if left > 0 {
                sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
        }
        say(format_args!("task {}: its result never reached the forge", self.report.task()));
    }

    async fn send_rest(&self) -> Result<(), Error> {
        self.send_log().await?;
        self.send_state().await.map(|_| ())
    }

    async fn send_log(&self) -> Result<(), Error> {
        for _ in 0..MAX_LOG_CALLS {
            let Some(request) = self.report.next_log() else { return Ok(()) };
            let stored = match self.client.update_log(&self.credentials, &request).await {
                Ok(answer) => answer.ack_index,
                // The answer to the last rows was lost, and the log has been archived with them.
                Err(error) if request.no_more && error.is_already_exists() => i64::MAX,
                Err(source) => return Err(Error::Deliver { source }),
            };
            if stored <= request.index {
                return Err(Error::LogStuck { acknowledged: stored, index: request.index });
            }
            self.report.acknowledge_log(stored);
        }
        Ok(())
    }

    /// Gives the result that the forge has stored.
    async fn send_state(&self) -> Result<Outcome, Error> {
        let request = self.report.next_state();
        let answer = self.client.update_task(&self.credentials, &request).await;
        let answer = answer.map_err(|source| Error::Deliver { source })?;
        self.report.acknowledge_outputs(&answer.sent_outputs);
        Ok(answer.state.map_or(Outcome::Unspecified, |state| state.result()))
    }
}
