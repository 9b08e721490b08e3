//! What the audience sees while it goes on: one line for each job that changes, on standard error.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use emulator::Emulator;
use forge_model::Status;
use planner::report::{Reason, Report};
use tokio::sync::watch;

/// What was shown of each attempt, by handle.
pub(super) struct Progress {
    reports: watch::Receiver<Arc<Report>>,
    begun: Instant,
    shown: BTreeMap<String, Status>,
    reasons: BTreeMap<String, String>,
}

impl Progress {
    pub(super) fn new(reports: watch::Receiver<Arc<Report>>, begun: Instant) -> Self {
        Self { reports, begun, shown: BTreeMap::new(), reasons: BTreeMap::new() }
    }

    /// One line.
    pub(super) fn say(&self, text: &str) {
        say(self.begun, text);
    }

    /// Shows what has changed since the last time.
    pub(super) fn show(&mut self, emulator: &Emulator) {
        let attempts = emulator.with_forge(|forge, _| forge.books().attempts().to_vec());
        for attempt in attempts {
            let handle = attempt.handle.as_str().to_owned();
            if self.shown.insert(handle, attempt.status) != Some(attempt.status) {
                let again = if attempt.attempt > 1 { format!(", attempt {}", attempt.attempt) } else { String::new() };
                self.say(&format!("{:<20} {}{again}", attempt.name, attempt.status.word()));
            }
        }
        let report = Arc::clone(&self.reports.borrow());
        for job in &report.jobs {
            if !tells_why_it_waits(&job.reason) {
                continue;
            }
            let reason = job.reason.to_string();
            let handle = job.handle.as_str().to_owned();
            if !self.reasons.contains_key(&handle) {
                self.say(&format!("{:<20} {reason}", job.name));
            }
            self.reasons.insert(handle, reason);
        }
    }

    /// Whether the daemon knows of nothing of ours that is left.
    pub(super) fn nothing_is_left(&self) -> bool {
        let report = self.reports.borrow();
        report.machines.is_empty() && report.runners.is_empty()
    }

    /// How many machines the daemon knows of.
    pub(super) fn machines(&self) -> usize {
        self.reports.borrow().machines.len()
    }

    /// The last reason why each job waited, by handle.
    pub(super) fn into_reasons(self) -> BTreeMap<String, String> {
        self.reasons
    }
}

/// One line, with the time since the beginning.
pub(super) fn say(begun: Instant, text: &str) {
    let seconds = begun.elapsed().as_secs_f64();
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{seconds:5.1}s  {text}");
}

/// Whether a reason is worth telling an audience: not the steps that every job goes through.
fn tells_why_it_waits(reason: &Reason) -> bool {
    !matches!(
        reason,
        Reason::NextInLine
            | Reason::NotListedYet { .. }
            | Reason::Launching { .. }
            | Reason::Claiming { .. }
            | Reason::Releasing { .. }
            | Reason::Running { .. }
            | Reason::ProcessEnded { .. }
            | Reason::ResultMissing { .. }
            | Reason::EarlierTry { .. }
            | Reason::Draining
    )
}
