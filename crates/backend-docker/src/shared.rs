//! What machines share: a network, and a volume with the runner. It is made with the first machine that needs it, and goes
//! after the last.

use ::backend::BackendError;

use crate::backend::{Docker, DockerBackend};
use crate::error::DockerError;
use crate::{listing, network, runner_volume};

impl DockerBackend {
    /// Removes what machines share, if no machine is left, and tells what that was. For the end of a daemon, or of a backend
    /// that is configured no more; one that lives makes it again when it needs it.
    pub async fn close(&self) -> Result<Vec<String>, BackendError> {
        let docker = &self.docker;
        docker.images.ours().write_down().await;
        let done = async {
            let before = found(docker).await?;
            let machines = listing::list(docker).await?;
            if machines.rows.is_empty() && machines.complete {
                docker.runner_volume.remove(&docker.engine, &docker.whose).await?;
                // Also one that other settings needed.
                docker.network.remove(&docker.engine, &docker.whose).await?;
            }
            let after = found(docker).await?;
            Ok(before.into_iter().filter(|thing| !after.contains(thing)).collect())
        };
        done.await.map_err(|error: DockerError| error.doing("remove the network and the runner's volume".to_owned()))
    }

    /// What machines share, for people, whether there are any or not.
    pub async fn shared(&self) -> Result<Vec<String>, BackendError> {
        found(&self.docker).await.map_err(|error| error.doing("look for what machines share".to_owned()))
    }
}

async fn found(docker: &Docker) -> Result<Vec<String>, DockerError> {
    let networks = network::found(&docker.engine, &docker.whose).await?;
    let networks = networks.into_iter().filter_map(|network| network.name);
    let volumes = runner_volume::found(&docker.engine, &docker.whose).await?;
    let named = networks.map(|name| format!("network {name}"));
    Ok(named.chain(volumes.into_iter().map(|volume| format!("volume {}", volume.name))).collect())
}
