//! The daemon is killed again and again while its jobs run in containers. What happened is judged from the engine's events.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::Engine;
use super::events::{Events, Judged};
use crate::e2e::config::Setup;
use crate::e2e::kills::{forget, seed};
use crate::e2e::world::{Pushed, World, wait_for};

/// How many jobs and kills [`chaos`] has.
const JOBS: &str = "FORGESCALE_TEST_JOBS";
const KILLS: &str = "FORGESCALE_TEST_KILLS";

/// At most so many calls of a daemon to the forge pass before it is killed, once it is its turn: a few launches.
const MOST_CALLS: u64 = 20;

/// The longest pause between the last of these calls and the kill, in milliseconds: calls to the engine take long.
const MOST_PAUSE_MS: u64 = 400;

/// After one kill of so many the daemon has forgotten everything.
const FORGETS: u32 = 4;

/// How long anything may take before a test is given up: far more than it takes.
const LIMIT: Duration = Duration::from_mins(20);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

#[test]
fn twenty_jobs_in_containers_end_once_though_the_daemon_is_killed_three_times() {
    let Some(engine) = Engine::docker() else { return };
    check_kills(&engine, 20, 4, 3);
}

/// The long run of `cargo xtask chaos --backend docker`.
#[test]
#[ignore = "takes minutes and needs an engine: cargo xtask chaos --backend docker"]
fn chaos() {
    let Some(engine) = Engine::docker() else { return };
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let (jobs, kills) = (number(JOBS, 200), number(KILLS, 20));
    let begun = Instant::now();
    let judged = check_kills(&engine, jobs, 20, kills);
    let Judged { most_at_once, most_running, created, started, ended, .. } = judged;
    println!("{jobs} jobs at max 20 and {kills} kills in {} s, by the engine's own events:", begun.elapsed().as_secs());
    println!("at most {most_at_once} containers at once, {most_running} of them running");
    println!("{created} containers created, {started} started, {ended} ended, 0 left; 0 networks, 0 volumes left");
    println!("each job given out once, run once and ended well");
}

/// Has so many jobs run in a pool of `max`, and kills the daemon so often while they do, at moments spread over the run.
fn check_kills(engine: &Engine, count: usize, max: u32, kills: usize) -> Judged {
    let mut dice = StdRng::seed_from_u64(seed());
    let mut world = World::new(&Setup { engine: Some(engine.clone()), ..Setup::new(max) });
    let events = Events::listen(engine, &world.deployment);
    let jobs: Vec<Pushed> = (0..count).map(|number| push(&world, number)).collect();
    world.start(&[]);
    let ended = |world: &World| jobs.iter().filter(|job| world.attempt(job).ended_at.is_some()).count();
    for kill in 0..kills {
        let due = count * kill / (kills + 1);
        until("enough jobs have ended", || ended(&world) >= due);
        let calls = world.emulator.calls().rest() + dice.random_range(1..=MOST_CALLS);
        until("the daemon calls the forge", || world.emulator.calls().rest() >= calls);
        // Not as synchronisation: kills shall fall between calls, too.
        std::thread::sleep(Duration::from_millis(dice.random_range(0..=MOST_PAUSE_MS)));
        world.kill();
        if dice.random_ratio(1, FORGETS) {
            forget(&world);
        }
        world.start(&[]);
    }
    until("all jobs have ended", || ended(&world) == count);
    world.check_success(&jobs);
    for job in &jobs {
        let log = world.job_log(job);
        assert_eq!(log.iter().filter(|line| line.contains("begun 42")).count(), 1, "by its own account: {log:#?}");
    }
    world.check_nothing_left();

    let judged = events.judged();
    assert!(judged.most_at_once <= max as usize, "more than {max} at once: {judged:?}");
    assert!(judged.started >= count && judged.created >= judged.started, "{judged:?}");
    assert_eq!((&judged.left[..], &judged.started_again[..]), (&[][..], &[][..]), "left, or started again");
    assert!(judged.most_running > 1, "they have run one after the other: {judged:?}");
    judged
}

#[track_caller]
fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(wait_for(LIMIT, PAUSE, holds), "it never came to this: {what}");
}

/// A job of half a second to two, which keeps account of its runs in its log. The sum is not in the script's text.
fn push(world: &World, number: usize) -> Pushed {
    let sleep = 0.5 + 0.5 * f64::from(u32::try_from(number % 4).expect("a small number"));
    world.push(&format!("job {number}"), &format!("echo \"begun $((6 * 7))\"; sleep {sleep}"))
}
