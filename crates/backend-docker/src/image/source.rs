//! Where images are looked for and pulled to: an engine, or what stands in for one in tests.

use std::sync::{Arc, Mutex};

use super::progress::Progress;
use super::pull;
use crate::engine::{Engine, if_there};
use crate::error::DockerError;
use crate::registry::RegistryAuth;

/// An engine, as far as images are concerned.
pub(crate) trait Source: Clone + Send + Sync + 'static {
    /// What it says of an image, if it has it.
    fn look(&self, image: &str) -> impl Future<Output = Result<Option<Image>, DockerError>> + Send;

    /// Has it pull one, to the end.
    fn pull(&self, image: &str, progress: &Mutex<Progress>) -> impl Future<Output = Result<(), DockerError>> + Send;
}

/// An image that an engine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Image {
    /// The engine's id of it.
    pub(crate) id: String,
    /// What it takes on the disk, with what it shares with others.
    pub(crate) bytes: u64,
    /// Whether it has a name with a tag.
    pub(crate) is_named: bool,
}

/// The engine, and the credentials that are used with it.
#[derive(Debug, Clone)]
pub(crate) struct OfEngine {
    pub(crate) engine: Arc<Engine>,
    pub(crate) auth: Option<RegistryAuth>,
}

impl Source for OfEngine {
    async fn look(&self, image: &str) -> Result<Option<Image>, DockerError> {
        looked(&self.engine, image).await
    }

    async fn pull(&self, image: &str, progress: &Mutex<Progress>) -> Result<(), DockerError> {
        pull::pull(&self.engine, self.auth.as_ref(), image, progress).await
    }
}

/// What the engine says of an image, if it has it.
pub(crate) async fn looked(engine: &Engine, image: &str) -> Result<Option<Image>, DockerError> {
    let inspected = engine.call("look for the image", engine.client().await?.inspect_image(image)).await;
    let image = |image: bollard::models::ImageInspect| Image {
        id: image.id.unwrap_or_default(),
        bytes: image.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        is_named: image.repo_tags.is_some_and(|tags| !tags.is_empty()),
    };
    Ok(if_there(inspected)?.map(image))
}
