//! Listings: begun by the daemon, read by forge and backends a little later, answered, late, lost, cut or wrong.

use std::collections::BTreeSet;

use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::Event;
use planner::ids::{BackendId, Handle, JobName, ScopeKey};
use planner::seen::{JobSeen, JobState, Listing, RunnerStatus};

use crate::daemon::IDLE_RUNNERS_MS;
use crate::fault::Fault;
use crate::happening::Happening;
use crate::judge::Place;
use crate::world::World;

/// How far a listing lags at the most: less than the settle time.
const STALE_MS: u64 = 2_000;
/// How long after a complete listing lacked rows the next of the scope may.
const HONEST_MS: u64 = 20_000;

/// How a listing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Good,
    Fails(Failure),
    /// Lacks rows and says so.
    Cut,
    /// Lacks rows and claims to be complete. Never twice in a row for one scope.
    Lies,
}

impl World {
    pub(crate) fn poll_scope(&mut self, life: u32, scope: &ScopeKey, again: bool) {
        if !self.is_this_life(life) {
            return;
        }
        self.judge.calm.turns_to(Place::Scope(scope.clone()));
        let begun_at = self.begun(scope.scope.as_str());
        let delay = self.dice.listings.between(2, 100);
        self.after(delay, Happening::ReadJobs { life, scope: scope.clone(), begun_at });
        for place in self.places_due(scope) {
            self.daemon.runners_asked.insert(place.clone(), self.now);
            let delay = self.dice.listings.between(2, 100);
            self.after(delay, Happening::ReadRunners { life, scope: place, begun_at });
        }
        if again {
            let interval = self.policy.scopes.get(scope).map_or(3_000, |scope| millis(scope.interval));
            let jitter = self.dice.listings.between(0, 500);
            self.after(interval + jitter, Happening::PollScope { life, scope: scope.clone(), again });
        }
    }

    /// When a listing counts as begun: now, or later where it shows what was true before it began.
    fn begun(&mut self, of: &str) -> u64 {
        if self.strikes(Fault::ListingStale, of) {
            self.now + self.dice.fault(Fault::ListingStale).between(200, STALE_MS)
        } else {
            self.now
        }
    }

    /// Whose runners are listed with a poll of a scope: its own, and those of repositories within it, as far as they are
    /// wanted or were not listed for long. (A round through all repositories is one look at each.)
    fn places_due(&self, scope: &ScopeKey) -> Vec<ScopeKey> {
        let wanted = self.daemon.state.wanted_repositories(&self.policy);
        let at_repository = self.policy.scopes.get(scope).is_some_and(|policy| policy.at_repository);
        let all = self
            .forge(&scope.forge)
            .repositories
            .iter()
            .filter(|_| at_repository)
            .map(|repository| scope.at_repository(repository.0));
        let within = wanted.iter().filter(|place| place.is_within(scope)).cloned();
        let places: BTreeSet<ScopeKey> = all.chain(within).chain([scope.clone()]).collect();
        let is_due = |place: &ScopeKey| {
            let asked = self.daemon.runners_asked.get(place);
            asked.is_none_or(|&asked| self.now >= asked + IDLE_RUNNERS_MS)
                || wanted.contains(place)
                || self.daemon.state.wants_runners(&self.policy, place)
        };
        places.into_iter().filter(is_due).collect()
    }

    pub(crate) fn poll_backend(&mut self, life: u32, backend: &BackendId) {
        if !self.is_this_life(life) {
            return;
        }
        self.judge.calm.turns_to(Place::Backend(backend.clone()));
        let begun_at = self.begun(backend.as_str());
        let delay = self.dice.listings.between(2, 100);
        self.after(delay, Happening::ReadMachines { life, backend: backend.clone(), begun_at });
        let interval = self.policy.backends.get(backend).map_or(3_000, |backend| millis(backend.interval));
        let jitter = self.dice.listings.between(0, 500);
        self.after(interval + jitter, Happening::PollBackend { life, backend: backend.clone() });
    }

    pub(crate) fn read_jobs(&mut self, life: u32, scope: &ScopeKey, begun_at: u64) {
        self.judge.calm.turns_to(Place::Scope(scope.clone()));
        self.forget_kinds();
        let forge = self.forge(&scope.forge);
        let failure = refusal(forge.is_down(self.now), forge.refuses(scope));
        let may_lie =
            self.script.is_on() || self.judge.last_lie.get(scope).is_none_or(|lie| self.now > lie + HONEST_MS);
        let fate = self.fate(scope.scope.as_str(), failure, may_lie);
        if let Fate::Fails(failure) = fate {
            return self.answer_listing(life, begun_at, Event::JobsNotListed { scope: scope.clone(), failure });
        }
        let mut rows = self.forge(&scope.forge).jobs(scope);
        for row in &mut rows {
            if self.strikes(Fault::RowUnreadable, row.handle.as_str()) {
                row.state = JobState::Unknown;
            }
        }
        if fate == Fate::Lies {
            self.judge.last_lie.insert(scope.clone(), self.now);
        }
        let mut listing = self.listing(rows, &fate, begun_at);
        if self.strikes(Fault::RowWithoutHandle, scope.scope.as_str()) {
            listing.rows.push(older_than_handles());
        }
        self.answer_listing(life, begun_at, Event::JobsListed { scope: scope.clone(), listing });
    }

    pub(crate) fn read_runners(&mut self, life: u32, scope: &ScopeKey, begun_at: u64) {
        self.judge.calm.turns_to(Place::Scope(scope.watched()));
        let forge = self.forge(&scope.forge);
        let failure = refusal(forge.is_down(self.now), forge.refuses(scope));
        let fate = self.fate(scope.scope.as_str(), failure, false);
        if let Fate::Fails(failure) = fate {
            return self.answer_listing(life, begun_at, Event::RunnersNotListed { scope: scope.clone(), failure });
        }
        let forge = self.forge(&scope.forge);
        let mut rows = forge.runners(self.now, &self.policy.deployment, scope);
        let runners = forge.persistent(self.now);
        for row in &mut rows {
            if self.strikes(Fault::StatusLies, row.uuid.as_str()) {
                row.status = match row.status {
                    RunnerStatus::Active => RunnerStatus::Idle,
                    RunnerStatus::Idle => RunnerStatus::Offline,
                    RunnerStatus::Offline | RunnerStatus::Unknown => RunnerStatus::Active,
                };
            }
        }
        let listing = self.listing(rows, &fate, begun_at);
        self.answer_listing(life, begun_at, Event::RunnersListed { scope: scope.clone(), listing });
        if scope.repository().is_none() {
            self.answer_listing(life, begun_at, Event::RunnersInReach { scope: scope.clone(), runners });
        }
    }

    pub(crate) fn read_machines(&mut self, life: u32, backend: &BackendId, begun_at: u64) {
        self.judge.calm.turns_to(Place::Backend(backend.clone()));
        let fate = self.fate(backend.as_str(), refusal(self.is_backend_away(backend), None), false);
        if let Fate::Fails(failure) = fate {
            let event = Event::MachinesNotListed { backend: backend.clone(), failure };
            return self.answer_listing(life, begun_at, event);
        }
        let rows = self.backends.get(backend).map(crate::backends::ModelBackend::rows).unwrap_or_default();
        let listing = self.listing(rows, &fate, begun_at);
        self.answer_listing(life, begun_at, Event::MachinesListed { backend: backend.clone(), listing });
    }

    fn fate(&mut self, of: &str, failure: Option<Failure>, may_lie: bool) -> Fate {
        if let Some(failure) = failure {
            Fate::Fails(failure)
        } else if self.strikes(Fault::ListingFails, of) {
            Fate::Fails(unanswered())
        } else if self.strikes(Fault::ListingCut, of) {
            Fate::Cut
        } else if may_lie && self.strikes(Fault::ListingLies, of) {
            Fate::Lies
        } else {
            Fate::Good
        }
    }

    fn listing<T>(&mut self, mut rows: Vec<T>, fate: &Fate, begun_at: u64) -> Listing<T> {
        if matches!(fate, Fate::Cut | Fate::Lies) {
            let all = self.script.is_on();
            rows.retain(|_| !all && self.dice.listings.chance(500));
        }
        Listing { begun_at: self.tick_of(begun_at), complete: *fate != Fate::Cut, rows }
    }

    /// Never before it counts as begun.
    fn answer_listing(&mut self, life: u32, begun_at: u64, event: Event) {
        let delay = if self.strikes(Fault::ListingLate, "answered after the next") {
            self.dice.fault(Fault::ListingLate).between(3_000, 9_000)
        } else {
            self.dice.listings.between(2, 100)
        };
        let delay = delay + begun_at.saturating_sub(self.now);
        self.after(delay, Happening::Deliver { life, event });
    }
}

/// How a listing is refused, if it is.
fn refusal(is_down: bool, class: Option<ErrorClass>) -> Option<Failure> {
    let refused = |class| Failure { class, acted: Acted::No, concerns: Concerns::All, message: "refused".to_owned() };
    if is_down { Some(unanswered()) } else { class.map(refused) }
}

/// A row of a job that is older than Forgejo 15.
fn older_than_handles() -> JobSeen {
    JobSeen {
        handle: Handle::new(""),
        id: 0,
        repository: 1,
        run: None,
        name: JobName::new("old"),
        runs_on: vec!["debian".to_owned()].into(),
        state: JobState::Waiting,
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn unanswered() -> Failure {
    Failure { class: ErrorClass::Transient, acted: Acted::No, concerns: Concerns::All, message: "no answer".to_owned() }
}
