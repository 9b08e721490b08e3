//! Images: looked for, and pulled once at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt as _;
use tokio::sync::watch;

use crate::engine::{Engine, if_there};
use crate::error::DockerError;
use crate::reference::is_image_reference;
use crate::settings::Pull;

/// How long a create waits for an image on its way. A create is to be quick; the pull goes on without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a pull may take: a few gigabytes over a slow line.
const PULL_DEADLINE: Duration = Duration::from_mins(30);

/// What is known of images.
#[derive(Debug)]
pub(crate) struct Images {
    /// Pulls under way, and how the last one went.
    pulls: Mutex<BTreeMap<String, watch::Receiver<Progress>>>,
    patience: Duration,
    pull_deadline: Duration,
}

impl Default for Images {
    fn default() -> Self {
        Self { pulls: Mutex::default(), patience: PATIENCE, pull_deadline: PULL_DEADLINE }
    }
}

#[derive(Debug, Clone)]
enum Progress {
    UnderWay,
    Done,
    Failed(Arc<Mutex<Option<DockerError>>>),
}

impl Images {
    /// Sees to it that the engine has an image.
    pub(crate) async fn have(&self, engine: &Arc<Engine>, image: &str, when: Pull) -> Result<(), DockerError> {
        if !is_image_reference(image) {
            return Err(DockerError::BadImage { image: image.to_owned() });
        }
        let (to_pull_from, to_pull) = (Arc::clone(engine), image.to_owned());
        let pulled = Box::pin(async move { pulled(&to_pull_from, &to_pull).await });
        self.have_by(image, when, Box::pin(is_there(engine, image)), pulled).await
    }

    /// The same with the look and the pull, which are begun when they are needed.
    async fn have_by(
        &self,
        image: &str,
        when: Pull,
        is_there: impl Future<Output = Result<bool, DockerError>> + Send,
        pulled: impl Future<Output = Result<(), DockerError>> + Send + 'static,
    ) -> Result<(), DockerError> {
        let was_pulled = matches!(self.progress(image), Some(Progress::Done));
        if when != Pull::Always || was_pulled {
            if is_there.await? {
                return Ok(());
            }
            if when == Pull::Never {
                return Err(DockerError::ImageMissing { image: image.to_owned() });
            }
        }
        // The reason why the last pull failed, if nobody was there any more to hear it. The next one is begun by who asks
        // after that, so that back-off comes first.
        if let Some(Progress::Failed(error)) = self.progress(image)
            && let Some(error) = taken(&error)
        {
            return Err(error);
        }
        let mut progress = self.pull(image, pulled);
        let waited =
            tokio::time::timeout(self.patience, progress.wait_for(|now| !matches!(now, Progress::UnderWay))).await;
        match waited {
            Err(_) => Err(DockerError::Pulling { image: image.to_owned() }),
            Ok(Err(_)) => Err(DockerError::Abandoned),
            Ok(Ok(now)) => match &*now {
                // The first who asks is told the reason; the others look again.
                Progress::Failed(error) => {
                    Err(taken(error).unwrap_or_else(|| DockerError::Pulling { image: image.to_owned() }))
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
    fn pull(
        &self,
        image: &str,
        pulled: impl Future<Output = Result<(), DockerError>> + Send + 'static,
    ) -> watch::Receiver<Progress> {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = pulls.get(image)
            && matches!(*progress.borrow(), Progress::UnderWay)
            && progress.has_changed().is_ok()
        {
            return progress.clone();
        }
        let (sender, receiver) = watch::channel(Progress::UnderWay);
        pulls.insert(image.to_owned(), receiver.clone());
        let (image, deadline) = (image.to_owned(), self.pull_deadline);
        tokio::spawn(async move {
            tracing::info!(image, "pulling an image");
            let late = |_| Err(DockerError::PulledTooLong { image: image.clone(), minutes: deadline.as_secs() / 60 });
            let outcome = tokio::time::timeout(deadline, pulled).await.unwrap_or_else(late);
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

/// What went wrong, for the first who asks.
fn taken(error: &Mutex<Option<DockerError>>) -> Option<DockerError> {
    error.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Whether the engine has an image.
pub(crate) async fn is_there(engine: &Engine, image: &str) -> Result<bool, DockerError> {
    let inspected = engine.call("look for the image", engine.client().await?.inspect_image(image)).await;
    Ok(if_there(inspected)?.is_some())
}

async fn pulled(engine: &Engine, image: &str) -> Result<(), DockerError> {
    let client = engine.client().await?;
    // Without a tag the engine would pull all there are.
    let is_exact = image.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    let exact = if is_exact { image.to_owned() } else { format!("{image}:latest") };
    let options = CreateImageOptionsBuilder::default().from_image(&exact).build();
    let progress = client.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
    progress.await.map_err(|source| DockerError::NotPulled { image: image.to_owned(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const IMAGE: &str = "debian:13";

    /// An engine, on which a pull ends when it is let go.
    struct Registry {
        images: Images,
        pulls: Arc<AtomicUsize>,
        let_go: Arc<Notify>,
    }

    impl Registry {
        fn new(patience: Duration, pull_deadline: Duration) -> Self {
            let images = Images { patience, pull_deadline, ..Images::default() };
            Self { images, pulls: Arc::default(), let_go: Arc::default() }
        }

        /// One on which a pull ends at once.
        fn quick() -> Self {
            let registry = Self::new(PATIENCE, PULL_DEADLINE);
            registry.let_go.notify_one();
            registry
        }

        /// One on which nobody waits for a pull.
        fn slow() -> Self {
            Self::new(Duration::ZERO, PULL_DEADLINE)
        }

        /// Wants the image, which a pull brings, or not.
        async fn have(&self, when: Pull, is_there: bool, comes: bool) -> Result<(), DockerError> {
            let (pulls, let_go) = (Arc::clone(&self.pulls), Arc::clone(&self.let_go));
            let pulled = async move {
                pulls.fetch_add(1, Ordering::SeqCst);
                let_go.notified().await;
                if comes { Ok(()) } else { Err(DockerError::NoImage) }
            };
            self.images.have_by(IMAGE, when, async move { Ok(is_there) }, pulled).await
        }

        /// Waits until the pull has ended.
        async fn pull_ended(&self) {
            let mut progress = self.images.pulls.lock().unwrap().get(IMAGE).unwrap().clone();
            progress.wait_for(|now| !matches!(now, Progress::UnderWay)).await.unwrap();
        }

        fn pulls(&self) -> usize {
            self.pulls.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn an_image_is_pulled_when_the_setting_says_so() {
        let cases = [
            (Pull::Missing, true, 0),
            (Pull::Missing, false, 1),
            (Pull::Always, true, 1),
            (Pull::Always, false, 1),
            (Pull::Never, true, 0),
        ];
        for (when, is_there, pulls) in cases {
            let registry = Registry::quick();
            registry.have(when, is_there, true).await.unwrap();
            registry.have(when, true, true).await.unwrap();
            assert_eq!(registry.pulls(), pulls, "{when:?} {is_there}");
        }
        let registry = Registry::quick();
        let refused = registry.have(Pull::Never, false, true).await;
        assert!(matches!(refused, Err(DockerError::ImageMissing { .. })), "{refused:?}");
        assert_eq!(registry.pulls(), 0);
    }

    #[tokio::test]
    async fn there_is_one_pull_of_an_image_at_a_time_and_nobody_waits_long_for_it() {
        let registry = Registry::slow();
        for _ in 0..3 {
            let answer = registry.have(Pull::Missing, false, true).await;
            assert!(matches!(answer, Err(DockerError::Pulling { .. })), "{answer:?}");
        }
        registry.let_go.notify_one();
        registry.pull_ended().await;
        assert_eq!(registry.pulls(), 1);
    }

    #[tokio::test]
    async fn why_a_slow_pull_failed_is_told_to_the_next_who_asks() {
        let registry = Registry::slow();
        let wanted = || registry.have(Pull::Missing, false, false);
        assert!(matches!(wanted().await, Err(DockerError::Pulling { .. })));
        registry.let_go.notify_one();
        registry.pull_ended().await;
        assert!(matches!(wanted().await, Err(DockerError::NoImage)));
        assert_eq!(registry.pulls(), 1);
        assert!(matches!(wanted().await, Err(DockerError::Pulling { .. })), "it is tried again after that");
        registry.let_go.notify_one();
        registry.pull_ended().await;
        assert_eq!(registry.pulls(), 2);
    }

    #[tokio::test]
    async fn a_pull_that_fails_at_once_is_told_to_one_and_the_others_ask_again() {
        let registry = Registry::quick();
        let wanted = || registry.have(Pull::Missing, false, false);
        let both = <[_; 2]>::from(tokio::join!(wanted(), wanted()));
        let failed = both.iter().filter(|answer| matches!(answer, Err(DockerError::NoImage))).count();
        let pulling = both.iter().filter(|answer| matches!(answer, Err(DockerError::Pulling { .. }))).count();
        assert_eq!((failed, pulling), (1, 1), "{both:?}");
        assert_eq!(registry.pulls(), 1);
    }

    #[tokio::test]
    async fn a_pull_without_an_end_is_given_up() {
        let registry = Registry::new(PATIENCE, Duration::ZERO);
        let given_up = registry.have(Pull::Missing, false, true).await;
        assert!(matches!(given_up, Err(DockerError::PulledTooLong { .. })), "{given_up:?}");
    }
}
