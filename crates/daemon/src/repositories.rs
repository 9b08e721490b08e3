//! Runners that are registered at repositories within a scope (`register_at = "repository"`): the scope's own list never
//! shows them (protocol 1.4), so that they are listed repository by repository.
//!
//! Two things take turns, a bounded number of lists after each poll of the scope's jobs:
//! 1. repositories in which the planner knows or expects registrations, the one that was listed longest ago first;
//! 2. a round through all repositories of the scope, at the start and then every ten minutes, so that registrations are
//!    found again of which nobody knows any more: after the loss of the store, of repositories that show no job. For the
//!    instance, whose list shows all runners of the forge, the round goes through those that have one of ours.
//!
//! A list that fails proves nothing; a repository of the round that fails is looked at again in the next one. Nothing
//! waits for all this: the jobs are polled beside it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use forgejo::Scope;
use planner::event::Event;
use planner::ids::ScopeKey;

use crate::at_repositories;
use crate::convert;
use crate::forges::ScopeClient;
use crate::observers::{Gone, Reporting, backed_off};

/// Most lists after one poll: at 5 ms each (protocol 1.3) they keep within 2 % of the server's time at the default
/// interval.
const LISTS_AT_ONCE: usize = 8;

/// When the rest of what is due is left to the next look: one repository that hangs costs one deadline, and not one for
/// each that stands behind it.
const LOOK_TIME: Duration = Duration::from_secs(5);

/// How often a round through all repositories begins.
const ROUND_EVERY: Duration = Duration::from_mins(10);

/// Most repositories of one round; what is beyond is not swept, which is said.
const MOST: usize = 20_000;

/// What is to be listed next within one scope.
#[derive(Debug, Default)]
pub(crate) struct Repositories {
    listed: BTreeMap<ScopeKey, Tried>,
    round: Round,
    /// Whether the scope's list has told where ours are.
    found: bool,
    /// Whether the end of the first round was told.
    told: bool,
}

/// The last look at one repository.
#[derive(Debug, Clone, Copy)]
struct Tried {
    at: Instant,
    failures: u32,
    /// What the forge asked for.
    retry_after: Option<Duration>,
}

/// A round through all repositories.
#[derive(Debug, Default)]
struct Round {
    begun: Option<Instant>,
    /// The next page of the scope's repositories, while there may be one.
    page: Option<usize>,
    count: usize,
    left: VecDeque<i64>,
    /// Tries in a row that gave no page.
    failures: u32,
    not_before: Option<Instant>,
}

impl Repositories {
    /// Adds repositories to the round that are known to have a runner of ours.
    pub(crate) fn found(&mut self, repositories: impl Iterator<Item = i64>) {
        self.found = true;
        for repository in repositories.take(MOST) {
            if !self.round.left.contains(&repository) {
                self.round.left.push_back(repository);
            }
        }
    }

    /// Lists what is due. Returns how long the forge took for its answers.
    pub(crate) async fn look(
        &mut self,
        key: &ScopeKey,
        of: &ScopeClient,
        reporting: &Reporting,
    ) -> Result<Duration, Gone> {
        let begun = Instant::now();
        let mut took = Duration::ZERO;
        if of.at_repository {
            took += self.continue_round(key, of, reporting, begun).await?;
        }
        let wanted = reporting.runners_wanted.borrow().clone();
        let mut due = VecDeque::from(self.due(key, of.interval, &wanted, begun));
        while let Some(place) = due.pop_front() {
            if begun.elapsed() >= LOOK_TIME {
                due.push_front(place);
                break;
            }
            let asked = Instant::now();
            let failed = list(&place, of, reporting).await?;
            let failures = match failed {
                None => 0,
                Some(_) => self.listed.get(&place).map_or(0, |tried| tried.failures) + 1,
            };
            if failed.is_none() {
                took += asked.elapsed();
            }
            let retry_after = failed.and_then(|failed| failed.retry_after);
            self.listed.insert(place, Tried { at: Instant::now(), failures, retry_after });
        }
        self.leave(due, &wanted);
        let is_over = if of.scope == Scope::Instance { self.found } else { self.round.is_read() };
        if of.at_repository && is_over && self.round.left.is_empty() && !self.told {
            self.told = true;
            reporting.send(Event::RepositoriesSwept { scope: key.clone() }).await?;
        }
        Ok(took)
    }

    /// Leaves places to the next look. Known ones are still due.
    fn leave(&mut self, places: VecDeque<ScopeKey>, known: &BTreeSet<ScopeKey>) {
        let of_the_round = places.into_iter().filter(|place| !known.contains(place));
        for repository in of_the_round.rev().filter_map(|place| place.repository()) {
            self.round.left.push_front(repository);
        }
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
                Some(tried) if now.duration_since(tried.at) >= tried.rest(interval) => Some((Some(tried.at), place)),
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

    /// Reads the next page of repositories when those of the last one were looked at. Returns how long the forge took.
    async fn continue_round(
        &mut self,
        key: &ScopeKey,
        of: &ScopeClient,
        reporting: &Reporting,
        now: Instant,
    ) -> Result<Duration, Gone> {
        let Some(page) = self.round.next_page(&of.scope, now) else { return Ok(Duration::ZERO) };
        match at_repositories::page(&of.client, &of.scope, page).await {
            Ok(repositories) => {
                let took = now.elapsed();
                if self.round.failures > 0 {
                    reporting.send(Event::RepositoriesListed { scope: key.clone() }).await?;
                }
                self.round.add(page, repositories);
                if self.round.count >= MOST {
                    tracing::warn!(scope = %of.scope, most = MOST, "not all repositories are swept: there are too many");
                    self.round.page = None;
                }
                Ok(took)
            }
            Err(error) => {
                self.round.failed(&error, of.interval);
                let failure = convert::failure(&error);
                if self.round.failures == 1 {
                    tracing::warn!(scope = %key, error = failure.message, "the repositories could not be listed");
                }
                reporting.send(Event::RepositoriesNotListed { scope: key.clone(), failure }).await?;
                Ok(Duration::ZERO)
            }
        }
    }
}

impl Round {
    /// The page that is to be read now, if any.
    fn next_page(&mut self, scope: &Scope, now: Instant) -> Option<usize> {
        let rests = self.not_before.is_some_and(|moment| now < moment);
        if *scope == Scope::Instance || !self.left.is_empty() || rests {
            return None;
        }
        if self.page.is_none() && self.begun.is_none_or(|begun| now.duration_since(begun) >= ROUND_EVERY) {
            *self = Self { begun: Some(now), page: Some(1), ..Self::default() };
        }
        self.page
    }

    /// Whether its last page was read.
    fn is_read(&self) -> bool {
        self.begun.is_some() && self.page.is_none()
    }

    /// Takes a page in; one without repositories is behind the last.
    fn add(&mut self, page: usize, repositories: Option<Vec<i64>>) {
        self.failures = 0;
        self.not_before = None;
        self.page = repositories.as_ref().map(|_| page + 1);
        let repositories = repositories.unwrap_or_default();
        self.count += repositories.len();
        self.left.extend(repositories);
    }

    /// The same page is worth another try later.
    fn failed(&mut self, error: &forgejo::Error, interval: Duration) {
        self.failures = self.failures.saturating_add(1);
        let pause = backed_off(interval, self.failures).max(error.retry_after().unwrap_or_default());
        self.not_before = Some(Instant::now() + pause);
    }
}

impl Tried {
    /// How long it rests afterwards.
    fn rest(&self, interval: Duration) -> Duration {
        let rest = match self.failures {
            // A little less than the interval, so that a poll that comes early does not leave it out.
            0 => interval / 2,
            failures => backed_off(interval, failures),
        };
        rest.max(self.retry_after.unwrap_or_default())
    }
}

/// A list that failed.
struct Failed {
    retry_after: Option<Duration>,
}

/// Lists one repository; whether that failed.
async fn list(place: &ScopeKey, of: &ScopeClient, reporting: &Reporting) -> Result<Option<Failed>, Gone> {
    let begun_at = reporting.clock.now();
    match of.list_runners(place).await {
        Ok(listing) => {
            let listing = convert::runners(&reporting.deployment, &place.forge, listing, begun_at);
            reporting.send(Event::RunnersListed { scope: place.clone(), listing }).await?;
            Ok(None)
        }
        Err(error) => {
            let failure = convert::failure(&error);
            tracing::warn!(scope = %place, error = failure.message, "the runners could not be listed");
            // What fails only in the round concerns nothing of ours that is known: a repository without Actions, say.
            if reporting.runners_wanted.borrow().contains(place) {
                reporting.send(Event::RunnersNotListed { scope: place.clone(), failure }).await?;
            }
            Ok(Some(Failed { retry_after: error.retry_after() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use emulator::{Effect, FaultRule, Matcher, RouteKind};
    use planner::ids::{ForgeId, ScopeId};

    use super::*;
    use crate::stage::Stage;

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
                repositories.listed.insert(place.clone(), Tried { at: now, failures: 0, retry_after: None });
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

    #[test]
    fn what_is_left_of_a_look_comes_first_in_the_next_one() {
        let mut repositories = Repositories::default();
        repositories.found(0..20);
        let known = BTreeSet::from([acme().at_repository(40)]);
        let due = repositories.due(&acme(), Duration::from_secs(3), &known, Instant::now());
        assert_eq!(due.len(), LISTS_AT_ONCE);
        repositories.leave(due.clone().into(), &known);
        assert_eq!(repositories.due(&acme(), Duration::from_secs(3), &known, Instant::now()), due);
    }

    #[test]
    fn a_page_that_is_refused_is_asked_for_less_and_less_often_and_never_given_up() {
        let (mut round, mut now) = (Round::default(), Instant::now());
        let refused = forgejo::Error::Rejected { call: "list", status: 403, message: String::new(), retry_after: None };
        let organization = Scope::Organization("acme".to_owned());
        let mut asked = 0;
        for _ in 0..200 {
            if round.next_page(&organization, now).is_some() {
                asked += 1;
                round.failed(&refused, Duration::from_secs(3));
                let pause = round.not_before.unwrap().duration_since(Instant::now());
                assert!(pause <= Duration::from_mins(1), "{pause:?}");
                round.not_before = Some(now + pause);
            }
            now += Duration::from_secs(3);
        }
        assert!((10..=15).contains(&asked), "{asked} times in ten minutes");
        round.add(1, Some(vec![7]));
        assert_eq!((round.failures, round.page, &round.left), (0, Some(2), &VecDeque::from([7])));
    }

    #[tokio::test]
    async fn a_round_leaves_out_repositories_on_which_the_user_only_works() {
        let stage = Stage::new(Scope::User).await;
        let home = stage.emulator.with_forge(|forge, _| {
            let erin = forge.create_user("erin", false);
            let tools = forge.create_repository(erin, "tools", false).unwrap();
            forge.add_collaborator(tools, stage.dana).unwrap();
            forge.create_repository(stage.dana, "home", false).unwrap()
        });
        let shown = stage.of.client.list_repositories(&Scope::User, 1).await.unwrap();
        assert_eq!(shown.len(), 3, "the forge shows those of her organization and of others, too");
        assert_eq!(at_repositories::page(&stage.of.client, &stage.of.scope, 1).await.unwrap(), Some(vec![home.0]));
        let (reporting, _reported) = Stage::reporting();
        Repositories::default().look(&stage.key(), &stage.of, &reporting).await.unwrap();
        assert_eq!(stage.emulator.calls().of(RouteKind::RepositoryById), 1);
    }

    #[tokio::test]
    async fn only_answers_count_as_time_in_which_the_forge_worked() {
        let stage = Stage::new(Scope::Organization("acme".to_owned())).await;
        let (reporting, _reported) = Stage::reporting();
        let look = async |refused: Option<RouteKind>| {
            stage.emulator.faults().clear();
            if let Some(refused) = refused {
                stage.emulator.faults().add(FaultRule::always(Matcher::kind(refused), Effect::status(500)));
            }
            let mut repositories = Repositories::default();
            if refused != Some(RouteKind::ListRepositories) {
                // The round goes on with this one, and asks for no page.
                repositories.found(std::iter::once(stage.site.0));
            }
            repositories.look(&stage.key(), &stage.of, &reporting).await.unwrap()
        };
        assert!(look(None).await > Duration::ZERO);
        assert_eq!(look(Some(RouteKind::ListRunners)).await, Duration::ZERO);
        assert_eq!(look(Some(RouteKind::ListRepositories)).await, Duration::ZERO);
    }
}
