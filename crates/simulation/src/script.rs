//! The script of a scenario: who does what when, which fault strikes what, and what must be true.

use std::collections::{BTreeMap, BTreeSet};

use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{JobId, Status};
use planner::ids::{ForgeId, PoolId};
use planner::report::Report;

use crate::fault::Fault;
use crate::happening::Happening;
use crate::judge::{Bound, Measured, Rule};
use crate::reasons::{WORDS, of_job};
use crate::world::{World, note};

/// What must always be true is looked at so often.
const WATCH_MS: u64 = 100;

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
    /// By the schedule of a pool another hour begins.
    Hour { pool: PoolId, count: u32 },
    /// Something must be true now.
    Expect(Expectation),
    /// Something must be true from now on.
    Always(Expectation),
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
    /// So many of each, of one name.
    pub(crate) alike: u32,
}

/// What must be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// The newest attempt of a job, or of every job whose name begins with what stands before `*`, has this status.
    Job { job: String, status: String },
    /// So many jobs whose name begins so have this status.
    Jobs { count: usize, start: String, status: String },
    /// So many attempts of a job, each of which was handed out so often, in all.
    HandedOut { job: String, count: u32 },
    /// There are so many machines now, at the least and at the most.
    Machines { least: usize, most: usize },
    /// So many machines wait for a job now, at the least and at the most.
    Spares { least: usize, most: usize },
    /// So many registrations of ours exist now.
    Runners { count: usize },
    /// So many machines were made until now, at the least and at the most.
    Made { least: u64, most: u64 },
    /// So many calls of a kind were begun until now, at the least and at the most.
    Calls { word: String, least: u64, most: u64 },
    /// What is bounded was measured so often, at the least and at the most, and never took longer, in milliseconds.
    Took { bound: Bound, least: u64, most: u64, longest_ms: u64 },
    /// A reason or an alert has been told.
    Told { word: String },
    /// A reason or an alert has not been told.
    NotTold { word: String },
}

/// A script under way. Without one, a world is drawn from its seed.
#[derive(Debug, Default)]
pub(crate) struct Script {
    is_on: bool,
    /// Whether machines are free at once and runners come at once.
    is_quick: bool,
    strikes: Vec<(Fault, String, u32)>,
    lasts: BTreeMap<String, Option<u64>>,
    /// How many calls of each kind were begun.
    calls: BTreeMap<&'static str, u64>,
    /// The words of each job's reasons in order, by its name and handle.
    told: BTreeMap<(String, String), Vec<&'static str>>,
}

impl Script {
    /// A script that begins.
    pub(crate) fn begun(is_quick: bool) -> Self {
        Self { is_on: true, is_quick, ..Self::default() }
    }

    /// Whether machines are free at once and runners come at once.
    pub(crate) fn is_quick(&self) -> bool {
        self.is_quick
    }

    /// Whether a fault is to strike this.
    pub(crate) fn takes(&mut self, fault: Fault, on: &str) -> bool {
        let planned =
            self.strikes.iter_mut().find(|(of, whom, left)| *of == fault && *left > 0 && on.starts_with(whom.as_str()));
        let Some((.., left)) = planned else { return false };
        *left -= 1;
        true
    }

    /// Whether a world follows a script.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Counts a call that is begun.
    pub(crate) fn called(&mut self, word: &'static str) {
        *self.calls.entry(word).or_default() += 1;
    }

    /// How long a job runs, if a script says so.
    pub(crate) fn lasts(&self, job: &str) -> Option<u64> {
        self.is_on.then(|| self.lasts.get(job).copied().flatten().unwrap_or(86_400_000))
    }

    /// Keeps the reasons that are told, where they change.
    pub(crate) fn reads(&mut self, report: &Report) {
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

    /// A line for each attempt of these jobs, or of all: its reasons in order. Attempts of one name are in the order of their lines.
    pub(crate) fn lines(&self, of: &[String]) -> Vec<String> {
        let told = self.told.iter().filter(|((name, _), _)| of.is_empty() || of.contains(name));
        let mut lines: Vec<String> = told.map(|((name, _), words)| format!("{name}: {}", words.join(", "))).collect();
        lines.sort();
        lines
    }
}

impl World {
    /// The script goes on.
    pub(crate) fn act(&mut self, act: &Act) {
        if !matches!(act, Act::Always(_)) {
            note!(self, "SCRIPT {act:?}");
        }
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
            Act::Befall { fault, whom, span } => {
                let whom = whom.as_ref().map(|whom| self.machine_of(&forge, whom).unwrap_or_else(|| whom.clone()));
                self.befall(*fault, whom.as_deref(), *span);
            }
            Act::Hour { pool, count } => self.hour_begins(pool, *count),
            Act::Expect(expectation) => self.expect(&forge, expectation),
            Act::Always(expectation) => {
                self.expect(&forge, expectation);
                self.after(WATCH_MS, Happening::Act { act: act.clone() });
            }
        }
    }

    fn expect(&mut self, forge: &ForgeId, expectation: &Expectation) {
        if let Some(what) = self.unmet(forge, expectation) {
            self.judge.breaks(Rule::Expected, format!("at {} s: {what}", self.now / 1_000));
        }
    }

    /// The name of the machine that was made for the newest attempt of a job.
    fn machine_of(&self, forge: &ForgeId, job: &str) -> Option<String> {
        let attempts = self.forge(forge).model.books().attempts().iter();
        let handle = attempts.rev().find(|attempt| attempt.name == job)?.handle.as_str();
        let mut machines = self.backends.values().flat_map(|model| &model.machines);
        machines
            .find(|(_, machine)| machine.serves().is_some_and(|job| job.handle.as_str() == handle))
            .map(|(name, _)| name.to_string())
    }

    fn push_scripted(&mut self, forge: &ForgeId, push: &Push) {
        let Some(&repository) = self.forge(forge).repositories.get(push.repository) else { return };
        let labels: Vec<&str> = push.labels.iter().map(String::as_str).collect();
        let names: Vec<String> = match push.times {
            1 => vec![push.job.clone()],
            times => (1..=times).map(|number| format!("{}-{number}", push.job)).collect(),
        };
        for name in names.iter().flat_map(|name| (0..push.alike).map(move |_| name.clone())) {
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

    /// How many jobs whose name begins so there are, and how many of them have a status.
    fn count(&self, forge: &ForgeId, start: &str, status: &str) -> (usize, usize) {
        let model = &self.forge(forge).model;
        let attempts = model.books().attempts().iter().filter(|attempt| attempt.name.starts_with(start));
        let jobs: BTreeSet<JobId> = attempts.map(|attempt| attempt.job).collect();
        let with = jobs.iter().filter(|job| model.job_status(**job).is_some_and(|is| is.word() == status)).count();
        (jobs.len(), with)
    }

    /// How often the attempts of a job were handed out.
    fn handed_out(&self, forge: &ForgeId, job: &str) -> u32 {
        let attempts = self.forge(forge).model.books().attempts().iter();
        attempts.filter(|attempt| attempt.name == job).map(|attempt| attempt.hand_outs).sum()
    }

    /// What is not as expected, in words.
    fn unmet(&self, forge: &ForgeId, expectation: &Expectation) -> Option<String> {
        let told = |word: &str| self.tally.reasons().any(|(known, count)| known == word && count > 0);
        let machines: usize = self.backends.values().map(|model| model.machines.len()).sum();
        match expectation {
            Expectation::Job { job, status } if job.ends_with('*') => {
                let (all, with) = self.count(forge, job.trim_end_matches('*'), status);
                (with != all || all == 0).then(|| format!("{with} of {all} {job} are {status}"))
            }
            Expectation::Jobs { count, start, status } => {
                let (_, with) = self.count(forge, start, status);
                (with != *count).then(|| format!("{with} {start}* are {status}, not {count}"))
            }
            Expectation::HandedOut { job, count } => {
                let is = self.handed_out(forge, job);
                (is != *count).then(|| format!("{job} was handed out {is} times, not {count}"))
            }
            Expectation::Calls { word, least, most } => {
                let is = self.script.calls.get(word.as_str()).copied().unwrap_or(0);
                (is < *least || is > *most).then(|| format!("{word} was called {is} times, not {least} to {most}"))
            }
            Expectation::Job { job, status } => {
                let is = self.newest(forge, job).and_then(|id| self.forge(forge).model.job_status(id));
                let is = is.map_or("not there", Status::word);
                (is != status).then(|| format!("{job} is {is}, not {status}"))
            }
            Expectation::Machines { least, most } => (machines < *least || machines > *most)
                .then(|| format!("there are {machines} machines, not {least} to {most}")),
            Expectation::Spares { least, most } => {
                let is = self.spares().count();
                (is < *least || is > *most).then(|| format!("{is} machines wait for a job, not {least} to {most}"))
            }
            Expectation::Runners { count } => {
                let side = self.forge(forge);
                let is = side.model.runners_now().into_iter().filter(|id| !side.foreign.contains(id)).count();
                (is != *count).then(|| format!("there are {is} runners of ours, not {count}"))
            }
            Expectation::Made { least, most } => {
                let made = self.judge.created;
                (made < *least || made > *most).then(|| format!("{made} machines were made, not {least} to {most}"))
            }
            Expectation::Took { bound, least, most, longest_ms } => {
                let Measured { times, longest_ms: is, .. } = self.judge.bounds.of(*bound);
                (times < *least || times > *most || is > *longest_ms).then(|| {
                    let what = bound.word();
                    format!("{what}: {times} times, not {least} to {most}, and at most {is} ms, not {longest_ms} ms")
                })
            }
            Expectation::Told { word } => (!told(word)).then(|| format!("nobody was told `{word}`")),
            Expectation::NotTold { word } => told(word).then(|| format!("`{word}` was told")),
        }
    }
}
