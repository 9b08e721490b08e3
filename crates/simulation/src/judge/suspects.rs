//! Invariants 5 and 8 in the small: what is concluded to be gone is gone, and of jobs like one that was held back one is
//! tried at a time.

use forge_model::Status;
use planner::event::{Decision, EndReason};
use planner::ids::{AssignmentKey, JobKey, MachineName};
use planner::step::Turn;

use super::stops::SLACK_MS;
use super::{Kind, Rule};
use crate::processes::Process;
use crate::world::World;

impl World {
    /// Looks at what was decided.
    pub(super) fn judge_decisions(&mut self, turn: &Turn) {
        self.judge_deaths();
        for decision in &turn.decisions {
            if let Decision::Bind { key, .. } = decision {
                self.judge_probe(key);
            }
            let Decision::Conclude { key, reason } = decision else { continue };
            self.judge_reason(key, reason);
            if *reason == EndReason::HeldBack {
                self.judge_release(key);
                if let Some(kind) = self.kind_of(&key.job) {
                    self.note_held_back(kind);
                }
            }
            if *reason == EndReason::Gone {
                self.judge_gone(key);
            }
        }
    }

    /// Invariant 5: a job is held back only when its runner has asked for it for as long as the claim clock says.
    fn judge_release(&mut self, key: &AssignmentKey) {
        if let Some((forge, repository, name, _)) = self.kind_of(&key.job) {
            self.judge.ever_held_back.insert((forge, repository, name));
        }
        let Some(assignment) = self.daemon.state.journal.assignments.get(key) else { return };
        let machine = self.backends.get(&assignment.backend).and_then(|it| it.machines.get(&assignment.machine_name));
        let Some(declared_at) = machine.and_then(|machine| machine.process.as_ref()?.declared_at) else { return };
        let claim = self.first_policy.pool(&assignment.pool).map_or(0, |pool| pool.clocks.claim.as_millis());
        if u128::from(self.active_since(declared_at) + SLACK_MS) < claim {
            self.judge
                .breaks(Rule::HeldBackEarly, format!("{key} is held back although its runner has only just come"));
        }
    }

    /// Invariant 2: who is said to be dead is dead, unless a backend denied it.
    fn judge_deaths(&mut self) {
        let journal = &self.daemon.state.journal;
        let dead = journal.assignments.iter().filter(|(_, assignment)| assignment.is_dead());
        let lives = dead.filter_map(|(key, assignment)| {
            let name = &assignment.machine_name;
            let machine = self.machine_at(&assignment.backend, name)?;
            let uuid = assignment.registration.known().map(|registered| registered.uuid.as_str());
            let is_its = |process: &Process| match uuid {
                Some(uuid) => process.uuid == uuid,
                None => assignment.parted.is_none(),
            };
            let lives = machine.process.as_ref().is_some_and(is_its) && !machine.hidden && !self.is_unknown(name);
            lives.then(|| format!("{name} of {key} is said to be dead and lives"))
        });
        if let Some(what) = lives.collect::<Vec<_>>().into_iter().next() {
            self.judge.breaks(Rule::Dead, what);
        }
    }

    /// Invariant 5: a job that is said to be gone had a runner that is registered no more.
    fn judge_gone(&mut self, key: &AssignmentKey) {
        let journal = &self.daemon.state.journal;
        let Some(assignment) = journal.assignments.get(key) else { return };
        let Some(uuid) = assignment.registration.known().map(|registered| registered.uuid.clone()) else { return };
        let forge = self.forge(&key.job.forge);
        let exists = forge.door(self.now, uuid.as_str()) != crate::forge::Door::Gone;
        if exists && !forge.is_swapped(&assignment.scope) {
            self.judge.breaks(Rule::Gone, format!("{key} is said to be gone although its runner {uuid} is registered"));
        }
    }

    /// Invariant 8: after a release one job of a kind is tried at a time, but for the oldest: once somebody has left, it is
    /// tried beside a younger one. Called when a machine is asked for, or bound.
    pub(super) fn judge_probe(&mut self, key: &AssignmentKey) {
        self.judge.launched.insert(key.job.handle.to_string());
        let Some(kind) = self.kind_of(&key.job) else { return };
        let journal = &self.daemon.state.journal;
        // One that began in this very turn was not known yet when the turn was planned.
        let mut suspected = journal.suspicions.iter().filter(|(_, suspicion)| suspicion.since < self.tick());
        if !suspected.any(|(key, _)| {
            key.forge == kind.0
                && key.repository == kind.1
                && key.name.as_str() == kind.2
                && key.runs_on[..] == kind.3[..]
        }) {
            return;
        }
        let knows = |name: &MachineName| {
            let mut assignments = journal.assignments.values();
            assignments.any(|of| of.has_machine(name) && of.job.is_some() && of.keeps_its_job())
        };
        let machines = self.backends.values().flat_map(|model| &model.machines);
        let tried = machines.filter(|(name, machine)| {
            let Some(job) = machine.serves().map(|job| job.job()) else { return false };
            let waits = self.forge(&job.forge).status_of(job.handle.as_str()) == Some(Status::Waiting);
            let is_known = !self.is_unknown(name) && !machine.hidden && machine.undeletable_until == 0;
            let is_older = self.job_id(&job) < self.job_id(&key.job);
            waits && is_older && is_known && knows(name) && self.kind_of(&job).as_ref() == Some(&kind)
        });
        let tried = tried.count();
        let claimed = self.kind_runs(&kind);
        if tried > 0 && !claimed {
            self.judge
                .breaks(Rule::OneProbe, format!("{key} is tried although {tried} like it are, and one was held back"));
        }
    }

    fn job_id(&self, job: &JobKey) -> Option<forge_model::JobId> {
        let books = self.forge(&job.forge).model.books();
        books.attempt(&forge_model::Handle(job.handle.to_string())).map(|attempt| attempt.job)
    }

    fn kind_of(&self, job: &JobKey) -> Option<Kind> {
        let model = &self.forge(&job.forge).model;
        let attempt = model.books().attempt(&forge_model::Handle(job.handle.to_string()))?;
        Some((job.forge.clone(), attempt.repo.0, attempt.name.clone(), model.labels_of(attempt.job)))
    }

    /// Whether two jobs of a kind run.
    pub(super) fn kind_runs(&self, (forge, repository, name, labels): &Kind) -> bool {
        let model = &self.forge(forge).model;
        let attempts = model.books().attempts().iter();
        let alike = attempts.filter(|attempt| {
            attempt.repo.0 == *repository && attempt.name == *name && model.labels_of(attempt.job) == *labels
        });
        alike.filter(|attempt| attempt.status == Status::Running).count() > 1
    }
}
