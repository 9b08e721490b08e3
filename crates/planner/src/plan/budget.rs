//! Free slots of the lanes: an action is planned only where one is free, so that none waits in a queue.
//!
//! Beside its own limit, a lane of a scope shares those of its kind at one forge: each lane has one slot of its own, so that
//! nobody can keep a scope from going on, and beyond that it takes no more of the shared ones than are left.

use std::collections::BTreeMap;

use crate::action::Lane;
use crate::ids::ForgeId;
use crate::policy::Policy;
use crate::sabotage::{self, Sabotage};
use crate::state::State;

/// How many more calls may be begun in each lane.
pub(super) struct Budget<'a> {
    policy: &'a Policy,
    used: BTreeMap<Lane, usize>,
    /// By forge and kind: calls beyond the first of each lane.
    shared: BTreeMap<(ForgeId, Kind), usize>,
}

/// Which lanes of scopes share their slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Launch,
    Clean,
}

impl<'a> Budget<'a> {
    pub(super) fn new(policy: &'a Policy, state: &State) -> Self {
        let mut used = BTreeMap::new();
        for flight in state.journal.in_flight.values() {
            *used.entry(flight.action.lane()).or_insert(0) += 1;
        }
        if sabotage::is(Sabotage::OneLane) {
            let all =
                used.iter().filter(|(lane, _)| matches!(lane, Lane::BackendLaunch(_))).map(|(_, used)| used).sum();
            used.extend(policy.backends.keys().map(|backend| (Lane::BackendLaunch(backend.clone()), all)));
        }
        let mut shared = BTreeMap::new();
        for (lane, used) in &used {
            if let Some(sharing) = sharing(lane) {
                *shared.entry(sharing).or_insert(0) += used - 1;
            }
        }
        Self { policy, used, shared }
    }

    /// Takes a slot, if one is free.
    pub(super) fn take(&mut self, lane: &Lane) -> bool {
        let used = self.used.get(lane).copied().unwrap_or(0);
        let free = used < self.limit(lane) && (used == 0 || self.take_shared(lane, used - 1));
        if free {
            self.used.insert(lane.clone(), used + 1);
        }
        free
    }

    fn limit(&self, lane: &Lane) -> usize {
        match lane {
            Lane::BackendLaunch(backend) => {
                self.policy.backends.get(backend).map_or(0, |backend| backend.parallel_creates)
            }
            Lane::ForgeLaunch(_) | Lane::ForgeClean(_) | Lane::ForgeRunner(_) => {
                self.policy.limits.parallel_forge_calls
            }
            Lane::BackendClean(_) => self.policy.limits.parallel_removals,
        }
    }

    /// Takes a shared slot for a lane that has so many already, if it shares any.
    fn take_shared(&mut self, lane: &Lane, has: usize) -> bool {
        let Some(sharing) = sharing(lane) else { return true };
        let shared = self.shared.entry(sharing).or_insert(0);
        let free = has < self.policy.limits.parallel_calls_per_forge.saturating_sub(*shared);
        *shared += usize::from(free);
        free
    }
}

/// With which others a lane shares its slots.
fn sharing(lane: &Lane) -> Option<(ForgeId, Kind)> {
    match lane {
        Lane::ForgeLaunch(scope) => Some((scope.forge.clone(), Kind::Launch)),
        Lane::ForgeClean(scope) => Some((scope.forge.clone(), Kind::Clean)),
        Lane::ForgeRunner(_) | Lane::BackendLaunch(_) | Lane::BackendClean(_) => None,
    }
}
