//! Images: looked for, and pulled once at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt as _;
use tokio::sync::watch;

use crate::engine::Engine;
use crate::error::DockerError;
use crate::settings::Pull;

/// How long a create waits for an image on its way. A create is to be quick; the pull goes on without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a pull may take: a few gigabytes over a slow line.
const PULL_DEADLINE: Duration = Duration::from_mins(30);

/// What is known of images.
#[derive(Debug, Default)]
pub(crate) struct Images {
    /// Pulls under way, and how the last one went.
    pulls: Mutex<BTreeMap<String, watch::Receiver<Progress>>>,
}

#[derive(Debug, Clone)]
enum Progress {
    UnderWay,
    Done,
    Failed(Arc<Mutex<Option<DockerError>>>),
}

impl Images {
    /// Sees to it that the engine has an image.
    pub(crate) async fn have(&self, engine: &Arc<Engine>, image: &str, pull: Pull) -> Result<(), DockerError> {
        let pulled = matches!(self.progress(image), Some(Progress::Done));
        if pull != Pull::Always || pulled {
            if is_there(engine, image).await? {
                return Ok(());
            }
            if pull == Pull::Never {
                return Err(DockerError::ImageMissing { image: image.to_owned() });
            }
        }
        let mut progress = self.pull(engine, image);
        let waited = tokio::time::timeout(PATIENCE, progress.wait_for(|now| !matches!(now, Progress::UnderWay))).await;
        match waited {
            Err(_) => Err(DockerError::Pulling { image: image.to_owned() }),
            Ok(Err(_)) => Err(DockerError::Abandoned),
            Ok(Ok(now)) => match &*now {
                Progress::Failed(error) => {
                    // The first who asks is told the reason; the others look again.
                    let error = error.lock().unwrap_or_else(PoisonError::into_inner).take();
                    Err(error.unwrap_or_else(|| DockerError::Pulling { image: image.to_owned() }))
                }
                Progress::Done | Progress::UnderWay => Ok(()),
            },
        }
    }

    fn progress(&self, image: &str) -> Option<Progress> {
        let pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.get(image).map(|progress| progress.borrow().clone())
    }

    /// The pull that is under way, or one that begins now.
    fn pull(&self, engine: &Arc<Engine>, image: &str) -> watch::Receiver<Progress> {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = pulls.get(image)
            && matches!(*progress.borrow(), Progress::UnderWay)
            && progress.has_changed().is_ok()
        {
            return progress.clone();
        }
        let (sender, receiver) = watch::channel(Progress::UnderWay);
        pulls.insert(image.to_owned(), receiver.clone());
        let (engine, image) = (Arc::clone(engine), image.to_owned());
        tokio::spawn(async move {
            tracing::info!(image, "pulling an image");
            let outcome = pulled(&engine, &image).await;
            match &outcome {
                Ok(()) => tracing::info!(image, "the image was pulled"),
                Err(error) => tracing::warn!(image, error = ::backend::chain(error), "an image was not pulled"),
            }
            let now =
                outcome.map_or_else(|error| Progress::Failed(Arc::new(Mutex::new(Some(error)))), |()| Progress::Done);
            sender.send_replace(now);
        });
        receiver
    }
}

async fn is_there(engine: &Engine, image: &str) -> Result<bool, DockerError> {
    match engine.call("look for the image", engine.client().await?.inspect_image(image)).await {
        Ok(_) => Ok(true),
        Err(error) if error.status() == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn pulled(engine: &Engine, image: &str) -> Result<(), DockerError> {
    let client = engine.client().await?;
    // Without a tag the engine would pull all there are.
    let is_exact = image.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    let exact = if is_exact { image.to_owned() } else { format!("{image}:latest") };
    let options = CreateImageOptionsBuilder::default().from_image(&exact).build();
    let progress = client.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
    match tokio::time::timeout(PULL_DEADLINE, progress).await {
        Ok(done) => done.map_err(|source| DockerError::NotPulled { image: image.to_owned(), source: Box::new(source) }),
        Err(_) => Err(DockerError::Late { call: "pull the image", seconds: PULL_DEADLINE.as_secs() }),
    }
}
