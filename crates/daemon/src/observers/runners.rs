//! The runners of a scope: its own, all that are in reach, and those of repositories within it.
//!
//! Two lists of the scope itself, each with a pause of its own after a failure:
//! 1. all runners in reach, every ten minutes: it shows those beside us, and in the instance all of ours;
//! 2. the scope's own, with every poll while registrations of ours may exist; and when the first one fails.

use std::time::{Duration, Instant};

use planner::event::Event;
use planner::ids::ScopeKey;

use super::{Gone, Polled, Reporting, pause};
use crate::convert;
use crate::forges::ScopeClient;
use crate::repositories::Repositories;

/// How often runners are listed while no registration of ours may exist (design section 8).
const AT_LEAST_EVERY: Duration = Duration::from_mins(10);

type Listed = Result<forgejo::Listing<forgejo::Runner>, forgejo::Error>;

/// Lists what is due after each poll of the jobs that worked, until the owner has gone.
pub(super) async fn watch(key: &ScopeKey, of: &ScopeClient, reporting: &Reporting, polled: &Polled) -> Gone {
    let mut runners = Runners { key, of, reporting, in_reach: Pace::default(), own: Pace::default() };
    let mut repositories = Repositories::default();
    loop {
        polled.next().await;
        let looked = async {
            polled.spend(runners.look(&mut repositories).await?);
            polled.spend(repositories.look(key, of, reporting).await?);
            Ok(())
        };
        if let Err(gone) = looked.await {
            return gone;
        }
    }
}

/// The lists of one scope.
struct Runners<'a> {
    key: &'a ScopeKey,
    of: &'a ScopeClient,
    reporting: &'a Reporting,
    in_reach: Pace,
    own: Pace,
}

impl Runners<'_> {
    /// Lists what is due. Returns how long the forge took for its answers.
    async fn look(&mut self, repositories: &mut Repositories) -> Result<Duration, Gone> {
        let begun = Instant::now();
        if self.in_reach.is_due(false, begun) {
            let listed = self.of.client.list_runners_in_reach(&self.of.scope).await;
            self.in_reach.note(&listed, self.of.interval);
            match listed {
                Ok(listing) => {
                    let took = begun.elapsed();
                    self.own.worked();
                    self.tell_in_reach(listing, begun, repositories).await?;
                    return Ok(took);
                }
                Err(error) => self.warn_in_reach(&error),
            }
        }
        let wanted = self.reporting.runners_wanted.borrow().contains(self.key);
        let begun = Instant::now();
        if !self.own.is_due(wanted, begun) {
            return Ok(Duration::ZERO);
        }
        let listed = self.of.client.list_runners(&self.of.scope).await;
        let took = if listed.is_ok() { begun.elapsed() } else { Duration::ZERO };
        self.own.note(&listed, self.of.interval);
        self.reporting.send(self.own_event(listed, begun)).await?;
        Ok(took)
    }

    /// What a list of all in reach tells: those that are not ours, and those of the scope itself.
    async fn tell_in_reach(
        &self,
        mut listing: forgejo::Listing<forgejo::Runner>,
        begun: Instant,
        repositories: &mut Repositories,
    ) -> Result<(), Gone> {
        let (deployment, forge) = (&self.reporting.deployment, &self.key.forge);
        if self.of.at_repository {
            repositories.found(convert::repositories_of_ours(deployment, forge, &listing.rows));
        }
        let runners = convert::foreign_runners(deployment, forge, &listing.rows);
        self.reporting.send(Event::RunnersInReach { scope: self.key.clone(), runners }).await?;
        listing.rows.retain(|row| self.of.scope.owns(row));
        self.reporting.send(self.own_event(Ok(listing), begun)).await
    }

    /// Without this list runners beside us are not told, and nothing else is lacking: the scope's own list is asked instead,
    /// and tells if that fails too.
    fn warn_in_reach(&self, error: &forgejo::Error) {
        let (key, error) = (self.key, convert::failure(error).message);
        if self.in_reach.failures == 1 {
            tracing::warn!(scope = %key, error, "the runners in reach could not be listed");
        } else {
            tracing::debug!(scope = %key, error, "the runners in reach could not be listed");
        }
    }

    fn own_event(&self, listed: Listed, begun: Instant) -> Event {
        let (key, scope) = (self.key, self.key.clone());
        match listed {
            Ok(listing) => {
                if let Some(problem) = &listing.problem {
                    tracing::warn!(scope = %key, problem, "the list of runners is incomplete");
                }
                let begun_at = self.reporting.clock.at(begun);
                let listing = convert::runners(&self.reporting.deployment, &key.forge, listing, begun_at);
                Event::RunnersListed { scope, listing }
            }
            Err(error) => {
                let failure = convert::failure(&error);
                tracing::warn!(scope = %key, error = failure.message, "the runners could not be listed");
                Event::RunnersNotListed { scope, failure }
            }
        }
    }
}

/// When one list is asked for next.
#[derive(Debug, Default)]
struct Pace {
    listed: Option<Instant>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Pace {
    fn is_due(&self, wanted: bool, now: Instant) -> bool {
        let is_old = self.listed.is_none_or(|listed| now.duration_since(listed) >= AT_LEAST_EVERY);
        (wanted || is_old) && self.not_before.is_none_or(|moment| now >= moment)
    }

    fn note(&mut self, listed: &Listed, interval: Duration) {
        match listed {
            Ok(_) => self.worked(),
            Err(error) => {
                self.failures += 1;
                let pause = pause(interval, Duration::ZERO, self.failures, error.retry_after());
                self.not_before = Some(Instant::now() + pause);
            }
        }
    }

    fn worked(&mut self) {
        *self = Self { listed: Some(Instant::now()), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use emulator::{Effect, FaultRule, Matcher, RouteKind};
    use forgejo::Scope;

    use super::*;
    use crate::stage::Stage;

    #[test]
    fn a_list_that_fails_is_asked_for_less_often() {
        let now = Instant::now();
        let refused = forgejo::Error::Rejected {
            call: "list runners",
            status: 503,
            message: String::new(),
            retry_after: Some(Duration::from_mins(2)),
        };
        let mut pace = Pace::default();
        assert!(pace.is_due(false, now), "it was never listed");
        pace.note(&Err(refused), Duration::from_secs(3));
        assert!(!pace.is_due(true, now + Duration::from_secs(100)));
        assert!(pace.is_due(true, now + Duration::from_mins(3)));
        pace.worked();
        assert!(!pace.is_due(false, now + Duration::from_mins(9)) && pace.is_due(true, now));
        assert!(pace.is_due(false, now + Duration::from_mins(11)));
    }

    #[tokio::test]
    async fn when_the_list_in_reach_fails_the_scopes_own_is_asked_at_once_and_each_rests_by_itself() {
        let stage = Stage::new(Scope::Organization("acme".to_owned())).await;
        let in_reach = Matcher::target(|_, _, target| target.contains("visible=true"));
        let refused = stage.emulator.faults().add(FaultRule::always(in_reach, Effect::status(500)));
        let (reporting, mut reported) = Stage::reporting();
        let (key, mut repositories) = (stage.key(), Repositories::default());
        let (in_reach, own) = (Pace::default(), Pace::default());
        let mut runners = Runners { key: &key, of: &stage.of, reporting: &reporting, in_reach, own };
        assert!(runners.look(&mut repositories).await.unwrap() > Duration::ZERO);
        let asked = || (stage.emulator.faults().fired(refused), stage.emulator.calls().of(RouteKind::ListRunners));
        assert_eq!(asked(), (1, 2));
        assert!(matches!(reported.try_recv(), Ok(Event::RunnersListed { scope, .. }) if scope == key));
        assert_eq!(runners.look(&mut repositories).await.unwrap(), Duration::ZERO);
        assert_eq!(asked(), (1, 2), "both rest");
    }

    #[tokio::test]
    async fn lists_that_fail_are_no_time_in_which_the_forge_worked() {
        let stage = Stage::new(Scope::Organization("acme".to_owned())).await;
        stage.emulator.faults().add(FaultRule::always(Matcher::kind(RouteKind::ListRunners), Effect::status(500)));
        let (reporting, mut reported) = Stage::reporting();
        let (key, mut repositories) = (stage.key(), Repositories::default());
        let (in_reach, own) = (Pace::default(), Pace::default());
        let mut runners = Runners { key: &key, of: &stage.of, reporting: &reporting, in_reach, own };
        assert_eq!(runners.look(&mut repositories).await.unwrap(), Duration::ZERO);
        assert_eq!(stage.emulator.calls().of(RouteKind::ListRunners), 2);
        assert!(matches!(reported.try_recv(), Ok(Event::RunnersNotListed { scope, .. }) if scope == key));
    }
}
