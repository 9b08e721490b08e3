//! What machines share: a network, and a volume with the runner. It is made with the first machine that needs it, and goes
//! after the last. Caches stay, but for those of a deployment that is cleared away as a whole.

use ::backend::BackendError;

use crate::backend::{Docker, DockerBackend};
use crate::error::DockerError;
use crate::{cache, listing, network, runner_volume};

/// What comes of caches when nothing else is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithCaches {
    /// They stay for the machines to come.
    Keep,
    /// They go as well: there will be none.
    Remove,
}

impl DockerBackend {
    /// Removes what machines share, if no machine is left, and tells what that was. For the end of a daemon, or of a backend
    /// that is configured no more; one that lives makes it again when it needs it.
    pub async fn close(&self, with: WithCaches) -> Result<Vec<String>, BackendError> {
        let docker = &self.docker;
        docker.images.ours().write_down().await;
        docker.caches.write_down().await;
        let done = async {
            let before = found(docker, with).await?;
            let machines = listing::list(docker).await?;
            if machines.rows.is_empty() && machines.complete {
                docker.runner_volume.remove(&docker.engine, &docker.whose).await?;
                // Also one that other settings needed.
                docker.network.remove(&docker.engine, &docker.whose).await?;
                if with == WithCaches::Remove {
                    cache::remove_all(&docker.engine, &docker.whose).await?;
                }
            }
            let after = found(docker, with).await?;
            Ok(before.into_iter().filter(|thing| !after.contains(thing)).collect())
        };
        done.await.map_err(|error: DockerError| error.doing("remove what machines share".to_owned()))
    }

    /// What [`Self::close`] would remove, for people, whether there are machines or not.
    pub async fn shared(&self, with: WithCaches) -> Result<Vec<String>, BackendError> {
        found(&self.docker, with).await.map_err(|error| error.doing("look for what machines share".to_owned()))
    }
}

async fn found(docker: &Docker, with: WithCaches) -> Result<Vec<String>, DockerError> {
    let networks = network::found(&docker.engine, &docker.whose).await?;
    let networks = networks.into_iter().filter_map(|network| network.name);
    let volumes = runner_volume::found(&docker.engine, &docker.whose).await?;
    let named = networks.map(|name| format!("network {name}"));
    let volumes = volumes.into_iter().map(|volume| format!("volume {}", volume.name));
    let caches = match with {
        WithCaches::Keep => Vec::new(),
        WithCaches::Remove => cache::found(&docker.engine, &docker.whose).await?,
    };
    let caches = caches.iter().map(|volume| format!("cache {}", cache::shown(volume)));
    Ok(named.chain(volumes).chain(caches).collect())
}
