//! Machines without a job: how a world keeps books of them, and what may befall them.
//!
//! ```text
//! made ─► waits ─► promised (bound in the daemon's books) ─► runner started ─► job ran ─► removed
//!           ▲            │ handed back                          │ release
//!           ├────────────┘                                      ▼
//!           └──────────────────────────────────────────── being taken back
//! ```
//!
//! What a daemon has promised dies with it: only what is bound on the machine itself is there for the next life.

mod calls;
mod drawn;
mod hours;

use planner::action::{Action, Leaving};
use planner::event::Decision;
use planner::ids::{AssignmentKey, BackendId, MachineName, PoolId};
use planner::policy::PoolPolicy;
use planner::seen::{Exit, MachineState, MachineTags};
use planner::step::Turn;

pub(crate) use drawn::{draw, imaged};
pub(crate) use hours::Hours;

use crate::backends::Machine;
use crate::fault::Fault;
use crate::happening::Happening;
use crate::kind::Kind;
use crate::world::World;

/// How long a machine stays half-way that was told of a launch which never came: until the daemon lists it next.
const UNLAUNCHED_MS: (u64, u64) = (100, 8_000);

impl Machine {
    /// Whether it was made without a job, and nothing runs on it or will soon.
    pub(crate) fn is_spare(&self) -> bool {
        self.waits() && self.state == MachineState::Ready
    }

    /// Whether it was made without a job, and waits for one or soon will.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.tags, MachineTags::Warm(_)) && self.serves().is_none() && !self.stopping && !self.has_ended()
    }

    /// Whether a machine of a pool, made anew now, would be like it.
    pub(crate) fn is_current(&self, backend: &BackendId, pool: &PoolPolicy) -> bool {
        let MachineTags::Warm(tags) = &self.tags else { return false };
        tags.pool == pool.id
            && pool.backend == *backend
            && tags.made_of == pool.warm.made_of
            && pool.images().any(|image| image == tags.image.as_deref())
    }
}

impl World {
    /// What a turn has decided about machines without a job.
    pub(crate) fn keep_promises(&mut self, turn: &Turn) {
        for decision in &turn.decisions {
            match decision {
                Decision::Bind { backend, machine, tags, .. } => {
                    self.script.called("bind");
                    self.tally.kind(Kind::Bound);
                    let now = self.now;
                    let Some(of) = self.machine(backend, machine) else { continue };
                    of.promised = Some(tags.clone());
                    of.asked_at = now;
                    if of.returns > 0 {
                        self.tally.kind(Kind::BoundAgain);
                    }
                }
                Decision::HandBack { key } => {
                    self.script.called("hand back");
                    self.tally.kind(Kind::HandedBack);
                    self.take_promise(key);
                }
                Decision::Forget { key, .. } | Decision::SetAside { key, .. } => self.take_promise(key),
                Decision::Conclude { .. } | Decision::Reinstate { .. } => {}
            }
        }
    }

    /// An assignment has its machine no more, where no runner was started on it.
    fn take_promise(&mut self, key: &AssignmentKey) {
        let machines = self.backends.values_mut().flat_map(|model| model.machines.values_mut());
        let is_his = |of: &Machine| {
            let mut promised = of.promised.iter();
            promised.any(|job| job.job() == key.job && job.attempt == key.attempt)
        };
        for machine in machines.filter(|of| is_his(of)) {
            machine.promised = None;
            machine.returns += 1;
        }
    }

    /// A daemon has died, and all that it has promised.
    pub(crate) fn forget_promises(&mut self) {
        for machine in self.backends.values_mut().flat_map(|model| model.machines.values_mut()) {
            machine.promised = None;
        }
    }

    /// All machines that wait for a job.
    pub(crate) fn spares(&self) -> impl Iterator<Item = (&BackendId, &MachineName, &Machine)> {
        let all =
            self.backends.iter().flat_map(|(id, model)| model.machines.iter().map(move |(name, of)| (id, name, of)));
        all.filter(|(_, _, machine)| machine.is_spare())
    }

    /// How many machines without a job a pool shall keep now.
    pub(crate) fn wanted_spares(&self, pool: &PoolPolicy) -> u32 {
        let by_the_hour = self.hours.count(&pool.id);
        // One that serves nothing has no image that a machine could be made from.
        if self.policy.draining || pool.labels.is_empty() {
            0
        } else {
            by_the_hour.unwrap_or(pool.warm.count).min(pool.max)
        }
    }

    /// Whether the backend of a pool can make machines without a job.
    pub(crate) fn can_be_warm(&self, pool: &PoolId) -> bool {
        let backend = self.first_policy.pool(pool).and_then(|pool| self.backends.get(&pool.backend));
        backend.is_some_and(|model| model.warm)
    }

    /// Counts why machines without a job go.
    pub(crate) fn count_leaving(&mut self, action: &Action) {
        let Action::DestroyWarm { why, .. } = action else { return };
        match why {
            Leaving::MakesRoom => self.tally.kind(Kind::MadeRoom),
            Leaving::TooOld => self.tally.kind(Kind::Renewed),
            Leaving::Outdated => self.tally.kind(Kind::Outdated),
            Leaving::Surplus => self.tally.kind(Kind::Surplus),
            Leaving::Ended | Leaving::Vanished | Leaving::NeverReady => {}
        }
    }

    /// A machine that waits ends: its engine was restarted, or somebody has killed it.
    pub(crate) fn spare_dies(&mut self, whom: Option<&str>) {
        let all: Vec<(BackendId, MachineName)> =
            self.spares().map(|(backend, name, _)| (backend.clone(), name.clone())).collect();
        let named = |(_, name): &&(BackendId, MachineName)| whom.is_none_or(|whom| name.as_str().contains(whom));
        let all: Vec<(BackendId, MachineName)> = all.iter().filter(named).cloned().collect();
        if all.is_empty() {
            return;
        }
        let (backend, name) = self.dice.fault(Fault::SpareDies).pick(&all).clone();
        self.note_fault(Fault::SpareDies, name.as_str());
        if let Some(machine) = self.machine(&backend, &name) {
            machine.state = MachineState::Ended { exit: Exit::NeverStarted };
        }
    }

    /// A machine is bound to a launch that it never gets.
    pub(crate) fn stays_unlaunched(&mut self, backend: &BackendId, name: &MachineName) {
        let (soonest, latest) = UNLAUNCHED_MS;
        let span = self.dice.fault(Fault::NotLaunched).between(soonest, latest);
        self.after(span, Happening::NeverLaunched { backend: backend.clone(), machine: name.clone() });
    }

    /// A machine is told that no launch comes any more.
    pub(crate) fn never_launched(&mut self, backend: &BackendId, name: &MachineName) {
        let Some(machine) = self.machine(backend, name).filter(|machine| machine.process.is_none()) else { return };
        if machine.state == MachineState::Running {
            machine.state = MachineState::Ended { exit: Exit::NeverStarted };
        }
    }
}
