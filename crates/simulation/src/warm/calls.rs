//! Taking a runner back from a machine that was made without a job, as backends do it: marked first, then what runs on it is
//! killed, then it waits again. Whoever lists next goes on where somebody has left off.

use planner::action::Action;
use planner::error_class::{Acted, ErrorClass};
use planner::event::Answer;
use planner::ids::{ActionId, BackendId, MachineName};
use planner::seen::{MachineState, MachineTags};

use crate::fault::Fault;
use crate::forge::failed;
use crate::happening::{Answered, Happening};
use crate::judge::Belief;
use crate::world::World;

/// How long it takes to take a runner back, at the least and at the most.
const TAKEN_BACK_MS: (u64, u64) = (50, 1_500);
/// The same where machines are free at once.
const TAKEN_BACK_AT_ONCE_MS: u64 = 20;
/// And where whoever did it has left off: the next list finds it.
const LEFT_MS: (u64, u64) = (500, 15_000);

/// What a release finds.
enum Found {
    /// A machine that waits already.
    Waiting,
    /// One that is just being taken back.
    UnderWay,
    /// One with a runner.
    Bound,
    /// None, or one that cannot be taken back.
    Nothing(ErrorClass, &'static str),
}

impl World {
    /// A release arrives.
    pub(crate) fn release(&mut self, life: u32, id: ActionId, action: &Action, belief: &Belief, answered: Answered) {
        let Action::Release { backend, machine: name, .. } = action else { return };
        match self.find(backend, name) {
            Found::Waiting => return self.return_answer(life, id, Answer::Released, answered),
            Found::UnderWay => {}
            Found::Nothing(class, what) => {
                return self.return_answer(life, id, failed(class, Acted::No, what), answered);
            }
            Found::Bound => {
                self.judge_released(backend, name);
                if let Some(process) = self.machine(backend, name).and_then(|machine| machine.process.as_mut()) {
                    process.stop.get_or_insert_with(|| belief.clone());
                }
                self.judge_stopped(backend, name);
                if let Some(machine) = self.machine(backend, name) {
                    machine.process = None;
                    machine.state = MachineState::Stopping;
                }
            }
        }
        let (backend, machine) = (backend.clone(), name.clone());
        if self.strikes(Fault::LeftHalfWay, "release") {
            let (soonest, latest) = LEFT_MS;
            let span = self.dice.fault(Fault::LeftHalfWay).between(soonest, latest);
            self.after(span, Happening::TakenBack { life, id, backend, machine, answered: Answered::Never });
            let answer = failed(ErrorClass::Transient, Acted::Maybe, "left half-way");
            return self.return_answer(life, id, answer, answered);
        }
        let (soonest, latest) = TAKEN_BACK_MS;
        let is_quick = self.script.is_quick();
        let span = if is_quick { TAKEN_BACK_AT_ONCE_MS } else { self.dice.warm.between(soonest, latest) };
        self.after(span, Happening::TakenBack { life, id, backend, machine, answered });
    }

    fn find(&self, backend: &BackendId, name: &MachineName) -> Found {
        let Some(machine) = self.machine_at(backend, name) else {
            return Found::Nothing(ErrorClass::NotFound, "no such machine");
        };
        let is_warm = matches!(machine.tags, MachineTags::Warm(_));
        match machine.state {
            _ if !is_warm || machine.stopping => Found::Nothing(ErrorClass::Permanent, "it cannot be taken back"),
            MachineState::Ready if machine.binding.is_none() => Found::Waiting,
            MachineState::Running if machine.binding.is_some() => Found::Bound,
            MachineState::Stopping => Found::UnderWay,
            MachineState::Creating
            | MachineState::Ready
            | MachineState::Running
            | MachineState::Orphaned
            | MachineState::Ended { .. } => Found::Nothing(ErrorClass::Permanent, "nothing runs on it"),
        }
    }

    /// A runner has been taken back.
    pub(crate) fn taken_back(
        &mut self,
        life: u32,
        id: ActionId,
        backend: &BackendId,
        name: &MachineName,
        answered: Answered,
    ) {
        let Some(machine) = self.machine(backend, name) else {
            let answer = failed(ErrorClass::NotFound, Acted::Maybe, "it was removed meanwhile");
            return self.return_answer(life, id, answer, answered);
        };
        if machine.state == MachineState::Stopping && !machine.stopping {
            machine.binding = None;
            machine.promised = None;
            machine.state = MachineState::Ready;
            machine.returns += 1;
            self.tally.kind(crate::kind::Kind::Released);
        }
        self.return_answer(life, id, Answer::Released, answered);
    }
}
