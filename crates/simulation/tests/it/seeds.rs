//! Worlds, each from one seed; `cargo xtask simulate` runs many more of them.
//!
//! `SEED=42 cargo test -p simulation one_seed -- --nocapture` replays one with its trace.

use simulation::{Report, Shape, explain, run};

/// How many seeds the tests run, half of them in each of two threads.
const SEEDS: u64 = 600;

fn keep_the_invariants(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        let shape = Shape::of(seed);
        assert!(run(&shape, false).broken.is_none(), "{}\n(SEED={seed} shows all)", explain(&shape));
    }
}

#[test]
fn even_seeds_keep_the_invariants() {
    keep_the_invariants((0..SEEDS).step_by(2));
}

#[test]
fn odd_seeds_keep_the_invariants() {
    keep_the_invariants((1..SEEDS).step_by(2));
}

#[test]
fn seeds_run_twice_give_the_same_trace() {
    for seed in [7, 8, 9, 10] {
        let (first, second) = (run(&Shape::of(seed), true), run(&Shape::of(seed), true));
        assert!(first.trace.len() > 100);
        assert_eq!(first.trace, second.trace);
    }
    assert_ne!(run(&Shape::of(7), true).trace, run(&Shape::of(8), true).trace);
}

/// Replays the seed that `SEED` names, with its trace; without it, seed 0.
#[test]
#[expect(clippy::disallowed_methods, reason = "a person names the seed to replay")]
fn one_seed() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let Report { broken, tally, trace, .. } = run(&Shape::of(seed.unwrap_or(0)), true);
    if seed.is_some() {
        for line in trace {
            println!("{line}");
        }
    }
    println!("{tally:?}");
    assert_eq!(broken, None);
}
