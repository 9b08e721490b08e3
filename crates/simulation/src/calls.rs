//! Calls: what becomes of an action on its way, where it acts, and on the way back.

use std::time::Duration;

use planner::action::{Action, Lane};
use planner::error_class::{Acted, ErrorClass};
use planner::event::{Answer, Event};
use planner::ids::{ActionId, BackendId, MachineName, RunnerUuid};
use planner::seen::{Binding, Exit, MachineState};

use crate::backends::Machine;
use crate::forge::failed;
use crate::happening::{Answered, Happening, Step};
use crate::judge::Belief;
use crate::world::{World, note};

impl World {
    /// Hands an action to its lane.
    pub(crate) fn begin(&mut self, id: ActionId, action: Action) {
        note!(self, "  call {} {action:?}", id.0);
        let belief = self.belief(&action);
        let life = self.daemon.life;
        let slow = self.dice.calls.chance(self.calm(self.weather.slow));
        let there = if slow { self.dice.calls.between(300, 3_000) } else { self.dice.calls.between(2, 80) };
        let rates =
            (self.calm(self.weather.lost_before), self.calm(self.weather.lost_after), self.calm(self.weather.refused));
        if self.dice.calls.chance(rates.0) {
            note!(self, "    lost before it acts");
            return self.lost_answer(id);
        }
        if self.dice.calls.chance(rates.2) {
            let answer = self.refusal(&action);
            return self.after(there, Happening::Deliver { life, event: Event::Answered { id, answer } });
        }
        let answered = if self.dice.calls.chance(rates.1) { Answered::Never } else { Answered::Yes };
        if answered == Answered::Never {
            note!(self, "    acts, and its answer is lost");
            self.lost_answer(id);
        }
        self.after(there, Happening::Arrive { life, id, action, belief, answered });
    }

    /// The daemon learns that the connection broke, or nothing at all.
    fn lost_answer(&mut self, id: ActionId) {
        let told = self.dice.calls.chance(600);
        let delay = self.dice.calls.between(5, 4_000);
        if told {
            let answer = failed(ErrorClass::Transient, Acted::Maybe, "the connection broke");
            let life = self.daemon.life;
            self.after(delay, Happening::Deliver { life, event: Event::Answered { id, answer } });
        }
    }

    fn refusal(&mut self, action: &Action) -> Answer {
        let at_backend = matches!(action.lane(), Lane::BackendLaunch(_) | Lane::BackendClean(_));
        let retry_after = Some(std::time::Duration::from_millis(self.dice.calls.between(1_000, 20_000)));
        let classes: &[ErrorClass] = if at_backend {
            &[
                ErrorClass::Transient,
                ErrorClass::Capacity,
                ErrorClass::Quota,
                ErrorClass::Permanent,
                ErrorClass::NotFound,
            ]
        } else {
            &[
                ErrorClass::Transient,
                ErrorClass::Transient,
                ErrorClass::Auth,
                ErrorClass::Forbidden,
                ErrorClass::Permanent,
            ]
        };
        let class = if self.dice.calls.chance(100) {
            ErrorClass::RateLimited { retry_after }
        } else {
            *self.dice.calls.pick(classes)
        };
        failed(class, Acted::No, "refused")
    }

    /// An action arrives where it acts.
    pub(crate) fn arrive(&mut self, life: u32, id: ActionId, action: Action, belief: &Belief, answered: Answered) {
        let at_forge = matches!(action.lane(), Lane::ForgeLaunch(_) | Lane::ForgeClean(_));
        if at_forge && self.forge.is_down(self.now) {
            return self.return_answer(
                life,
                id,
                failed(ErrorClass::Transient, Acted::No, "the forge is away"),
                answered,
            );
        }
        if let Action::Create { backend, .. } | Action::Start { backend, .. } | Action::Destroy { backend, .. } =
            &action
            && self.backends.get(backend).is_none_or(|model| self.now < model.down_until)
        {
            return self.return_answer(
                life,
                id,
                failed(ErrorClass::Transient, Acted::No, "the backend is away"),
                answered,
            );
        }
        note!(self, "    arrives {} {}", id.0, action.word());
        let answer = match action {
            Action::Create { .. } => return self.create(life, id, action, answered),
            Action::Start { key, backend, machine, pool, runner } => {
                self.start(&key, &backend, &machine, &pool, &runner)
            }
            Action::Destroy { backend, machine, stop, .. } => self.destroy(&backend, &machine, stop, belief),
            Action::ReadLog { .. } => Answer::Log { lines: vec!["last words".to_owned()] },
            Action::Register { scope, machine, identity, .. } => {
                let name = identity.runner_name(&machine);
                let description = identity.description(&self.policy.deployment);
                match self.forge.register(self.now, &scope, &name, &description) {
                    Some((row, uuid, token)) => {
                        if answered == Answered::Yes && self.is_this_life(life) {
                            self.daemon.credentials.insert(uuid.clone(), token);
                        }
                        Answer::Registered { id: row, uuid }
                    }
                    None => failed(ErrorClass::NotFound, Acted::No, "no such scope"),
                }
            }
            Action::LookUpRunner { scope, id, .. } => self.forge.look_up(self.now, &scope, id),
            Action::DeleteRunner { scope, id, .. } | Action::Sweep { scope, id } => {
                self.judge_delete(id, belief);
                self.forge.delete(self.now, &scope, id)
            }
            Action::CheckScope { scope } => self.forge.scope_id(&scope),
            Action::Fence { runner, .. } => {
                self.with_token(&runner, |world, token| world.forge.fence(world.now, &runner, token))
            }
            Action::AskWhose { runner, task, .. } => {
                self.with_token(&runner, |world, token| world.forge.ask_whose(world.now, &runner, token, task))
            }
            Action::EndEarly { runner, task, reason, .. } => {
                self.judge_early_end(&runner);
                self.with_token(&runner, |world, token| world.forge.end_early(world.now, &runner, token, task, &reason))
            }
        };
        self.return_answer(life, id, answer, answered);
    }

    fn with_token(&mut self, runner: &RunnerUuid, call: impl FnOnce(&mut Self, &str) -> Answer) -> Answer {
        match self.daemon.credentials.get(runner).cloned() {
            Some(token) => call(self, &token),
            None => failed(ErrorClass::Permanent, Acted::No, "the runner's token is not at hand"),
        }
    }

    fn return_answer(&mut self, life: u32, id: ActionId, answer: Answer, answered: Answered) {
        if answered == Answered::Yes {
            let back = self.dice.calls.between(1, 50);
            self.after(back, Happening::Deliver { life, event: Event::Answered { id, answer } });
        }
    }

    fn create(&mut self, life: u32, id: ActionId, action: Action, answered: Answered) {
        let Action::Create { backend, machine: name, tags, .. } = action else { return };
        let Some(model) = self.backends.get_mut(&backend) else { return };
        if let Some(machine) = model.machines.get(&name) {
            let living = !machine.has_ended() && !machine.stopping;
            let answer = if living {
                Answer::Created
            } else {
                failed(ErrorClass::Permanent, Acted::No, "the name was used already")
            };
            return self.return_answer(life, id, answer, answered);
        }
        let machine = Machine {
            tags,
            binding: None,
            state: MachineState::Creating,
            process: None,
            hidden: false,
            stopping: false,
        };
        model.machines.insert(name.clone(), machine);
        self.judge_created(life, &backend, &name);
        let span = self.dice.calls.between(20, 1_000);
        self.after(span, Happening::Made { life, id, backend, machine: name, answered });
    }

    /// A machine has been made. One whose maker died in the middle is never made.
    pub(crate) fn made(
        &mut self,
        life: u32,
        id: ActionId,
        backend: &BackendId,
        name: &MachineName,
        answered: Answered,
    ) {
        let orphaned = !self.is_this_life(life) && self.dice.calls.chance(500);
        let Some(machine) = self.backends.get_mut(backend).and_then(|model| model.machines.get_mut(name)) else {
            return;
        };
        if machine.state == MachineState::Creating {
            let exit = Exit::NeverStarted;
            machine.state = if orphaned { MachineState::Ended { exit } } else { MachineState::Ready };
        }
        self.return_answer(life, id, Answer::Created, answered);
    }

    fn start(
        &mut self,
        key: &planner::ids::AssignmentKey,
        backend: &BackendId,
        name: &MachineName,
        pool: &planner::ids::PoolId,
        runner: &RunnerUuid,
    ) -> Answer {
        let token = self.daemon.credentials.get(runner).cloned();
        let labels: Vec<String> = self
            .policy
            .pool(pool)
            .map(|pool| pool.labels.iter().map(|label| label.name().to_owned()).collect())
            .unwrap_or_default();
        let Some(machine) = self.backends.get_mut(backend).and_then(|model| model.machines.get_mut(name)) else {
            return failed(ErrorClass::NotFound, Acted::No, "no such machine");
        };
        let Some(token) = token else {
            return failed(ErrorClass::Permanent, Acted::No, "the runner's token is not at hand");
        };
        if machine.binding.as_ref().is_some_and(|binding| binding.runner == *runner) {
            return Answer::Started;
        }
        if machine.state != MachineState::Ready || machine.stopping || machine.binding.is_some() {
            return failed(ErrorClass::Permanent, Acted::No, "the machine is not ready");
        }
        machine.binding =
            Some(Binding { handle: key.job.handle.clone(), attempt: key.attempt, runner: runner.clone() });
        machine.state = MachineState::Running;
        self.spawn(backend, name, runner, token, labels, key.job.handle.as_str());
        self.judge_doors(key.job.handle.as_str());
        Answer::Started
    }

    fn destroy(&mut self, backend: &BackendId, name: &MachineName, stop: Duration, belief: &Belief) -> Answer {
        let Some(model) = self.backends.get_mut(backend) else {
            return failed(ErrorClass::NotFound, Acted::No, "no such backend");
        };
        let Some(machine) = model.machines.get_mut(name) else { return Answer::Destroyed };
        let Some(process) = machine.process.as_mut() else {
            model.machines.remove(name);
            return Answer::Destroyed;
        };
        process.stop.get_or_insert_with(|| belief.clone());
        let (process, grace) = (process.id, u64::try_from(stop.as_millis()).unwrap_or(u64::MAX));
        if !machine.stopping {
            machine.stopping = true;
            machine.state = MachineState::Stopping;
            self.process_after(0, backend, name, process, Step::Term);
            self.process_after(grace, backend, name, process, Step::Kill);
        }
        Answer::Stopping
    }
}
