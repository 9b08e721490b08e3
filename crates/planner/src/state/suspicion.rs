//! Suspicion: a job like others of which one was held back by the forge (design section 5, "Suspects").

use std::collections::BTreeMap;

use crate::ids::{ForgeId, Handle, JobName};
use crate::label::RunsOn;
use crate::seen::JobSeen;
use crate::time::Tick;

/// What makes jobs alike: the forge does not tell concurrency groups, so this stands for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SuspectKey {
    /// The forge.
    pub forge: ForgeId,
    /// The repository.
    pub repository: i64,
    /// The job's name.
    pub name: JobName,
    /// The labels that it asks for.
    pub runs_on: RunsOn,
}

impl SuspectKey {
    /// The key of a job.
    pub fn of(forge: &ForgeId, job: &JobSeen) -> Self {
        Self { forge: forge.clone(), repository: job.repository, name: job.name.clone(), runs_on: job.runs_on.clone() }
    }
}

/// What is known of a kind of jobs. One of them is tried at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// Releases in a row.
    pub releases: u32,
    /// The back-off of the key.
    pub rest_until: Tick,
    /// Whether a job of the repository has left the list since the last probe was begun: then the oldest is tried at once.
    pub somebody_left: bool,
    /// When each handle was probed last.
    pub probed: BTreeMap<Handle, Tick>,
    /// Since when it yields to other demand.
    pub since: Tick,
}
