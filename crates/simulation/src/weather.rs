//! How bad a world is: the rate of each fault, drawn from the seed. Some worlds are calm, some terrible, and each fault is
//! absent from many of them, so that each is also met without the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::dice::Dice;
use crate::fault::{Fault, Often};
use crate::shape::Shape;

/// However bad, something gets through.
const MOST: u64 = 900;

/// Rates by fault: per thousand, or the mean span between two, in milliseconds; 0 for never.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    rates: Vec<u64>,
    /// How often each has come, or would have.
    came: Vec<u64>,
    /// Of which faults only some come.
    only: BTreeMap<Fault, BTreeSet<u64>>,
}

impl Weather {
    /// No faults at all.
    pub(crate) fn calm() -> Self {
        Self::of(vec![0; Fault::ALL.len()], BTreeMap::new())
    }

    fn of(rates: Vec<u64>, only: BTreeMap<Fault, BTreeSet<u64>>) -> Self {
        Self { rates, came: vec![0; Fault::ALL.len()], only }
    }

    /// Draws the weather of a world, and leaves some faults out of it.
    pub(crate) fn drawn(shape: &Shape) -> Self {
        let seed = shape.seed;
        // Of ten worlds one is calm and two are terrible.
        let (present, strength) = match Dice::of(seed, "climate").between(0, 9) {
            0 => (0, 0),
            1..=3 => (250, 500),
            4..=7 => (450, 1_000),
            _ => (800, 1_200),
        };
        let rates = Fault::ALL.iter().map(|fault| {
            let mut dice = Dice::of(seed, &format!("rate of {}", fault.word()));
            if !dice.chance(present) || shape.without.contains(fault) {
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
        Self::of(rates.collect(), shape.only.clone())
    }

    /// Counts that a fault would come now; whether it does.
    pub(crate) fn lets(&mut self, fault: Fault) -> bool {
        let came = &mut self.came[fault as usize];
        *came += 1;
        self.only.get(&fault).is_none_or(|times| times.contains(came))
    }

    /// How often each fault has come, or would have but for `only`.
    pub(crate) fn into_came(self) -> BTreeMap<Fault, u64> {
        Fault::ALL.iter().copied().zip(self.came).filter(|(_, came)| *came > 0).collect()
    }

    /// The rate of a fault.
    pub(crate) fn rate(&self, fault: Fault) -> u64 {
        self.rates.get(fault as usize).copied().unwrap_or(0)
    }
}
