//! Makes a broken world smaller: the same invariant shall break with fewer jobs, fewer faults and an earlier end of faults.
//!
//! ```text
//! earlier quiet ─► fewer jobs ─► fewer kinds of faults ─► fewer times of each ─┐
//!      ▲                                                                       │
//!      └──────────────── while something became smaller ◄──────────────────────┘
//! ```
//!
//! Each fault draws from a stream of its own, so that a world without one of them is otherwise much the same. Whatever is
//! left out, the world is run anew: nothing is believed but that the same invariant breaks again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ending::{Report, run};
use crate::fault::Fault;
use crate::judge::Broken;
use crate::shape::Shape;

/// Faults end at whole seconds.
const SECOND_MS: u64 = 1_000;

/// A broken world that became smaller. Written out, it is a scenario file.
#[derive(Debug)]
pub struct Shrunk {
    /// What is left of it.
    pub shape: Shape,
    /// What it breaks.
    pub broken: Broken,
    /// How many worlds were run for that.
    pub runs: u32,
    /// Attempts of jobs, before and after.
    pub attempts: (u64, u64),
    /// Faults that came, before and after.
    pub faults: (u64, u64),
    /// The faults that are left, as the trace tells them.
    pub injected: Vec<String>,
}

/// Makes the world of a shape smaller, with so many runs at the most. `None`: it breaks nothing.
pub fn shrink(shape: &Shape, most_runs: u32) -> Option<Shrunk> {
    let first = run(shape, false);
    let invariant = first.broken.as_ref()?.invariant;
    let before = (first.tally.attempts, injected(&first));
    let mut search = Search { invariant, left: most_runs, runs: 0, shape: shape.clone(), report: first };
    loop {
        let at_first = search.shape.clone();
        search.quieter();
        search.fewer_jobs();
        search.fewer_kinds();
        search.fewer_times();
        if search.shape == at_first || search.left == 0 {
            break;
        }
    }
    let report = run(&search.shape, true);
    let faults = (before.1, injected(&report));
    let is_fault = |line: &&String| line.contains(" FAULT ");
    Some(Shrunk {
        broken: report.broken?,
        runs: search.runs,
        attempts: (before.0, report.tally.attempts),
        faults,
        injected: report.trace.iter().filter(is_fault).map(|line| line.replace(" FAULT ", "")).collect(),
        shape: search.shape,
    })
}

fn injected(report: &Report) -> u64 {
    report.tally.faults().map(|(_, count)| count).sum()
}

/// The smallest world so far, and what it came to.
struct Search {
    invariant: u8,
    /// So many worlds may still be run.
    left: u32,
    runs: u32,
    shape: Shape,
    report: Report,
}

impl Search {
    /// Takes a shape if its world breaks the same invariant.
    fn takes(&mut self, shape: Shape) -> bool {
        if self.left == 0 || shape == self.shape {
            return false;
        }
        self.left -= 1;
        self.runs += 1;
        let report = run(&shape, false);
        let breaks = report.broken.as_ref().is_some_and(|broken| broken.invariant == self.invariant);
        if breaks {
            self.shape = shape;
            self.report = report;
        }
        breaks
    }

    /// An earlier end of faults.
    fn quieter(&mut self) {
        let end = self.report.tally.faults_ms.div_ceil(SECOND_MS);
        self.takes(Shape { quiet_at: Some(end * SECOND_MS), ..self.shape.clone() });
        if self.shape.quiet_at.is_some() {
            self.lower(end, |shape, seconds| shape.quiet_at = Some(seconds * SECOND_MS));
        }
    }

    fn fewer_jobs(&mut self) {
        let jobs = self.shape.jobs.unwrap_or(self.report.tally.attempts);
        self.takes(Shape { jobs: Some(jobs), ..self.shape.clone() });
        if self.shape.jobs.is_some() {
            self.lower(jobs, |shape, jobs| shape.jobs = Some(jobs));
        }
    }

    /// Lowers a number, by smaller and smaller steps.
    fn lower(&mut self, from: u64, set: impl Fn(&mut Shape, u64)) {
        let (mut number, mut step) = (from, from);
        while step > 0 {
            let mut shape = self.shape.clone();
            set(&mut shape, number.saturating_sub(step));
            if number >= step && self.takes(shape) {
                number -= step;
            } else {
                step /= 2;
            }
        }
    }

    fn fewer_kinds(&mut self) {
        let kinds: Vec<Fault> = self.report.came.keys().copied().collect();
        let without = self.shape.without.clone();
        self.least(&kinds, |shape, left_out| {
            shape.without = without.iter().chain(left_out).copied().collect();
            shape.only.retain(|fault, _| !left_out.contains(fault));
        });
    }

    /// Fewer of the times that each fault comes.
    fn fewer_times(&mut self) {
        let all = |(fault, came): (&Fault, &u64)| -> Vec<(Fault, u64)> {
            let only = self.shape.only.get(fault);
            let times = (1..=*came).filter(|time| only.is_none_or(|only| only.contains(time)));
            times.map(|time| (*fault, time)).collect()
        };
        let times: Vec<(Fault, u64)> = self.report.came.iter().flat_map(all).collect();
        self.least(&times, |shape, left_out| {
            shape.only = BTreeMap::new();
            for (fault, time) in &times {
                let only = shape.only.entry(*fault).or_insert_with(BTreeSet::new);
                if !left_out.contains(&(*fault, *time)) {
                    only.insert(*time);
                }
            }
            let never: Vec<Fault> =
                shape.only.iter().filter(|(_, only)| only.is_empty()).map(|(fault, _)| *fault).collect();
            shape.only.retain(|_, only| !only.is_empty());
            shape.without.extend(never);
        });
    }

    /// Leaves out what is not needed: larger parts first, then smaller ones.
    fn least<T: Copy>(&mut self, all: &[T], set: impl Fn(&mut Shape, &[T])) {
        let mut kept = all.to_vec();
        let mut left_out: Vec<T> = Vec::new();
        let mut size = kept.len();
        while size > 0 && self.left > 0 {
            let mut at = 0;
            while at < kept.len() {
                let end = (at + size).min(kept.len());
                let tried = [&left_out[..], &kept[at..end]].concat();
                let mut shape = self.shape.clone();
                set(&mut shape, &tried);
                if self.takes(shape) {
                    left_out = tried;
                    kept.drain(at..end);
                } else {
                    at = end;
                }
            }
            size /= 2;
        }
    }
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, broken, attempts, faults, .. } = self;
        writeln!(f, "# seed {} broke invariant {}: {}", shape.seed, broken.invariant, broken.what)?;
        writeln!(
            f,
            "# Attempts of jobs: {} instead of {}; faults: {} instead of {}.",
            attempts.1, attempts.0, faults.1, faults.0
        )?;
        for fault in &self.injected {
            writeln!(f, "# {fault}")?;
        }
        write!(f, "{shape}")
    }
}
