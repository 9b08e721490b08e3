//! Listings: begun by the daemon, read by forge and backends a little later, answered, late, lost, cut or wrong.

use std::collections::BTreeSet;

use planner::error_class::{Acted, ErrorClass, Failure};
use planner::event::Event;
use planner::ids::{BackendId, ScopeKey};
use planner::seen::{JobState, Listing};

use crate::daemon::IDLE_RUNNERS_MS;
use crate::happening::Happening;
use crate::world::{World, note};

/// How a listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Fails,
    /// Lacks rows and says so.
    Cut,
    /// Lacks rows and claims to be complete. Never twice in a row for one scope.
    Lies,
}

impl World {
    pub(crate) fn poll_scope(&mut self, life: u32, scope: &ScopeKey) {
        if !self.is_this_life(life) {
            return;
        }
        let begun_at = self.now;
        let delay = self.dice.listings.between(2, 100);
        self.after(delay, Happening::ReadJobs { life, scope: scope.clone(), begun_at });
        for place in self.places_due(scope) {
            self.daemon.runners_asked.insert(place.clone(), self.now);
            let delay = self.dice.listings.between(2, 100);
            self.after(delay, Happening::ReadRunners { life, scope: place, begun_at });
        }
        let interval = self.policy.scopes.get(scope).map_or(3_000, |scope| millis(scope.interval));
        let jitter = self.dice.listings.between(0, 500);
        self.after(interval + jitter, Happening::PollScope { life, scope: scope.clone() });
    }

    /// Whose runners are listed with a poll of a scope: its own, and those of repositories within it, as far as they are
    /// wanted or were not listed for long. (A round through all repositories is one look at each.)
    fn places_due(&self, scope: &ScopeKey) -> Vec<ScopeKey> {
        let wanted = self.daemon.state.wanted_repositories(&self.policy);
        let at_repository = self.policy.scopes.get(scope).is_some_and(|policy| policy.at_repository);
        let all = self
            .forge
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
        let begun_at = self.now;
        let delay = self.dice.listings.between(2, 100);
        self.after(delay, Happening::ReadMachines { life, backend: backend.clone(), begun_at });
        let interval = self.policy.backends.get(backend).map_or(3_000, |backend| millis(backend.interval));
        let jitter = self.dice.listings.between(0, 500);
        self.after(interval + jitter, Happening::PollBackend { life, backend: backend.clone() });
    }

    pub(crate) fn read_jobs(&mut self, life: u32, scope: &ScopeKey, begun_at: u64) {
        let down = self.forge.is_down(self.now);
        let may_lie = self.judge.last_lie.get(scope).is_none_or(|lie| self.now > lie + 20_000);
        let fate = self.fate(down, may_lie);
        if fate == Fate::Fails {
            let event = Event::JobsNotListed { scope: scope.clone(), failure: unanswered() };
            return self.answer_listing(life, event);
        }
        let mut rows = self.forge.jobs(scope);
        for row in &mut rows {
            if self.dice.listings.chance(self.calm(self.weather.row_unreadable)) {
                row.state = JobState::Unknown;
            }
        }
        if fate == Fate::Lies {
            note!(self, "a listing of {scope} lies");
            self.judge.last_lie.insert(scope.clone(), self.now);
        }
        let listing = self.listing(rows, fate, begun_at);
        self.answer_listing(life, Event::JobsListed { scope: scope.clone(), listing });
    }

    pub(crate) fn read_runners(&mut self, life: u32, scope: &ScopeKey, begun_at: u64) {
        let fate = self.fate(self.forge.is_down(self.now), false);
        if fate == Fate::Fails {
            let event = Event::RunnersNotListed { scope: scope.clone(), failure: unanswered() };
            return self.answer_listing(life, event);
        }
        let rows = self.forge.runners(self.now, &self.policy.deployment, scope);
        let listing = self.listing(rows, fate, begun_at);
        self.answer_listing(life, Event::RunnersListed { scope: scope.clone(), listing });
    }

    pub(crate) fn read_machines(&mut self, life: u32, backend: &BackendId, begun_at: u64) {
        let down = self.backends.get(backend).is_none_or(|model| self.now < model.down_until);
        let fate = self.fate(down, false);
        if fate == Fate::Fails {
            let event = Event::MachinesNotListed { backend: backend.clone(), failure: unanswered() };
            return self.answer_listing(life, event);
        }
        let rows = self.backends.get(backend).map(crate::backends::ModelBackend::rows).unwrap_or_default();
        let listing = self.listing(rows, fate, begun_at);
        self.answer_listing(life, Event::MachinesListed { backend: backend.clone(), listing });
    }

    fn fate(&mut self, down: bool, may_lie: bool) -> Fate {
        let (fails, cut, lies) =
            (self.weather.listing_fails, self.weather.listing_incomplete, self.weather.listing_lies);
        let dice = &mut self.dice.listings;
        let (fails, cut, lies) = (dice.chance(fails), dice.chance(cut), dice.chance(lies));
        match self.quiet_since {
            None if down || fails => Fate::Fails,
            None if cut => Fate::Cut,
            None if lies && may_lie => Fate::Lies,
            _ => Fate::Good,
        }
    }

    fn listing<T>(&mut self, mut rows: Vec<T>, fate: Fate, begun_at: u64) -> Listing<T> {
        if matches!(fate, Fate::Cut | Fate::Lies) {
            rows.retain(|_| self.dice.listings.chance(500));
        }
        Listing { begun_at: self.tick_of(begun_at), complete: fate != Fate::Cut, rows }
    }

    fn answer_listing(&mut self, life: u32, event: Event) {
        let late = self.dice.listings.chance(self.calm(self.weather.listing_late));
        let delay = if late { self.dice.listings.between(3_000, 9_000) } else { self.dice.listings.between(2, 100) };
        self.after(delay, Happening::Deliver { life, event });
    }

    /// A rate of faults, which is zero once all is quiet.
    pub(crate) fn calm(&self, rate: u64) -> u64 {
        if self.is_quiet() { 0 } else { rate }
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn unanswered() -> Failure {
    Failure { class: ErrorClass::Transient, acted: Acted::No, message: "no answer".to_owned() }
}
