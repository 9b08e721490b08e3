//! Credentials for registries, from a file as `docker login` writes it, or from the helpers that such a file names.
//!
//! ```text
//! image ─► registry, path ─► entry or helper in the file ─► credentials ─► one header of one pull
//! ```
//!
//! The file is read anew for each pull, so that credentials can be replaced while the daemon runs. A registry of which it
//! says nothing is asked without credentials; whatever is wrong with what it does say is an error, since a registry would
//! only answer that there is no such image.
//!
//! Deliberately absent: logging in, and writing to the file.

mod credentials;
mod error;
mod file;
mod helper;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub(crate) use credentials::Credentials;
#[cfg(test)]
pub(crate) use credentials::Secret;
pub use error::CredentialsError;

use crate::reference::{HUB, is_image_reference, registry_and_path};
use file::Entry;

/// Where credentials come from.
#[derive(Debug, Clone)]
pub(crate) struct RegistryAuth {
    file: PathBuf,
}

impl RegistryAuth {
    /// Reads nothing yet.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// For each registry of these images: whether there are credentials for one of them, or why they cannot be had.
    pub(crate) async fn look(&self, images: &BTreeSet<&str>) -> BTreeMap<String, Result<bool, CredentialsError>> {
        let mut found: BTreeMap<String, Result<bool, CredentialsError>> = BTreeMap::new();
        for &image in images.iter().filter(|image| is_image_reference(image)) {
            let registry = registry_and_path(image).0;
            let before = found.get(registry);
            if before.is_some_and(|before| !matches!(before, Ok(false))) {
                continue;
            }
            let now = self.of(image).await.map(|credentials| credentials.is_some());
            found.insert(registry.to_owned(), now);
        }
        found
    }

    /// The credentials for the registry of an image; none where the file says nothing of it.
    pub(crate) async fn of(&self, image: &str) -> Result<Option<Credentials>, CredentialsError> {
        let (registry, path) = registry_and_path(image);
        let address = server_address(registry);
        match file::read(&self.file).await?.of(registry, path)? {
            Entry::Nothing => Ok(None),
            Entry::Here(secret) => Ok(Some(Credentials::new(address, &secret))),
            Entry::Helper(name) => {
                Ok(helper::get(&name, address).await?.map(|secret| Credentials::new(address, &secret)))
            }
        }
    }
}

/// Under what address credentials of Docker's own registry are kept.
const HUB_ADDRESS: &str = "https://index.docker.io/v1/";

/// A registry as helpers and engines are told it.
fn server_address(registry: &str) -> &str {
    if registry == HUB { HUB_ADDRESS } else { registry }
}
