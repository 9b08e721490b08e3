//! Runs a world to its end, and judges the end.

use crate::judge::Broken;
use crate::world::World;

/// Within this time after faults end everything must be over: jobs ended, and of ours nothing left (invariants 6 and 8).
///
/// The longest ways: a lost job waits for the forge's own timeout (3 + 1 min), an endless one for the run clock (4 min) and
/// its stop, a parked handle for its rest (4 min and a quarter of jitter); then what is left of two dozen runs goes one by
/// one through a single machine, for at most 40 s each.
pub const QUIET_BOUND_MS: u64 = 25 * 60_000;

/// What a world came to.
#[derive(Debug)]
pub struct Report {
    /// The first invariant that was broken, if any.
    pub broken: Option<Broken>,
    /// What was counted.
    pub counters: Counters,
    /// What happened, if that was asked for.
    pub trace: Vec<String>,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Attempts of jobs.
    pub attempts: u32,
    /// Machines made.
    pub created: u32,
    /// Races that the design documents and that cost a job.
    pub races: u32,
    /// Invariants broken only since a backend denied a living machine in listings that claimed to be complete.
    pub deceived: u32,
    /// Lives of the daemon.
    pub lives: u32,
    /// Turns of the planner.
    pub turns: u64,
    /// Virtual time until all was quiet, and from then to the end.
    pub faults_ms: u64,
    /// Virtual time from the end of faults to the end of everything.
    pub settled_ms: u64,
}

/// Runs the world of a seed to its end.
pub fn run(seed: u64, traced: bool) -> Report {
    let mut world = World::new(seed, traced);
    let mut looked_at = 0;
    while world.judge.broken.is_none() && world.advance() {
        if world.now < looked_at + 1_000 {
            continue;
        }
        looked_at = world.now;
        let Some(since) = world.quiet_since else { continue };
        let left = world.what_is_left();
        if left.is_none() {
            world.judge_end();
            break;
        }
        if world.now > since + QUIET_BOUND_MS
            && let Some((invariant, what)) = left
        {
            world.judge.breaks(invariant, format!("long after faults ended: {what}"));
        }
    }
    world.into_report()
}

impl World {
    /// What is not over yet, and which invariant that breaks if it lasts. `None`: all is over.
    fn what_is_left(&self) -> Option<(u8, String)> {
        let unfinished = self
            .forge
            .model
            .books()
            .attempts()
            .iter()
            .find(|attempt| !attempt.status.is_final() && !self.forge.unservable.contains(&attempt.run));
        if let Some(attempt) = unfinished {
            return Some((8, format!("{} is {}", attempt.handle, attempt.status.word())));
        }
        let machine = self.backends.values().find_map(|model| model.machines.keys().next());
        if let Some(name) = machine {
            return Some((6, format!("machine {name} is still there")));
        }
        let runner = self.forge.model.runners_now().into_iter().find(|id| !self.forge.foreign.contains(id));
        if let Some(id) = runner {
            return Some((6, format!("runner {id} is still registered")));
        }
        let journal = &self.daemon.state.journal;
        let books = journal.assignments.keys().next().map(ToString::to_string);
        books.map(|key| (6, format!("{key} is still in the books")))
    }

    /// Invariants 1 and 10, in the end.
    fn judge_end(&mut self) {
        if self.forge.model.double_handouts() > 0 {
            self.judge.breaks(1, "a handle was handed out twice".to_owned());
        }
        let lost = self.forge.model.books().attempts().iter().find(|attempt| {
            attempt.status == forge_model::Status::Failure && !self.judge.is_excused(attempt.handle.as_str())
        });
        if let Some(attempt) = lost {
            let what = format!("{} failed, and nothing but us explains it", attempt.handle);
            self.judge.breaks(10, what);
        }
        let strays = self.daemon.state.journal.strays.len() + self.daemon.state.journal.buried.len();
        if strays > self.forge.model.books().attempts().len() * 4 + 64 {
            self.judge.breaks(13, format!("{strays} things are remembered for ever"));
        }
    }

    fn into_report(self) -> Report {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let quiet = self.quiet_since.unwrap_or(self.now);
        Report {
            counters: Counters {
                attempts: count(self.forge.model.books().attempts().len()),
                created: self.judge.created,
                races: self.judge.races,
                deceived: self.judge.deceived,
                lives: self.daemon.life,
                turns: self.daemon.turns,
                faults_ms: quiet,
                settled_ms: self.now - quiet,
            },
            broken: self.judge.broken,
            trace: self.trace.into_lines(),
        }
    }
}
