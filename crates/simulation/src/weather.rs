//! How bad a world is: the rate of each fault, drawn from the seed. Some worlds are calm, some terrible, and each fault is
//! absent from many of them, so that each is also met without the others.

use std::collections::BTreeSet;

use crate::dice::Dice;
use crate::fault::{Fault, Often};

/// However bad, something gets through.
const MOST: u64 = 900;

/// Rates by fault: per thousand, or the mean span between two, in milliseconds; 0 for never.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    rates: Vec<u64>,
}

impl Weather {
    /// No faults at all.
    pub(crate) fn calm() -> Self {
        Self { rates: vec![0; Fault::ALL.len()] }
    }

    /// Draws the weather of a world, and leaves some faults out of it.
    pub(crate) fn drawn(seed: u64, without: &BTreeSet<Fault>) -> Self {
        // Of ten worlds one is calm and two are terrible.
        let (present, strength) = match Dice::of(seed, "climate").between(0, 9) {
            0 => (0, 0),
            1..=3 => (250, 500),
            4..=7 => (450, 1_000),
            _ => (800, 1_200),
        };
        let rates = Fault::ALL.iter().map(|fault| {
            let mut dice = Dice::of(seed, &format!("rate of {}", fault.word()));
            if !dice.chance(present) || without.contains(fault) {
                return 0;
            }
            match fault.often() {
                // One in eight is many times as frequent.
                Often::Of(most) => {
                    let times = if dice.chance(125) { 5 } else { 1 };
                    (dice.between(1, most) * times * strength / 1_000).clamp(1, MOST)
                }
                Often::Every(low, high) => dice.between(low, high) * 1_000 / strength.max(1),
            }
        });
        Self { rates: rates.collect() }
    }

    /// The rate of a fault.
    pub(crate) fn rate(&self, fault: Fault) -> u64 {
        self.rates.get(fault as usize).copied().unwrap_or(0)
    }
}
