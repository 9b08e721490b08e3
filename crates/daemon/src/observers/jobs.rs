//! The jobs of a scope: what everything begins with, so that nothing else is waited for here.

use std::time::Duration;

use planner::event::Event;
use planner::ids::ScopeKey;
use planner::time::Tick;
use tokio::sync::mpsc::error::SendError;
use tokio::time::Instant;

use super::politeness::Politeness;
use super::{Polled, Reporting, pause};
use crate::convert;
use crate::forges::ScopeClient;
use crate::tokens::{Look, Tokens};

/// Lists the jobs of a scope until the owner has gone.
pub(super) async fn watch(key: &ScopeKey, of: &ScopeClient, reporting: &Reporting, polled: &Polled) {
    let mut failures = 0;
    let mut tokens = Tokens::new(&of.token);
    let mut politeness = Politeness::default();
    loop {
        let begun = Instant::now();
        let jobs = of.client.list_jobs(&of.scope).await;
        let answer_time = begun.elapsed();
        let retry_after = jobs.as_ref().err().and_then(forgejo::Error::retry_after);
        failures = if jobs.is_ok() { 0 } else { failures + 1 };
        tokens.note(jobs.as_ref().err());
        if reporting
            .events
            .send(jobs_event(key, jobs, reporting.clock.at(begun.into_std()), tokens.doubt()))
            .await
            .is_err()
        {
            return;
        }
        if failures == 0 {
            polled.worked();
        }
        if failures == 0 {
            politeness.answered(answer_time + polled.take_spent());
        }
        let pause = pause(of.interval, politeness.pause(), failures, retry_after);
        if rest(pause, &mut tokens, key, of, reporting).await.is_err() {
            return;
        }
    }
}

/// Waits, with an eye on the token's file. The pause ends early when a token that was refused has been replaced. An
/// error when the owner has gone.
async fn rest(
    pause: Duration,
    tokens: &mut Tokens,
    key: &ScopeKey,
    of: &ScopeClient,
    reporting: &Reporting,
) -> Result<(), SendError<Event>> {
    let end = Instant::now() + pause;
    while let Some(look_at) = tokens.next_look().filter(|look_at| *look_at < end) {
        tokio::time::sleep_until(look_at).await;
        let was_refused = tokens.is_refused();
        if tokens.look(key, of).await == Look::Replaced {
            // Told at once: the other calls use the new one from now on.
            reporting.events.send(Event::TokenReplaced { scope: key.clone() }).await?;
            if was_refused {
                return Ok(());
            }
        }
    }
    tokio::time::sleep_until(end).await;
    Ok(())
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
