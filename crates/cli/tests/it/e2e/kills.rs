//! The daemon is killed again and again while jobs run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
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

/// What happens beside a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Beside {
    /// Nothing: the daemon is started again.
    Nothing,
    /// What the daemon remembers is lost.
    StoreLost,
    /// So are the credentials of runners.
    CredentialsLost,
    /// Another daemon was started a moment before, to follow.
    Followed,
}

#[test]
fn twenty_jobs_end_once_though_the_daemon_is_killed_ten_times() {
    check_kills(10, |_| Beside::Nothing);
}

#[test]
fn an_empty_store_after_every_kill_changes_nothing() {
    check_kills(10, |_| Beside::StoreLost);
}

#[test]
fn lost_credentials_after_every_kill_change_nothing() {
    check_kills(10, |_| Beside::CredentialsLost);
}

/// The long run of `cargo xtask chaos`: everything of the above in one world, by chance.
#[test]
#[ignore = "takes minutes: cargo xtask chaos"]
fn chaos() {
    let kills = std::env::var(KILLS).map_or(200, |kills| kills.parse().expect("a number of kills"));
    let begun = Instant::now();
    let Figures { beside, phases, registrations } = check_kills(kills, |dice| match dice.random_range(0..16) {
        0 | 1 => Beside::StoreLost,
        2 => Beside::CredentialsLost,
        3 | 4 => Beside::Followed,
        _ => Beside::Nothing,
    });
    let count = |what| beside.get(&what).copied().unwrap_or_default();
    println!(
        "{kills} kills in {} s: {} with the store lost, {} with the credentials lost too, {} with a follower",
        begun.elapsed().as_secs(),
        count(Beside::StoreLost),
        count(Beside::CredentialsLost),
        count(Beside::Followed)
    );
    let words = phases.iter().map(|(phase, kills)| format!("{kills} while a machine was {phase}")).collect::<Vec<_>>();
    println!("of these {}", words.join(", "));
    println!("{} jobs: each given out once, run once and ended well; {registrations} registrations", 2 * kills);
    println!("0 lost, 0 run twice, 0 left: processes, machines, groups, registrations, credentials, sockets");
    if kills >= 100 {
        let missed: Vec<_> = PHASES.into_iter().filter(|phase| !phases.contains_key(phase)).collect();
        assert!(missed.is_empty(), "no kill fell while a machine was {missed:?}");
    }
}

/// What came of it.
struct Figures {
    /// How many kills had what beside them.
    beside: BTreeMap<Beside, usize>,
    /// How many kills found a machine in a phase.
    phases: BTreeMap<&'static str, usize>,
    /// How many runners were registered.
    registrations: usize,
}

/// The phases of a machine.
const PHASES: [&str; 4] = ["being made", "ready", "at work", "over and not yet removed"];

/// In which phase a machine is, as its folder tells.
fn phase(folder: &Path) -> &'static str {
    let has = |name: &str| folder.join(name).exists();
    let name = folder.file_name().unwrap_or_default().as_encoded_bytes();
    let [being_made, ready, at_work, over] = PHASES;
    if name.starts_with(b".gone-") || has("exit.json") {
        over
    } else if has("binding.json") {
        at_work
    } else if has("supervisor.json") {
        ready
    } else {
        being_made
    }
}

/// Removes what the daemon remembers.
pub(super) fn forget(world: &World) {
    for name in names(&world.state()) {
        if name.starts_with("forgescale.sqlite") || name == "report.json" {
            fs::remove_file(world.state().join(name)).expect("a removed file");
        }
    }
}

/// Kills the daemon so often, with something beside it each time before the next one does its work. Half of the jobs are
/// there from the beginning, the others come one by one, so that there is always something under way.
#[track_caller]
fn check_kills(kills: usize, beside: impl Fn(&mut StdRng) -> Beside) -> Figures {
    let mut dice = StdRng::seed_from_u64(seed());
    let mut world = World::new(&Setup::new(12));
    let mut figures = Figures { beside: BTreeMap::new(), phases: BTreeMap::new(), registrations: 0 };
    let mut jobs: Vec<Pushed> = (0..kills).map(|number| push(&world, number)).collect();
    world.start(&[]);
    for kill in 0..kills {
        let calls = world.emulator.calls().rest() + dice.random_range(1..=MOST_CALLS);
        world.until("the daemon calls the forge", || world.emulator.calls().rest() >= calls);
        let beside = beside(&mut dice);
        let follower = (beside == Beside::Followed).then(|| world.follower());
        // Not as synchronisation: kills shall fall between calls, too.
        std::thread::sleep(Duration::from_millis(dice.random_range(0..=MOST_PAUSE_MS)));
        world.kill();
        let folders = names(&world.machines());
        for phase in folders.iter().map(|name| phase(&world.machines().join(name))).collect::<BTreeSet<_>>() {
            *figures.phases.entry(phase).or_default() += 1;
        }
        *figures.beside.entry(beside).or_default() += 1;
        jobs.push(push(&world, kills + kill));
        match (beside, follower) {
            (_, Some(follower)) => world.adopt(follower),
            (Beside::StoreLost | Beside::CredentialsLost, None) => {
                forget(&world);
                if beside == Beside::CredentialsLost {
                    // Nothing was registered yet, perhaps.
                    let _ = fs::remove_dir_all(world.credentials());
                }
                world.start(&[]);
            }
            (Beside::Nothing | Beside::Followed, None) => world.start(&[]),
        }
    }
    world.until("all jobs have ended", || jobs.iter().all(|job| world.attempt(job).ended_at.is_some()));
    world.check_success(&jobs);
    world.check_nothing_left();
    for number in 0..2 * kills {
        let ran = fs::read_to_string(runs(&world, number)).expect("a job that ran");
        assert_eq!(ran, "begun\ndone\n", "job {number}, by its own account");
    }
    let ended = world.emulator.with_forge(|forge, _| {
        figures.registrations = forge.books().registrations().len();
        forge.books().attempts().iter().filter(|attempt| attempt.status == Status::Success).count()
    });
    assert_eq!(ended, 2 * kills);
    figures
}

/// A job of one to two and a half seconds, which keeps account of its runs.
fn push(world: &World, number: usize) -> Pushed {
    let sleep = 1.0 + 0.5 * f64::from(u32::try_from(number % 4).expect("a small number"));
    let runs = runs(world, number);
    let runs = runs.display();
    world.push(&format!("job {number}"), &format!("echo begun >> '{runs}'; sleep {sleep}; echo done >> '{runs}'"))
}

/// Where a job keeps account.
fn runs(world: &World, number: usize) -> PathBuf {
    world.place.path().join(format!("runs-{number}"))
}

/// Printed, so that a failure can be looked into.
#[expect(clippy::print_stderr, reason = "shown by the test harness when the test fails")]
pub(super) fn seed() -> u64 {
    let chosen = std::env::var(SEED).ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seed = chosen.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        u64::from(since.subsec_nanos())
    });
    eprintln!("{SEED}={seed}");
    seed
}
