//! Changes of the configuration while all goes on: a pool is removed, gets a max of 0, other labels or images, or keeps
//! another count of machines without a job, for a while.

use std::rc::Rc;

use planner::change::retired;
use planner::event::Event;
use planner::ids::PoolId;
use planner::policy::Policy;

use crate::fault::Fault;
use crate::happening::Happening;
use crate::setting::parsed;
use crate::warm::imaged;
use crate::world::{World, note};

impl World {
    /// One change; it replaces the one before.
    pub(crate) fn change_policy(&mut self, fault: Fault, whom: Option<&str>, span: Option<u64>) {
        let pools: Vec<PoolId> = self.first_policy.pools.iter().map(|pool| pool.id.clone()).collect();
        let dice = self.dice.fault(fault);
        let (drawn, picked) = (dice.between(5_000, 120_000), dice.pick(&pools).clone());
        let whom = whom.map_or(picked, PoolId::new);
        let mut policy = (*self.first_policy).clone();
        policy.draining = self.policy.draining;
        match fault {
            Fault::PoolRemoved => policy.pools.retain(|pool| pool.id != whom),
            Fault::MaxZero => {
                policy.pools.iter_mut().filter(|pool| pool.id == whom).for_each(|pool| pool.max = 0);
            }
            Fault::WarmChanged | Fault::MadeAnew if !self.can_be_warm(&whom) => return,
            Fault::WarmChanged => {
                let count = u32::try_from(self.dice.fault(fault).between(0, 4)).unwrap_or(0);
                policy.pools.iter_mut().filter(|pool| pool.id == whom).for_each(|pool| pool.warm.count = count);
            }
            Fault::MadeAnew => {
                for pool in policy.pools.iter_mut().filter(|pool| pool.id == whom) {
                    "made anew".clone_into(&mut pool.warm.made_of);
                    pool.labels = imaged(&pool.labels, "newer");
                }
            }
            _ => {
                let others = parsed(&["tools", "arm"]);
                policy.pools.iter_mut().filter(|pool| pool.id == whom).for_each(|pool| pool.labels.clone_from(&others));
            }
        }
        self.note_fault(fault, whom.as_str());
        self.changes += 1;
        self.replace_policy(policy);
        let change = self.changes;
        self.after(span.unwrap_or(drawn), Happening::Restored { change });
    }

    /// The configuration is again what it was at first, unless it was changed once more meanwhile. Nothing is reloaded where
    /// nothing was changed: a reload lets nothing rest, and what rests for too long would never be seen.
    pub(crate) fn restore_policy(&mut self, change: u64) {
        if change == self.changes && self.policy.pools != self.first_policy.pools {
            self.look_for_calm();
            note!(self, "the first configuration again");
            let draining = self.policy.draining;
            self.replace_policy(Policy { draining, ..(*self.first_policy).clone() });
        }
    }

    /// What the daemon does with another policy. One that is not there reads it when it starts.
    fn replace_policy(&mut self, mut policy: Policy) {
        if self.daemon.alive {
            policy.retired = retired(&self.daemon.state, &self.policy, &policy);
        }
        self.policy = Rc::new(policy);
        self.deliver(self.daemon.life, &Event::PolicyReplaced);
        self.tell_hours();
    }
}
