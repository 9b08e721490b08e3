//! Ending and removing a machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::backend::Destroyed;
use bollard::query_parameters::{KillContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use planner::ids::MachineName;

use crate::backend::Docker;
use crate::binding::Bound;
use crate::companions;
use crate::error::DockerError;
use crate::machines::{self, Found, Phase};

/// Asks the runner to end, and removes the container when it has, or when its time is over.
pub(crate) async fn destroy(
    docker: &Arc<Docker>,
    name: &MachineName,
    stop: Duration,
) -> Result<Destroyed, DockerError> {
    let _turn = docker.memory.turn(name).await;
    docker.memory.unstarted.forget(name);
    let found = machines::of(&docker.engine, &docker.whose, name).await?;
    let mut answer = Destroyed::Gone;
    for machine in found {
        if one(docker, &machine, stop).await? == Destroyed::Accepted {
            answer = Destroyed::Accepted;
        }
    }
    if answer == Destroyed::Gone {
        answer = companions::remove(docker, name).await.map_err(DockerError::once_asked)?;
    }
    docker.changed();
    Ok(answer)
}

async fn one(docker: &Docker, machine: &Found, stop: Duration) -> Result<Destroyed, DockerError> {
    // One in which no runner is has nothing to tell.
    let has_runner = machine.phase == Phase::Running && matches!(machine.bound, Bound::To(_));
    if has_runner && !docker.memory.time_is_over(&machine.name, stop, Instant::now()) {
        if docker.memory.ask_to_end(&machine.name, Instant::now()) {
            ask(docker, machine).await?;
        }
        return Ok(Destroyed::Accepted);
    }
    remove(docker, machine).await
}

/// Tells the runner, which reports what it can of its job and ends (protocol 3.6).
async fn ask(docker: &Docker, machine: &Found) -> Result<(), DockerError> {
    let client = docker.engine.client().await?;
    let options = KillContainerOptionsBuilder::default().signal("SIGTERM").build();
    match docker.engine.call("signal a container", client.kill_container(&machine.id, Some(options))).await {
        // It has ended meanwhile.
        Err(error) if !matches!(error.status(), Some(404 | 409)) => {
            docker.memory.take_back_asking(&machine.name);
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Removes the container and the volumes that its image declares; kills whatever runs in it.
async fn remove(docker: &Docker, machine: &Found) -> Result<Destroyed, DockerError> {
    let client = docker.engine.client().await?;
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.engine.long_call("remove a container", client.remove_container(&machine.id, Some(options))).await {
        Ok(()) => Ok(Destroyed::Gone),
        Err(error) if error.status() == Some(404) => Ok(Destroyed::Gone),
        // Somebody else removes it.
        Err(error) if error.status() == Some(409) => Ok(Destroyed::Accepted),
        Err(error) => Err(error),
    }
}
