//! Handing a launch over and starting the runner.
//!
//! ```text
//! unbound ─rename─► bound ─attach, write, end of input─► launch held by the engine ─start─► running
//! ```
//!
//! A machine that is bound and does not run is never given a launch again: the engine may hold one already, and would give
//! the runner both. A warm one runs all the time, and reads its launch when it comes.

use std::sync::Arc;
use std::time::Duration;

use ::backend::Launch;
use bollard::query_parameters::{AttachContainerOptionsBuilder, RenameContainerOptionsBuilder, StartContainerOptions};
use planner::ids::MachineName;
use secrecy::ExposeSecret as _;
use tokio::io::AsyncWriteExt as _;

use crate::backend::{Caller, Docker};
use crate::binding::{self, Bound};
use crate::error::DockerError;
use crate::launch::configuration;
use crate::machines::{self, Found, Phase};

/// How long the engine may take the launch: a few hundred bytes into a socket.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Starts the runner of a machine, once.
pub(crate) async fn start(
    docker: &Arc<Docker>,
    name: &MachineName,
    launch: &Launch,
    caller: &Caller,
) -> Result<(), DockerError> {
    if launch.handle.as_str().is_empty() || launch.handle.as_str().contains('\n') {
        return Err(DockerError::NoHandle);
    }
    let _turn = docker.memory.turn(name).await;
    let found = machines::of(&docker.engine, &docker.whose, name).await?;
    let machine = found.into_iter().next().ok_or(DockerError::NoMachine)?;
    let binding = launch.binding();
    match &machine.bound {
        Bound::To(bound) if *bound != binding => return Err(DockerError::OtherBinding),
        Bound::To(_) if machine.phase == Phase::Created || is_in_doubt(docker, &machine) => {
            return Err(DockerError::HandedOver);
        }
        Bound::To(_) => return Ok(()),
        Bound::No if machine.is_ready() && !docker.memory.asked_to_end(name) => {}
        Bound::No | Bound::Back(_) => return Err(DockerError::NoMachine),
    }
    if machine.tags.job().is_some_and(|tags| tags.handle != launch.handle) {
        return Err(DockerError::OtherJob);
    }
    let bound = RenameContainerOptionsBuilder::default().name(&binding::bound_name(name, &binding)?).build();
    let client = docker.engine.client().await?;
    // Whoever gave up may have taken the registration back since.
    caller.still_waits()?;
    docker.memory.hands_over(name);
    docker.engine.call("rename a container", client.rename_container(&machine.id, bound)).await?;
    launched(docker, &machine, launch).await.map_err(DockerError::once_asked)
}

/// Gives a bound machine its launch, and starts it unless it runs.
async fn launched(docker: &Docker, machine: &Found, launch: &Launch) -> Result<(), DockerError> {
    let name = &machine.name;
    hand_over(docker, machine, launch).await?;
    docker.memory.ended_input(name);
    if machine.is_warm() {
        docker.changed();
        return Ok(());
    }
    let client = docker.engine.client().await?;
    let started = client.start_container(&machine.id, None::<StartContainerOptions>);
    let started = docker.engine.long_call("start a container", started).await;
    if started.is_err() {
        // Perhaps the network is gone, or the volume.
        docker.forget_prepared().await;
    }
    docker.changed();
    started
}

/// Whether a warm machine is bound and may never have got its launch: this daemon bound it, and could not write it.
fn is_in_doubt(docker: &Docker, machine: &Found) -> bool {
    let was_given = docker.memory.has_ended_input(&machine.name);
    machine.is_warm() && docker.memory.has_handed_over(&machine.name) && !was_given
}

/// Gives the launch to the engine, which gives it to the runner when there is one.
async fn hand_over(docker: &Docker, machine: &Found, launch: &Launch) -> Result<(), DockerError> {
    let client = docker.engine.client().await?;
    let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).build();
    let attached = client.attach_container(&machine.id, Some(options));
    let mut attached = docker.engine.call("attach to a container", attached).await?;
    let configuration = configuration(launch, machine.is_nested);
    let written = async {
        if machine.is_warm() {
            // Known only now. What waits in the machine takes the first line for it.
            attached.input.write_all(format!("{}\n", launch.handle).as_bytes()).await?;
        }
        attached.input.write_all(configuration.expose_secret().as_bytes()).await?;
        attached.input.shutdown().await
    };
    let late = |_| Err(std::io::ErrorKind::TimedOut.into());
    let written = tokio::time::timeout(WRITE_DEADLINE, written).await.unwrap_or_else(late);
    written.map_err(|source| DockerError::LaunchNotTaken { source })
}
