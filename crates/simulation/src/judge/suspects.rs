//! Invariants 5 and 8 in the small: what is concluded to be gone is gone, and of jobs like one that was held back one is
//! tried at a time.

use forge_model::Status;
use planner::event::{Decision, EndReason};
use planner::ids::{AssignmentKey, JobKey};
use planner::state::{Assignment, SuspectKey};
use planner::step::Turn;
use planner::time::Tick;

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

    /// Invariant 5: a job is held back only when its runner has asked for it for as long as the claim clock says, or gets
    /// nothing any more: an earlier life has fenced it.
    fn judge_release(&mut self, key: &AssignmentKey) {
        if let Some((forge, repository, name, _)) = self.kind_of(&key.job) {
            self.judge.ever_held_back.insert((forge, repository, name));
        }
        let Some(assignment) = self.daemon.state.journal.assignments.get(key) else { return };
        if assignment.registration.known().is_some_and(|runner| self.judge.ledger.is_fenced(&runner.uuid)) {
            return;
        }
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

    /// Invariant 8: after a release one job of a kind is tried at a time. But the oldest is tried beside a younger one when a
    /// job of its repository has left since any of the kind was tried: each that leaves makes way for one. Called when a
    /// machine is asked for, or bound.
    pub(super) fn judge_probe(&mut self, key: &AssignmentKey) {
        self.judge.launched.insert(key.job.handle.to_string());
        let Some(kind) = self.kind_of(&key.job) else { return };
        // One that began in this very turn was not known yet when the turn was planned.
        let Some(suspected) = self.suspected_since(&kind).filter(|since| *since < self.tick()) else { return };
        let last = self.judge.probed.insert(kind.clone(), self.tick());
        let (older, younger): (Vec<_>, Vec<_>) =
            self.probes_of(&kind).partition(|(job, _)| self.job_id(job) < self.job_id(&key.job));
        // What was asked for before the first release is no probe, and is released one by one.
        let is_beside = younger.iter().any(|(_, begun)| *begun > suspected);
        // Both may be of one moment, whichever came first.
        let one_has_left = self.judge.ledger.left_at(&kind.0, kind.1).is_some_and(|left| Some(left) >= last);
        if (!older.is_empty() || is_beside && !one_has_left) && !self.kind_runs(&kind) {
            let tried = older.len() + younger.len();
            self.judge
                .breaks(Rule::OneProbe, format!("{key} is tried although {tried} like it are, and one was held back"));
        }
    }

    /// Since when jobs of a kind are suspects, by the books.
    fn suspected_since(&self, (forge, repository, name, labels): &Kind) -> Option<Tick> {
        let mut suspicions = self.daemon.state.journal.suspicions.iter();
        let is_it = |key: &SuspectKey| {
            key.forge == *forge
                && key.repository == *repository
                && key.name.as_str() == name
                && key.runs_on[..] == labels[..]
        };
        suspicions.find(|(key, _)| is_it(key)).map(|(_, suspicion)| suspicion.since)
    }

    /// Jobs of a kind that wait and have a machine of which the books know, and when that was asked for.
    fn probes_of(&self, kind: &Kind) -> impl Iterator<Item = (JobKey, Tick)> {
        let machines = self.backends.values().flat_map(|model| &model.machines);
        machines.filter_map(move |(name, machine)| {
            let job = machine.serves()?.job();
            let waits = self.forge(&job.forge).status_of(job.handle.as_str()) == Some(Status::Waiting);
            let is_known = !self.is_unknown(name) && !machine.hidden && machine.undeletable_until == 0;
            // One that was made for a job may have been bound to another meanwhile.
            let is_its = |of: &&Assignment| of.has_machine(name) && of.job.is_some() && of.keeps_its_job();
            let begun_at = self.daemon.state.journal.assignments_of(&job).map(|(_, of)| of).find(is_its)?.begun_at;
            (waits && is_known && self.kind_of(&job).as_ref() == Some(kind)).then_some((job, begun_at))
        })
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
