//! What an assignment that is over leaves behind: a line in the log and a row in the history.

use std::time::Duration;

use planner::event::{EndReason, Outcome};
use planner::ids::AssignmentKey;
use planner::state::Assignment;
use planner::step::Ended;
use planner::time::Tick;
use store::HistoryRow;

use crate::names::Names;

/// One word for what came of it.
fn word(ended: &Ended) -> &'static str {
    match ended.outcome {
        Outcome::Completed if ran_too_long(ended) => "ran_too_long",
        Outcome::Completed => "completed",
        Outcome::EndedElsewhere => "ended_elsewhere",
        Outcome::Released => "released",
        Outcome::LaunchFailed { .. } => "launch_failed",
        Outcome::Lost => "lost",
    }
}

/// Whether its process was stopped since its job had run for as long as its pool allows.
fn ran_too_long(ended: &Ended) -> bool {
    ended.assignment.ending.as_ref().is_some_and(|end| end.reason == EndReason::RunOver)
}

/// What a line of the log says of an assignment's job; all of it is left out where no list has shown it yet, after a
/// restart say.
#[derive(Debug, Default)]
pub(crate) struct JobInLog<'a> {
    pub(crate) job: Option<&'a str>,
    pub(crate) repository: Option<String>,
    pub(crate) run: Option<i64>,
}

impl<'a> JobInLog<'a> {
    pub(crate) fn of(key: &AssignmentKey, assignment: &'a Assignment, names: &Names) -> Self {
        let row = assignment.job.as_ref();
        let repository = row.filter(|row| row.repository != 0);
        Self {
            job: row.map(|row| row.name.as_str()).filter(|name| !name.is_empty()),
            repository: repository.map(|row| names.shown(&key.job.forge, row.repository)),
            run: row.and_then(|row| row.run),
        }
    }
}

/// Says that an assignment is over.
pub(crate) fn log(ended: &Ended, names: &Names) {
    let assignment = &ended.assignment;
    let outcome = word(ended);
    let JobInLog { job, repository, run } = JobInLog::of(&ended.key, assignment, names);
    let machine = &assignment.machine_name;
    match &ended.outcome {
        Outcome::Completed if ran_too_long(ended) => {
            tracing::warn!(handle = %ended.key.job.handle, job, repository, run, %machine, outcome, "a job ran too long and was stopped");
        }
        Outcome::Completed | Outcome::EndedElsewhere | Outcome::Released => {
            tracing::info!(handle = %ended.key.job.handle, job, repository, run, %machine, outcome, "an assignment is over");
        }
        Outcome::LaunchFailed { error, .. } => {
            tracing::warn!(handle = %ended.key.job.handle, job, repository, run, %machine, outcome, error, "a launch failed");
        }
        Outcome::Lost => {
            tracing::warn!(handle = %ended.key.job.handle, job, repository, run, %machine, outcome, "a job was lost with its machine");
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
        outcome: word(ended).to_owned(),
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
    use planner::ids::{BackendId, ForgeId, Handle, JobKey, JobName, MachineName, PoolId};
    use planner::ids::{ScopeId, ScopeKey, Try};
    use planner::seen::{JobSeen, JobState};
    use planner::state::Ending;

    use super::*;

    #[test]
    fn a_row_tells_the_jobs_name_how_long_it_has_waited_and_what_came_of_it() {
        let forge = ForgeId::new("https://f");
        let scope = ScopeKey { forge: forge.clone(), scope: ScopeId::new("user") };
        let name = MachineName::new("fs-1");
        let mut assignment = Assignment::new(scope, PoolId::new("p"), BackendId::new("b"), name, Tick(0));
        assignment.waited = Some(Duration::from_millis(1_500));
        assignment.job = Some(JobSeen {
            handle: Handle::new("h"),
            id: 1,
            repository: 7,
            run: None,
            name: JobName::new("build"),
            runs_on: Vec::new().into(),
            state: JobState::Waiting,
        });
        let key = AssignmentKey { job: JobKey { forge, handle: Handle::new("h") }, attempt: Try(1) };
        let mut ended = Ended { key, assignment, outcome: Outcome::Completed };
        let told = row(&ended, 5);
        assert_eq!((told.waited_ms, told.job.as_str(), told.repository), (Some(1_500), "build", 7));
        assert_eq!(told.outcome, "completed");
        ended.assignment.ending = Some(Ending { reason: EndReason::RunOver, at: Tick(1) });
        assert_eq!(row(&ended, 5).outcome, "ran_too_long");
    }
}
