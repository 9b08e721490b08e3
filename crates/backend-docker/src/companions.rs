//! What comes with one machine and goes with it: its own network, its nested engine, and the volume with that one's socket.
//!
//! They carry the machine's name and tags, as its container does. So a machine that was half made, or whose container
//! somebody removed, is listed by them, and destroying it by its name finds all of them.

use std::collections::{BTreeSet, HashMap};

use ::backend::Destroyed;
use bollard::query_parameters::{
    ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use planner::ids::MachineName;
use planner::seen::{MachineSeen, MachineState, MachineTags};

use crate::backend::Docker;
use crate::engine::Engine;
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Companion {
    machine: MachineName,
    tags: MachineTags,
    thing: Thing,
}

/// What it is, in the order in which they go: one that is used by another is not removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    /// A container, by the engine's id.
    Engine(String),
    /// By the engine's id.
    Network(String),
    /// By its name.
    Volume(String),
}

/// The companions of all machines, or of one.
pub(crate) async fn found(
    engine: &Engine,
    whose: &Whose,
    name: Option<&MachineName>,
) -> Result<Vec<Companion>, DockerError> {
    let client = engine.client().await?;
    let mut things = Vec::new();
    for container in engine.containers(whose, Role::NestedEngine, name).await? {
        things.push((container.labels, Thing::Engine(container.id)));
    }
    let filter = labels::filter(whose, Role::MachineNetwork, name);
    let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
    for network in engine.call("list networks", client.list_networks(Some(options))).await? {
        things.push((network.labels, Thing::Network(network.id.unwrap_or_default())));
    }
    let filter = labels::filter(whose, Role::NestedSocket, name);
    let options = ListVolumesOptionsBuilder::default().filters(&filter).build();
    let volumes = engine.call("list volumes", client.list_volumes(Some(options))).await?.volumes;
    things.extend(volumes.into_iter().flatten().map(|volume| (Some(volume.labels), Thing::Volume(volume.name))));
    let companion = |(found, thing): (Option<HashMap<String, String>>, Thing)| {
        let found = found?;
        let role = match thing {
            Thing::Engine(_) => Role::NestedEngine,
            Thing::Network(_) => Role::MachineNetwork,
            Thing::Volume(_) => Role::NestedSocket,
        };
        let (machine, tags) = labels::read(&found).filter(|_| labels::are_ours(whose, role, &found))?;
        name.is_none_or(|name| *name == machine).then_some(Companion { machine, tags, thing })
    };
    let mut companions: Vec<Companion> = things.into_iter().filter_map(companion).collect();
    companions.sort_by(|a, b| a.thing.cmp(&b.thing));
    Ok(companions)
}

/// The network of one machine alone, by the engine's id.
pub(crate) async fn network(engine: &Engine, whose: &Whose, name: &MachineName) -> Result<Option<String>, DockerError> {
    let companions = found(engine, whose, Some(name)).await?;
    Ok(companions.into_iter().find_map(|companion| match companion.thing {
        Thing::Network(id) => Some(id),
        Thing::Engine(_) | Thing::Volume(_) => None,
    }))
}

/// Removes all companions of a machine; accepted while something still uses one.
pub(crate) async fn remove(docker: &Docker, name: &MachineName) -> Result<Destroyed, DockerError> {
    if !docker.memory.may_have_companions() {
        return Ok(Destroyed::Gone);
    }
    let (engine, client) = (&docker.engine, docker.engine.client().await?);
    let mut answer = Destroyed::Gone;
    for companion in found(engine, &docker.whose, Some(name)).await? {
        let removed = match &companion.thing {
            Thing::Engine(id) => {
                let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                engine.long_call("remove a container", client.remove_container(id, Some(options))).await
            }
            Thing::Network(id) => engine.call("remove the network", client.remove_network(id)).await,
            Thing::Volume(name) => {
                engine.call("remove a volume", client.remove_volume(name, None::<RemoveVolumeOptions>)).await
            }
        };
        match removed {
            Err(error) if error.status() == Some(404) => {}
            // Something of it is just going.
            Err(error) if matches!(error.status(), Some(403 | 409)) => answer = Destroyed::Accepted,
            removed => removed?,
        }
    }
    Ok(answer)
}

/// Machines of which nothing but companions is there.
pub(crate) async fn without_machine(
    docker: &Docker,
    containers: &BTreeSet<MachineName>,
) -> Result<Vec<MachineSeen>, DockerError> {
    if !docker.memory.may_have_companions() {
        return Ok(Vec::new());
    }
    let companions = found(&docker.engine, &docker.whose, None).await?;
    if companions.is_empty() && !crate::company::is_needed(docker).await? {
        docker.memory.has_no_companions();
    }
    let mut rows: Vec<MachineSeen> = Vec::new();
    for Companion { machine, tags, .. } in companions {
        let is_known = containers.contains(&machine) || docker.memory.unstarted.has(&machine);
        if is_known || rows.iter().any(|row| row.name == machine) {
            continue;
        }
        let state = if docker.memory.asked_to_end(&machine) {
            MachineState::Stopping
        } else if docker.memory.has_handed_over(&machine) {
            // Somebody removed the container in which the runner was; what the job started goes on.
            MachineState::Orphaned
        } else {
            MachineState::Creating
        };
        rows.push(MachineSeen { name: machine, tags, binding: None, state });
    }
    Ok(rows)
}
