//! The containers of machines, as the engine lists them.

use std::collections::BTreeSet;

use planner::ids::MachineName;
use planner::seen::MachineTags;

use crate::binding::{self, Bound};
use crate::engine::Engine;
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};
use crate::look::{Listed, Status};

/// The container of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The engine's id of it.
    pub(crate) id: String,
    /// The machine's name.
    pub(crate) name: MachineName,
    /// What it was made with.
    pub(crate) tags: MachineTags,
    /// Whether it has an engine of its own.
    pub(crate) is_nested: bool,
    /// What was started on it.
    pub(crate) bound: Bound,
    /// Where it stands.
    pub(crate) phase: Phase,
}

impl Found {
    /// Whether it was made without a job.
    pub(crate) fn is_warm(&self) -> bool {
        self.tags.warm().is_some()
    }

    /// Whether a job can be bound to it: a warm one runs and waits for its launch, one for a job was not started.
    pub(crate) fn is_ready(&self) -> bool {
        self.bound == Bound::No && self.phase == if self.is_warm() { Phase::Running } else { Phase::Created }
    }
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
    for container in engine.containers(whose, Role::Machine, None).await? {
        let name = container.names.iter().flatten().next().unwrap_or(&container.id).clone();
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
    let containers = engine.containers(whose, Role::Machine, Some(name)).await?;
    let mut found: Vec<Found> = containers.into_iter().filter_map(read).filter(|found| found.name == *name).collect();
    found.sort_by_key(|found| std::cmp::Reverse(rank(found)));
    Ok(found)
}

fn rank(found: &Found) -> (bool, Phase) {
    (found.bound != Bound::No, found.phase)
}

fn read(container: Listed) -> Option<Found> {
    let found = container.labels.unwrap_or_default();
    let is_nested = found.contains_key(labels::NESTED);
    let (name, tags) = labels::read(&found)?;
    let bound = container.names?.iter().find_map(|container| binding::read(&name, container))?;
    let phase = match container.state {
        Status::Created => Phase::Created,
        Status::Running => Phase::Running,
        Status::Exited => Phase::Exited,
        Status::Removing => Phase::Removing,
        Status::Unknown => return None,
    };
    Some(Found { id: container.id, name, tags, is_nested, bound, phase })
}
