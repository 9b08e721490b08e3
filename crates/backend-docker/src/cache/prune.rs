//! What caches there are and what they take, and the removal of those that nobody needs.

use std::collections::BTreeSet;

use ::backend::BackendError;
use bollard::models::Volume;
use bollard::query_parameters::RemoveVolumeOptions;

use super::sizes;
use crate::backend::{Docker, DockerBackend};
use crate::engine::Engine;
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};
use crate::volumes;

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

    /// Removes caches that no machine had in the time that the settings say.
    pub async fn remove_unused_caches(&self) {
        let backend = &self.docker.whose.backend;
        let mut removed = Vec::new();
        let outcome = remove_unused(&self.docker, &mut removed).await;
        for volume in &removed {
            tracing::info!(%backend, cache = shown(volume), "removed a cache that no job has used lately");
        }
        match outcome {
            Ok(()) => {}
            // Listings tell that the engine is away.
            Err(error @ DockerError::Connect { .. }) => {
                tracing::debug!(%backend, error = ::backend::chain(&error), "unused caches were not removed");
            }
            Err(error) => {
                tracing::warn!(%backend, error = ::backend::chain(&error), "not all unused caches could be removed");
            }
        }
    }
}

/// The volumes of all caches.
pub(crate) async fn found(engine: &Engine, whose: &Whose) -> Result<Vec<Volume>, DockerError> {
    volumes::found(engine, whose, Role::Cache).await
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

/// Goes on after one that cannot be removed; the first error is the outcome.
async fn remove_unused(docker: &Docker, removed: &mut Vec<Volume>) -> Result<(), DockerError> {
    let Docker { engine, whose, settings, caches, .. } = docker;
    let there = found(engine, whose).await?;
    let names: BTreeSet<&str> = there.iter().map(|volume| volume.name.as_str()).collect();
    let mut outcome = Ok(());
    for name in caches.unused(&names, settings.cache_max_age) {
        if removed.len() == AT_ONCE {
            break;
        }
        // A machine may have been made with it meanwhile; one that is just being made finds an empty one instead.
        if !caches.is_unused(&name, settings.cache_max_age) {
            continue;
        }
        match remove(engine, &name).await {
            Ok(Removal::Done) => removed.extend(there.iter().find(|volume| volume.name == name).cloned()),
            Ok(Removal::InUse) => caches.asked(&name),
            Ok(Removal::Gone) => {}
            Err(error @ DockerError::Connect { .. }) => return outcome.and(Err(error)),
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    outcome
}

/// Removes the volumes of all caches that no container has, whatever their age. Goes on after one that cannot be removed; the
/// first error is the outcome.
pub(crate) async fn remove_all(engine: &Engine, whose: &Whose) -> Result<(), DockerError> {
    let mut outcome = Ok(());
    for volume in found(engine, whose).await? {
        match remove(engine, &volume.name).await {
            Ok(_) => {}
            Err(error @ DockerError::Connect { .. }) => return outcome.and(Err(error)),
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    outcome
}

/// What came of a removal.
enum Removal {
    Done,
    /// A container has it.
    InUse,
    /// It went by itself.
    Gone,
}

async fn remove(engine: &Engine, name: &str) -> Result<Removal, DockerError> {
    let client = engine.client().await?;
    match engine.long_call("remove a volume", client.remove_volume(name, None::<RemoveVolumeOptions>)).await {
        Ok(()) => Ok(Removal::Done),
        Err(error) if error.status() == Some(409) => Ok(Removal::InUse),
        Err(error) if error.status() == Some(404) => Ok(Removal::Gone),
        Err(error) => Err(error),
    }
}
