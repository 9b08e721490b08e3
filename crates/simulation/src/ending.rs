//! Runs a world to its end, and judges the end.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fault::Fault;
use crate::judge::{Broken, Rule};
use crate::shape::Shape;
use crate::tally::Tally;
use crate::world::World;

/// Within this time after faults end everything must be over: jobs ended, and of ours nothing left (invariants 6 and 8),
/// with [`QUIET_BOUND_PER_JOB_MS`] more for each job that is not over then.
///
/// The longest ways: a lost job waits for the forge's own timeout (3 + 1 min), an endless one for the run clock (4 min) and
/// its stop, a parked handle for its rest (4 min and a quarter of jitter).
pub const QUIET_BOUND_MS: u64 = 25 * 60_000;

/// Jobs go one by one through a single machine, for at most 40 s each.
pub const QUIET_BOUND_PER_JOB_MS: u64 = 60_000;

/// After the end of everything an idle daemon must have forgotten it: what is remembered of a handle for 10 min, and polls.
const LINGER_MS: u64 = 12 * 60_000;

/// Of so many worlds one goes on for so long.
const LINGERING: u64 = 16;

/// Of so many worlds one writes its trace, so that it can be searched for tokens.
const READ: u64 = 64;

/// What a world came to.
#[derive(Debug)]
pub struct Report {
    /// The first invariant that was broken, if any.
    pub broken: Option<Broken>,
    /// When it ended or broke, in milliseconds.
    pub ended_at: u64,
    /// How often each fault came by chance.
    pub came: BTreeMap<Fault, u64>,
    /// What was counted.
    pub tally: Tally,
    /// What happened, if that was asked for.
    pub trace: Vec<String>,
}

/// Runs the world of a shape to its end. A panic breaks invariant 12.
pub fn run(shape: &Shape, traced: bool) -> Report {
    let is_read = shape.seed.is_multiple_of(READ);
    let report = live(World::drawn(shape, traced || is_read), shape).into_report();
    Report { trace: if traced { report.trace } else { Vec::new() }, ..report }
}

/// Runs the world of a shape to its end, whatever breaks on the way, and tells what was broken first of each rule.
pub fn run_whole(shape: &Shape) -> BTreeMap<Rule, Broken> {
    let mut world = World::drawn(shape, false);
    world.judge.all_broken = Some(BTreeMap::new());
    live(world, shape).judge.all_broken.unwrap_or_default()
}

fn live(mut world: World, shape: &Shape) -> World {
    let lives_on = shape.seed.is_multiple_of(LINGERING);
    world.guarded(|world| {
        world.run();
        if lives_on && world.settled_at > 0 {
            world.linger();
        }
    });
    world
}

impl World {
    /// Lets something happen that may panic. What is left of a world that panicked is only read.
    pub(crate) fn guarded(&mut self, on: impl FnOnce(&mut Self)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| on(self))) {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
            self.judge.breaks(Rule::Panic, format!("the world panics: {text}"));
        }
    }

    /// Lets the world go on until all is over or something is broken.
    pub(crate) fn run(&mut self) {
        let mut looked_at = 0;
        let mut bound = QUIET_BOUND_MS;
        let mut was_quiet = false;
        while self.judge.broken.is_none() && self.advance() {
            // A script tells how long things took to the millisecond.
            if self.script.is_on() {
                self.judge_bounds();
            }
            if self.now < looked_at + 1_000 {
                continue;
            }
            looked_at = self.now;
            self.judge_bounds();
            let Some(since) = self.quiet_since else { continue };
            if !was_quiet {
                bound += QUIET_BOUND_PER_JOB_MS * self.unfinished() as u64;
                was_quiet = true;
            }
            self.judge_progress();
            let left = self.what_is_left();
            if left.is_none() {
                self.judge_end();
                break;
            }
            if self.now > since + bound
                && let Some((rule, what)) = left
            {
                self.judge.breaks(rule, format!("long after faults ended: {what}"));
                break;
            }
        }
    }

    fn unfinished(&self) -> usize {
        let attempts = self.forges.values().flat_map(|forge| forge.model.books().attempts());
        attempts.filter(|attempt| !attempt.status.is_final()).count()
    }

    /// What is not over yet, and which rule that breaks if it lasts. `None`: all is over.
    pub(crate) fn what_is_left(&self) -> Option<(Rule, String)> {
        for forge in self.forges.values() {
            let mut attempts = forge.model.books().attempts().iter();
            let unfinished =
                attempts.find(|attempt| !attempt.status.is_final() && !forge.unservable.contains(&attempt.run));
            if let Some(attempt) = unfinished {
                return Some((Rule::JobsLeft, format!("{} is {}", attempt.handle, attempt.status.word())));
            }
        }
        let mut machines = self.backends.values().flat_map(|model| &model.machines);
        if let Some((name, _)) = machines.find(|(_, machine)| !machine.is_spare()) {
            return Some((Rule::MachinesLeft, format!("machine {name} is still there")));
        }
        if let Some(left) = self.spares_left() {
            return Some(left);
        }
        for forge in self.forges.values() {
            let runner = forge.model.runners_now().into_iter().find(|id| !forge.foreign.contains(id));
            if let Some(id) = runner {
                return Some((Rule::RunnersLeft, format!("runner {id} of {} is still registered", forge.id)));
            }
        }
        let journal = &self.daemon.state.journal;
        let books = journal.assignments.keys().next().map(ToString::to_string);
        books.map(|key| (Rule::BooksLeft, format!("{key} is still in the books")))
    }

    /// Invariants 7, 10, 11 and 13, in the end.
    pub(crate) fn judge_end(&mut self) {
        let mut attempts = 0;
        let mut lost = None;
        for forge in self.forges.values() {
            attempts += forge.model.books().attempts().len();
            let failed = forge.model.books().attempts().iter().find(|attempt| {
                attempt.status == forge_model::Status::Failure && !self.judge.is_excused(attempt.handle.as_str())
            });
            lost = lost
                .or_else(|| failed.map(|attempt| format!("{} failed, and nothing but us explains it", attempt.handle)));
        }
        if let Some(what) = lost {
            self.judge.breaks(Rule::Explained, what);
        }
        let journal = &self.daemon.state.journal;
        let remembered = journal.strays.len() + journal.buried.len() + journal.refused.len() + journal.handles.len();
        if remembered > attempts * 4 + 64 {
            self.judge.breaks(Rule::Remembered, format!("{remembered} things are remembered for ever"));
        }
        self.judge_secrets(None);
        self.judge_trace();
        self.settled_at = self.now;
    }

    /// Lets an idle daemon go on until it must have forgotten what is over (invariant 13).
    fn linger(&mut self) {
        let until = self.now + LINGER_MS;
        while self.judge.broken.is_none() && self.now < until && self.advance() {}
        if self.judge.broken.is_none() {
            self.judge_emptiness();
        }
    }

    pub(crate) fn into_report(self) -> Report {
        let quiet = self.quiet_since.unwrap_or(self.now);
        let attempts: usize = self.forges.values().map(|forge| forge.model.books().attempts().len()).sum();
        let mut tally = self.tally;
        tally.worlds = 1;
        tally.attempts = attempts as u64;
        tally.most_attempts = attempts as u64;
        tally.size(attempts as u64);
        tally.created = self.judge.created;
        tally.races = self.judge.races;
        for (bound, measured) in self.judge.bounds.measured() {
            tally.measured(bound, &measured);
        }
        tally.deceived = self.judge.deceived;
        tally.lives = u64::from(self.daemon.life);
        tally.turns = self.daemon.turns;
        tally.faults_ms = quiet;
        tally.settled_ms = self.settled_at.max(quiet) - quiet;
        Report {
            broken: self.judge.broken,
            ended_at: self.now,
            came: self.weather.into_came(),
            tally,
            trace: self.trace.into_lines(),
        }
    }
}
