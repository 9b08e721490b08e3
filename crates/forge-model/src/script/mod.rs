//! What people, the web interface and cron do to a forge.
//!
//! Every call is a method of [`crate::Forge`]; this module holds what they take and the errors they give. A call that
//! names something that does not exist is an error of the script, not of the modelled forge, hence [`ScriptError`].

mod crons;
mod emitter;
mod people;
mod repositories;
mod reruns;
mod runs;
mod spec;
mod workflows;

pub use crons::CronTask;
pub(crate) use crons::Crons;
pub use spec::{Concurrency, Condition, Event, JobSpec, RunSpec};
pub(crate) use workflows::MAIN;
pub use workflows::{Input, Workflow};

use crate::ids::{JobId, OwnerId, RepoId, RunId};

/// A script asked for something impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// No such user or organization.
    #[error("there is no owner {0}")]
    NoOwner(OwnerId),
    /// No such repository.
    #[error("there is no repository {0}")]
    NoRepository(RepoId),
    /// No such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// No such job.
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// A rerun is refused while the run, or the job, has not ended.
    #[error("run {0} has not ended")]
    NotEnded(RunId),
    /// A job needs a key that no job of the run has.
    #[error("job {job} needs {need}, which the run does not have")]
    UnknownNeed {
        /// Key of the job.
        job: String,
        /// The key that is missing.
        need: String,
    },
    /// The Actions unit of the repository is off.
    #[error("repository {0} has no Actions unit")]
    UnitOff(RepoId),
}
