//! Calls: what becomes of an action on its way, where it acts, and on the way back.

use std::time::Duration;

use planner::action::{Action, Lane};
use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::{Answer, Event};
use planner::ids::{ActionId, AssignmentKey, BackendId, MachineName, RunnerUuid};
use planner::seen::{Binding, Exit, MachineState, MachineTags};

use crate::backends::Machine;
use crate::daemon::WAKE_MS;
use crate::fault::Fault;
use crate::forge::{ForgeSide, failed};
use crate::happening::{Answered, Happening, Step};
use crate::judge::Belief;
use crate::world::{World, note};

impl World {
    /// Hands an action to its lane.
    pub(crate) fn begin(&mut self, id: ActionId, action: Action) {
        note!(self, "  call {} {action:?}", id.0);
        let belief = self.belief(&action);
        self.judge_begun(&action);
        self.judge.calm.turns_to_lane(&action);
        let life = self.daemon.life;
        let word = action.word();
        self.script.called(word);
        self.count_leaving(&action);
        let there = if self.strikes(Fault::Slow, word) {
            self.dice.fault(Fault::Slow).between(300, 3_000)
        } else {
            self.dice.calls.between(2, 80)
        };
        if self.strikes(Fault::LostBefore, word) {
            self.judge.stumbles(&action, self.now);
            return self.lost_answer(Fault::LostBefore, id, &action);
        }
        if self.is_unreachable(&action) {
            self.judge.stumbles(&action, self.now);
            let answer = failed(ErrorClass::Transient, Acted::Unasked, "the connection was refused");
            return self.after(there, Happening::Deliver { life, event: Event::Answered { id, answer } });
        }
        if let Some(answer) = self.refusal(&action) {
            self.judge.stumbles(&action, self.now);
            return self.after(there, Happening::Deliver { life, event: Event::Answered { id, answer } });
        }
        if self.strikes(Fault::Duplicated, word) {
            let span = there + self.dice.fault(Fault::Duplicated).between(1, 2_000);
            let twin = Happening::Arrive {
                life,
                id,
                action: action.clone(),
                belief: belief.clone(),
                answered: Answered::Never,
            };
            self.after(span, twin);
        }
        let answered = if self.strikes(Fault::LostAfter, word) { Answered::Never } else { Answered::Yes };
        if answered == Answered::Never {
            self.judge.stumbles(&action, self.now);
            self.lost_answer(Fault::LostAfter, id, &action);
        }
        self.after(there, Happening::Arrive { life, id, action, belief, answered });
    }

    /// The daemon learns that the connection broke, or nothing at all.
    fn lost_answer(&mut self, fault: Fault, id: ActionId, action: &Action) {
        let dice = self.dice.fault(fault);
        let (told, delay) = (dice.chance(600), dice.between(5, 4_000));
        let deadline = u64::try_from(action.deadline(&self.policy.limits).as_millis()).unwrap_or(u64::MAX);
        self.judge.calm.takes_a_slot(self.now + if told { delay } else { deadline + WAKE_MS });
        if told {
            let answer = failed(ErrorClass::Transient, Acted::Maybe, "the connection broke");
            let life = self.daemon.life;
            self.after(delay, Happening::Deliver { life, event: Event::Answered { id, answer } });
        }
    }

    /// How a call is refused, if it is. Calls with a runner's own credentials do not depend on a scope's token.
    fn refusal(&mut self, action: &Action) -> Option<Answer> {
        let word = action.word();
        let refuse = |class, what| Some(failed(class, Acted::No, what));
        let kinds: &[(Fault, ErrorClass)] = match action {
            Action::Create { .. } | Action::CreateWarm { .. } | Action::Start { .. } => &[
                (Fault::Capacity, ErrorClass::Capacity),
                (Fault::Quota, ErrorClass::Quota),
                (Fault::Permanent, ErrorClass::Permanent),
                (Fault::Stumbles, ErrorClass::Transient),
            ],
            Action::Destroy { .. } | Action::DestroyWarm { .. } | Action::Release { .. } | Action::ReadLog { .. } => {
                &[(Fault::Stumbles, ErrorClass::Transient)]
            }
            Action::Register { .. } => &[
                (Fault::Missing, ErrorClass::NotFound),
                (Fault::Unauthorised, ErrorClass::Auth),
                (Fault::Forbidden, ErrorClass::Forbidden),
                (Fault::ServerError, ErrorClass::Transient),
            ],
            _ => &[
                (Fault::Unauthorised, ErrorClass::Auth),
                (Fault::Forbidden, ErrorClass::Forbidden),
                (Fault::ServerError, ErrorClass::Transient),
            ],
        };
        for (fault, class) in kinds {
            if self.strikes(*fault, word) {
                return refuse(*class, fault.word());
            }
        }
        if matches!(action, Action::Create { .. }) && self.strikes(Fault::ImageMissing, word) {
            let (class, acted) = (ErrorClass::Permanent, Acted::No);
            let message = Fault::ImageMissing.word().to_owned();
            return Some(Answer::Failed(Failure { class, acted, concerns: Concerns::Environment, message }));
        }
        if self.strikes(Fault::TooMany, word) {
            let span = self.dice.fault(Fault::TooMany).between(1_000, 20_000);
            let retry_after = Some(Duration::from_millis(span));
            return refuse(ErrorClass::RateLimited { retry_after }, "too many requests");
        }
        None
    }

    /// An action arrives where it acts.
    pub(crate) fn arrive(&mut self, life: u32, id: ActionId, action: Action, belief: &Belief, answered: Answered) {
        if let Some(answer) = self.is_away(&action) {
            self.judge.stumbles(&action, self.now);
            return self.return_answer(life, id, answer, answered);
        }
        note!(self, "    arrives {} {}", id.0, action.word());
        self.judge.calm.turns_to_lane(&action);
        let answer = match action {
            Action::Create { .. } | Action::CreateWarm { .. } => {
                return self.create(life, id, action, belief, answered);
            }
            Action::Start { key, backend, machine, pool, runner, at } => {
                let (handle, attempt) = (key.job.handle.clone(), key.attempt);
                let binding = Binding { handle, attempt, runner, at };
                self.start(&key, &backend, &machine, &pool, binding)
            }
            Action::Destroy { backend, machine, stop, .. } => self.destroy(&backend, &machine, stop, belief),
            Action::DestroyWarm { backend, machine, .. } => self.destroy(&backend, &machine, Duration::ZERO, belief),
            Action::Release { .. } => return self.release(life, id, &action, belief, answered),
            Action::ReadLog { .. } => Answer::Log { lines: vec!["last words".to_owned()] },
            Action::Register { scope, machine, identity, .. } => {
                let name = identity.runner_name(&machine);
                let description = identity.description(&self.policy.deployment);
                let known = answered == Answered::Yes && self.is_this_life(life);
                let made = self
                    .forges
                    .get_mut(&scope.forge)
                    .and_then(|forge| forge.register(self.now, &scope, &name, &description));
                match made {
                    Some((row, uuid, token)) => {
                        self.judge.tokens.insert(token.clone());
                        if known {
                            self.daemon.credentials.insert(uuid.clone(), token);
                        }
                        Answer::Registered { id: row, uuid }
                    }
                    None => failed(ErrorClass::NotFound, Acted::No, "no such scope"),
                }
            }
            Action::LookUpRunner { scope, id, .. } => self.forge(&scope.forge).look_up(self.now, &scope, id),
            Action::DeleteRunner { scope, id, .. } | Action::Sweep { scope, id } => {
                self.judge_delete(&scope, id, belief);
                let now = self.now;
                match self.forges.get_mut(&scope.forge) {
                    Some(forge) => forge.delete(now, &scope, id),
                    None => Answer::RunnerGone,
                }
            }
            Action::CheckScope { scope } => self.forge(&scope.forge).scope_id(&scope),
            Action::Fence { key, runner } => {
                self.with_token(&key, &runner, |forge, now, token| forge.fence(now, &runner, token))
            }
            Action::AskWhose { key, runner, task } => {
                self.with_token(&key, &runner, |forge, now, token| forge.ask_whose(now, &runner, token, task))
            }
            Action::EndEarly { key, runner, task, reason } => {
                self.judge_early_end(&runner);
                let answer = self
                    .with_token(&key, &runner, |forge, now, token| forge.end_early(now, &runner, token, task, &reason));
                if answer == Answer::EndedEarly {
                    self.judge_told(&key.job.forge, task, &reason);
                }
                answer
            }
        };
        self.return_answer(life, id, answer, answered);
    }

    /// Whether there is no connection to the backend that a call goes to: then nothing of it is on its way, not even twice.
    fn is_unreachable(&self, action: &Action) -> bool {
        match action.lane() {
            Lane::BackendLaunch(backend) | Lane::BackendClean(backend) => self.is_backend_away(&backend),
            Lane::ForgeLaunch(_) | Lane::ForgeClean(_) | Lane::ForgeRunner(_) => false,
        }
    }

    pub(crate) fn is_backend_away(&self, backend: &BackendId) -> bool {
        self.backends.get(backend).is_none_or(|model| self.now < model.down_until)
    }

    /// Whether what a call goes to is away, or refuses the token of the scope.
    fn is_away(&self, action: &Action) -> Option<Answer> {
        let transient = |what| Some(failed(ErrorClass::Transient, Acted::No, what));
        let (forge, place) = match action {
            Action::Create { backend, .. }
            | Action::CreateWarm { backend, .. }
            | Action::DestroyWarm { backend, .. }
            | Action::Release { backend, .. }
            | Action::Start { backend, .. }
            | Action::Destroy { backend, .. }
            | Action::ReadLog { backend, .. } => {
                return if self.is_backend_away(backend) { transient("the backend is away") } else { None };
            }
            Action::Fence { key, .. } | Action::AskWhose { key, .. } | Action::EndEarly { key, .. } => {
                (&key.job.forge, None)
            }
            Action::Register { scope, .. }
            | Action::LookUpRunner { scope, .. }
            | Action::DeleteRunner { scope, .. }
            | Action::Sweep { scope, .. }
            | Action::CheckScope { scope } => (&scope.forge, Some(scope)),
        };
        let forge = self.forge(forge);
        if forge.is_down(self.now) {
            return transient("the forge is away");
        }
        let class = place.and_then(|place| forge.refuses(place))?;
        Some(failed(class, Acted::No, "the token is refused"))
    }

    fn with_token(
        &mut self,
        key: &AssignmentKey,
        runner: &RunnerUuid,
        call: impl FnOnce(&mut ForgeSide, u64, &str) -> Answer,
    ) -> Answer {
        let token = self.daemon.credentials.get(runner).cloned();
        match (token, self.forges.get_mut(&key.job.forge)) {
            (Some(token), Some(forge)) => call(forge, self.now, &token),
            _ => failed(ErrorClass::Permanent, Acted::No, "the runner's token is not at hand"),
        }
    }

    pub(crate) fn return_answer(&mut self, life: u32, id: ActionId, answer: Answer, answered: Answered) {
        if answered == Answered::Yes {
            let back = self.dice.calls.between(1, 50);
            self.after(back, Happening::Deliver { life, event: Event::Answered { id, answer } });
        }
    }

    fn create(&mut self, life: u32, id: ActionId, action: Action, belief: &Belief, answered: Answered) {
        let word = action.word();
        let (backend, name, tags, promised) = match action {
            // Made like those without a job, so that it can become one.
            Action::Create { backend, machine, tags, warm: Some(warm), .. } => {
                let promised = self.is_this_life(life).then_some(tags);
                (backend, machine, MachineTags::Warm(warm), promised)
            }
            Action::Create { backend, machine, tags, warm: None, .. } => (backend, machine, tags.into(), None),
            Action::CreateWarm { backend, machine, tags, .. } => (backend, machine, MachineTags::Warm(tags), None),
            _ => return,
        };
        let undeletable = self.strikes(Fault::Undeletable, word);
        let never = self.strikes(Fault::NeverMade, word);
        let late = self.strikes(Fault::MadeLate, word);
        let now = self.now;
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
        if model.used.contains(&name) {
            let answer = failed(ErrorClass::Permanent, Acted::No, "the name was used already");
            return self.return_answer(life, id, answer, answered);
        }
        if now < model.full_until {
            return self.return_answer(life, id, failed(ErrorClass::Capacity, Acted::No, "no room"), answered);
        }
        if !model.warm && matches!(tags, MachineTags::Warm(_)) {
            let answer = failed(ErrorClass::Permanent, Acted::No, "it makes no machines without a job");
            return self.return_answer(life, id, answer, answered);
        }
        let mut machine = Machine::asked_for(tags, promised, now);
        if undeletable {
            machine.undeletable_until = now + self.dice.fault(Fault::Undeletable).between(60_000, 2_400_000);
        }
        let (quickest, slowest) = model.boot;
        model.used.insert(name.clone());
        model.machines.insert(name.clone(), machine);
        self.judge_created(life, &backend, &name, belief);
        let span = if late {
            self.dice.fault(Fault::MadeLate).between(20_000, 90_000)
        } else if self.script.is_quick() {
            20
        } else {
            self.dice.calls.between(quickest, slowest)
        };
        if never {
            // The answer comes, as from a backend that only takes the order.
            return self.return_answer(
                life,
                id,
                failed(ErrorClass::Transient, Acted::Maybe, "not made in time"),
                answered,
            );
        }
        self.after(span, Happening::Made { life, id, backend, machine: name, answered });
    }

    /// A machine has been made. One whose maker died in the middle is perhaps never made.
    pub(crate) fn made(
        &mut self,
        life: u32,
        id: ActionId,
        backend: &BackendId,
        name: &MachineName,
        answered: Answered,
    ) {
        let orphaned = !self.is_this_life(life) && self.strikes(Fault::MakerDied, name.as_str());
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
        binding: Binding,
    ) -> Answer {
        let token = self.daemon.credentials.get(&binding.runner).cloned();
        let Some(pool) = self.policy.pool(pool) else {
            return failed(ErrorClass::Permanent, Acted::No, "no such pool");
        };
        let labels: Vec<String> = pool.labels.iter().map(|label| label.name().to_owned()).collect();
        let Some(machine) = self.backends.get_mut(backend).and_then(|model| model.machines.get_mut(name)) else {
            return failed(ErrorClass::NotFound, Acted::No, "no such machine");
        };
        let Some(token) = token else {
            return failed(ErrorClass::Permanent, Acted::No, "the runner's token is not at hand");
        };
        if machine.binding.as_ref().is_some_and(|bound| bound.runner == binding.runner) {
            return Answer::Started;
        }
        if machine.state != MachineState::Ready || machine.stopping || machine.binding.is_some() {
            return failed(ErrorClass::Permanent, Acted::No, "the machine is not ready");
        }
        let runner = binding.runner.clone();
        let is_warm = matches!(machine.tags, MachineTags::Warm(_));
        machine.binding = Some(binding);
        machine.promised = None;
        machine.state = MachineState::Running;
        if is_warm && self.strikes(Fault::NotLaunched, "start") {
            self.stays_unlaunched(backend, name);
            return failed(ErrorClass::Transient, Acted::Maybe, "the launch was not handed over");
        }
        self.judge_started(backend, name, &key.job);
        self.spawn(backend, name, &key.job, &runner, token, labels);
        self.judge_doors(&key.job.forge, key.job.handle.as_str());
        Answer::Started
    }

    fn destroy(&mut self, backend: &BackendId, name: &MachineName, stop: Duration, belief: &Belief) -> Answer {
        let Some(model) = self.backends.get_mut(backend) else {
            return failed(ErrorClass::NotFound, Acted::No, "no such backend");
        };
        let Some(machine) = model.machines.get_mut(name) else { return Answer::Destroyed };
        if self.now < machine.undeletable_until {
            return failed(ErrorClass::Permanent, Acted::No, "it is protected from removal");
        }
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
