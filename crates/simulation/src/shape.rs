//! The shape of a world: its seed, and what is left out of it.

use std::collections::BTreeSet;

use crate::fault::Fault;

/// Which world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The seed that it is drawn from.
    pub seed: u64,
    /// Faults that it does not have.
    pub without: BTreeSet<Fault>,
    /// At most so many jobs are pushed.
    pub jobs: Option<u64>,
    /// When its faults end, in milliseconds, if not when the seed says.
    pub quiet_at: Option<u64>,
}

impl Shape {
    /// The whole world of a seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, without: BTreeSet::new(), jobs: None, quiet_at: None }
    }
}
