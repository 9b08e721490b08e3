//! The daemon is killed again and again while jobs run.

use std::cell::{Cell, RefCell};
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forge_model::Status;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::config::Setup;
use super::leftovers::names;
use super::world::{Pushed, World};

/// Chooses the seed, to see the same choices again.
const SEED: &str = "FORGESCALE_TEST_SEED";

/// How many kills [`chaos`] makes.
const KILLS: &str = "FORGESCALE_TEST_KILLS";

/// At most so many calls of a daemon to the forge pass before it is killed: enough for a few launches.
const MOST_CALLS: u64 = 30;

/// The longest pause between the last of these calls and the kill, in milliseconds.
const MOST_PAUSE_MS: u64 = 40;

#[test]
fn forty_jobs_end_once_though_the_daemon_is_killed_twenty_times() {
    check_kills(20, |_| {});
}

#[test]
fn an_empty_store_after_every_kill_changes_nothing() {
    check_kills(10, forget);
}

#[test]
fn lost_credentials_after_every_kill_change_nothing() {
    check_kills(10, |world| {
        forget(world);
        // Nothing was registered yet, perhaps.
        let _ = fs::remove_dir_all(world.credentials());
    });
}

/// The long run of `cargo xtask chaos`: everything of the above in one world, by chance.
#[test]
#[ignore = "takes minutes: cargo xtask chaos"]
fn chaos() {
    let kills = std::env::var(KILLS).map_or(200, |kills| kills.parse().expect("a number of kills"));
    let begun = Instant::now();
    let chance = RefCell::new(StdRng::seed_from_u64(seed()));
    let forgotten = Cell::new([0; 2]);
    let count = |which: usize| {
        let mut counts = forgotten.get();
        counts[which] += 1;
        forgotten.set(counts);
    };
    check_kills(kills, |world| match chance.borrow_mut().random_range(0..8) {
        0 => {
            forget(world);
            count(0);
        }
        1 => {
            forget(world);
            // Nothing was registered yet, perhaps.
            let _ = fs::remove_dir_all(world.credentials());
            count(1);
        }
        _ => {}
    });
    let [stores, credentials] = forgotten.get();
    println!(
        "{kills} kills ({stores} with the store lost, {credentials} with the credentials lost too), {} jobs: each ended \
         well and once, nothing left; {} s",
        2 * kills,
        begun.elapsed().as_secs()
    );
}

/// Removes what the daemon remembers.
fn forget(world: &World) {
    for name in names(&world.state()) {
        if name.starts_with("forgescale.sqlite") || name == "report.json" {
            fs::remove_file(world.state().join(name)).expect("a removed file");
        }
    }
}

/// Kills the daemon so often, and lets `then` happen each time before it starts again. Half of the jobs are there from the
/// beginning, the others come one by one, so that there is always something under way.
#[track_caller]
fn check_kills(kills: usize, then: impl Fn(&World)) {
    let mut dice = StdRng::seed_from_u64(seed());
    let mut world = World::new(&Setup::new(12));
    let mut jobs: Vec<Pushed> = (0..kills).map(|number| push(&world, number)).collect();
    world.start(&[]);
    for kill in 0..kills {
        let calls = world.emulator.calls().rest() + dice.random_range(1..=MOST_CALLS);
        world.until("the daemon calls the forge", || world.emulator.calls().rest() >= calls);
        // Not as synchronisation: kills shall fall between calls, too.
        std::thread::sleep(Duration::from_millis(dice.random_range(0..=MOST_PAUSE_MS)));
        world.kill();
        then(&world);
        jobs.push(push(&world, kills + kill));
        world.start(&[]);
    }
    world.until("all jobs have ended", || jobs.iter().all(|job| world.attempt(job).ended_at.is_some()));
    world.check_success(&jobs);
    world.check_nothing_left();
    let ended = world.emulator.with_forge(|forge, _| {
        forge.books().attempts().iter().filter(|attempt| attempt.status == Status::Success).count()
    });
    assert_eq!(ended, 2 * kills);
}

/// A job of one to two and a half seconds.
fn push(world: &World, number: usize) -> Pushed {
    let sleep = 1.0 + 0.5 * f64::from(u32::try_from(number % 4).expect("a small number"));
    world.push(&format!("job {number}"), &format!("echo begun; sleep {sleep}; echo done"))
}

/// Printed, so that a failure can be looked into.
#[expect(clippy::print_stderr, reason = "shown by the test harness when the test fails")]
fn seed() -> u64 {
    let chosen = std::env::var(SEED).ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seed = chosen.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        u64::from(since.subsec_nanos())
    });
    eprintln!("{SEED}={seed}");
    seed
}
