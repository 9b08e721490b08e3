//! Free slots of the lanes: an action is planned only where one is free, so that none waits in a queue.

use std::collections::BTreeMap;

use crate::action::Lane;
use crate::policy::Policy;
use crate::sabotage::{self, Sabotage};
use crate::state::State;

/// How many more calls may be begun in each lane.
pub(super) struct Budget<'a> {
    policy: &'a Policy,
    used: BTreeMap<Lane, usize>,
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
        Self { policy, used }
    }

    /// Takes a slot, if one is free.
    pub(super) fn take(&mut self, lane: &Lane) -> bool {
        let limit = match lane {
            Lane::BackendLaunch(backend) => {
                self.policy.backends.get(backend).map_or(0, |backend| backend.parallel_creates)
            }
            Lane::ForgeLaunch(_) | Lane::ForgeClean(_) | Lane::ForgeRunner(_) => {
                self.policy.limits.parallel_forge_calls
            }
            Lane::BackendClean(_) => self.policy.limits.parallel_removals,
        };
        let used = self.used.entry(lane.clone()).or_insert(0);
        let free = *used < limit;
        *used += usize::from(free);
        free
    }
}
