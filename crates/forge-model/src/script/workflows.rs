//! Workflow files of repositories, as far as a dispatch needs them.

use std::collections::BTreeMap;

use super::{Concurrency, JobSpec, RunSpec, ScriptError};
use crate::forge::Forge;
use crate::ids::{RepoId, RunId};
use crate::moment::Moment;
use crate::rest::Refusal;
use crate::status::Status;

/// The only branch that repositories have here.
pub(crate) const MAIN: &str = "refs/heads/main";

/// One input of `on: workflow_dispatch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Whether a dispatch without it is refused.
    pub required: bool,
    /// Its value when none is given.
    pub default: String,
}

/// A workflow file. `${{ inputs.NAME }}` in names and labels of its jobs is replaced; no other expression is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workflow {
    /// Inputs of a dispatch.
    pub inputs: Vec<Input>,
    /// Jobs.
    pub jobs: Vec<JobSpec>,
    /// Its `concurrency`.
    pub concurrency: Concurrency,
    /// Cannot be run: every run of it fails when it is made (protocol 2.3).
    pub broken: bool,
}

impl Workflow {
    /// A workflow of these jobs, without inputs.
    pub fn of(jobs: Vec<JobSpec>) -> Self {
        Self { jobs, ..Self::default() }
    }

    /// The value of every declared input.
    pub(crate) fn values(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
        let value = |input: &Input| match given.get(&input.name) {
            Some(value) => Ok((input.name.clone(), value.clone())),
            None if input.required => Err(Refusal::Invalid(format!("input required for '{}'", input.name))),
            None => Ok((input.name.clone(), input.default.clone())),
        };
        self.inputs.iter().map(value).collect()
    }

    /// The run that these values come to.
    pub(crate) fn run(&self, repo: RepoId, file: &str, values: &BTreeMap<String, String>) -> RunSpec {
        let filled = |text: &str| {
            values
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{{ inputs.{name} }}}}"), value))
        };
        let mut jobs = self.jobs.clone();
        for job in &mut jobs {
            job.name = filled(&job.name);
            job.runs_on = job.runs_on.iter().map(|label| filled(label)).collect();
        }
        RunSpec::new(repo, file, jobs).with_concurrency(self.concurrency.clone())
    }
}

impl Forge {
    /// Commits a workflow file: a dispatch of it makes runs from now on.
    pub fn set_workflow(&mut self, repo: RepoId, file: &str, workflow: Workflow) -> Result<(), ScriptError> {
        if !self.directory.repositories.contains_key(&repo) {
            return Err(ScriptError::NoRepository(repo));
        }
        self.workflows.insert((repo, file.to_owned()), workflow);
        Ok(())
    }

    /// Fails every job of a run that was just made: a pre-execution error.
    pub(crate) fn fail_at_creation(&mut self, now: Moment, run: RunId) {
        for job in self.jobs_of_run(run).to_vec() {
            self.set_job_status(now, job, Status::Failure);
        }
    }
}
