//! The script of a scenario: who does what when, which fault strikes what, and what must be true.

use std::collections::BTreeMap;

use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{JobId, Status};
use planner::ids::ForgeId;
use planner::report::Report;

use crate::fault::Fault;
use crate::reasons::{WORDS, of_job};
use crate::world::{World, note};

/// What happens by a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Somebody pushes a run.
    Push(Push),
    /// Somebody cancels a job.
    Cancel { job: String },
    /// Somebody runs a job again.
    Rerun { job: String },
    /// From now on a fault strikes what its words begin with, so many times.
    Strike { fault: Fault, on: String, times: u32 },
    /// A fault comes by itself.
    Befall { fault: Fault, whom: Option<String>, span: Option<u64> },
    /// Something must be true now.
    Expect(Expectation),
}

/// A run that is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) repository: usize,
    pub(crate) job: String,
    pub(crate) labels: Vec<String>,
    /// How long it runs, in milliseconds; without it, until it is stopped.
    pub(crate) lasts: Option<u64>,
    /// A concurrency group, and whether a newer run cancels.
    pub(crate) group: Option<(String, bool)>,
    /// So many jobs, numbered.
    pub(crate) times: u32,
}

/// What must be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// The newest attempt of a job has this status.
    Job { job: String, status: String },
    /// There are so many machines now, at the least and at the most.
    Machines { least: usize, most: usize },
    /// So many registrations of ours exist now.
    Runners { count: usize },
    /// So many machines were made until now, at the least and at the most.
    Made { least: u64, most: u64 },
    /// A reason or an alert has been told.
    Told { word: String },
    /// A reason or an alert has not been told.
    NotTold { word: String },
}

/// A script under way. Without one, a world is drawn from its seed.
#[derive(Debug, Default)]
pub(crate) struct Script {
    is_on: bool,
    strikes: Vec<(Fault, String, u32)>,
    lasts: BTreeMap<String, Option<u64>>,
    /// The words of each job's reasons in order, by its name and handle.
    told: BTreeMap<(String, String), Vec<&'static str>>,
}

impl Script {
    /// A script that begins.
    pub(crate) fn begun() -> Self {
        Self { is_on: true, ..Self::default() }
    }

    /// Whether a fault is to strike this.
    pub(crate) fn takes(&mut self, fault: Fault, on: &str) -> bool {
        let planned =
            self.strikes.iter_mut().find(|(of, whom, left)| *of == fault && *left > 0 && on.starts_with(whom.as_str()));
        let Some((.., left)) = planned else { return false };
        *left -= 1;
        true
    }

    /// How long a job runs, if a script says so.
    pub(crate) fn lasts(&self, job: &str) -> Option<u64> {
        self.is_on.then(|| self.lasts.get(job).copied().flatten().unwrap_or(86_400_000))
    }

    /// Keeps the reasons that are told, where they change.
    pub(crate) fn reads(&mut self, _now: u64, report: &Report) {
        if !self.is_on {
            return;
        }
        for job in &report.jobs {
            let word = WORDS[of_job(&job.reason)].trim_start_matches("job: ");
            let told = self.told.entry((job.name.to_string(), job.handle.to_string())).or_default();
            if told.last() != Some(&word) {
                told.push(word);
            }
        }
    }

    /// A line for each attempt of each job: its reasons in order. Attempts of one name are in the order of their lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.told.iter().map(|((name, _), words)| format!("{name}: {}", words.join(", "))).collect();
        lines.sort();
        lines
    }
}

impl World {
    /// The script goes on.
    pub(crate) fn act(&mut self, act: &Act) {
        note!(self, "SCRIPT {act:?}");
        let forge = self.forges.keys().next().cloned();
        let Some(forge) = forge else { return };
        match act {
            Act::Push(push) => self.push_scripted(&forge, push),
            Act::Cancel { job } => {
                if let Some(job) = self.newest(&forge, job) {
                    self.cancel(&forge, job);
                }
            }
            Act::Rerun { job } => {
                if let Some(job) = self.newest(&forge, job) {
                    self.rerun(&forge, job);
                }
            }
            Act::Strike { fault, on, times } => self.script.strikes.push((*fault, on.clone(), *times)),
            Act::Befall { fault, whom, span } => self.befall(*fault, whom.as_deref(), *span),
            Act::Expect(expectation) => {
                if let Some(what) = self.unmet(&forge, expectation) {
                    self.judge.breaks(0, format!("at {} s: {what}", self.now / 1_000));
                }
            }
        }
    }

    fn push_scripted(&mut self, forge: &ForgeId, push: &Push) {
        let Some(&repository) = self.forge(forge).repositories.get(push.repository) else { return };
        let labels: Vec<&str> = push.labels.iter().map(String::as_str).collect();
        let names: Vec<String> = match push.times {
            1 => vec![push.job.clone()],
            times => (1..=times).map(|number| format!("{}-{number}", push.job)).collect(),
        };
        for name in names {
            let concurrency = match &push.group {
                None => Concurrency::unlimited(),
                Some((group, true)) => Concurrency::cancel(group),
                Some((group, false)) => Concurrency::queue(group),
            };
            self.script.lasts.insert(name.clone(), push.lasts);
            let jobs = vec![JobSpec::shell(&name, &labels, "true")];
            self.push_run(forge, RunSpec::new(repository, "ci.yml", jobs).with_concurrency(concurrency));
        }
    }

    fn newest(&self, forge: &ForgeId, job: &str) -> Option<JobId> {
        let attempts = self.forge(forge).model.books().attempts().iter();
        attempts.rev().find(|attempt| attempt.name == job).map(|attempt| attempt.job)
    }

    /// What is not as expected, in words.
    fn unmet(&self, forge: &ForgeId, expectation: &Expectation) -> Option<String> {
        let told = |word: &str| self.tally.reasons().any(|(known, count)| known == word && count > 0);
        let machines: usize = self.backends.values().map(|model| model.machines.len()).sum();
        match expectation {
            Expectation::Job { job, status } => {
                let is = self.newest(forge, job).and_then(|id| self.forge(forge).model.job_status(id));
                let is = is.map_or("not there", Status::word);
                (is != status).then(|| format!("{job} is {is}, not {status}"))
            }
            Expectation::Machines { least, most } => (machines < *least || machines > *most)
                .then(|| format!("there are {machines} machines, not {least} to {most}")),
            Expectation::Runners { count } => {
                let side = self.forge(forge);
                let is = side.model.runners_now().into_iter().filter(|id| !side.foreign.contains(id)).count();
                (is != *count).then(|| format!("there are {is} runners of ours, not {count}"))
            }
            Expectation::Made { least, most } => {
                let made = self.judge.created;
                (made < *least || made > *most).then(|| format!("{made} machines were made, not {least} to {most}"))
            }
            Expectation::Told { word } => (!told(word)).then(|| format!("nobody was told `{word}`")),
            Expectation::NotTold { word } => told(word).then(|| format!("`{word}` was told")),
        }
    }
}
