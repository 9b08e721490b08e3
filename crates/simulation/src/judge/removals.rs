//! Machines that outlive their jobs, and jobs that outlive their processes.

use forge_model::{HandOut, Handle as ModelHandle, Status};
use planner::ids::{AssignmentKey, BackendId, ForgeId, MachineName, RunnerUuid, TaskId};
use planner::seen::Exit;

use super::Rule;
use super::bounds::{Bound, Standing, millis};
use crate::backends::Machine;
use crate::world::World;

/// A process that its backend lists as ended.
#[derive(Debug, Clone)]
pub(crate) struct Corpse {
    handle: String,
    at: u64,
    exit: Exit,
    backend: BackendId,
    machine: MachineName,
    /// Whether it is listed no more once it has ended: then two lists without it are the proof.
    is_removed: bool,
    /// Whether it ended by itself, or had never come: then its handle may rest.
    failed: bool,
    /// Whether its machine was removed by a life that is over, so that no later one learns how it ended.
    is_buried: bool,
}

impl World {
    /// A process has ended, as its backend will list.
    pub(crate) fn note_ended(&mut self, backend: &BackendId, name: &MachineName, exit: Exit) {
        let Some(model) = self.backends.get(backend) else { return };
        let Some(machine) = model.machines.get(name) else { return };
        let Some(process) = machine.process.as_ref().filter(|process| process.boots == 1) else { return };
        let corpse = Corpse {
            handle: process.handle.clone(),
            at: self.now,
            exit,
            backend: backend.clone(),
            machine: name.clone(),
            is_removed: machine.stopping && model.removes_stopped,
            failed: !machine.stopping || process.declared_at.is_none(),
            is_buried: false,
        };
        self.judge.corpses.insert(process.uuid.clone(), corpse);
    }

    /// A new life knows of no process whose machine is gone.
    pub(super) fn bury(&mut self) {
        for corpse in self.judge.corpses.values_mut() {
            let model = self.backends.get(&corpse.backend);
            corpse.is_buried |= !model.is_some_and(|model| model.machines.contains_key(&corpse.machine));
        }
    }

    /// A machine is gone without our doing, so that nothing tells how it ended.
    pub(crate) fn note_vanished(&mut self, name: &MachineName) {
        self.judge.vanished.insert(name.clone());
        self.judge.corpses.retain(|_, corpse| corpse.machine != *name);
    }

    /// Whether a machine that vanished keeps its place: nothing proves that it is dead.
    pub(super) fn has_ghosts(&self) -> bool {
        let assignments = self.daemon.state.journal.assignments.values();
        let vanished = &self.judge.vanished;
        !vanished.is_empty() && assignments.filter(|of| of.occupies()).any(|of| vanished.contains(&of.machine_name))
    }

    /// Whether a launch of this handle has failed, or a call for it: then it may rest.
    pub(super) fn has_failed(&self, handle: &str) -> bool {
        self.judge.corpses.values().any(|corpse| corpse.failed && corpse.handle == handle)
            || self.judge.stumbled.iter().any(|key| key.job.handle.as_str() == handle)
    }

    /// The last hand-out of a handle, if it was to this registration.
    fn handed_to(&self, forge: &ForgeId, handle: &str, uuid: &str) -> Option<&HandOut> {
        let books = self.forge(forge).model.books();
        let hand_out = books.hand_outs().iter().rev().find(|hand_out| hand_out.handle.as_str() == handle)?;
        books.registration(hand_out.runner).is_some_and(|record| record.uuid == uuid).then_some(hand_out)
    }

    /// Machines whose job has run on them and is over.
    pub(super) fn removals(&self, standing: &mut Vec<Standing>) {
        for (backend, model) in &self.backends {
            for (name, machine) in model.machines.iter().filter(|(name, machine)| self.is_plain(name, machine)) {
                standing.extend(self.removal(backend, name, machine));
            }
        }
    }

    fn removal(&self, backend: &BackendId, name: &MachineName, machine: &Machine) -> Option<Standing> {
        let job = machine.serves()?;
        let (forge, scope, handle) = (&job.scope.forge, &job.scope, job.handle.as_str());
        let attempt = self.forge(forge).model.books().attempt(&ModelHandle(handle.to_owned()))?;
        let ended_at = attempt.ended_at.filter(|_| attempt.status.is_final())?.as_millis();
        let binding = machine.binding.as_ref()?;
        self.handed_to(forge, handle, binding.runner.as_str())?;
        let clocks = self.clocks_of(backend, name)?;
        let calm = &self.judge.calm;
        let since = ended_at.max(calm.of_scope(scope)).max(calm.of_backend(backend));
        let limit = millis(clocks.grace)
            + millis(clocks.stop)
            + 2 * self.poll_ms(scope)
            + self.machines_ms(backend)
            + self.removed_ms(backend)
            + self.calls_ms()
            + self.hold_ms(forge, scope, ended_at);
        Some(Standing { bound: Bound::Removal, subject: name.to_string(), since, limit })
    }

    /// How long kills are held where many jobs end at about one time: until polls have agreed for so long (design
    /// section 5).
    fn hold_ms(&self, forge: &ForgeId, scope: &planner::ids::ScopeKey, ended_at: u64) -> u64 {
        let span = 2 * self.poll_ms(scope);
        let near = |at: u64| at + span >= ended_at && at <= ended_at + span;
        let attempts = self.forge(forge).model.books().attempts().iter();
        let many = attempts.filter(|attempt| attempt.ended_at.is_some_and(|at| near(at.as_millis()))).count();
        let limits = &self.first_policy.limits;
        if many > limits.mass_left { millis(limits.hold) + self.poll_ms(scope) } else { 0 }
    }

    /// Whether a machine is what it seems, and none of our calls for it was struck.
    pub(super) fn is_plain(&self, name: &MachineName, machine: &Machine) -> bool {
        let key = machine.serves().map(|job| AssignmentKey { job: job.job(), attempt: job.attempt });
        !machine.hidden
            && machine.undeletable_until == 0
            && !self.is_unknown(name)
            && key.is_none_or(|key| !self.judge.stumbled.contains(&key))
            && machine.process.as_ref().is_none_or(|process| process.boots == 1)
    }

    /// Jobs that run on although the process that had them has ended.
    pub(super) fn losses(&self, standing: &mut Vec<Standing>) {
        for (forge, side) in &self.forges {
            let attempts = side.model.books().attempts().iter();
            for attempt in attempts.filter(|attempt| attempt.status == Status::Running) {
                standing.extend(self.loss(forge, attempt.handle.as_str()));
            }
        }
    }

    fn loss(&self, forge: &ForgeId, handle: &str) -> Option<Standing> {
        let mut corpses = self.judge.corpses.iter().filter(|(_, corpse)| corpse.handle == handle && !corpse.is_buried);
        let (uuid, corpse, hand_out) =
            corpses.find_map(|(uuid, corpse)| Some((uuid, corpse, self.handed_to(forge, handle, uuid)?)))?;
        let machine = self.backends.get(&corpse.backend).and_then(|model| model.machines.get(&corpse.machine));
        if machine.is_some_and(|machine| machine.hidden || machine.undeletable_until > 0) {
            return None;
        }
        self.daemon.credentials.get(&RunnerUuid::new(uuid.clone()))?;
        let mut stumbled = self.judge.stumbled.iter();
        if stumbled.any(|key| key.job.handle.as_str() == handle) {
            return None;
        }
        let scopes = self.first_policy.scopes.keys().filter(|scope| scope.forge == *forge);
        let poll = scopes.clone().map(|scope| self.poll_ms(scope)).max()?;
        let calm = scopes.map(|scope| self.judge.calm.of_scope(scope)).max()?;
        let machines = self.machines_ms(&corpse.backend);
        let lists = if corpse.is_removed { 2 } else { 1 };
        // A machine that failed by itself has told nothing for as long as it was not listed.
        let polls = if corpse.exit == Exit::Unknown && corpse.failed { 1 } else { 2 };
        Some(Standing {
            bound: Bound::Lost,
            subject: handle.to_owned(),
            since: corpse.at.max(hand_out.at.as_millis()).max(calm).max(self.judge.calm.of_backend(&corpse.backend)),
            limit: lists * machines + polls * poll + self.calls_ms(),
        })
    }

    /// A job that we have ended early: its log says why.
    pub(crate) fn judge_told(&mut self, forge: &ForgeId, task: TaskId, reason: &str) {
        let log = self.forge(forge).model.task_log(forge_model::TaskId(task.0));
        if reason.is_empty() || log.last().is_none_or(|line| line != reason) {
            self.judge.breaks(Rule::Told, format!("task {} is ended early and its log does not say why", task.0));
        }
    }
}
