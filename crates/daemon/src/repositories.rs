//! Runners that are registered at repositories within a scope (`register_at = "repository"`): the scope's own list never
//! shows them (protocol 1.4), so that they are listed repository by repository.
//!
//! Two things take turns, a bounded number of lists after each poll of the scope's jobs:
//! 1. repositories in which the planner knows or expects registrations, the one that was listed longest ago first;
//! 2. a round through all repositories of the scope, at the start and then every ten minutes, so that registrations are
//!    found again of which nobody knows any more: after the loss of the store, of repositories that show no job. For the
//!    instance, whose list shows all runners of the forge, the round goes through those that have one of ours.
//!
//! A list that fails proves nothing; a repository of the round that fails is looked at again in the next one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use forgejo::Scope;
use planner::event::Event;
use planner::ids::ScopeKey;

use crate::convert;
use crate::forges::ScopeClient;
use crate::observers::{Reporting, backed_off};

/// Most lists after one poll: at 5 ms each (protocol 1.3) they keep within 2 % of the server's time at the default
/// interval.
const LISTS_AT_ONCE: usize = 8;

/// How often a round through all repositories begins.
const ROUND_EVERY: Duration = Duration::from_mins(10);

/// Most repositories of one round; what is beyond is not swept, which is said.
const MOST: usize = 20_000;

/// What is to be listed next within one scope.
#[derive(Debug, Default)]
pub(crate) struct Repositories {
    listed: BTreeMap<ScopeKey, Tried>,
    round: Round,
}

/// The last look at one repository.
#[derive(Debug, Clone, Copy)]
struct Tried {
    at: Instant,
    failures: u32,
}

/// A round through all repositories.
#[derive(Debug, Default)]
struct Round {
    begun: Option<Instant>,
    /// The next page of the scope's repositories, while there may be one.
    page: Option<usize>,
    count: usize,
    left: VecDeque<i64>,
}

/// The owner has gone: nobody needs events any more.
#[derive(Debug)]
pub(crate) struct Gone;

impl Repositories {
    /// Adds repositories to the round that are known to have a runner of ours.
    pub(crate) fn found(&mut self, repositories: impl Iterator<Item = i64>) {
        for repository in repositories.take(MOST) {
            if !self.round.left.contains(&repository) {
                self.round.left.push_back(repository);
            }
        }
    }

    /// Lists what is due. Returns how long the forge took for it.
    pub(crate) async fn look(
        &mut self,
        key: &ScopeKey,
        of: &ScopeClient,
        reporting: &Reporting,
    ) -> Result<Duration, Gone> {
        let begun = Instant::now();
        if of.at_repository {
            self.continue_round(of, begun).await;
        }
        let wanted = reporting.runners_wanted.borrow().clone();
        for place in self.due(key, of.interval, &wanted, begun) {
            let failed = self.list(&place, of, reporting).await?;
            let failures = if failed { self.listed.get(&place).map_or(0, |tried| tried.failures) + 1 } else { 0 };
            self.listed.insert(place, Tried { at: Instant::now(), failures });
        }
        Ok(begun.elapsed())
    }

    /// The repositories whose turn it is. Known ones leave at least one turn to the round.
    fn due(&mut self, key: &ScopeKey, interval: Duration, wanted: &BTreeSet<ScopeKey>, now: Instant) -> Vec<ScopeKey> {
        let wanted: BTreeSet<&ScopeKey> =
            wanted.iter().filter(|place| place.repository().is_some() && place.is_within(key)).collect();
        self.listed.retain(|place, _| wanted.contains(place));
        let mut known: Vec<(Option<Instant>, &ScopeKey)> = wanted
            .into_iter()
            .filter_map(|place| match self.listed.get(place) {
                None => Some((None, place)),
                Some(tried) if now.duration_since(tried.at) >= rest(interval, tried.failures) => {
                    Some((Some(tried.at), place))
                }
                Some(_) => None,
            })
            .collect();
        known.sort();
        let for_the_round = usize::from(!self.round.left.is_empty());
        let mut due: Vec<ScopeKey> =
            known.into_iter().take(LISTS_AT_ONCE - for_the_round).map(|(_, place)| place.clone()).collect();
        while due.len() < LISTS_AT_ONCE
            && let Some(repository) = self.round.left.pop_front()
        {
            let place = key.at_repository(repository);
            if !due.contains(&place) {
                due.push(place);
            }
        }
        due
    }

    /// Reads the next page of repositories when those of the last one were looked at.
    async fn continue_round(&mut self, of: &ScopeClient, now: Instant) {
        if of.scope == Scope::Instance || !self.round.left.is_empty() {
            return;
        }
        if self.round.page.is_none() && self.round.begun.is_none_or(|begun| now.duration_since(begun) >= ROUND_EVERY) {
            self.round = Round { begun: Some(now), page: Some(1), ..Round::default() };
        }
        let Some(page) = self.round.page else { return };
        match of.client.list_repositories(&of.scope, page).await {
            Ok(repositories) if repositories.is_empty() => self.round.page = None,
            Ok(repositories) => {
                self.round.count += repositories.len();
                self.round.page = Some(page + 1);
                if self.round.count >= MOST {
                    tracing::warn!(scope = %of.scope, most = MOST, "not all repositories are swept: there are too many");
                    self.round.page = None;
                }
                self.round.left.extend(repositories.iter().map(|repository| repository.id));
            }
            Err(error) => {
                // The same page again after the next poll.
                tracing::warn!(scope = %of.scope, error = backend::chain(&error), "the repositories could not be listed");
            }
        }
    }

    /// Lists one repository; whether that failed.
    async fn list(&self, place: &ScopeKey, of: &ScopeClient, reporting: &Reporting) -> Result<bool, Gone> {
        let begun_at = reporting.clock.now();
        let event = match of.list_runners(place).await {
            Ok(listing) => {
                let listing = convert::runners(&reporting.deployment, &place.forge, listing, begun_at);
                Event::RunnersListed { scope: place.clone(), listing }
            }
            Err(error) => {
                let failure = convert::failure(&error);
                tracing::warn!(scope = %place, error = failure.message, "the runners could not be listed");
                Event::RunnersNotListed { scope: place.clone(), failure }
            }
        };
        let failed = matches!(event, Event::RunnersNotListed { .. });
        // What fails only in the round concerns nothing of ours that is known: a repository that its owner archived, say.
        let is_known = reporting.runners_wanted.borrow().contains(place);
        if (!failed || is_known) && reporting.events.send(event).await.is_err() {
            return Err(Gone);
        }
        Ok(failed)
    }
}

/// How long a known repository rests after it was listed.
fn rest(interval: Duration, failures: u32) -> Duration {
    match failures {
        // A little less than the interval, so that a poll that comes early does not leave it out.
        0 => interval / 2,
        _ => backed_off(interval, failures),
    }
}

#[cfg(test)]
mod tests {
    use planner::ids::{ForgeId, ScopeId};

    use super::*;

    fn acme() -> ScopeKey {
        ScopeKey { forge: ForgeId::new("http://f"), scope: ScopeId::new("org:acme") }
    }

    #[test]
    fn known_repositories_take_turns_and_leave_one_to_the_round() {
        let mut repositories = Repositories::default();
        let wanted: BTreeSet<ScopeKey> = (0..20).map(|id| acme().at_repository(id)).collect();
        repositories.found([70, 71].into_iter());
        let mut now = Instant::now();
        let mut seen = BTreeSet::new();
        for _ in 0..4 {
            let due = repositories.due(&acme(), Duration::from_secs(3), &wanted, now);
            assert_eq!(due.len(), LISTS_AT_ONCE);
            for place in due {
                repositories.listed.insert(place.clone(), Tried { at: now, failures: 0 });
                seen.insert(place);
            }
            now += Duration::from_secs(3);
        }
        assert!(wanted.is_subset(&seen));
        assert!(seen.contains(&acme().at_repository(70)) && seen.contains(&acme().at_repository(71)));
    }

    #[test]
    fn repositories_of_other_scopes_are_none_of_ours() {
        let other = ScopeKey { forge: ForgeId::new("http://f"), scope: ScopeId::new("org:other") };
        let wanted = BTreeSet::from([other.at_repository(1), acme()]);
        assert!(Repositories::default().due(&acme(), Duration::from_secs(3), &wanted, Instant::now()).is_empty());
    }
}
