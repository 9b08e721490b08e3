//! The emulated forge's clock: real, moved, or standing still.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forge_model::Moment;

/// Tells the time to an emulated forge. Clones are the same clock, so a test can move it while the forge runs.
#[derive(Clone, Debug)]
pub struct EmulatorClock {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The wall clock, this far ahead.
    Ahead(Duration),
    /// Always this moment.
    Frozen(Moment),
}

impl EmulatorClock {
    /// The wall clock.
    pub fn real() -> Self {
        Self::with(State::Ahead(Duration::ZERO))
    }

    /// A clock that stands still until it is moved.
    pub fn frozen(at: Moment) -> Self {
        Self::with(State::Frozen(at))
    }

    fn with(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Moves the clock forward, whatever kind it is.
    pub fn forward(&self, by: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match *state {
            State::Ahead(ahead) => State::Ahead(ahead + by),
            State::Frozen(at) => State::Frozen(at + by),
        };
    }

    /// What the clock shows.
    pub fn now(&self) -> Moment {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Frozen(at) => at,
            State::Ahead(ahead) => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                Moment::from_millis(0) + since_epoch + ahead
            }
        }
    }
}
