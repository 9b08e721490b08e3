//! The containers of machines, as the engine lists them.

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as Listed};
use bollard::query_parameters::ListContainersOptionsBuilder;
use planner::ids::{DeploymentId, MachineName};
use planner::seen::MachineTags;

use crate::binding::{self, Bound};
use crate::engine::Engine;
use crate::error::DockerError;
use crate::labels::{self, Role};

/// The container of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The engine's id of it.
    pub(crate) id: String,
    /// The machine's name.
    pub(crate) name: MachineName,
    /// What it was made with.
    pub(crate) tags: MachineTags,
    /// What was started on it.
    pub(crate) bound: Bound,
    /// Where it stands.
    pub(crate) phase: Phase,
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Made and not started, or a start has failed.
    Created,
    /// Its processes have ended.
    Exited,
    /// It is being removed.
    Removing,
    /// Something runs in it.
    Running,
}

/// All of our machines, and how many containers of ours could not be read.
pub(crate) async fn all(engine: &Engine, deployment: &DeploymentId) -> Result<(Vec<Found>, usize), DockerError> {
    let containers = listed(engine, deployment, None).await?;
    let count = containers.len();
    let mut found: Vec<Found> = containers.into_iter().filter_map(read).collect();
    let unreadable = count - found.len();
    // Should there be two of one name, the one that was used comes first.
    found.sort_by(|a, b| a.name.cmp(&b.name).then(rank(b).cmp(&rank(a))));
    Ok((found, unreadable))
}

/// The containers of one machine, the one that was used first. More than one only if a create of a killed daemon came late.
pub(crate) async fn of(
    engine: &Engine,
    deployment: &DeploymentId,
    name: &MachineName,
) -> Result<Vec<Found>, DockerError> {
    let containers = listed(engine, deployment, Some(name)).await?;
    let mut found: Vec<Found> = containers.into_iter().filter_map(read).collect();
    found.sort_by_key(|found| std::cmp::Reverse(rank(found)));
    Ok(found)
}

fn rank(found: &Found) -> (bool, Phase) {
    (found.bound != Bound::No, found.phase)
}

async fn listed(
    engine: &Engine,
    deployment: &DeploymentId,
    name: Option<&MachineName>,
) -> Result<Vec<ContainerSummary>, DockerError> {
    let filter = labels::filter(deployment, Some(Role::Machine), name);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
    engine.call("list containers", engine.client().await?.list_containers(Some(options))).await
}

fn read(container: ContainerSummary) -> Option<Found> {
    let (name, tags) = labels::read(&container.labels.unwrap_or_default())?;
    let bound = container.names?.iter().find_map(|container| binding::read(&name, container))?;
    let phase = match container.state? {
        Listed::CREATED => Phase::Created,
        Listed::RUNNING | Listed::PAUSED | Listed::RESTARTING | Listed::STOPPING => Phase::Running,
        Listed::EXITED | Listed::DEAD => Phase::Exited,
        Listed::REMOVING => Phase::Removing,
        Listed::EMPTY => return None,
    };
    Some(Found { id: container.id?, name, tags, bound, phase })
}
