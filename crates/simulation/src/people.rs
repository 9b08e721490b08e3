//! What people do at the forge: push, cancel, run again. And mischief: what should not happen and does.

use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{JobId, RunnerId, Status};
use planner::ids::{BackendId, MachineName};

use crate::forge::moment;
use crate::happening::Happening;
use crate::setting::LABELS;
use crate::world::{World, note};

/// How long after a machine is listed again the daemon may not have listed it yet.
const LISTED_AGAIN_MS: u64 = 30_000;
/// Most runs of a world, so that its end is near.
const MOST_RUNS: usize = 24;

impl World {
    pub(crate) fn person(&mut self) {
        if self.is_quiet() {
            return;
        }
        match self.dice.people.between(0, 9) {
            0..=5 => self.push(),
            6 => self.cancel_something(true),
            7 => self.cancel_something(false),
            _ => self.run_again(),
        }
        let span = self.dice.people.between(200, 20_000);
        self.after(span, Happening::Person);
    }

    fn push(&mut self) {
        if self.judge.pushed >= MOST_RUNS {
            return;
        }
        self.judge.pushed += 1;
        let dice = &mut self.dice.people;
        let repository = *dice.pick(&self.forge.repositories);
        let label = *dice.pick(&LABELS);
        let job = |key: &str| JobSpec::shell(key, &[label], "true");
        let mut unservable = false;
        let (jobs, concurrency) = match dice.between(0, 9) {
            0..=3 => (vec![job("build")], Concurrency::unlimited()),
            4 => (vec![job("test").named("test (1)"), job("test").named("test (2)")], Concurrency::unlimited()),
            5 | 6 => (vec![job("build"), job("test").needing(&["build"])], Concurrency::unlimited()),
            7 | 8 => (vec![job("deploy")], Concurrency::queue("production")),
            _ => {
                unservable = true;
                let wanted: &[&str] = if dice.chance(500) { &["nowhere", "debian"] } else { &[] };
                (vec![JobSpec::shell("odd", wanted, "true")], Concurrency::unlimited())
            }
        };
        let spec = RunSpec::new(repository, "ci.yml", jobs).with_concurrency(concurrency);
        if let Ok(run) = self.forge.model.push_run(moment(self.now), spec) {
            if unservable {
                self.forge.unservable.insert(run);
            }
            for job in self.forge.model.jobs_of_run(run).to_vec() {
                let handle = self.forge.model.handle_of(job).cloned().unwrap_or_default();
                note!(self, "pushed job {job} of run {run}: {handle}");
            }
        }
    }

    /// Jobs whose current attempt has a status.
    fn jobs_that(&self, is: impl Fn(Status) -> bool) -> Vec<JobId> {
        let mut jobs: Vec<JobId> = self
            .forge
            .model
            .books()
            .attempts()
            .iter()
            .filter(|attempt| is(attempt.status) && !self.forge.unservable.contains(&attempt.run))
            .map(|attempt| attempt.job)
            .filter(|job| self.forge.model.job_status(*job).is_some_and(&is))
            .collect();
        jobs.dedup();
        jobs
    }

    fn cancel_something(&mut self, running: bool) {
        let wanted = if running { Status::Running } else { Status::Waiting };
        let jobs = self.jobs_that(|status| status == wanted);
        if jobs.is_empty() {
            return;
        }
        let job = *self.dice.people.pick(&jobs);
        note!(self, "somebody cancels job {job} ({:?})", self.forge.model.handle_of(job));
        let _ = self.forge.model.cancel_job(moment(self.now), job);
    }

    fn run_again(&mut self) {
        let jobs = self.jobs_that(Status::is_final);
        if jobs.is_empty() || self.judge.pushed >= MOST_RUNS {
            return;
        }
        self.judge.pushed += 1;
        let job = *self.dice.people.pick(&jobs);
        if self.forge.model.rerun_job(moment(self.now), job).is_ok() {
            note!(self, "somebody runs job {job} again ({:?})", self.forge.model.handle_of(job));
        }
    }

    /// A registration of ours that waits is deleted by somebody; a machine disappears, or only seems to.
    pub(crate) fn mischief(&mut self) {
        if self.is_quiet() {
            return;
        }
        if self.dice.lives.chance(self.weather.meddler) {
            self.meddle();
        }
        if self.dice.lives.chance(self.weather.vanishes) {
            self.vanish();
        }
        self.after(5_000, Happening::Mischief);
    }

    fn meddle(&mut self) {
        let held = |id: RunnerId| self.forge.model.books().hand_outs().iter().any(|hand_out| hand_out.runner == id);
        let idle: Vec<RunnerId> = self
            .forge
            .model
            .runners_now()
            .into_iter()
            .filter(|id| !self.forge.foreign.contains(id) && !held(*id))
            .collect();
        if idle.is_empty() {
            return;
        }
        let id = *self.dice.lives.pick(&idle);
        note!(self, "somebody deletes runner {id}");
        let _ = self.forge.model.delete_runner(moment(self.now), forge_model::Area::Instance, id);
    }

    fn vanish(&mut self) {
        let all: Vec<(BackendId, MachineName)> = self
            .backends
            .iter()
            .flat_map(|(id, model)| model.machines.keys().map(|name| (id.clone(), name.clone())))
            .collect();
        if all.is_empty() {
            return;
        }
        let (backend, name) = self.dice.lives.pick(&all).clone();
        let hidden = self.dice.lives.chance(500);
        let span = self.dice.lives.between(1_000, 60_000);
        let Some(machine) = self.machine(&backend, &name) else { return };
        if hidden {
            machine.hidden = true;
            note!(self, "{name} is not listed for {span} ms");
            return self.after(span, Happening::Shown { backend, machine: name });
        }
        if let Some((handle, uuid)) = machine.process.as_ref().map(|it| (it.handle.clone(), it.uuid.clone())) {
            self.note_killed(&handle, &uuid);
        }
        note!(self, "{name} disappears with its process");
        if let Some(model) = self.backends.get_mut(&backend) {
            model.machines.remove(&name);
        }
    }

    pub(crate) fn show_again(&mut self, backend: &BackendId, name: &MachineName) {
        if let Some(machine) = self.machine(backend, name) {
            if !machine.hidden {
                return;
            }
            machine.hidden = false;
            let until = self.now + LISTED_AGAIN_MS;
            self.judge.unknown_until(name, until);
        }
    }
}
