//! What an engine is and has, for whoever looks before there are machines.

use std::collections::{BTreeMap, BTreeSet};

use ::backend::BackendError;
use bollard::query_parameters::InspectNetworkOptions;

use crate::backend::{Docker, DockerBackend};
use crate::disk::Disk;
use crate::engine::if_there;
use crate::error::DockerError;
use crate::image;
use crate::reference::is_image_reference;
use crate::registry::{CredentialsError, RegistryAuth};
use crate::settings::Network;

/// Networks that every engine has, and those that are written otherwise.
const ALWAYS_THERE: [&str; 4] = ["none", "host", "bridge", "default"];

/// What an engine is and has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineFacts {
    /// The processor that its containers run on, as `uname -m` says it; empty if it does not tell.
    pub architecture: String,
    /// The runtimes that it knows.
    pub runtimes: BTreeSet<String>,
    /// Of the images that were asked about, those that it does not have.
    pub missing_images: BTreeSet<String>,
    /// Its disk, as far as that is on this host.
    pub disk: Option<Disk>,
    /// Whether it lacks the network that machines are to be connected to, if that is one by name.
    pub lacks_network: bool,
}

impl DockerBackend {
    /// Looks at the engine, and for these images on it. Changes nothing and pulls nothing.
    pub async fn look(&self, images: &BTreeSet<&str>) -> Result<EngineFacts, BackendError> {
        let done = look(&self.docker, images).await;
        done.map_err(|error| error.doing("look at the container engine".to_owned()))
    }

    /// For each registry of these images: whether the file of credentials has some for it, or why they cannot be had. Asks
    /// helpers that the file names, and no registry. Nothing without such a file.
    pub async fn look_at_credentials(
        &self,
        images: &BTreeSet<&str>,
    ) -> BTreeMap<String, Result<bool, CredentialsError>> {
        match &self.docker.settings.registry_auth {
            Some(file) => RegistryAuth::new(file.clone()).look(images).await,
            None => BTreeMap::new(),
        }
    }
}

async fn look(docker: &Docker, images: &BTreeSet<&str>) -> Result<EngineFacts, DockerError> {
    let engine = &docker.engine;
    let said = engine.call("describe itself", engine.client().await?.info()).await?;
    let mut facts = EngineFacts {
        architecture: said.architecture.unwrap_or_default(),
        disk: Disk::of_engine(&docker.settings.address, said.docker_root_dir),
        runtimes: said.runtimes.unwrap_or_default().into_keys().collect(),
        ..EngineFacts::default()
    };
    for &image in images.iter().filter(|image| is_image_reference(image)) {
        if image::looked(engine, image).await?.is_none() {
            facts.missing_images.insert(image.to_owned());
        }
    }
    if let Network::Named(name) = &docker.settings.network
        && !ALWAYS_THERE.contains(&name.as_str())
        && !name.contains([':', '/'])
    {
        let inspected = engine.client().await?.inspect_network(name, None::<InspectNetworkOptions>);
        facts.lacks_network = if_there(engine.call("look for the network", inspected).await)?.is_none();
    }
    Ok(facts)
}
