//! Images: looked for, and pulled once at a time, for a job or ahead of it.
//!
//! ```text
//! create ─► is it there? ─► begin a pull, or join it ─► wait a little ─► there, or "still being pulled (34 %, …)"
//! bring  ─────────────────────┘                        └► wait to its end: for nobody in particular
//! ```

mod ours;
mod progress;
mod pull;
mod remembered;
mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::disk::shown_bytes;
use crate::error::DockerError;
use crate::reference::is_image_reference;
use crate::settings::Pull;

pub(crate) use ours::Ours;
use progress::Progress;
use source::{Image, Source};
pub(crate) use source::{OfEngine, looked};

/// How long a create waits for an image on its way. A create is to be quick; the pull goes on without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a pull may take: a few gigabytes over a slow line.
const PULL_DEADLINE: Duration = Duration::from_mins(30);

/// How often the log says how far a pull has come.
const TELLING: Duration = Duration::from_secs(10);

/// The images of an engine.
#[derive(Debug)]
pub(crate) struct Images<S = OfEngine> {
    source: S,
    ours: Arc<Ours>,
    /// Pulls under way, and how the last one went. There are as many as images that labels and settings name.
    pulls: Arc<Mutex<BTreeMap<String, Pulling>>>,
    patience: Duration,
    pull_deadline: Duration,
}

/// A pull, under way or done.
#[derive(Debug, Clone)]
struct Pulling {
    image: String,
    state: watch::Receiver<State>,
    progress: Arc<Mutex<Progress>>,
}

#[derive(Debug, Clone)]
enum State {
    UnderWay,
    Done,
    /// With the reason, until somebody has heard it.
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

    /// How it went, once it has ended.
    async fn ended(&mut self) -> Result<(), DockerError> {
        let ended = self.state.wait_for(|now| !matches!(now, State::UnderWay)).await.map(|now| now.clone());
        match ended {
            Err(_) => Err(DockerError::Abandoned),
            // The first who asks is told the reason; the others look again.
            Ok(State::Failed(error)) => Err(taken(&error).unwrap_or_else(|| self.still())),
            Ok(State::Done | State::UnderWay) => Ok(()),
        }
    }

    fn still(&self) -> DockerError {
        DockerError::Pulling { image: self.image.clone(), progress: shown(&self.progress) }
    }
}

/// What went wrong, for the first who asks.
fn taken(error: &Mutex<Option<DockerError>>) -> Option<DockerError> {
    error.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn shown(progress: &Mutex<Progress>) -> String {
    progress.lock().unwrap_or_else(PoisonError::into_inner).to_string()
}

impl<S: Source> Images<S> {
    /// Those of this one. What is pulled is noted there.
    pub(crate) fn of(source: S, ours: Ours) -> Self {
        Self { source, ours: Arc::new(ours), pulls: Arc::default(), patience: PATIENCE, pull_deadline: PULL_DEADLINE }
    }

    /// The same pulls, on the same engine, with other settings.
    pub(crate) fn replaced(&self, source: S) -> Self {
        let (ours, pulls) = (Arc::clone(&self.ours), Arc::clone(&self.pulls));
        Self { source, ours, pulls, ..*self }
    }

    /// Those that we have pulled.
    pub(crate) fn ours(&self) -> &Ours {
        &self.ours
    }

    /// Sees to it that the engine has an image. An error says so while it is on its way.
    pub(crate) async fn have(&self, image: &str, when: Pull) -> Result<(), DockerError> {
        self.ours.asked(image);
        if !self.is_lacking(image, when).await? {
            return Ok(());
        }
        // The reason why the last pull failed, if nobody was there any more to hear it. The next one is begun by who asks
        // after that, so that back-off comes first.
        if let Some(error) = self.unheard(image) {
            return Err(error);
        }
        let mut pulling = self.pull(image);
        match tokio::time::timeout(self.patience, pulling.ended()).await {
            Ok(ended) => ended,
            Err(_) => Err(pulling.still()),
        }
    }

    /// The same ahead of any job, however long it takes. The log says why a pull has failed; the job that needs the image
    /// begins another one.
    pub(crate) async fn bring(&self, image: &str, when: Pull) -> Result<(), DockerError> {
        if when == Pull::Never || !self.is_lacking(image, when).await? {
            return Ok(());
        }
        drop(self.unheard(image));
        drop(self.pull(image).ended().await);
        Ok(())
    }

    /// Whether an image is to be pulled.
    async fn is_lacking(&self, image: &str, when: Pull) -> Result<bool, DockerError> {
        if !is_image_reference(image) {
            return Err(DockerError::BadImage { image: image.to_owned() });
        }
        let was_pulled = matches!(self.pulling(image).as_ref().map(Pulling::state), Some(State::Done));
        if when == Pull::Always && !was_pulled {
            return Ok(true);
        }
        let is_there = self.source.look(image).await?.is_some();
        if !is_there && when == Pull::Never {
            return Err(DockerError::ImageMissing { image: image.to_owned() });
        }
        Ok(!is_there)
    }

    fn pulling(&self, image: &str) -> Option<Pulling> {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner).get(image).cloned()
    }

    /// Why the last pull failed, if nobody has heard it.
    fn unheard(&self, image: &str) -> Option<DockerError> {
        match self.pulling(image)?.state() {
            State::Failed(error) => taken(&error),
            State::UnderWay | State::Done => None,
        }
    }

    /// The pull that is under way, or one that begins now.
    fn pull(&self, image: &str) -> Pulling {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pulling) = pulls.get(image).filter(|pulling| pulling.is_under_way()) {
            return pulling.clone();
        }
        let (sender, state) = watch::channel(State::UnderWay);
        let pulling = Pulling { image: image.to_owned(), state, progress: Arc::default() };
        pulls.insert(image.to_owned(), pulling.clone());
        let (source, of, deadline) = (self.source.clone(), pulling.clone(), self.pull_deadline);
        let ours = Arc::clone(&self.ours);
        tokio::spawn(async move {
            let now = match noted(&source, &of, deadline, &ours).await {
                Ok(()) => State::Done,
                Err(error) => State::Failed(Arc::new(Mutex::new(Some(error)))),
            };
            sender.send_replace(now);
        });
        pulling
    }
}

/// Does a pull, and notes what it brought.
async fn noted<S: Source>(source: &S, of: &Pulling, deadline: Duration, ours: &Ours) -> Result<(), DockerError> {
    let image = of.image.as_str();
    let before = source.look(image).await;
    let pulled = told(source, image, deadline, &of.progress).await?;
    // What is not known to be ours is left alone for ever.
    if let (Ok(before), Some(pulled)) = (before, pulled) {
        ours.pulled(image, before.as_ref().map(|before| before.id.as_str()), &pulled.id);
    }
    Ok(())
}

/// Does a pull within its time, and says in the log how it goes.
async fn told<S: Source>(
    source: &S,
    image: &str,
    deadline: Duration,
    progress: &Mutex<Progress>,
) -> Result<Option<Image>, DockerError> {
    tracing::info!(image, "pulling an image");
    let begun = Instant::now();
    let mut pulled = std::pin::pin!(tokio::time::timeout(deadline, source.pull(image, progress)));
    let mut telling = tokio::time::interval_at(begun + TELLING, TELLING);
    telling.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut pulled => break outcome,
            _ = telling.tick() => tracing::info!(image, progress = shown(progress), "still pulling an image"),
        }
    };
    let late = |_| Err(DockerError::PulledTooLong { image: image.to_owned(), minutes: deadline.as_secs() / 60 });
    let outcome = outcome.unwrap_or_else(late);
    let seconds = begun.elapsed().as_secs();
    if let Err(error) = outcome {
        tracing::warn!(image, seconds, error = ::backend::chain(&error), "an image was not pulled");
        return Err(error);
    }
    let pulled = source.look(image).await.ok().flatten();
    let size = pulled.as_ref().map(|pulled| shown_bytes(pulled.bytes));
    tracing::info!(image, seconds, size, "an image was pulled");
    Ok(pulled)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const IMAGE: &str = "debian:13";

    /// An engine on which a pull ends when it is let go.
    #[derive(Clone, Default)]
    struct Gate {
        pulls: Arc<AtomicUsize>,
        let_go: Arc<Notify>,
        is_there: Arc<AtomicBool>,
        comes: Arc<AtomicBool>,
    }

    impl Source for Gate {
        async fn look(&self, _: &str) -> Result<Option<Image>, DockerError> {
            Ok(self.is_there.load(Ordering::SeqCst).then(Image::default))
        }

        async fn pull(&self, _: &str, progress: &Mutex<Progress>) -> Result<(), DockerError> {
            self.pulls.fetch_add(1, Ordering::SeqCst);
            progress.lock().unwrap().told(&serde_json::from_str(r#"{"status":"Waiting","id":"a"}"#).unwrap());
            self.let_go.notified().await;
            let comes = self.comes.load(Ordering::SeqCst);
            self.is_there.fetch_or(comes, Ordering::SeqCst);
            if comes { Ok(()) } else { Err(DockerError::NoImage) }
        }
    }

    struct Registry {
        images: Images<Gate>,
        gate: Gate,
    }

    impl Registry {
        fn new(patience: Duration, pull_deadline: Duration) -> Self {
            let gate = Gate::default();
            Self {
                images: Images { patience, pull_deadline, ..Images::of(gate.clone(), Ours::new(None, String::new())) },
                gate,
            }
        }

        /// One on which a pull ends at once.
        fn quick() -> Self {
            let registry = Self::new(PATIENCE, PULL_DEADLINE);
            registry.gate.let_go.notify_one();
            registry
        }

        /// One on which nobody waits for a pull.
        fn slow() -> Self {
            Self::new(Duration::ZERO, PULL_DEADLINE)
        }

        /// Wants the image, which a pull brings, or not.
        async fn have(&self, when: Pull, is_there: bool, comes: bool) -> Result<(), DockerError> {
            self.gate.is_there.store(is_there, Ordering::SeqCst);
            self.gate.comes.store(comes, Ordering::SeqCst);
            self.images.have(IMAGE, when).await
        }

        /// Waits until the pull has ended.
        async fn pull_ended(&self) {
            let mut pulling = self.images.pulling(IMAGE).unwrap();
            pulling.state.wait_for(|now| !matches!(now, State::UnderWay)).await.unwrap();
        }

        fn pulls(&self) -> usize {
            self.gate.pulls.load(Ordering::SeqCst)
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
        registry.gate.let_go.notify_one();
        registry.pull_ended().await;
        assert_eq!(registry.pulls(), 1);
    }

    #[tokio::test]
    async fn why_a_slow_pull_failed_is_told_to_the_next_who_asks() {
        let registry = Registry::slow();
        let wanted = || registry.have(Pull::Missing, false, false);
        assert!(matches!(wanted().await, Err(DockerError::Pulling { .. })));
        registry.gate.let_go.notify_one();
        registry.pull_ended().await;
        assert!(matches!(wanted().await, Err(DockerError::NoImage)));
        assert_eq!(registry.pulls(), 1);
        assert!(matches!(wanted().await, Err(DockerError::Pulling { .. })), "it is tried again after that");
        registry.gate.let_go.notify_one();
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

    #[tokio::test]
    async fn what_is_brought_ahead_is_there_for_the_first_job_and_is_pulled_once() {
        let registry = Registry::slow();
        registry.gate.comes.store(true, Ordering::SeqCst);
        let (brought, waits) = tokio::join!(registry.images.bring(IMAGE, Pull::Missing), async {
            let waits = registry.images.have(IMAGE, Pull::Missing).await.unwrap_err();
            registry.gate.let_go.notify_one();
            waits
        });
        brought.unwrap();
        assert_eq!(waits.to_string(), "the image debian:13 is still being pulled (0 of 1 layers)");
        registry.images.have(IMAGE, Pull::Missing).await.unwrap();
        registry.images.bring(IMAGE, Pull::Always).await.unwrap();
        assert_eq!(registry.pulls(), 1);
    }

    #[tokio::test]
    async fn a_job_is_not_told_that_its_image_could_not_be_had_long_before_it() {
        let registry = Registry::quick();
        registry.images.bring(IMAGE, Pull::Missing).await.unwrap();
        registry.gate.let_go.notify_one();
        registry.have(Pull::Missing, false, true).await.unwrap();
        assert_eq!(registry.pulls(), 2);
        let never = Registry::quick();
        never.images.bring(IMAGE, Pull::Never).await.unwrap();
        assert_eq!(never.pulls(), 0);
        assert!(matches!(never.images.bring("No Name", Pull::Missing).await, Err(DockerError::BadImage { .. })));
    }

    #[tokio::test]
    async fn another_configuration_knows_the_pulls_of_the_one_before() {
        let registry = Registry::slow();
        assert!(matches!(registry.have(Pull::Missing, false, true).await, Err(DockerError::Pulling { .. })));
        let images = registry.images.replaced(registry.gate.clone());
        assert!(matches!(images.have(IMAGE, Pull::Missing).await, Err(DockerError::Pulling { .. })));
        registry.gate.let_go.notify_one();
        registry.pull_ended().await;
        images.have(IMAGE, Pull::Missing).await.unwrap();
        assert_eq!(registry.pulls(), 1);
    }

    #[tokio::test]
    async fn what_a_job_asks_for_is_in_use() {
        let registry = Registry::quick();
        registry.images.ours().pulled_at(IMAGE, "a", 0);
        assert_eq!(registry.images.ours().unused(Duration::from_hours(1)), [IMAGE]);
        registry.have(Pull::Missing, true, true).await.unwrap();
        assert!(registry.images.ours().unused(Duration::from_hours(1)).is_empty());
    }
}
