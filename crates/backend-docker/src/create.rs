//! Making a machine.

use std::sync::Arc;

use ::backend::CreateRequest;
use bollard::query_parameters::CreateContainerOptionsBuilder;

use crate::backend::{Caller, Docker};
use crate::company;
use crate::error::DockerError;
use crate::labels::{self, Role};
use crate::machines::{self, Found, Phase};
use crate::settings::Mode;
use crate::specification::{self, Prepared};
use crate::{binding, cache, image, warm};

/// Makes the container of a machine, with all that it needs.
pub(crate) async fn create(docker: &Arc<Docker>, request: &CreateRequest, caller: &Caller) -> Result<(), DockerError> {
    if !binding::is_name(&request.name) {
        return Err(DockerError::BadName);
    }
    let settings = &docker.settings;
    // The runner's own where jobs have engines: that makes the containers of jobs.
    let image_name = match &settings.mode {
        Mode::Nested { image, .. } => settings.image.as_deref().unwrap_or(image),
        Mode::Direct | Mode::Socket => {
            request.image.as_deref().or(settings.image.as_deref()).ok_or(DockerError::NoImage)?
        }
    };
    if let Mode::Nested { image, .. } = &settings.mode {
        docker.images.have(image, settings.pull).await?;
    }
    // Before this machine's turn: whoever destroys it meanwhile does not wait for an image.
    docker.images.have(image_name, settings.pull).await?;
    let runner_volume =
        docker.runner_volume.filled(&docker.engine, &docker.whose, &settings.runner, image_name).await?;

    let _turn = docker.memory.turn(&request.name).await;
    if let Some(found) = existing(docker, request).await? {
        return used_again(docker, &found, image_name).await.map_err(DockerError::once_asked);
    }
    if docker.memory.asked_to_end(&request.name) || docker.memory.unstarted.has(&request.name) {
        return Err(DockerError::AlreadyUsed);
    }
    let caches = cache::made(docker, request).await?;
    let has_companions = company::is_needed(docker).await?;
    let once_companions_are_asked_for = |error: DockerError| if has_companions { error.once_asked() } else { error };
    let company = company::made(docker, request).await.map_err(once_companions_are_asked_for)?;
    let prepared = Prepared { image: image_name, runner_volume: &runner_volume, caches: &caches, company: &company };
    let body = specification::of(settings, &docker.whose, request, prepared)?;
    let options = CreateContainerOptionsBuilder::default().name(request.name.as_str()).build();
    let client = docker.engine.client().await?;
    caller.still_waits()?;
    match docker.engine.call("create a container", client.create_container(Some(options), body)).await {
        Err(error @ DockerError::Connect { .. }) => Err(once_companions_are_asked_for(error)),
        asked => come_of(docker, request, image_name, asked.map(|made| made.id)).await.map_err(DockerError::once_asked),
    }
}

/// What has come of a container that was asked for, by the engine's answer: its id.
async fn come_of(
    docker: &Docker,
    request: &CreateRequest,
    image_name: &str,
    answer: Result<String, DockerError>,
) -> Result<(), DockerError> {
    match answer {
        Ok(id) => {
            if request.tags.warm().is_some() {
                warm::begin(docker, &id, image_name).await?;
            }
            docker.changed();
            Ok(())
        }
        // The name is taken: by a create of an earlier daemon that came late, or by somebody else. Podman says 500 for it, as
        // for what it misses.
        Err(error) if matches!(error.status(), Some(409 | 500)) => match existing(docker, request).await? {
            Some(found) => used_again(docker, &found, image_name).await,
            None if is_of_others(docker, request).await? => Err(DockerError::NotOurs),
            // It is just being made or removed, or something that it needs is gone.
            None => {
                docker.forget_prepared().await;
                Err(error)
            }
        },
        Err(error) if error.status() == Some(404) => {
            docker.forget_prepared().await;
            if image::looked(&docker.engine, image_name).await?.is_some() {
                // Then it is the network or the volume, which the next create makes again.
                return Err(DockerError::PreparedGone { source: Box::new(error) });
            }
            Err(DockerError::ImageMissing { image: image_name.to_owned() })
        }
        Err(error) => Err(error),
    }
}

async fn existing(docker: &Docker, request: &CreateRequest) -> Result<Option<Found>, DockerError> {
    let found = machines::of(&docker.engine, &docker.whose, &request.name).await?;
    Ok(found.into_iter().next())
}

/// Whether there is a container of the machine's name that carries other labels.
async fn is_of_others(docker: &Docker, request: &CreateRequest) -> Result<bool, DockerError> {
    let Some(container) = docker.engine.container(request.name.as_str()).await? else { return Ok(false) };
    let labels = container.config.labels.unwrap_or_default();
    Ok(!labels::are_ours(&docker.whose, Role::Machine, &labels))
}

/// The same living machine, begun where an earlier call did not come to it.
async fn used_again(docker: &Docker, found: &Found, image: &str) -> Result<(), DockerError> {
    let is_living = matches!(found.phase, Phase::Created | Phase::Running);
    if !is_living || docker.memory.asked_to_end(&found.name) {
        return Err(DockerError::AlreadyUsed);
    }
    if found.is_warm() && found.phase == Phase::Created {
        warm::begin(docker, &found.id, image).await?;
    }
    Ok(())
}
