//! Observers: list jobs and runners of each scope and machines of each backend, each in a task of its own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use planner::error_class::{Acted, ErrorClass, Failure};
use planner::event::Event;
use planner::ids::{BackendId, DeploymentId, ScopeKey};
use planner::seen::Listing;
use rand::RngExt as _;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::convert;
use crate::forges::ScopeClient;
use crate::machines::Backend;

/// Never more than 2 % of the server's time: the interval is at least this many times its answer time (design section 8).
const POLITENESS: u32 = 50;

/// The longest pause between two tries to list a scope that fails.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How often runners are listed while no registration of ours may exist (design section 8).
const RUNNERS_AT_LEAST_EVERY: Duration = Duration::from_mins(10);

/// How long listing a backend may take.
const BACKEND_DEADLINE: Duration = Duration::from_secs(30);

/// Where an observer reports to, and what it needs to know of the rest.
#[derive(Debug, Clone)]
pub(crate) struct Reporting {
    pub(crate) clock: Clock,
    pub(crate) deployment: DeploymentId,
    pub(crate) events: mpsc::Sender<Event>,
    /// Scopes whose runners are worth listing with every poll.
    pub(crate) runners_wanted: watch::Receiver<BTreeSet<ScopeKey>>,
}

/// Lists the jobs of a scope, and its runners where they are wanted, until the owner has gone.
pub(crate) async fn scope(key: ScopeKey, of: ScopeClient, reporting: Reporting) {
    let mut failures = 0;
    let mut runners_listed: Option<Instant> = None;
    loop {
        let begun = Instant::now();
        let jobs = jobs(&key, &of, &reporting).await;
        let answer_time = begun.elapsed();
        let mut retry_after = None;
        if let Event::JobsNotListed { failure, .. } = &jobs {
            failures += 1;
            tracing::warn!(scope = %key, error = failure.message, "the jobs could not be listed");
            if let ErrorClass::RateLimited { retry_after: asked } = failure.class {
                retry_after = asked;
            }
        } else {
            failures = 0;
        }
        if reporting.events.send(jobs).await.is_err() {
            return;
        }
        let wanted = reporting.runners_wanted.borrow().contains(&key);
        let stale = runners_listed.is_none_or(|listed| listed.elapsed() >= RUNNERS_AT_LEAST_EVERY);
        if failures == 0
            && (wanted || stale)
            && let Some(event) = runners(&key, &of, &reporting).await
        {
            runners_listed = Some(Instant::now());
            if reporting.events.send(event).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(pause(of.interval, answer_time, failures, retry_after)).await;
    }
}

async fn jobs(key: &ScopeKey, of: &ScopeClient, reporting: &Reporting) -> Event {
    let begun_at = reporting.clock.now();
    match of.client.list_jobs(&of.scope).await {
        Ok(listing) => {
            if let Some(problem) = &listing.problem {
                tracing::warn!(scope = %key, problem, "the list of jobs is incomplete");
            }
            Event::JobsListed { scope: key.clone(), listing: convert::jobs(listing, begun_at) }
        }
        Err(error) => Event::JobsNotListed { scope: key.clone(), failure: convert::failure(&error) },
    }
}

async fn runners(key: &ScopeKey, of: &ScopeClient, reporting: &Reporting) -> Option<Event> {
    let begun_at = reporting.clock.now();
    match of.client.list_runners(&of.scope).await {
        Ok(listing) => {
            let listing = convert::runners(&reporting.deployment, &key.forge, listing, begun_at);
            Some(Event::RunnersListed { scope: key.clone(), listing })
        }
        Err(error) => {
            tracing::warn!(scope = %key, error = convert::chain(&error), "the runners could not be listed");
            None
        }
    }
}

/// How long to wait until the next poll: the interval, politely and with jitter; longer after failures. How long a
/// failure took tells nothing about the server's work: a call that was cut off by its deadline would keep us away for
/// long after the network is back.
fn pause(interval: Duration, answer_time: Duration, failures: u32, retry_after: Option<Duration>) -> Duration {
    let wanted = if failures == 0 {
        interval.max(answer_time.saturating_mul(POLITENESS).min(LONGEST_PAUSE))
    } else {
        interval.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE.max(interval))
    };
    let jittered = wanted.mul_f64(rand::rng().random_range(0.95..1.05));
    retry_after.map_or(jittered, |retry_after| jittered.max(retry_after))
}

/// Lists the machines of a backend, on every hint and at the interval, until the owner has gone.
pub(crate) async fn backend(id: BackendId, of: Backend, interval: Duration, reporting: Reporting) {
    let mut changes = of.changes();
    loop {
        changes.mark_unchanged();
        if reporting.events.send(machines(&id, &of, &reporting).await).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            still_there = changes.changed() => {
                if still_there.is_err() {
                    return;
                }
            }
        }
    }
}

async fn machines(id: &BackendId, of: &Backend, reporting: &Reporting) -> Event {
    let begun_at = reporting.clock.now();
    match tokio::time::timeout(BACKEND_DEADLINE, of.list()).await {
        Ok(Ok(machines)) => {
            let listing = Listing { begun_at, complete: machines.complete, rows: machines.rows };
            Event::MachinesListed { backend: id.clone(), listing }
        }
        Ok(Err(error)) => Event::MachinesNotListed { backend: id.clone(), failure: error.failure() },
        Err(_) => {
            let message = format!("no answer within {} s", BACKEND_DEADLINE.as_secs());
            let failure = Failure { class: ErrorClass::Transient, acted: Acted::No, message };
            Event::MachinesNotListed { backend: id.clone(), failure }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_forge_is_asked_less_often() {
        let interval = Duration::from_secs(3);
        let slow = pause(interval, Duration::from_millis(200), 0, None);
        assert!(slow >= Duration::from_millis(9_500), "{slow:?}");
        assert!(pause(interval, Duration::from_millis(5), 0, None) < Duration::from_secs(4));
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
