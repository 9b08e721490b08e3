//! What caches there are and what they take, and the removal of those that nobody needs.

use std::collections::BTreeSet;

use ::backend::BackendError;
use bollard::models::Volume;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::sizes;
use crate::backend::{Docker, DockerBackend};
use crate::engine::Engine;
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};

/// How many are removed in one go: a large one can take seconds.
const AT_ONCE: usize = 20;

/// What an engine has of caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CachesSeen {
    /// How many there are.
    pub count: usize,
    /// How many bytes they take together, as far as the engine tells.
    pub bytes: u64,
}

impl DockerBackend {
    /// What there is of caches. The engine goes through all files of all of its volumes for that.
    pub async fn look_at_caches(&self) -> Result<CachesSeen, BackendError> {
        let done = look(&self.docker).await;
        done.map_err(|error| error.doing("look at the caches of jobs".to_owned()))
    }

    /// Removes caches with which no machine was made in the time that the settings say, as far as no container has them.
    pub async fn remove_unused_caches(&self) {
        let backend = &self.docker.whose.backend;
        match remove_unused(&self.docker).await {
            Ok(removed) => removed.iter().for_each(|volume| {
                tracing::info!(%backend, cache = shown(volume), "removed a cache that no job has used lately");
            }),
            // Listings tell that the engine is away.
            Err(error) => tracing::debug!(%backend, error = ::backend::chain(&error), "caches were not looked at"),
        }
    }
}

/// The volumes of all caches.
pub(crate) async fn found(engine: &Engine, whose: &Whose) -> Result<Vec<Volume>, DockerError> {
    let filter = labels::filter(whose, Role::Cache, None);
    let options = ListVolumesOptionsBuilder::default().filters(&filter).build();
    let listed = engine.call("list volumes", engine.client().await?.list_volumes(Some(options))).await?;
    let is_ours = |volume: &Volume| labels::are_ours(whose, Role::Cache, &volume.labels);
    Ok(listed.volumes.unwrap_or_default().into_iter().filter(is_ours).collect())
}

/// What a cache is, for people.
pub(crate) fn shown(volume: &Volume) -> String {
    let label = |key| volume.labels.get(key).map_or("?", String::as_str);
    let owner = volume.labels.get(labels::REPOSITORY).map(|of| format!(" of repository {of}")).unwrap_or_default();
    format!("{}{owner} in pool {} (volume {})", label(labels::PATH), label(labels::POOL), volume.name)
}

async fn look(docker: &Docker) -> Result<CachesSeen, DockerError> {
    let Docker { engine, whose, .. } = docker;
    let volumes = found(engine, whose).await?;
    if volumes.is_empty() {
        return Ok(CachesSeen::default());
    }
    let version = engine.client().await?.client_version().to_string();
    let sizes = engine.long_call("tell the sizes of volumes", sizes::of_volumes(engine.way(), &version)).await?;
    let bytes = volumes.iter().filter_map(|volume| sizes.get(&volume.name)).sum();
    Ok(CachesSeen { count: volumes.len(), bytes })
}

async fn remove_unused(docker: &Docker) -> Result<Vec<Volume>, DockerError> {
    let Docker { engine, whose, settings, caches, .. } = docker;
    let there = found(engine, whose).await?;
    let names: BTreeSet<&str> = there.iter().map(|volume| volume.name.as_str()).collect();
    let mut removed = Vec::new();
    for name in caches.unused(&names, settings.cache_max_age).into_iter().take(AT_ONCE) {
        // A machine may have been made with it meanwhile; one that is just being made finds an empty one instead.
        let is_unused = caches.unused(&names, settings.cache_max_age).contains(&name);
        if is_unused && remove(engine, &name).await? {
            removed.extend(there.iter().find(|volume| volume.name == name).cloned());
        }
    }
    Ok(removed)
}

/// Removes the volumes of all caches that no container has, whatever their age.
pub(crate) async fn remove_all(engine: &Engine, whose: &Whose) -> Result<(), DockerError> {
    for volume in found(engine, whose).await? {
        remove(engine, &volume.name).await?;
    }
    Ok(())
}

/// Removes a volume, unless a container has it: whether it was removed.
async fn remove(engine: &Engine, name: &str) -> Result<bool, DockerError> {
    let client = engine.client().await?;
    match engine.long_call("remove a volume", client.remove_volume(name, None::<RemoveVolumeOptions>)).await {
        Ok(()) => Ok(true),
        // In use, or gone by itself.
        Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(false),
        Err(error) => Err(error),
    }
}
