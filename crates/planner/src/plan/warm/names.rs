//! Names of machines without a job: none is ever used twice.
//!
//! Within a life the ordinal of a name is greater than the number of every call that was made before the plan, and no greater
//! than that of its own. Two lives differ by what the edge says ([`crate::state::Journal::life`]); where it says nothing, the
//! names of what an earlier life has left are passed over.

use crate::identity::warm_machine_name;
use crate::ids::MachineName;
use crate::plan::context::Context;
use crate::policy::PoolPolicy;
use crate::state::State;

/// The names of one plan.
pub(super) struct Names {
    last: u64,
}

impl Names {
    pub(super) fn new(state: &State) -> Self {
        Self { last: state.journal.last_action }
    }

    pub(super) fn next(&mut self, context: &Context<'_>, pool: &PoolPolicy) -> MachineName {
        let journal = &context.state.journal;
        let is_free = |name: &MachineName| {
            let key = (pool.backend.clone(), name.clone());
            let mut assignments = journal.assignments.values();
            !journal.warm.contains_key(&key)
                && !journal.refused.contains_key(&key)
                && !journal.buried.contains_key(&key)
                && !assignments.any(|of| of.backend == pool.backend && of.machine_name == *name)
        };
        // One more than there are names: one of them is free.
        let known = journal.warm.len() + journal.refused.len() + journal.buried.len() + journal.assignments.len();
        for _ in 0..=known {
            self.last = self.last.saturating_add(1);
            let name = warm_machine_name(&context.policy.deployment, &pool.id, journal.life, self.last);
            if is_free(&name) {
                return name;
            }
        }
        warm_machine_name(&context.policy.deployment, &pool.id, journal.life, self.last)
    }
}
