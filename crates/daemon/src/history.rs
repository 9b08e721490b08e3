//! What an assignment that is over leaves behind: a line in the log and a row in the history.

use std::time::Duration;

use planner::event::Outcome;
use planner::step::Ended;
use planner::time::Tick;
use store::HistoryRow;

/// One word for an outcome.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::EndedElsewhere => "ended_elsewhere",
        Outcome::Released => "released",
        Outcome::LaunchFailed { .. } => "launch_failed",
        Outcome::Lost => "lost",
    }
}

/// Says that an assignment is over.
pub(crate) fn log(ended: &Ended) {
    let assignment = &ended.assignment;
    let outcome = word(&ended.outcome);
    // Left out when it is not known: after a restart, say.
    let job = assignment.job.as_ref().map(|job| job.name.as_str()).filter(|name| !name.is_empty());
    let machine = &assignment.machine_name;
    match &ended.outcome {
        Outcome::Completed | Outcome::EndedElsewhere | Outcome::Released => {
            tracing::info!(handle = %ended.key.job.handle, job, %machine, outcome, "an assignment is over");
        }
        Outcome::LaunchFailed { error, .. } => {
            tracing::warn!(handle = %ended.key.job.handle, job, %machine, outcome, error, "a launch failed");
        }
        Outcome::Lost => {
            tracing::warn!(handle = %ended.key.job.handle, job, %machine, outcome, "a job was lost with its machine");
        }
    }
}

/// The row for the history.
pub(crate) fn row(ended: &Ended, ended_at_ms: u64) -> HistoryRow {
    let assignment = &ended.assignment;
    let between = |from: Tick, to: Option<Tick>| to.map(|to| millis(to.since(from)));
    HistoryRow {
        forge: ended.key.job.forge.to_string(),
        scope: assignment.scope.scope.to_string(),
        repository: assignment.job.as_ref().map_or(0, |job| job.repository),
        handle: ended.key.job.handle.to_string(),
        job: assignment.job.as_ref().map_or_else(String::new, |job| job.name.to_string()),
        attempt: ended.key.attempt.0,
        pool: assignment.pool.to_string(),
        machine: assignment.machine_name.to_string(),
        outcome: word(&ended.outcome).to_owned(),
        waited_ms: None,
        booted_ms: between(assignment.begun_at, assignment.contacted).filter(|_| !assignment.adopted),
        ran_ms: assignment.track.running_since.map(|_| millis(assignment.run.total())),
        ended_at_ms,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
