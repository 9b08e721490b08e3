//! A modelled backend, like the host backend: machines with one process each, bound when it starts.

use std::collections::{BTreeMap, BTreeSet};

use planner::ids::{BackendId, MachineName};
use planner::seen::{Binding, Exit, JobTags, MachineSeen, MachineState, MachineTags};

use crate::dice::Dice;
use crate::processes::Process;

/// How long after the end of faults a machine that could not be removed can be.
const REMOVABLE_AFTER_MS: u64 = 180_000;

/// So many of a thousand backends can make machines without a job.
const WARM: u64 = 500;

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
    /// Whether it can make machines without a job.
    pub(crate) warm: bool,
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
    /// Whom the daemon has promised it to, where it was made without a job and no runner was started on it yet.
    pub(crate) promised: Option<JobTags>,
    /// Whether a job was ever given to a runner on it.
    pub(crate) has_run: bool,
    /// How often it came back from a job that did not run.
    pub(crate) returns: u32,
    /// When it was asked for, or promised to a job.
    pub(crate) asked_at: u64,
    /// Until when it cannot be removed.
    pub(crate) undeletable_until: u64,
}

impl ModelBackend {
    pub(crate) fn new(removes_stopped: bool, boot: Boot, warm: bool) -> Self {
        let (machines, used) = (BTreeMap::new(), BTreeSet::new());
        Self { machines, used, down_until: 0, full_until: 0, removes_stopped, boot, warm }
    }

    /// One with the ways that a seed gives it.
    pub(crate) fn drawn(seed: u64, id: &BackendId, removes_stopped: bool) -> Self {
        let boots = Dice::of(seed, &format!("boot of {id}")).chance(250);
        let warm = Dice::of(seed, &format!("warm of {id}")).chance(WARM);
        Self::new(removes_stopped, if boots { VIRTUAL_MACHINE } else { CONTAINER }, warm)
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
    /// One that is being made.
    pub(crate) fn asked_for(tags: MachineTags, promised: Option<JobTags>, now: u64) -> Self {
        Self {
            tags,
            binding: None,
            state: MachineState::Creating,
            process: None,
            hidden: false,
            stopping: false,
            promised,
            has_run: false,
            returns: 0,
            asked_at: now,
            undeletable_until: 0,
        }
    }

    /// The job that it was made for, or that is bound to it, or that it is promised to.
    pub(crate) fn serves(&self) -> Option<JobTags> {
        match (&self.binding, &self.promised) {
            (None, Some(promised)) => Some(promised.clone()),
            (binding, _) => self.tags.serving(binding.as_ref()),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, MachineState::Ended { .. })
    }
}
