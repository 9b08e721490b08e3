//! What can happen, and when: the agenda of a world.

use std::collections::BTreeMap;

use planner::action::Action;
use planner::event::Event;
use planner::ids::{ActionId, BackendId, MachineName, ScopeKey};

use crate::judge::Belief;

/// Something that happens at one moment.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// The daemon begins to list a scope.
    PollScope { life: u32, scope: ScopeKey },
    /// The forge reads its jobs for a listing.
    ReadJobs { life: u32, scope: ScopeKey, begun_at: u64 },
    /// The forge reads its runners for a listing.
    ReadRunners { life: u32, scope: ScopeKey, begun_at: u64 },
    /// The daemon begins to list a backend.
    PollBackend { life: u32, backend: BackendId },
    /// The backend reads its machines for a listing.
    ReadMachines { life: u32, backend: BackendId, begun_at: u64 },
    /// The daemon looks at its clock.
    Wake { life: u32 },
    /// Something becomes known to the daemon.
    Deliver { life: u32, event: Event },
    /// A call arrives where it acts.
    Arrive { life: u32, id: ActionId, action: Action, belief: Belief, answered: Answered },
    /// A machine has been made.
    Made { life: u32, id: ActionId, backend: BackendId, machine: MachineName, answered: Answered },
    /// The daemon is killed.
    Kill,
    /// The daemon begins again.
    Born,
    /// The forge goes away for a while.
    ForgeDown,
    /// A backend goes away for a while.
    BackendDown { backend: BackendId },
    /// Somebody does something at the forge.
    Person,
    /// The rival's runner asks for a job.
    RivalAsks,
    /// The rival's job ends.
    RivalEnds { task: i64 },
    /// Somebody deletes one of our registrations, or a machine disappears.
    Mischief,
    /// A hidden machine is listed again.
    Shown { backend: BackendId, machine: MachineName },
    /// A runner process does its next thing.
    Process { backend: BackendId, machine: MachineName, process: u64, step: Step },
    /// A fetch arrives at the forge, whether its sender still lives or not.
    Fetch { backend: BackendId, machine: MachineName, process: u64, uuid: String, token: String, handle: String },
    /// Faults end.
    Quiet,
}

/// Whether the answer of a call reaches the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Yes.
    Yes,
    /// Never.
    Never,
}

/// What a runner process does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Declares its labels.
    Declare,
    /// Sends a fetch.
    Fetch,
    /// Reports that it works.
    Beat,
    /// Reports the result of its job.
    Finish,
    /// Exits.
    Exit { code: i32 },
    /// Is killed by the world.
    Die,
    /// Is asked to stop.
    Term,
    /// Is killed since it did not stop.
    Kill,
}

/// Happenings in the order of their time; those of one moment in the order in which they were entered.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    due: BTreeMap<(u64, u64), Happening>,
    entered: u64,
}

impl Agenda {
    pub(crate) fn enter(&mut self, at: u64, happening: Happening) {
        self.entered += 1;
        self.due.insert((at, self.entered), happening);
    }

    pub(crate) fn next(&mut self) -> Option<(u64, Happening)> {
        self.due.pop_first().map(|((at, _), happening)| (at, happening))
    }
}
