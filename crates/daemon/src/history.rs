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
        waited_ms: assignment.waited.map(millis),
        booted_ms: between(assignment.begun_at, assignment.contacted).filter(|_| !assignment.adopted),
        ran_ms: assignment.track.running_since.map(|_| millis(assignment.run.total())),
        ended_at_ms,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use planner::ids::{AssignmentKey, BackendId, ForgeId, Handle, JobKey, JobName, MachineName, PoolId};
    use planner::ids::{ScopeId, ScopeKey, Try};
    use planner::seen::{JobSeen, JobState};
    use planner::state::Assignment;

    use super::*;

    #[test]
    fn a_row_tells_the_jobs_name_and_how_long_it_has_waited() {
        let forge = ForgeId::new("https://f");
        let scope = ScopeKey { forge: forge.clone(), scope: ScopeId::new("user") };
        let name = MachineName::new("fs-1");
        let mut assignment = Assignment::new(scope, PoolId::new("p"), BackendId::new("b"), name, Tick(0));
        assignment.waited = Some(Duration::from_millis(1_500));
        assignment.job = Some(JobSeen {
            handle: Handle::new("h"),
            id: 1,
            repository: 7,
            name: JobName::new("build"),
            runs_on: Vec::new().into(),
            state: JobState::Waiting,
        });
        let key = AssignmentKey { job: JobKey { forge, handle: Handle::new("h") }, attempt: Try(1) };
        let row = row(&Ended { key, assignment, outcome: Outcome::Completed }, 5);
        assert_eq!((row.waited_ms, row.job.as_str(), row.repository), (Some(1_500), "build", 7));
    }
}
