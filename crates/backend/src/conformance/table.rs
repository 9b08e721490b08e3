//! What was tried and how it came out.

use std::fmt;
use std::time::Duration;

use super::Row;

/// How one row came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the contract says.
    Passed,
    /// It was not tried.
    NotApplicable(&'static str),
    /// Otherwise, in words.
    Failed(String),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was tried.
    pub row: Row,
    /// How it came out.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// All rows of one backend, in the order in which they were tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The name of the run.
    pub backend: String,
    /// The rows.
    pub outcomes: Vec<Outcome>,
}

impl Table {
    /// The rows that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Failed(_)))
    }

    fn count(&self, is_of: impl Fn(&Verdict) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| is_of(&outcome.verdict)).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conformance of {}", self.backend)?;
        let width = Row::ALL.iter().map(|row| row.words().len()).max().unwrap_or_default();
        for Outcome { row, verdict, took } in &self.outcomes {
            let seconds = took.as_secs_f64();
            write!(f, "  {:width$}  {seconds:7.2} s  ", row.words())?;
            match verdict {
                Verdict::Passed => writeln!(f, "passed")?,
                Verdict::NotApplicable(reason) => writeln!(f, "not applicable: {reason}")?,
                Verdict::Failed(how) => writeln!(f, "FAILED: {how}")?,
            }
        }
        let passed = self.count(|verdict| *verdict == Verdict::Passed);
        let untried = self.count(|verdict| matches!(verdict, Verdict::NotApplicable(_)));
        write!(f, "  {passed} passed, {} failed, {untried} not applicable", self.failed().count())
    }
}
