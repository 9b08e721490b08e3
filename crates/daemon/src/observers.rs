//! Observers: list jobs and runners of each scope and machines of each backend, each in a task of its own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use planner::error_class::{Acted, ErrorClass, Failure};
use planner::event::Event;
use planner::ids::{BackendId, DeploymentId, ScopeKey};
use planner::seen::Listing;
use planner::time::Tick;
use rand::RngExt as _;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::convert;
use crate::forges::ScopeClient;
use crate::machines::Backend;
use crate::repositories::Repositories;
use crate::tokens::{Look, Tokens};

/// Never more than 2 % of the server's time: the interval is at least this many times its answer time (design section 8).
const POLITENESS: u32 = 50;

/// The longest pause between two tries to list a scope that fails.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How often runners are listed while no registration of ours may exist (design section 8).
const RUNNERS_AT_LEAST_EVERY: Duration = Duration::from_mins(10);

/// The shortest pause between two listings of a backend: hints come in crowds, and one listing answers all of them.
const BETWEEN_HINTS: Duration = Duration::from_millis(50);

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
///
/// The two lists fail by themselves: without its runners a scope's jobs are still watched.
pub(crate) async fn scope(key: ScopeKey, of: ScopeClient, reporting: Reporting) {
    let mut failures = 0;
    let mut runners = RunnersDue::default();
    let mut repositories = Repositories::default();
    let mut tokens = Tokens::new(&of.token);
    loop {
        let begun = Instant::now();
        let jobs = of.client.list_jobs(&of.scope).await;
        let mut answer_time = begun.elapsed();
        let retry_after = jobs.as_ref().err().and_then(forgejo::Error::retry_after);
        failures = if jobs.is_ok() { 0 } else { failures + 1 };
        tokens.note(jobs.as_ref().err());
        if reporting.events.send(jobs_event(&key, jobs, reporting.clock.at(begun), tokens.doubt())).await.is_err() {
            return;
        }
        let wanted = reporting.runners_wanted.borrow().contains(&key);
        if failures == 0 && runners.are_due(wanted, Instant::now()) {
            let begun = Instant::now();
            let in_reach = runners.are_stale(begun);
            let listed = if in_reach {
                of.client.list_runners_in_reach(&of.scope).await
            } else {
                of.client.list_runners(&of.scope).await
            };
            answer_time += begun.elapsed();
            if in_reach
                && of.at_repository
                && let Ok(listing) = &listed
            {
                repositories.found(convert::repositories_of_ours(&reporting.deployment, &key.forge, &listing.rows));
            }
            runners.note(&listed, in_reach, of.interval);
            for event in
                runners_events(&key, &of.scope, listed, in_reach, reporting.clock.at(begun), &reporting.deployment)
            {
                if reporting.events.send(event).await.is_err() {
                    return;
                }
            }
        }
        if failures == 0 {
            let Ok(took) = repositories.look(&key, &of, &reporting).await else { return };
            answer_time += took;
        }
        let pause = pause(of.interval, answer_time, failures, retry_after);
        if rest(pause, &mut tokens, &of).await == Look::Replaced
            && reporting.events.send(Event::TokenReplaced { scope: key.clone() }).await.is_err()
        {
            return;
        }
    }
}

/// Waits, with an eye on the token's file. The pause ends early when a token that was refused has been replaced.
async fn rest(pause: Duration, tokens: &mut Tokens, of: &ScopeClient) -> Look {
    let end = tokio::time::Instant::now() + pause;
    let mut seen = Look::Same;
    while let Some(look_at) = tokens.next_look().filter(|look_at| *look_at < end) {
        tokio::time::sleep_until(look_at).await;
        let was_refused = tokens.is_refused();
        if tokens.look(of).await == Look::Replaced {
            seen = Look::Replaced;
            if was_refused {
                return seen;
            }
        }
    }
    tokio::time::sleep_until(end).await;
    seen
}

fn jobs_event(
    key: &ScopeKey,
    jobs: Result<forgejo::Listing<forgejo::Job>, forgejo::Error>,
    begun_at: Tick,
    doubt: Option<&str>,
) -> Event {
    match jobs {
        Ok(listing) => {
            if let Some(problem) = &listing.problem {
                tracing::warn!(scope = %key, problem, "the list of jobs is incomplete");
            }
            Event::JobsListed { scope: key.clone(), listing: convert::jobs(listing, begun_at) }
        }
        Err(error) => {
            let mut failure = convert::failure(&error);
            if let Some(doubt) = doubt {
                failure.message = format!("{}; {doubt}", failure.message);
            }
            tracing::warn!(scope = %key, error = failure.message, "the jobs could not be listed");
            Event::JobsNotListed { scope: key.clone(), failure }
        }
    }
}

type RunnersListed = Result<forgejo::Listing<forgejo::Runner>, forgejo::Error>;

/// What a list of runners tells: of our own in the scope itself, and, where all in reach were listed, of the others.
fn runners_events(
    key: &ScopeKey,
    scope: &forgejo::Scope,
    runners: RunnersListed,
    in_reach: bool,
    begun_at: Tick,
    deployment: &DeploymentId,
) -> Vec<Event> {
    let mut events = Vec::new();
    match runners {
        Ok(mut listing) => {
            if let Some(problem) = &listing.problem {
                tracing::warn!(scope = %key, problem, "the list of runners is incomplete");
            }
            if in_reach {
                let runners = convert::foreign_runners(deployment, &key.forge, &listing.rows);
                events.push(Event::RunnersInReach { scope: key.clone(), runners });
                listing.rows.retain(|row| scope.owns(row));
            }
            let listing = convert::runners(deployment, &key.forge, listing, begun_at);
            events.push(Event::RunnersListed { scope: key.clone(), listing });
        }
        Err(error) => {
            let failure = convert::failure(&error);
            tracing::warn!(scope = %key, error = failure.message, "the runners could not be listed");
            events.push(Event::RunnersNotListed { scope: key.clone(), failure });
        }
    }
    events
}

/// When the runners of a scope are to be listed next.
#[derive(Debug, Default)]
struct RunnersDue {
    listed_in_reach: Option<Instant>,
    failures: u32,
    not_before: Option<Instant>,
}

impl RunnersDue {
    fn are_due(&self, wanted: bool, now: Instant) -> bool {
        (wanted || self.are_stale(now)) && self.not_before.is_none_or(|moment| now >= moment)
    }

    /// Whether it is time to look at all that are in reach.
    fn are_stale(&self, now: Instant) -> bool {
        self.listed_in_reach.is_none_or(|listed| now.duration_since(listed) >= RUNNERS_AT_LEAST_EVERY)
    }

    fn note(&mut self, listed: &RunnersListed, in_reach: bool, interval: Duration) {
        let now = Instant::now();
        match listed {
            Ok(_) => {
                let listed_in_reach = if in_reach { Some(now) } else { self.listed_in_reach };
                *self = Self { listed_in_reach, ..Self::default() };
            }
            Err(error) => {
                self.failures += 1;
                let pause = pause(interval, Duration::ZERO, self.failures, error.retry_after());
                self.not_before = Some(now + pause);
            }
        }
    }
}

/// How long to wait until the next poll: the interval, politely and with jitter; longer after failures. How long a
/// failure took tells nothing about the server's work: a call that was cut off by its deadline would keep us away for
/// long after the network is back.
fn pause(interval: Duration, answer_time: Duration, failures: u32, retry_after: Option<Duration>) -> Duration {
    let polite = answer_time.saturating_mul(if failures == 0 { POLITENESS } else { 0 }).min(LONGEST_PAUSE);
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

/// Lists the machines of a backend, on every hint and at the interval, until the owner has gone.
pub(crate) async fn backend(id: BackendId, of: Backend, interval: Duration, reporting: Reporting) {
    let mut changes = of.changes();
    loop {
        changes.mark_unchanged();
        if reporting.events.send(machines(&id, &of, &reporting).await).await.is_err() {
            return;
        }
        tokio::time::sleep(BETWEEN_HINTS).await;
        tokio::select! {
            () = tokio::time::sleep(interval.saturating_sub(BETWEEN_HINTS)) => {}
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
        assert!(slow >= Duration::from_secs(10), "{slow:?}");
        assert!(pause(interval, Duration::from_millis(5), 0, None) < Duration::from_secs(4));
    }

    #[test]
    fn runners_that_cannot_be_listed_are_asked_for_less_often() {
        let now = Instant::now();
        let refused = forgejo::Error::Rejected {
            call: "list runners",
            status: 503,
            message: String::new(),
            retry_after: Some(Duration::from_mins(2)),
        };
        let mut runners = RunnersDue::default();
        assert!(runners.are_due(false, now), "they were never listed");
        runners.note(&Err(refused), true, Duration::from_secs(3));
        assert!(!runners.are_due(true, now + Duration::from_secs(100)));
        assert!(runners.are_due(true, now + Duration::from_mins(3)));
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
