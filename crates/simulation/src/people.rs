//! What people do at the forges: push, cancel, run again.

use forge_model::script::{Concurrency, Event, JobSpec, RunSpec};
use forge_model::{JobId, RunId, Status};
use planner::ids::ForgeId;

use crate::dice::Dice;
use crate::forge::moment;
use crate::happening::Happening;
use crate::kind::Kind;
use crate::setting::LABELS;
use crate::world::{World, note};

/// How much work there is.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Webhooks say when to look.
    pub(crate) has_hooks: bool,
    /// How many jobs are pushed at the most.
    pub(crate) most: u64,
    pushed: u64,
    /// Most jobs of one burst or matrix.
    burst: u64,
    /// Longest time between two things that people do, in milliseconds.
    pace: u64,
    /// Longest time of a job, in milliseconds.
    pub(crate) longest_job: u64,
}

impl Workload {
    /// Half of the worlds have 8 jobs or fewer, one in a hundred has 100 or more.
    pub(crate) fn drawn(dice: &mut Dice, most: Option<u64>) -> Self {
        let has_hooks = dice.chance(400);
        let is_big = dice.chance(10);
        let drawn = if is_big { dice.between(110, 180) } else { dice.between(2, 14) };
        Self {
            has_hooks,
            most: most.unwrap_or(drawn).min(drawn),
            pushed: 0,
            burst: if is_big { 60 } else { 4 },
            pace: if is_big { 3_000 } else { 20_000 },
            longest_job: if is_big { 15_000 } else { 40_000 },
        }
    }

    /// Work that a script brings.
    pub(crate) fn scripted() -> Self {
        Self { has_hooks: false, most: 0, pushed: 0, burst: 0, pace: 0, longest_job: 10_000 }
    }
}

/// More jobs at once than any pool has machines.
const BURST: u64 = 5;

impl World {
    pub(crate) fn person(&mut self) {
        if self.is_quiet() {
            return;
        }
        let forges: Vec<ForgeId> = self.forges.keys().cloned().collect();
        let forge = self.dice.people.pick(&forges).clone();
        let is_up = self.forge(&forge).is_up;
        match self.dice.people.between(0, 9) {
            _ if !is_up => {}
            0..=5 => self.push(&forge),
            6 => self.cancel_something(&forge, true),
            7 => self.cancel_something(&forge, false),
            _ => self.run_again(&forge),
        }
        let span = self.dice.people.between(200, self.workload.pace);
        self.after(span, Happening::Person);
    }

    fn push(&mut self, forge: &ForgeId) {
        let left = self.workload.most.saturating_sub(self.workload.pushed);
        if left == 0 {
            return;
        }
        let repositories = self.forge(forge).repositories.clone();
        let burst = self.workload.burst;
        let dice = &mut self.dice.people;
        let repository = *dice.pick(&repositories);
        let label = *dice.pick(&LABELS);
        let job = |key: &str| JobSpec::shell(key, &[label], "true");
        let mut unservable = false;
        let mut event = Event::Dispatch;
        let (kind, mut jobs, concurrency) = match dice.between(0, 11) {
            0..=2 => (Kind::Single, vec![job("build")], Concurrency::unlimited()),
            3 | 4 => {
                let count = dice.between(2, burst);
                let matrix = (1..=count).map(|n| job(&format!("test{n}")).named(&format!("test ({n})")));
                let kind = if count >= BURST { Kind::Burst } else { Kind::Matrix };
                (kind, matrix.collect(), Concurrency::unlimited())
            }
            5 | 6 => (Kind::Needs, vec![job("build"), job("test").needing(&["build"])], Concurrency::unlimited()),
            7 | 8 => (Kind::Queue, vec![job("deploy")], Concurrency::queue("production")),
            9 => (Kind::Cancelling, vec![job("preview")], Concurrency::cancel("preview")),
            10 => {
                event = Event::Schedule;
                (Kind::Schedule, vec![job("nightly")], Concurrency::unlimited())
            }
            _ => {
                unservable = true;
                let wanted: &[&str] = if dice.chance(500) { &["nowhere", "debian"] } else { &[] };
                (Kind::Unservable, vec![JobSpec::shell("odd", wanted, "true")], Concurrency::unlimited())
            }
        };
        self.tally.kind(kind);
        jobs.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        self.workload.pushed += jobs.len() as u64;
        let spec = RunSpec::new(repository, "ci.yml", jobs).with_concurrency(concurrency).with_event(event);
        // Sometimes several wait behind one another in their group.
        if spec.concurrency == Concurrency::queue("production") && self.dice.people.chance(400) {
            let more = self.dice.people.between(1, burst.min(6)).min(self.workload.most - self.workload.pushed);
            self.workload.pushed += more;
            for _ in 0..more {
                self.push_run(forge, spec.clone());
            }
        }
        if let Some(run) = self.push_run(forge, spec)
            && unservable
            && let Some(forge) = self.forge_mut(forge)
        {
            forge.unservable.insert(run);
        }
    }

    /// Pushes a run; a webhook tells.
    pub(crate) fn push_run(&mut self, forge: &ForgeId, spec: RunSpec) -> Option<RunId> {
        let now = moment(self.now);
        let run = self.forge_mut(forge)?.model.push_run(now, spec).ok()?;
        for job in self.forge(forge).model.jobs_of_run(run).to_vec() {
            let handle = self.forge(forge).model.handle_of(job).cloned().unwrap_or_default();
            note!(self, "pushed job {job} of run {run}: {handle}");
        }
        self.hook(forge);
        Some(run)
    }

    /// Jobs whose current attempt has a status.
    fn jobs_that(&self, forge: &ForgeId, is: impl Fn(Status) -> bool) -> Vec<JobId> {
        let model = &self.forge(forge).model;
        let jobs = model.books().attempts().iter().map(|attempt| attempt.job);
        let mut jobs: Vec<JobId> = jobs.filter(|job| model.job_status(*job).is_some_and(&is)).collect();
        jobs.dedup();
        jobs
    }

    fn cancel_something(&mut self, forge: &ForgeId, running: bool) {
        let wanted = if running { Status::Running } else { Status::Waiting };
        let jobs = self.jobs_that(forge, |status| status == wanted);
        if !jobs.is_empty() {
            self.tally.kind(if running { Kind::CancelRunning } else { Kind::CancelWaiting });
            let job = *self.dice.people.pick(&jobs);
            self.cancel(forge, job);
        }
    }

    /// Somebody cancels a job.
    pub(crate) fn cancel(&mut self, forge: &ForgeId, job: JobId) {
        let now = moment(self.now);
        let handle = self.forge(forge).model.handle_of(job).cloned().unwrap_or_default();
        note!(self, "somebody cancels job {job} ({handle})");
        if let Some(forge) = self.forge_mut(forge) {
            let _ = forge.model.cancel_job(now, job);
        }
        self.hook(forge);
    }

    fn run_again(&mut self, forge: &ForgeId) {
        let jobs = self.jobs_that(forge, Status::is_final);
        if jobs.is_empty() || self.workload.pushed >= self.workload.most {
            return;
        }
        self.workload.pushed += 1;
        self.tally.kind(Kind::RunAgain);
        let job = *self.dice.people.pick(&jobs);
        self.rerun(forge, job);
    }

    /// Somebody runs a job again.
    pub(crate) fn rerun(&mut self, forge: &ForgeId, job: JobId) {
        let now = moment(self.now);
        if self.forge_mut(forge).is_some_and(|forge| forge.model.rerun_job(now, job).is_ok()) {
            let handle = self.forge(forge).model.handle_of(job).cloned().unwrap_or_default();
            note!(self, "somebody runs job {job} again ({handle})");
            self.hook(forge);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::shape::Shape;
    use crate::world::World;

    #[test]
    fn worlds_have_eight_jobs_in_the_middle_and_one_in_a_hundred_has_a_hundred() {
        let drawn = (0..4_000).map(|seed| World::drawn(&Shape::of(seed), false).workload.most);
        let mut sizes: Vec<u64> = drawn.collect();
        sizes.sort_unstable();
        assert_eq!(sizes[sizes.len() / 2], 8);
        let big = sizes.iter().filter(|jobs| **jobs >= 100).count();
        assert!((20..80).contains(&big), "{big} of 4000 worlds have 100 jobs or more");
    }
}
