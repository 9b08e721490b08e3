//! The shape of a world: its seed, and what is left out of it.
//!
//! A shape is written in the words of scenario files, one thing a line, and [`crate::Scenario::parse`] reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::fault::Fault;

/// Which world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The seed that it is drawn from.
    pub seed: u64,
    /// Faults that it does not have.
    pub without: BTreeSet<Fault>,
    /// Faults of which it has only these: the first time that one would come is 1.
    pub only: BTreeMap<Fault, BTreeSet<u64>>,
    /// At most so many jobs are pushed.
    pub jobs: Option<u64>,
    /// When its faults end, in milliseconds, if not when the seed says.
    pub quiet_at: Option<u64>,
}

impl Shape {
    /// The whole world of a seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, without: BTreeSet::new(), only: BTreeMap::new(), jobs: None, quiet_at: None }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        if let Some(jobs) = self.jobs {
            writeln!(f, "jobs {jobs}")?;
        }
        if let Some(at) = self.quiet_at {
            writeln!(f, "quiet at {at}ms")?;
        }
        if !self.without.is_empty() {
            let words: Vec<&str> = self.without.iter().map(|fault| fault.word()).collect();
            writeln!(f, "without {}", words.join(" "))?;
        }
        for (fault, times) in &self.only {
            write!(f, "only {}", fault.word())?;
            times.iter().try_for_each(|time| write!(f, " {time}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}
