//! Images: looked for, and pulled once at a time.

mod progress;
mod pull;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::engine::{Engine, if_there};
use crate::error::DockerError;
use crate::reference::is_image_reference;
use crate::registry::RegistryAuth;
use crate::settings::Pull;

pub(crate) use progress::Progress;

/// How long a create waits for an image on its way. A create is to be quick; the pull goes on without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a pull may take: a few gigabytes over a slow line.
const PULL_DEADLINE: Duration = Duration::from_mins(30);

/// How often the log says how far a pull has come.
const TELLING: Duration = Duration::from_secs(10);

/// What is known of images.
#[derive(Debug)]
pub(crate) struct Images {
    auth: Option<RegistryAuth>,
    /// Pulls under way, and how the last one went.
    pulls: Mutex<BTreeMap<String, Pulling>>,
    patience: Duration,
    pull_deadline: Duration,
}

/// A pull, under way or done.
#[derive(Debug, Clone)]
struct Pulling {
    state: watch::Receiver<State>,
    progress: Arc<Mutex<Progress>>,
}

#[derive(Debug, Clone)]
enum State {
    UnderWay,
    Done,
    Failed(Arc<Mutex<Option<DockerError>>>),
}

impl Pulling {
    fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Whether somebody works at it.
    fn is_under_way(&self) -> bool {
        matches!(*self.state.borrow(), State::UnderWay) && self.state.has_changed().is_ok()
    }

    fn still(&self, image: &str) -> DockerError {
        DockerError::Pulling { image: image.to_owned(), progress: shown(&self.progress) }
    }
}

fn shown(progress: &Mutex<Progress>) -> String {
    progress.lock().unwrap_or_else(PoisonError::into_inner).to_string()
}

impl Images {
    /// With the file in which credentials for registries are, if there is one.
    pub(crate) fn new(auth: Option<RegistryAuth>) -> Self {
        Self { auth, pulls: Mutex::default(), patience: PATIENCE, pull_deadline: PULL_DEADLINE }
    }

    /// Sees to it that the engine has an image.
    pub(crate) async fn have(&self, engine: &Arc<Engine>, image: &str, when: Pull) -> Result<(), DockerError> {
        if !is_image_reference(image) {
            return Err(DockerError::BadImage { image: image.to_owned() });
        }
        let (from, auth, to_pull) = (Arc::clone(engine), self.auth.clone(), image.to_owned());
        let pulled = move |progress: Arc<Mutex<Progress>>| async move {
            pull::pull(&from, auth.as_ref(), &to_pull, &progress).await
        };
        self.have_by(image, when, Box::pin(is_there(engine, image)), pulled).await
    }

    /// The same with the look and the pull, which are begun when they are needed.
    async fn have_by<P>(
        &self,
        image: &str,
        when: Pull,
        is_there: impl Future<Output = Result<bool, DockerError>> + Send,
        pulled: impl FnOnce(Arc<Mutex<Progress>>) -> P,
    ) -> Result<(), DockerError>
    where
        P: Future<Output = Result<(), DockerError>> + Send + 'static,
    {
        let before = self.pulling(image);
        let was_pulled = matches!(before.as_ref().map(Pulling::state), Some(State::Done));
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
        if let Some(State::Failed(error)) = self.pulling(image).as_ref().map(Pulling::state)
            && let Some(error) = taken(&error)
        {
            return Err(error);
        }
        let mut pulling = self.pull(image, pulled);
        let ended = pulling.state.wait_for(|now| !matches!(now, State::UnderWay));
        match tokio::time::timeout(self.patience, ended).await.map(|ended| ended.map(|now| now.clone())) {
            Err(_) => Err(pulling.still(image)),
            Ok(Err(_)) => Err(DockerError::Abandoned),
            // The first who asks is told the reason; the others look again.
            Ok(Ok(State::Failed(error))) => Err(taken(&error).unwrap_or_else(|| pulling.still(image))),
            Ok(Ok(State::Done | State::UnderWay)) => Ok(()),
        }
    }

    fn pulling(&self, image: &str) -> Option<Pulling> {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner).get(image).cloned()
    }

    /// The pull that is under way, or one that begins now.
    fn pull<P>(&self, image: &str, pulled: impl FnOnce(Arc<Mutex<Progress>>) -> P) -> Pulling
    where
        P: Future<Output = Result<(), DockerError>> + Send + 'static,
    {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pulling) = pulls.get(image).filter(|pulling| pulling.is_under_way()) {
            return pulling.clone();
        }
        let (sender, state) = watch::channel(State::UnderWay);
        let pulling = Pulling { state, progress: Arc::default() };
        pulls.insert(image.to_owned(), pulling.clone());
        let work = told(
            image.to_owned(),
            self.pull_deadline,
            Arc::clone(&pulling.progress),
            pulled(Arc::clone(&pulling.progress)),
        );
        tokio::spawn(async move {
            let now = match work.await {
                Ok(()) => State::Done,
                Err(error) => State::Failed(Arc::new(Mutex::new(Some(error)))),
            };
            sender.send_replace(now);
        });
        pulling
    }
}

/// Does a pull within its time, and says in the log how it goes.
async fn told(
    image: String,
    deadline: Duration,
    progress: Arc<Mutex<Progress>>,
    pulled: impl Future<Output = Result<(), DockerError>> + Send,
) -> Result<(), DockerError> {
    tracing::info!(image, "pulling an image");
    let begun = Instant::now();
    let mut pulled = std::pin::pin!(tokio::time::timeout(deadline, pulled));
    let mut telling = tokio::time::interval_at(begun + TELLING, TELLING);
    telling.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut pulled => break outcome,
            _ = telling.tick() => tracing::info!(image, progress = shown(&progress), "still pulling an image"),
        }
    };
    let late = |_| Err(DockerError::PulledTooLong { image: image.clone(), minutes: deadline.as_secs() / 60 });
    let outcome = outcome.unwrap_or_else(late);
    let seconds = begun.elapsed().as_secs();
    match &outcome {
        Ok(()) => tracing::info!(image, seconds, progress = shown(&progress), "an image was pulled"),
        Err(error) => tracing::warn!(image, seconds, error = ::backend::chain(error), "an image was not pulled"),
    }
    outcome
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
            let images = Images { patience, pull_deadline, ..Images::new(None) };
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
            let pulled = move |_| async move {
                pulls.fetch_add(1, Ordering::SeqCst);
                let_go.notified().await;
                if comes { Ok(()) } else { Err(DockerError::NoImage) }
            };
            self.images.have_by(IMAGE, when, async move { Ok(is_there) }, pulled).await
        }

        /// Waits until the pull has ended.
        async fn pull_ended(&self) {
            let mut pulling = self.images.pulling(IMAGE).unwrap();
            pulling.state.wait_for(|now| !matches!(now, State::UnderWay)).await.unwrap();
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
