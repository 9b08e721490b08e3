//! Thousands of worlds, each from one seed.
//!
//! `SEED=42 cargo test -p simulation one_seed -- --nocapture` replays one with its trace;
//! `SEEDS=20000 cargo test -p simulation` tries more.

use simulation::{Counters, Report, run};

/// How many seeds the test runs; half of them in each of two threads.
const SEEDS: u64 = 2_000;
/// How many lines of a trace are shown when a seed fails.
const LAST_LINES: usize = 60;

/// Fails with what broke and the last lines of the trace that have to do with it.
fn fail(seed: u64) -> ! {
    let Report { broken, trace, .. } = run(seed, true);
    let broken = broken.expect("a seed breaks the same invariant when it is run again");
    let subject = broken.what.split_whitespace().find(|word| word.len() == 36 || word.starts_with("fs-"));
    let about: Vec<&String> =
        trace.iter().filter(|line| subject.is_none_or(|subject| line.contains(subject))).collect();
    let last: Vec<&str> = about[about.len().saturating_sub(LAST_LINES)..].iter().map(|line| line.as_str()).collect();
    let last = last.join("\n");
    panic!("seed {seed} breaks invariant {}: {}\n{last}\n(SEED={seed} shows all)", broken.invariant, broken.what);
}

fn run_seeds(seeds: impl Iterator<Item = u64>) -> Counters {
    let mut sum = Counters::default();
    for seed in seeds {
        let report = run(seed, false);
        if report.broken.is_some() {
            fail(seed);
        }
        sum.attempts += report.counters.attempts;
        sum.created += report.counters.created;
        sum.races += report.counters.races;
        sum.deceived += report.counters.deceived;
        sum.lives += report.counters.lives;
        sum.turns += report.counters.turns;
        sum.settled_ms = sum.settled_ms.max(report.counters.settled_ms);
    }
    sum
}

/// How many seeds: `SEEDS` says otherwise for a long run.
#[expect(clippy::disallowed_methods, reason = "a person asks for a long run")]
fn seeds() -> u64 {
    std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

#[test]
fn even_seeds_keep_the_invariants() {
    println!("{:?}", run_seeds((0..seeds()).step_by(2)));
}

#[test]
fn odd_seeds_keep_the_invariants() {
    println!("{:?}", run_seeds((1..seeds()).step_by(2)));
}

#[test]
fn one_seed_run_twice_gives_the_same_trace() {
    let (first, second) = (run(7, true), run(7, true));
    assert!(first.trace.len() > 100);
    assert_eq!(first.trace, second.trace);
    assert_ne!(first.trace, run(8, true).trace);
}

/// Replays the seed that `SEED` names, with its trace; without it, seed 0.
#[test]
#[expect(clippy::disallowed_methods, reason = "a person names the seed to replay")]
fn one_seed() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let Report { broken, counters, trace } = run(seed.unwrap_or(0), true);
    if seed.is_some() {
        for line in trace {
            println!("{line}");
        }
    }
    println!("{counters:?}");
    assert_eq!(broken, None);
}
