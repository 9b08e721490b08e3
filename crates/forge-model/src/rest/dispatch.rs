//! Starting a workflow through REST (protocol 1.8).

use std::collections::BTreeMap;

use super::refusal::Refusal;
use crate::forge::Forge;
use crate::ids::{OwnerId, RepoId, RunId};
use crate::moment::Moment;
use crate::script::{Event, MAIN};

/// What a dispatch answers, if it is asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    /// The run made.
    pub run: RunId,
    /// Its number within the repository.
    pub number: i64,
    /// Keys of its jobs.
    pub jobs: Vec<String>,
}

impl Forge {
    /// Starts a workflow that [`Forge::set_workflow`] made, on the only branch there is. A choice is not checked against
    /// its options, as on the real forge.
    pub fn dispatch(
        &mut self,
        now: Moment,
        repo: RepoId,
        file: &str,
        reference: &str,
        inputs: &BTreeMap<String, String>,
        actor: Option<OwnerId>,
    ) -> Result<Dispatched, Refusal> {
        if reference.is_empty() {
            return Err(Refusal::Invalid("ref is empty".to_owned()));
        }
        if ![MAIN, "main"].contains(&reference) {
            return Err(Refusal::Internal(format!("object does not exist [id: {reference}]")));
        }
        let workflow = self.workflows.get(&(repo, file.to_owned()));
        let workflow = workflow.ok_or_else(|| Refusal::Internal(format!("workflow {file} not found")))?;
        let values = workflow.values(inputs)?;
        let broken = workflow.broken;
        let mut spec = workflow.run(repo, file, &values).with_event(Event::Dispatch);
        spec.actor = actor;
        let run = self.push_run(now, spec).map_err(|error| Refusal::Internal(error.to_string()))?;
        if broken {
            self.fail_at_creation(now, run);
        }
        let jobs = self.jobs_of_run(run).iter().filter_map(|id| self.jobs.get(id)).map(|job| job.key.clone());
        Ok(Dispatched { run, number: self.runs.get(&run).map_or(0, |run| run.number), jobs: jobs.collect() })
    }
}
