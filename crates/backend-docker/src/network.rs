//! The network of a backend's machines: a bridge of their own, in which they do not reach each other.

use std::collections::HashMap;

use bollard::models::{Network as BollardNetwork, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder};
use tokio::sync::Mutex;

use crate::engine::{Engine, if_there};
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};
use crate::settings::Network;

/// Keeps containers of one bridge from each other.
const BETWEEN_CONTAINERS: &str = "com.docker.network.bridge.enable_icc";

/// The network, once it is known to be there.
#[derive(Debug, Default)]
pub(crate) struct OwnNetwork {
    id: Mutex<Option<String>>,
}

impl OwnNetwork {
    /// What a container is connected to: the id of our network, or what was named. One that somebody removed is made again:
    /// the engine would make a container without it, and not start that.
    pub(crate) async fn of(&self, engine: &Engine, whose: &Whose, network: &Network) -> Result<String, DockerError> {
        if let Network::Named(name) = network {
            return Ok(name.clone());
        }
        // Held meanwhile: the engine makes two of one name if it is asked twice.
        let mut known = self.id.lock().await;
        if let Some(id) = known.clone()
            && is_there(engine, &id).await?
        {
            return Ok(id);
        }
        let id = match found(engine, whose).await?.into_iter().find_map(|network| network.id) {
            Some(id) => id,
            None => made(engine, whose).await?,
        };
        Ok(known.insert(id).clone())
    }

    /// Looks again the next time.
    pub(crate) async fn forget(&self) {
        *self.id.lock().await = None;
    }

    /// Removes it, unless a container is connected.
    pub(crate) async fn remove(&self, engine: &Engine, whose: &Whose) -> Result<(), DockerError> {
        let mut known = self.id.lock().await;
        *known = None;
        let client = engine.client().await?;
        for id in found(engine, whose).await?.into_iter().filter_map(|network| network.id) {
            engine.call("remove the network", client.remove_network(&id)).await?;
        }
        Ok(())
    }
}

async fn is_there(engine: &Engine, id: &str) -> Result<bool, DockerError> {
    let inspected = engine.client().await?.inspect_network(id, None::<InspectNetworkOptions>);
    Ok(if_there(engine.call("look for the network", inspected).await)?.is_some())
}

/// The networks that machines of ours share: one, but for what other settings needed.
pub(crate) async fn found(engine: &Engine, whose: &Whose) -> Result<Vec<BollardNetwork>, DockerError> {
    let filter = labels::filter(whose, Role::Network, None);
    let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
    let networks = engine.call("list networks", engine.client().await?.list_networks(Some(options))).await?;
    let is_ours =
        |network: &BollardNetwork| labels::are_ours(whose, Role::Network, &network.labels.clone().unwrap_or_default());
    Ok(networks.into_iter().filter(is_ours).collect())
}

async fn made(engine: &Engine, whose: &Whose) -> Result<String, DockerError> {
    let request = NetworkCreateRequest {
        name: whose.prefix(),
        driver: Some("bridge".to_owned()),
        options: Some(HashMap::from([(BETWEEN_CONTAINERS.to_owned(), "false".to_owned())])),
        labels: Some(labels::of(whose, Role::Network)),
        ..NetworkCreateRequest::default()
    };
    let made = engine.call("make a network", engine.client().await?.create_network(request)).await?;
    Ok(made.id)
}
