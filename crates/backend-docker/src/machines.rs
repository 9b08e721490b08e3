//! The containers of machines, as the engine lists them.

use std::collections::BTreeSet;

use bollard::models::{ContainerInspectResponse, ContainerSummary, ContainerSummaryStateEnum as Listed};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use planner::ids::MachineName;
use planner::seen::MachineTags;

use crate::binding::{self, Bound};
use crate::engine::{Engine, if_there};
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};

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

/// All of our machines, and the names of containers of ours that could not be read.
pub(crate) async fn all(engine: &Engine, whose: &Whose) -> Result<(Vec<Found>, BTreeSet<String>), DockerError> {
    let (mut found, mut unreadable) = (Vec::new(), BTreeSet::new());
    for container in listed(engine, whose, None).await? {
        let name = container.names.iter().flatten().next().or(container.id.as_ref()).cloned().unwrap_or_default();
        match read(container) {
            Some(machine) => found.push(machine),
            None => drop(unreadable.insert(name.trim_start_matches('/').to_owned())),
        }
    }
    // Should there be two of one name, the one that was used comes first.
    found.sort_by(|a, b| a.name.cmp(&b.name).then(rank(b).cmp(&rank(a))));
    Ok((found, unreadable))
}

/// The containers of one machine, the one that was used first. More than one only if a create of a killed daemon came late.
pub(crate) async fn of(engine: &Engine, whose: &Whose, name: &MachineName) -> Result<Vec<Found>, DockerError> {
    let containers = listed(engine, whose, Some(name)).await?;
    let mut found: Vec<Found> = containers.into_iter().filter_map(read).collect();
    found.sort_by_key(|found| std::cmp::Reverse(rank(found)));
    Ok(found)
}

/// A container by its id or name, as the engine has it now; none if there is no such container.
pub(crate) async fn inspected(engine: &Engine, id: &str) -> Result<Option<ContainerInspectResponse>, DockerError> {
    let inspected = engine.client().await?.inspect_container(id, None::<InspectContainerOptions>);
    if_there(engine.call("look at a container", inspected).await)
}

fn rank(found: &Found) -> (bool, Phase) {
    (found.bound != Bound::No, found.phase)
}

async fn listed(
    engine: &Engine,
    whose: &Whose,
    name: Option<&MachineName>,
) -> Result<Vec<ContainerSummary>, DockerError> {
    let filter = labels::filter(whose, Role::Machine, name);
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
