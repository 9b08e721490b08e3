//! What the container of a machine is connected to and sees of engines, by the mode of its backend.
//!
//! ```text
//! direct, socket   the backend's network; on Podman, where nothing keeps the containers of a network apart, one for each
//! nested           network ─► engine, privileged, in that network ─► socket is there ─► the machine's container
//!                  └ both containers share the engine's network: a port that a job publishes is on its localhost
//! ```
//!
//! Whatever is made for one machine alone is a companion (see `companions`), and is made before the machine's container: one
//! that is there is whole.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use ::backend::CreateRequest;
use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, NetworkCreateRequest, VolumeCreateRequest,
};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, StartContainerOptions,
};
use tokio::time::Instant;

use crate::backend::Docker;
use crate::companions;
use crate::engine::if_there;
use crate::error::DockerError;
use crate::labels::{self, Role};
use crate::look::Status;
use crate::settings::{Mode, Network};
use crate::{logs, specification};

/// Where the socket of a nested engine is, in it and in the machine. A job's containers find it there too, since the engine
/// looks in its own files for what it mounts into them.
const NESTED: &str = "/.forgescale-engine";

/// Where jobs expect the socket of an engine.
pub const SOCKET: &str = "/var/run/docker.sock";

/// What a nested engine keeps its images and containers in: it does not work on the files of a container.
const DATA: &str = "/var/lib/docker";

/// How long a create waits for a nested engine. They were seen to take a few seconds; the next create goes on waiting.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks for its socket.
const PAUSE: Duration = Duration::from_millis(100);

/// Names the engine to a runner and to `docker`.
const VARIABLE: &str = "DOCKER_HOST";

/// What a machine's container gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Company {
    /// A network's id, or one of the engine's own words.
    pub(crate) network: String,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) environment: Vec<String>,
}

/// Whether machines have companions.
pub(crate) async fn is_needed(docker: &Docker) -> Result<bool, DockerError> {
    let is_nested = matches!(docker.settings.mode, Mode::Nested { .. });
    Ok(is_nested || has_own_network(docker).await?)
}

/// Whether each machine has a network to itself.
async fn has_own_network(docker: &Docker) -> Result<bool, DockerError> {
    let is_nested = matches!(docker.settings.mode, Mode::Nested { .. });
    Ok(docker.settings.network == Network::Own && (is_nested || docker.engine.is_podman().await?))
}

/// Makes what a machine needs around it, or finds it. What cannot be made whole is taken away again.
pub(crate) async fn made(docker: &Docker, request: &CreateRequest) -> Result<Company, DockerError> {
    if is_needed(docker).await? {
        docker.memory.makes_companions();
    }
    let made = all(docker, request).await;
    // One that is only slow is waited for by the next create.
    if made.as_ref().is_err_and(|error| !matches!(error, DockerError::NestedLate { .. }))
        && let Err(error) = companions::remove(docker, &request.name).await
    {
        tracing::debug!(machine = %request.name, error = ::backend::chain(&error), "what was made for it is left behind");
    }
    made
}

async fn all(docker: &Docker, request: &CreateRequest) -> Result<Company, DockerError> {
    let network = network(docker, request).await?;
    match &docker.settings.mode {
        Mode::Direct => Ok(Company { network, ..Company::default() }),
        Mode::Socket => {
            let socket = docker.settings.address.socket().ok_or(DockerError::NoSocket)?;
            Ok(Company { network, mounts: vec![host_socket(socket)], environment: vec![told(SOCKET)] })
        }
        Mode::Nested { image, privileged } => {
            let volume = socket_volume(docker, request).await?;
            let id =
                engine(docker, request, &Side { image, privileged: *privileged, network, volume: &volume }).await?;
            let environment = vec![told(&format!("{NESTED}/docker.sock"))];
            Ok(Company { network: format!("container:{id}"), mounts: vec![socket_mount(&volume)], environment })
        }
    }
}

fn told(socket: &str) -> String {
    format!("{VARIABLE}=unix://{socket}")
}

fn host_socket(socket: &Path) -> Mount {
    Mount {
        target: Some(SOCKET.to_owned()),
        source: Some(socket.display().to_string()),
        typ: Some(MountType::BIND),
        ..Mount::default()
    }
}

/// The labels of a companion.
fn marked(docker: &Docker, request: &CreateRequest, role: Role) -> Result<HashMap<String, String>, DockerError> {
    labels::of_one(&docker.whose, role, &request.name, &request.tags).ok_or(DockerError::BindingTooLong)
}

/// The network of the machine.
async fn network(docker: &Docker, request: &CreateRequest) -> Result<String, DockerError> {
    let engine = &docker.engine;
    if !has_own_network(docker).await? {
        return docker.network.of(engine, &docker.whose, &docker.settings.network).await;
    }
    if let Some(id) = companions::network(engine, &docker.whose, &request.name).await? {
        return Ok(id);
    }
    // Docker keeps its networks apart; Podman does where both ask for it.
    let options = if engine.is_podman().await? { vec![("isolate".to_owned(), "true".to_owned())] } else { Vec::new() };
    let wanted = NetworkCreateRequest {
        name: format!("{}.{}", docker.whose.prefix(), request.name),
        driver: Some("bridge".to_owned()),
        options: Some(options.into_iter().collect()),
        labels: Some(marked(docker, request, Role::MachineNetwork)?),
        ..NetworkCreateRequest::default()
    };
    Ok(engine.call("make a network", engine.client().await?.create_network(wanted)).await?.id)
}

/// The volume in which the nested engine puts its socket.
async fn socket_volume(docker: &Docker, request: &CreateRequest) -> Result<String, DockerError> {
    let name = format!("{}.{}", docker.whose.prefix(), request.name);
    let wanted = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(marked(docker, request, Role::NestedSocket)?),
        ..VolumeCreateRequest::default()
    };
    docker.engine.call("make a volume", docker.engine.client().await?.create_volume(wanted)).await?;
    Ok(name)
}

fn socket_mount(volume: &str) -> Mount {
    Mount {
        target: Some(NESTED.to_owned()),
        source: Some(volume.to_owned()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}

/// What a nested engine is made with.
struct Side<'s> {
    image: &'s str,
    privileged: bool,
    network: String,
    volume: &'s str,
}

/// The nested engine, listening; its id.
async fn engine(docker: &Docker, request: &CreateRequest, side: &Side<'_>) -> Result<String, DockerError> {
    let engine = &docker.engine;
    let there = engine.containers(&docker.whose, Role::NestedEngine, Some(&request.name)).await?;
    let client = engine.client().await?;
    let id = if let Some(container) = there.into_iter().next() {
        container.id
    } else {
        let options = CreateContainerOptionsBuilder::default().name(&format!("{}.engine", request.name)).build();
        let body = side_container(docker, request, side)?;
        engine.call("create a container", client.create_container(Some(options), body)).await?.id
    };
    engine.long_call("start the nested engine", client.start_container(&id, None::<StartContainerOptions>)).await?;
    listening(docker, &id).await.map(|()| id)
}

/// Waits for its socket.
async fn listening(docker: &Docker, id: &str) -> Result<(), DockerError> {
    let engine = &docker.engine;
    let client = engine.client().await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let socket = ContainerArchiveInfoOptionsBuilder::default().path(&format!("{NESTED}/docker.sock")).build();
        let socket = client.get_container_archive_info(id, Some(socket));
        if if_there(engine.call("look for the nested engine's socket", socket).await)?.is_some() {
            return Ok(());
        }
        let state = engine.container(id).await?.map(|container| container.state.status);
        if state != Some(Status::Running) {
            let said = logs::of_container(docker, id).await.unwrap_or_default();
            return Err(DockerError::NestedEnded { said: said.last().cloned().unwrap_or_default() });
        }
        if Instant::now() >= until {
            return Err(DockerError::NestedLate { seconds: PATIENCE.as_secs() });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn side_container(
    docker: &Docker,
    request: &CreateRequest,
    side: &Side<'_>,
) -> Result<ContainerCreateBody, DockerError> {
    let settings = &docker.settings;
    let data = Mount { target: Some(DATA.to_owned()), typ: Some(MountType::VOLUME), ..Mount::default() };
    let host = HostConfig {
        init: Some(true),
        privileged: Some(side.privileged),
        network_mode: Some(side.network.clone()),
        mounts: Some(vec![socket_mount(side.volume), data]),
        log_config: Some(specification::log()),
        runtime: settings.runtime.clone(),
        ..specification::limited(settings)
    };
    Ok(ContainerCreateBody {
        image: Some(side.image.to_owned()),
        // Through the image's own entry point, which prepares what an engine needs.
        cmd: Some(vec!["dockerd".to_owned(), format!("--host=unix://{NESTED}/docker.sock")]),
        // No certificates: it listens at a socket alone.
        env: Some(vec!["DOCKER_TLS_CERTDIR=".to_owned()]),
        labels: Some(marked(docker, request, Role::NestedEngine)?),
        host_config: Some(settings.hardening.with_ulimits(host)),
        ..ContainerCreateBody::default()
    })
}
