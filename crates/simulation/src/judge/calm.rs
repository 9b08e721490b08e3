//! Calm: since when nothing has disturbed what a bound is about.
//!
//! A bound holds while forge and backend are within reach and the daemon lives. A fault that struck a call or a listing of a
//! scope or a backend disturbs that one, an outage for as long as it lasts, and what strikes the daemon disturbs all.

use std::collections::BTreeMap;

use planner::action::{Action, Lane};
use planner::ids::{BackendId, ForgeId, ScopeKey};

use crate::fault::Fault;
use crate::world::World;

/// After how long a call for the id of a scope is answered that was lost at first: its deadline, and the longest back-off.
const DOUBT_MS: u64 = 15_000 + super::held_back::REST_MS;

/// What a call or a listing goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A forge, whichever scope of it.
    Forge(ForgeId),
    /// A scope of a forge.
    Scope(ScopeKey),
    /// A backend.
    Backend(BackendId),
}

/// When what was last disturbed.
#[derive(Debug, Default)]
pub(crate) struct Calm {
    /// What the call or listing under way goes to.
    at: Option<Place>,
    all: u64,
    places: BTreeMap<Place, u64>,
    /// Whether a call was ever slow.
    pub(super) slow: bool,
    /// Whether a scope ever meant another one.
    pub(super) swapped: bool,
}

impl Calm {
    /// The next faults strike a call or a listing of this place.
    pub(crate) fn turns_to(&mut self, place: Place) {
        self.at = Some(place);
    }

    /// What an action goes to.
    pub(crate) fn turns_to_lane(&mut self, action: &Action) {
        self.at = Some(match action.lane() {
            Lane::ForgeLaunch(scope) | Lane::ForgeClean(scope) => Place::Scope(scope),
            Lane::ForgeRunner(forge) => Place::Forge(forge),
            Lane::BackendLaunch(backend) | Lane::BackendClean(backend) => Place::Backend(backend),
        });
    }

    /// All is disturbed until then.
    pub(crate) fn ends(&mut self, until: u64) {
        self.all = self.all.max(until);
    }

    fn ends_at(&mut self, place: Place, until: u64) {
        let last = self.places.entry(place).or_default();
        *last = until.max(*last);
    }

    /// The call under way keeps its slot in its lane until then: its answer is lost, and there may be no other slot.
    pub(crate) fn takes_a_slot(&mut self, until: u64) {
        if let Some(place) = self.at.clone() {
            self.ends_at(place, until);
        }
    }

    /// A fault has struck.
    fn struck(&mut self, fault: Fault, now: u64) {
        self.slow |= fault == Fault::Slow;
        self.swapped |= fault == Fault::ScopeSwapped;
        match (of(fault), self.at.clone()) {
            (Disturbs::Nothing, _) => {}
            (Disturbs::Place, Some(place)) => self.ends_at(place, now),
            (Disturbs::Place, None) | (Disturbs::All, _) => self.ends(now),
        }
    }

    /// A call for the id of a scope was lost or refused: until one is answered, its lists prove no absence.
    pub(super) fn is_in_doubt(&mut self, scope: &ScopeKey, now: u64) {
        self.ends_at(Place::Scope(scope.clone()), now + DOUBT_MS);
    }

    fn since_of(&self, place: &Place) -> u64 {
        self.places.get(place).copied().unwrap_or(0)
    }

    /// Since when a scope and its forge are left in peace.
    pub(super) fn of_scope(&self, scope: &ScopeKey) -> u64 {
        let forge = self.since_of(&Place::Forge(scope.forge.clone()));
        self.all.max(forge).max(self.since_of(&Place::Scope(scope.watched())))
    }

    /// Since when a backend is left in peace.
    pub(super) fn of_backend(&self, backend: &BackendId) -> u64 {
        self.all.max(self.since_of(&Place::Backend(backend.clone())))
    }

    /// Since when all is left in peace.
    pub(super) fn of_all(&self) -> u64 {
        self.places.values().copied().fold(self.all, u64::max)
    }
}

/// What a fault disturbs when it strikes.
enum Disturbs {
    Nothing,
    Place,
    All,
}

/// Outages are looked at while they last ([`World::look_for_calm`]); what befalls a runner while its job runs, and what
/// others do, is what bounds are for.
fn of(fault: Fault) -> Disturbs {
    match fault {
        Fault::ForgeAway
        | Fault::ForgeDown
        | Fault::BackendAway
        | Fault::BackendFull
        | Fault::ImageBroken
        | Fault::TokenRotated
        | Fault::TokenStripped
        | Fault::ScopeSwapped
        | Fault::RowWithoutHandle
        | Fault::StatusLies
        | Fault::DiesMidJob
        | Fault::MachineFails
        | Fault::DiesSilently
        | Fault::BootsTwice
        | Fault::HangsAfter
        | Fault::Endless
        | Fault::LosesEnd
        | Fault::FetchLost
        | Fault::HookDropped
        | Fault::HookTwice
        | Fault::HookLate
        | Fault::HookForged
        | Fault::SecondDaemon
        | Fault::Rival
        | Fault::RivalAutoscaler => Disturbs::Nothing,
        Fault::LostBefore
        | Fault::LostAfter
        | Fault::Duplicated
        | Fault::Slow
        | Fault::Unauthorised
        | Fault::Forbidden
        | Fault::Missing
        | Fault::TooMany
        | Fault::ServerError
        | Fault::Capacity
        | Fault::Quota
        | Fault::Permanent
        | Fault::ImageMissing
        | Fault::Stumbles
        | Fault::ListingFails
        | Fault::ListingCut
        | Fault::ListingLies
        | Fault::ListingLate
        | Fault::ListingStale
        | Fault::RowUnreadable
        | Fault::NeverMade
        | Fault::MadeLate
        | Fault::MakerDied
        | Fault::NeverContacts
        | Fault::ContactsLate
        | Fault::DiesEarly
        | Fault::OddExit
        | Fault::Undeletable => Disturbs::Place,
        _ => Disturbs::All,
    }
}

impl World {
    /// A fault has struck: what does it disturb?
    pub(crate) fn judge_fault(&mut self, fault: Fault) {
        self.judge.calm.struck(fault, self.now);
        self.look_for_calm();
    }

    /// Notes what is out of reach now.
    pub(crate) fn look_for_calm(&mut self) {
        let now = self.now;
        let calm = &mut self.judge.calm;
        calm.ends(self.daemon.paused_until.max(self.host_pause.1));
        if !self.daemon.alive
            || self.policy.draining
            || !std::rc::Rc::ptr_eq(&self.policy, &self.first_policy) && self.policy.pools != self.first_policy.pools
        {
            calm.ends(now);
        }
        for (id, forge) in &self.forges {
            if forge.is_down(now) {
                calm.ends_at(Place::Forge(id.clone()), forge.down_until);
            }
            let swapped = forge.swapped.iter().chain(&forge.strange_tokens).chain(forge.refused.keys());
            swapped.for_each(|scope| calm.ends_at(Place::Scope(scope.watched()), now));
        }
        for (id, model) in &self.backends {
            let until = model.down_until.max(model.full_until);
            if until > now {
                calm.ends_at(Place::Backend(id.clone()), until);
            }
        }
        for pool in &self.first_policy.pools {
            if let Some(until) = self.broken_images.get(&pool.id).filter(|until| **until > now) {
                calm.ends_at(Place::Backend(pool.backend.clone()), *until);
            }
        }
    }
}
