//! A second daemon with the same state directory waits, and takes over.

use std::fs::OpenOptions;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use forge_model::Status;
use rustix::process::Signal;

use super::config::Setup;
use super::daemon::Daemon;
use super::world::{Pushed, World};
use crate::{check_quiet, forgescale};

/// Starts a follower beside the daemon of a world, with a log of its own.
fn follow(world: &World) -> Daemon {
    Daemon::start(&world.config(), &log(world), &["--follow"])
}

fn log(world: &World) -> std::path::PathBuf {
    world.place.path().join("follower.log")
}

fn says(log: &Path, text: &str) -> bool {
    std::fs::read_to_string(log).unwrap_or_default().contains(text)
}

/// Jobs of half a second to two, of which more wait than there is room for.
fn load(world: &World, from: usize, to: usize) -> Vec<Pushed> {
    (from..to)
        .map(|number| world.push(&format!("job {number}"), &format!("sleep 0.{}; echo done", 5 + number % 5)))
        .collect()
}

#[test]
fn the_follower_takes_over_when_the_first_is_killed_under_load() {
    let mut world = World::new(&Setup::new(4));
    let mut jobs = load(&world, 0, 10);
    world.start(&[]);
    let first = world.daemon().id();
    world.until("the first works", || jobs.iter().any(|job| world.is(job, Status::Running)));
    let follower = follow(&world);
    let log = log(&world);
    world.until("the second waits", || says(&log, &format!("\"process\":\"{first}\"")));
    let ran = crate::run(forgescale(["confirm", "--config"]).arg(world.config()));
    check_quiet(&ran);
    world.kill();
    world.until("the second takes over", || says(&log, "taking over"));
    jobs.extend(load(&world, 10, 16));
    world.until("all jobs have ended", || jobs.iter().all(|job| world.attempt(job).ended_at.is_some()));
    world.check_success(&jobs);
    world.adopt(follower);
    world.check_nothing_left();
}

#[test]
fn an_upgrade_under_load_loses_nothing() {
    let mut world = World::new(&Setup::new(4));
    let mut jobs = load(&world, 0, 8);
    world.start(&[]);
    world.until("the first works", || jobs.iter().any(|job| world.is(job, Status::Running)));
    // Another file with the same program: what a package manager leaves behind.
    let upgraded = world.place.path().join("forgescale-new");
    std::fs::copy(env!("CARGO_BIN_EXE_forgescale"), &upgraded).expect("a copy");
    assert_eq!(world.terminate(), Some(0));
    let second = Daemon::start_program(&upgraded, &world.config(), &world.log());
    world.adopt(second);
    jobs.extend(load(&world, 8, 12));
    world.until("all jobs have ended", || jobs.iter().all(|job| world.attempt(job).ended_at.is_some()));
    world.check_success(&jobs);
    world.check_nothing_left();
}

#[test]
fn a_follower_is_ready_while_it_waits_and_ends_when_it_is_told_to() {
    let mut world = World::new(&Setup::new(1));
    world.start(&[]);
    world.until("it lists", || world.emulator.calls().rest() > 0);
    let manager = UnixDatagram::bind(world.place.path().join("notify")).expect("a socket");
    manager.set_nonblocking(true).expect("a socket that does not wait");
    let output = OpenOptions::new().create(true).append(true).open(log(&world)).expect("a log");
    let mut command = forgescale(["run", "--follow", "--config"]);
    command.arg(world.config()).env("NOTIFY_SOCKET", world.place.path().join("notify")).stderr(output);
    let mut follower = command.spawn().expect("a follower");
    let mut heard = String::new();
    let mut bytes = [0; 1024];
    world.until("it is ready", || {
        if let Ok(count) = manager.recv(&mut bytes) {
            heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        heard.contains("READY=1")
    });
    assert!(heard.contains("STATUS=waiting for the daemon with process id"), "{heard}");
    super::processes::signal(i32::try_from(follower.id()).expect("a process id"), Signal::TERM);
    assert_eq!(follower.wait().expect("it ends").code(), Some(0));
    world.check_nothing_left();
}

#[test]
fn a_configuration_that_cannot_be_used_at_the_takeover_is_told_with_line_and_key() {
    let mut world = World::new(&Setup::new(1));
    world.start(&[]);
    let first = world.daemon().id();
    // Else the second could be the one that has the lock.
    world.until("it lists", || world.emulator.calls().rest() > 0);
    let follower = follow(&world);
    let log = log(&world);
    world.until("the second waits", || says(&log, &format!("\"process\":\"{first}\"")));
    world.rewrite("max = 1", "max = -1");
    world.kill();
    world.until("the second goes on with what it has read", || says(&log, "\"started\""));
    let text = std::fs::read_to_string(&log).expect("a log");
    let told = text.lines().find(|line| line.contains("cannot be used: the old one is")).expect("it is told");
    let line = 1 + std::fs::read_to_string(world.config())
        .expect("it")
        .lines()
        .position(|line| line == "max = -1")
        .expect("a line");
    assert!(told.contains(&format!("{}:{line}:", world.config().display())), "{told}");
    assert!(told.contains("pool[0].max: "), "{told}");
    world.adopt(follower);
    world.check_nothing_left();
}
