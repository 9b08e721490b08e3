//! Shows that checker and judge can fail: each deliberate defect of the planner must break a world within a bound.

mod rules;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use simulation::Shape;
use simulation::sabotage::{Sabotage, choose};

pub(crate) use rules::run as run_rules;

use crate::simulate::say;

/// In so many seeds each defect must be found.
const SEEDS: u64 = 2_000;

/// What a defect came to: how many seeds it took, and what it broke.
type Caught = (u64, String);

/// Tries every defect whose words contain these.
pub(crate) fn run(words: &str) -> ExitCode {
    let chosen: Vec<Sabotage> =
        Sabotage::ALL.iter().copied().filter(|sabotage| sabotage.word().contains(words)).collect();
    let next = AtomicUsize::new(0);
    let caught: Mutex<Vec<(Sabotage, Option<Caught>)>> = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&sabotage) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = seek(sabotage);
                    tell(sabotage, found.as_ref());
                    if let Ok(mut caught) = caught.lock() {
                        caught.push((sabotage, found));
                    }
                }
            });
        }
    });
    let caught = caught.into_inner().unwrap_or_default();
    let count = caught.iter().filter(|(_, found)| found.is_some()).count();
    say(&format!("{count} of {} caught", chosen.len()));
    if count == chosen.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first seed that a defect breaks.
fn seek(sabotage: Sabotage) -> Option<Caught> {
    (0..SEEDS).find_map(|seed| {
        choose(Some(sabotage));
        let broken = run_one(seed);
        choose(None);
        // What breaks by itself shows nothing.
        broken.filter(|_| run_one(seed).is_none()).map(|broken| (seed + 1, broken))
    })
}

fn run_one(seed: u64) -> Option<String> {
    let broken = simulation::run(&Shape::of(seed), false).broken?;
    let who = if broken.what.starts_with("the checker") { "checker" } else { "world" };
    Some(format!("invariant {} ({who})", broken.invariant))
}

fn tell(sabotage: Sabotage, found: Option<&Caught>) {
    match found {
        Some((seeds, what)) => say(&format!("{:<48} {seeds:>5} seeds  {what}", sabotage.word())),
        None => say(&format!("{:<48}  NOT caught by itself within {SEEDS} seeds", sabotage.word())),
    }
}
