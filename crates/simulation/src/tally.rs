//! What was counted in a world, and in many.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::judge::{Bound, Measured};
use crate::kind::Kind;
use crate::reasons::WORDS;

/// Counts of a world; those of many are added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Worlds.
    pub worlds: u64,
    /// Attempts of jobs.
    pub attempts: u64,
    /// Attempts of the world with the most.
    pub most_attempts: u64,
    /// Machines made.
    pub created: u64,
    /// Races that the design documents and that cost a job.
    pub races: u64,
    /// Invariants broken only since a backend denied a living machine in listings that claimed to be complete.
    pub deceived: u64,
    /// Lives of the daemon.
    pub lives: u64,
    /// Turns of the planner.
    pub turns: u64,
    /// Virtual time in which there were faults, in milliseconds.
    pub faults_ms: u64,
    /// The longest virtual time from the end of faults to the end of everything, in milliseconds.
    pub settled_ms: u64,
    faults: Vec<u64>,
    reasons: Vec<u64>,
    kinds: Vec<u64>,
    /// How many worlds had so many attempts.
    sizes: BTreeMap<u64, u64>,
    bounds: BTreeMap<Bound, Measured>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            worlds: 0,
            attempts: 0,
            most_attempts: 0,
            created: 0,
            races: 0,
            deceived: 0,
            lives: 0,
            turns: 0,
            faults_ms: 0,
            settled_ms: 0,
            faults: vec![0; Fault::ALL.len()],
            reasons: vec![0; WORDS.len()],
            kinds: vec![0; Kind::ALL.len()],
            sizes: BTreeMap::new(),
            bounds: BTreeMap::new(),
        }
    }
}

impl Tally {
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    pub(crate) fn reason(&mut self, place: usize) {
        self.reasons[place] += 1;
    }

    pub(crate) fn kind(&mut self, kind: Kind) {
        self.kinds[kind as usize] += 1;
    }

    pub(crate) fn size(&mut self, attempts: u64) {
        *self.sizes.entry(attempts).or_default() += 1;
    }

    /// Each kind of world, or of what was done in them, with how often there was one.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.iter().copied().zip(self.kinds.iter().copied())
    }

    /// How many attempts the world in the middle had.
    pub fn median_attempts(&self) -> u64 {
        let mut before = 0;
        let middle = self.sizes.iter().find(|(_, worlds)| {
            before += **worlds;
            before * 2 >= self.worlds
        });
        middle.map_or(0, |(attempts, _)| *attempts)
    }

    /// How many worlds had so many attempts or more.
    pub fn worlds_of(&self, attempts: u64) -> u64 {
        self.sizes.range(attempts..).map(|(_, worlds)| worlds).sum()
    }

    /// Each fault with how often it was injected.
    pub fn faults(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.iter().copied().zip(self.faults.iter().copied())
    }

    /// Each reason and alert with in how many turns' reports it stood.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, u64)> {
        WORDS.into_iter().zip(self.reasons.iter().copied())
    }

    pub(crate) fn measured(&mut self, bound: Bound, measured: &Measured) {
        self.bounds.entry(bound).or_default().add(measured);
    }

    /// Each bound with how close to it things came.
    pub fn bounds(&self) -> impl Iterator<Item = (Bound, Measured)> {
        Bound::ALL.into_iter().map(|bound| (bound, self.bounds.get(&bound).copied().unwrap_or_default()))
    }

    /// Adds the counts of others.
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.attempts += other.attempts;
        self.most_attempts = self.most_attempts.max(other.most_attempts);
        self.created += other.created;
        self.races += other.races;
        self.deceived += other.deceived;
        self.lives += other.lives;
        self.turns += other.turns;
        self.faults_ms += other.faults_ms;
        self.settled_ms = self.settled_ms.max(other.settled_ms);
        for (attempts, worlds) in &other.sizes {
            *self.sizes.entry(*attempts).or_default() += worlds;
        }
        for (sum, more) in self.kinds.iter_mut().zip(&other.kinds) {
            *sum += more;
        }
        for (bound, measured) in &other.bounds {
            self.measured(*bound, measured);
        }
        for (sum, more) in self.faults.iter_mut().zip(&other.faults) {
            *sum += more;
        }
        for (sum, more) in self.reasons.iter_mut().zip(&other.reasons) {
            *sum += more;
        }
    }
}
