//! From the words of a forge to those of the planner.

use forgejo::{Job, JobStatus, Listing, Runner};
use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::identity::RunnerIdentity;
use planner::ids::{DeploymentId, ForgeId, Handle, JobName, RunnerId, RunnerUuid, TaskId};
use planner::overlap::ForeignRunner;
use planner::seen::{self, JobSeen, JobState, RunnerSeen, RunnerStatus};
use planner::time::Tick;

/// How much of an error is kept for people.
const MESSAGE_CHARACTERS: usize = 512;

/// A listing of jobs. A row that could not be read beyond its handle is one about which nothing is known.
pub(crate) fn jobs(listing: Listing<Job>, begun_at: Tick) -> seen::Listing<JobSeen> {
    let unknown = listing.bad_rows.into_iter().filter_map(|bad| bad.key).map(|key| JobSeen {
        handle: Handle::new(key),
        id: i64::MAX,
        repository: 0,
        run: None,
        name: JobName::new(""),
        runs_on: Vec::new().into(),
        state: JobState::Unknown,
    });
    let rows = listing.rows.into_iter().map(job).chain(unknown).collect();
    seen::Listing { begun_at, complete: listing.complete, rows }
}

fn job(job: Job) -> JobSeen {
    let state = match job.status {
        JobStatus::Waiting if job.task_id == 0 => JobState::Waiting,
        JobStatus::Running => JobState::Running { task: TaskId(job.task_id) },
        JobStatus::Waiting | JobStatus::Other(_) => JobState::Unknown,
    };
    JobSeen {
        handle: Handle::new(job.handle),
        id: job.id,
        repository: job.repo_id,
        run: job.run_id,
        name: JobName::new(job.name),
        runs_on: job.runs_on.into(),
        state,
    }
}

/// A listing of runners, of which only those of exactly our deployment are kept. A row that could not be read may be one
/// of ours: then nothing is absent.
pub(crate) fn runners(
    deployment: &DeploymentId,
    forge: &ForgeId,
    listing: Listing<Runner>,
    begun_at: Tick,
) -> seen::Listing<RunnerSeen> {
    let complete = listing.complete && listing.bad_rows.is_empty();
    let rows = listing.rows.into_iter().filter_map(|row| runner(deployment, forge, row)).collect();
    seen::Listing { begun_at, complete, rows }
}

/// The runners of a list in reach that are not of our deployment.
pub(crate) fn foreign_runners(deployment: &DeploymentId, forge: &ForgeId, rows: &[Runner]) -> Vec<ForeignRunner> {
    let foreign = |row: &&Runner| RunnerIdentity::read(deployment, forge, &row.name, &row.description).is_none();
    rows.iter().filter(foreign).map(foreign_runner).collect()
}

/// The repositories in which a list shows runners of our deployment.
pub(crate) fn repositories_of_ours(
    deployment: &DeploymentId,
    forge: &ForgeId,
    rows: &[Runner],
) -> impl Iterator<Item = i64> {
    let ours = |row: &&Runner| RunnerIdentity::read(deployment, forge, &row.name, &row.description).is_some();
    rows.iter().filter(|row| row.repo_id != 0).filter(ours).map(|row| row.repo_id)
}

/// A runner as an overlap is judged by.
pub(crate) fn foreign_runner(row: &Runner) -> ForeignRunner {
    ForeignRunner {
        id: RunnerId(row.id),
        name: row.name.clone(),
        labels: row.labels.clone(),
        ephemeral: row.ephemeral,
        status: status(&row.status),
    }
}

fn status(status: &forgejo::RunnerStatus) -> RunnerStatus {
    match status {
        forgejo::RunnerStatus::Offline => RunnerStatus::Offline,
        forgejo::RunnerStatus::Idle => RunnerStatus::Idle,
        forgejo::RunnerStatus::Active => RunnerStatus::Active,
        forgejo::RunnerStatus::Other(_) => RunnerStatus::Unknown,
    }
}

fn runner(deployment: &DeploymentId, forge: &ForgeId, row: Runner) -> Option<RunnerSeen> {
    let identity = RunnerIdentity::read(deployment, forge, &row.name, &row.description)?;
    Some(RunnerSeen {
        id: RunnerId(row.id),
        uuid: RunnerUuid::new(row.uuid),
        identity,
        declared: !row.labels.is_empty(),
        fenced: row.labels.iter().all(|label| label == forgejo::FENCE_LABEL) && !row.labels.is_empty(),
        status: status(&row.status),
    })
}

/// A failed call to a forge.
pub(crate) fn failure(error: &forgejo::Error) -> Failure {
    let class = match error.class() {
        forgejo::ErrorClass::RateLimited { retry_after } => ErrorClass::RateLimited { retry_after },
        forgejo::ErrorClass::Auth => ErrorClass::Auth,
        forgejo::ErrorClass::Forbidden { .. } => ErrorClass::Forbidden,
        forgejo::ErrorClass::NotFound => ErrorClass::NotFound,
        forgejo::ErrorClass::Redirected | forgejo::ErrorClass::Permanent => ErrorClass::Permanent,
        forgejo::ErrorClass::Transient => match error.retry_after() {
            None => ErrorClass::Transient,
            // Not only a 429 may ask for a pause.
            retry_after => ErrorClass::RateLimited { retry_after },
        },
    };
    let acted = match error.acted() {
        forgejo::Acted::No => Acted::No,
        forgejo::Acted::Maybe => Acted::Maybe,
    };
    let hint = error.hint().map_or_else(String::new, |hint| format!(" (hint: {hint})"));
    let told = MESSAGE_CHARACTERS - hint.chars().count();
    let message = backend::chain(error).chars().take(told).chain(hint.chars()).collect();
    Failure { class, acted, concerns: Concerns::All, message }
}
