//! Thousands of random moves: what must hold whatever happens.

use std::collections::BTreeMap;
use std::time::Duration;

use forge_model::rest::{LabelFilter, Registration};
use forge_model::rpc::{FetchAsk, TaskReport};
use forge_model::script::{Concurrency, RunSpec};
use forge_model::{Area, RegistrationEnd, RunId, Status, TaskId, Version};

use crate::world::{World, credentials, job};

/// Enough for every pair of moves to meet.
const SEEDS: u64 = 200;
const MOVES: usize = 120;

struct Dice(u64);

impl Dice {
    /// A number below the bound (an xorshift step; quality does not matter here).
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("a small number")
    }
}

#[derive(Default)]
struct Actors {
    runs: Vec<RunId>,
    runners: Vec<Registration>,
    tasks: Vec<(Registration, TaskId)>,
}

fn step(world: &mut World, actors: &mut Actors, dice: &mut Dice) {
    match dice.below(8) {
        0 => {
            let concurrency = match dice.below(3) {
                0 => Concurrency::queue("g"),
                1 => Concurrency::cancel("g"),
                _ => Concurrency::unlimited(),
            };
            let jobs = vec![job("a"), job("b"), job("c").needing(&["a"])];
            let run = world.push_run(RunSpec::new(world.repo, "ci.yml", jobs).with_concurrency(concurrency));
            actors.runs.push(run);
        }
        1 => {
            let area = [Area::Instance, Area::Owner(world.user), Area::Repository(world.repo)][dice.below(3)];
            let runner = world.runner(area, dice.below(4) > 0);
            actors.runners.push(runner);
        }
        2 | 3 if !actors.runners.is_empty() => {
            let runner = actors.runners[dice.below(actors.runners.len())].clone();
            let key = format!("k{}", dice.below(20));
            let ask = FetchAsk { request_key: Some(&key), ..FetchAsk::default() };
            for task in world.ask(&runner, ask).map(|answer| answer.tasks).unwrap_or_default() {
                actors.tasks.push((runner.clone(), task.id));
            }
        }
        4 if !actors.tasks.is_empty() => {
            let (runner, task) = actors.tasks[dice.below(actors.tasks.len())].clone();
            let result = [None, Some(Status::Success), Some(Status::Failure)][dice.below(3)];
            let report = TaskReport { task, result, outputs: BTreeMap::new() };
            let _ = world.forge.update_task(world.now, credentials(&runner), &report);
        }
        5 if !actors.runs.is_empty() => {
            let run = actors.runs[dice.below(actors.runs.len())];
            if dice.below(2) == 0 {
                world.forge.cancel_run(world.now, run).expect("a run");
            } else {
                let _ = world.forge.rerun_run(world.now, run);
            }
        }
        6 if !actors.runners.is_empty() => {
            let runner = &actors.runners[dice.below(actors.runners.len())];
            let _ = world.forge.delete_runner(world.now, Area::Instance, runner.id);
        }
        _ => world.pass(Duration::from_secs([1, 60, 700][dice.below(3)])),
    }
}

fn check(world: &World) {
    let forge = &world.forge;
    assert_eq!(forge.double_handouts(), 0);
    let books = forge.books();
    let there = books.registrations().iter().filter(|record| record.end == RegistrationEnd::StillThere).count();
    assert_eq!(there, forge.runners_now().len());
    let rows = forge.list_jobs(Area::Instance, &LabelFilter::Absent);
    let alive = books.attempts().iter().filter(|attempt| attempt.status.is_listed()).count();
    assert_eq!(rows.len(), alive, "each listed job is one living attempt");
    for row in rows {
        assert_eq!(row.task_id != 0, row.status == Status::Running, "{row:?}");
        assert_eq!(books.attempt(&row.handle).map(|attempt| attempt.status), Some(row.status));
    }
    for attempt in books.attempts() {
        assert_eq!(attempt.ended_at.is_some(), attempt.status.is_final(), "{attempt:?}");
    }
}

fn walk(seed: u64) -> World {
    let version = if seed.is_multiple_of(2) { Version::V15 } else { Version::V16 };
    let (mut world, mut actors, mut dice) = (World::new(version), Actors::default(), Dice(seed * 2 + 1));
    for _ in 0..MOVES {
        step(&mut world, &mut actors, &mut dice);
    }
    world
}

#[test]
fn no_attempt_is_handed_out_twice_and_the_books_agree_with_the_lists() {
    let mut hand_outs = 0;
    for seed in 0..SEEDS {
        let mut world = walk(seed);
        check(&world);
        hand_outs += world.forge.books().hand_outs().len();
        // Without anybody acting, the clean-ups end everything.
        for _ in 0..8 {
            world.pass(Duration::from_hours(25));
        }
        assert_eq!(world.forge.listed_jobs(), 0, "seed {seed}");
        check(&world);
    }
    assert!(hand_outs > 1000, "the walk must do something: {hand_outs}");
}

#[test]
fn the_same_seed_takes_the_same_way() {
    for seed in 0..20 {
        let (first, second) = (walk(seed), walk(seed));
        assert_eq!(format!("{:?}", first.forge), format!("{:?}", second.forge));
    }
}
