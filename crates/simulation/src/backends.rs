//! A modelled backend, like the host backend: machines with one process each, bound when it starts.

use std::collections::{BTreeMap, BTreeSet};

use planner::ids::{BackendId, MachineName};
use planner::seen::{Binding, Exit, JobTags, MachineSeen, MachineState, MachineTags};

use crate::dice::Dice;
use crate::processes::Process;

/// How long after the end of faults a machine that could not be removed can be.
const REMOVABLE_AFTER_MS: u64 = 180_000;

/// One backend.
#[derive(Debug)]
pub(crate) struct ModelBackend {
    pub(crate) machines: BTreeMap<MachineName, Machine>,
    /// Every name that was ever made: none is made twice (design section 4).
    pub(crate) used: BTreeSet<MachineName>,
    /// Until when it answers nobody.
    pub(crate) down_until: u64,
    /// Until when it has no room.
    pub(crate) full_until: u64,
    /// Whether a stopped machine is removed by itself, or is listed as ended until it is destroyed once more.
    pub(crate) removes_stopped: bool,
    /// How long a machine takes to be made, at the least and at the most.
    pub(crate) boot: Boot,
}

/// A span from the first to the second, in milliseconds.
pub(crate) type Boot = (u64, u64);

/// Containers and processes are there at once.
pub(crate) const CONTAINER: Boot = (20, 1_000);
/// Virtual machines boot, within the deadline of a create and the shortest boot clock.
pub(crate) const VIRTUAL_MACHINE: Boot = (3_000, 20_000);

/// One machine of ours.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) tags: MachineTags,
    pub(crate) binding: Option<Binding>,
    pub(crate) state: MachineState,
    pub(crate) process: Option<Process>,
    /// Whether listings leave it out although it is there.
    pub(crate) hidden: bool,
    /// Whether it was told to go.
    pub(crate) stopping: bool,
    /// When it was asked for.
    pub(crate) asked_at: u64,
    /// Until when it cannot be removed.
    pub(crate) undeletable_until: u64,
}

impl ModelBackend {
    pub(crate) fn new(removes_stopped: bool, boot: Boot) -> Self {
        Self { machines: BTreeMap::new(), used: BTreeSet::new(), down_until: 0, full_until: 0, removes_stopped, boot }
    }

    /// One with the ways that a seed gives it.
    pub(crate) fn drawn(seed: u64, id: &BackendId, removes_stopped: bool) -> Self {
        let boots = Dice::of(seed, &format!("boot of {id}")).chance(250);
        Self::new(removes_stopped, if boots { VIRTUAL_MACHINE } else { CONTAINER })
    }

    /// Faults end. Returns the machines that shall be listed again.
    pub(crate) fn calm(&mut self, id: &BackendId, now: u64) -> Vec<(BackendId, MachineName)> {
        self.down_until = 0;
        self.full_until = 0;
        for machine in self.machines.values_mut() {
            machine.undeletable_until = machine.undeletable_until.min(now + REMOVABLE_AFTER_MS);
        }
        let hidden = self.machines.iter().filter(|(_, machine)| machine.hidden);
        hidden.map(|(name, _)| (id.clone(), name.clone())).collect()
    }

    /// The rows of a listing.
    pub(crate) fn rows(&self) -> Vec<MachineSeen> {
        self.machines
            .iter()
            .filter(|(_, machine)| !machine.hidden)
            .map(|(name, machine)| MachineSeen {
                name: name.clone(),
                tags: machine.tags.clone(),
                binding: machine.binding.clone(),
                state: machine.state,
            })
            .collect()
    }

    /// The process has ended.
    pub(crate) fn ended(&mut self, name: &MachineName, exit: Exit) {
        let Some(machine) = self.machines.get_mut(name) else { return };
        machine.process = None;
        machine.state = MachineState::Ended { exit };
        if machine.stopping && self.removes_stopped {
            self.machines.remove(name);
        }
    }
}

impl Machine {
    /// The job that it was made for, or that is bound to it.
    pub(crate) fn serves(&self) -> Option<JobTags> {
        let pool = match &self.tags {
            MachineTags::Job(tags) => return Some(tags.clone()),
            MachineTags::Warm(tags) => tags.pool.clone(),
        };
        let Binding { handle, attempt, at, .. } = self.binding.clone()?;
        let at = at?;
        Some(JobTags { pool, scope: at.scope, handle, attempt, scope_id: at.scope_id })
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, MachineState::Ended { .. })
    }
}
