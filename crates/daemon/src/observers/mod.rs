//! Observers: list jobs and runners of each scope and machines of each backend, each in a task of its own.
//!
//! ```text
//! scope ┬ jobs ──── list ─► pause ─► list ─► …     never waits for what is below
//!       │             └► polled       ▲ time that the forge has spent there
//!       └ runners ───────► lists of runners: of the scope, of repositories within it
//! ```

mod backend;
mod jobs;
mod politeness;
mod runners;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use planner::event::Event;
use planner::ids::{DeploymentId, ScopeKey};
use rand::RngExt as _;
use tokio::sync::{Notify, mpsc, watch};

pub(crate) use backend::backend;

use crate::clock::Clock;
use crate::forges::ScopeClient;

/// The longest pause between two tries to list a scope that fails.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Where an observer reports to, and what it needs to know of the rest.
#[derive(Debug, Clone)]
pub(crate) struct Reporting {
    pub(crate) clock: Clock,
    pub(crate) deployment: DeploymentId,
    pub(crate) events: mpsc::Sender<Event>,
    /// Scopes whose runners are worth listing with every poll.
    pub(crate) runners_wanted: watch::Receiver<BTreeSet<ScopeKey>>,
}

/// The owner has gone: nobody needs events any more.
#[derive(Debug)]
pub(crate) struct Gone;

impl Reporting {
    /// Hands an event to the owner.
    pub(crate) async fn send(&self, event: Event) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }
}

/// What the polls of a scope's jobs and the lists of its runners know of each other.
#[derive(Debug, Default)]
struct Polled {
    jobs: Notify,
    /// How long the forge has worked on runners since the last poll of jobs, in microseconds.
    spent: AtomicU64,
}

impl Polled {
    /// The jobs were listed: runners may be. Of several times that come while runners are being listed, one is kept.
    fn worked(&self) {
        self.jobs.notify_one();
    }

    /// Until the jobs were listed again: a forge that fails there is not asked for more.
    async fn next(&self) {
        self.jobs.notified().await;
    }

    /// Adds time in which the forge worked for an answer. Calls that failed are none: see [`pause`].
    fn spend(&self, time: Duration) {
        self.spent.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn take_spent(&self) -> Duration {
        Duration::from_micros(self.spent.swap(0, Ordering::Relaxed))
    }
}

/// Lists the jobs of a scope, and its runners where they are wanted, until the owner has gone.
///
/// The lists fail by themselves: without its runners a scope's jobs are still watched.
pub(crate) async fn scope(key: ScopeKey, of: ScopeClient, reporting: Reporting) {
    let polled = Polled::default();
    tokio::select! {
        () = jobs::watch(&key, &of, &reporting, &polled) => {}
        Gone = runners::watch(&key, &of, &reporting, &polled) => {}
    }
}

/// How long to wait until the next poll: the interval, but no less than what is polite, with jitter; longer after
/// failures. How long a failure took tells nothing about the server's work: a call that was cut off by its deadline would
/// keep us away for long after the network is back.
fn pause(interval: Duration, polite: Duration, failures: u32, retry_after: Option<Duration>) -> Duration {
    let polite = if failures == 0 { polite } else { Duration::ZERO };
    let wanted = match failures {
        0 => interval.max(polite),
        _ => backed_off(interval, failures),
    };
    let jittered = wanted.mul_f64(rand::rng().random_range(0.95..1.05)).max(polite);
    retry_after.map_or(jittered, |retry_after| jittered.max(retry_after))
}

/// The interval after failures in a row: doubled with each, within a limit.
pub(crate) fn backed_off(interval: Duration, failures: u32) -> Duration {
    interval.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE.max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_forge_is_asked_less_often() {
        let interval = Duration::from_secs(3);
        let slow = pause(interval, Duration::from_secs(10), 0, None);
        assert!(slow >= Duration::from_secs(10), "{slow:?}");
        assert!(pause(interval, Duration::from_millis(250), 0, None) < Duration::from_secs(4));
    }

    #[test]
    fn failures_lengthen_the_pause_up_to_a_minute_and_what_the_forge_asks_for_is_obeyed() {
        let interval = Duration::from_secs(3);
        assert!(pause(interval, Duration::ZERO, 1, None) > Duration::from_secs(5));
        assert!(pause(interval, Duration::ZERO, 30, None) < Duration::from_secs(64));
        let one_deadline = pause(interval, Duration::from_secs(15), 1, None);
        assert!(one_deadline < Duration::from_secs(7), "{one_deadline:?}");
        let asked = Duration::from_mins(5);
        assert!(pause(interval, Duration::ZERO, 1, Some(asked)) >= asked);
    }
}
