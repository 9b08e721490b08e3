//! What can happen, and when: the agenda of a world.

use std::collections::BTreeMap;

use planner::action::Action;
use planner::event::Event;
use planner::ids::{ActionId, BackendId, ForgeId, MachineName, PoolId, ScopeKey};

use crate::fault::Fault;
use crate::judge::Belief;
use crate::script::Act;

/// Something that happens at one moment.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// The daemon begins to list a scope, and will again unless a webhook has made it do so.
    PollScope { life: u32, scope: ScopeKey, again: bool },
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
    /// A runner has been taken back from its machine.
    TakenBack { life: u32, id: ActionId, backend: BackendId, machine: MachineName, answered: Answered },
    /// A machine that was bound is told that no launch comes.
    NeverLaunched { backend: BackendId, machine: MachineName },
    /// By the schedule of a pool another hour begins.
    Hour { pool: PoolId, count: u32 },
    /// The daemon begins again.
    Born,
    /// A daemon that was told to end has waited long enough for its jobs.
    Stopped { life: u32 },
    /// A fault that comes by itself.
    Befalls { fault: Fault },
    /// A forge that was down starts up.
    ForgeUp { forge: ForgeId },
    /// The token of a scope is whole again.
    TokenWhole { scope: ScopeKey, replaced: bool },
    /// The configuration is what it was at first.
    Restored { change: u64 },
    /// A webhook comes in.
    Hook { forge: ForgeId },
    /// Somebody does something at a forge.
    Person,
    /// The script of a scenario goes on.
    Act { act: Act },
    /// A rival's job ends.
    RivalEnds { forge: ForgeId, uuid: String, token: String, task: i64 },
    /// A hidden machine is listed again.
    Shown { backend: BackendId, machine: MachineName },
    /// A runner process does its next thing.
    Process { backend: BackendId, machine: MachineName, process: u64, step: Step },
    /// A fetch arrives at the forge, whether its sender still lives or not.
    Fetch { backend: BackendId, machine: MachineName, fetch: Fetch },
    /// Faults end.
    Quiet,
}

/// A fetch on its way.
#[derive(Debug, Clone)]
pub(crate) struct Fetch {
    pub(crate) process: u64,
    pub(crate) forge: ForgeId,
    pub(crate) uuid: String,
    pub(crate) token: String,
    pub(crate) handle: String,
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
    /// Is gone with its machine, which is listed as ended: nobody knows how.
    Fail,
    /// Is dead, and its machine does not notice.
    DieSilently,
    /// Is started anew by its machine.
    Reboot,
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
