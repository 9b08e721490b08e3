//! How the daemon ends, and what it leaves to the next one.

use forge_model::Status;
use rustix::process::Signal;

use super::config::Setup;
use super::processes;
use super::world::World;
use crate::{forgescale, run};

#[test]
fn sigterm_leaves_jobs_running_and_the_next_start_finishes_them() {
    let mut world = World::new(&Setup::new(3));
    let jobs: Vec<_> = (0..3).map(|number| world.push(&format!("job {number}"), &world.held("all"))).collect();
    world.start(&[]);
    world.until("the jobs run", || jobs.iter().all(|job| world.is(job, Status::Running)));
    for _ in 0..2 {
        assert_eq!(world.terminate(), Some(0));
        let processes = processes::of_deployment(&world.deployment);
        assert_eq!(processes.iter().filter(|process| process.is_supervisor()).count(), 3, "{processes:#?}");
        assert!(jobs.iter().all(|job| world.is(job, Status::Running)));
        let before = world.emulator.calls().rest();
        world.start(&[]);
        world.until("the next one lists", || world.emulator.calls().rest() > before + 4);
        for job in &jobs {
            world.until_explained(job, &["state:      running", "why:        runs on fs-"]);
        }
    }
    world.let_go("all");
    world.until("the jobs have ended", || jobs.iter().all(|job| world.attempt(job).ended_at.is_some()));
    world.check_success(&jobs);
    assert_eq!(world.emulator.with_forge(|forge, _| forge.books().registrations().len()), 3);
    world.check_nothing_left();
}

#[test]
fn draining_waits_for_running_jobs_and_launches_nothing_new() {
    let mut world = World::new(&Setup::new(3));
    let running = world.push("running", &world.held("running"));
    world.start(&["--drain"]);
    world.until_is(&running, Status::Running);
    world.daemon().signal(Signal::TERM);
    world.until("it drains", || world.logged("draining"));
    let late = world.push("late", "echo late");
    world.until_explained(&late, &["state:      waiting", "this autoscaler is stopping and launches nothing any more"]);
    assert!(world.daemon().ended().is_none() && world.is(&running, Status::Running));
    world.let_go("running");
    assert_eq!(world.ended(), Some(0));
    world.check_success(&[running]);
    assert_eq!(processes::of_deployment(&world.deployment).len(), 0);
    assert!(world.is(&late, Status::Waiting) && world.registrations(&late).is_empty());

    world.start(&[]);
    world.until_is(&late, Status::Success);
    world.check_success(&[late]);
    world.check_nothing_left();
}

#[test]
fn a_second_signal_ends_draining_at_once() {
    let mut world = World::new(&Setup::new(1));
    let job = world.push("job", &world.held("job"));
    world.start(&["--drain"]);
    world.until_is(&job, Status::Running);
    world.daemon().signal(Signal::TERM);
    world.until("it drains", || world.logged("draining"));
    world.daemon().signal(Signal::INT);
    assert_eq!(world.ended(), Some(0));
    assert!(world.is(&job, Status::Running));

    world.start(&[]);
    world.let_go("job");
    world.until_is(&job, Status::Success);
    world.check_success(&[job]);
    world.check_nothing_left();
}

#[test]
fn once_launches_what_there_is_and_ends_while_the_jobs_go_on() {
    let mut world = World::new(&Setup::new(2));
    let jobs: Vec<_> = (0..3).map(|number| world.push(&format!("job {number}"), &world.held("all"))).collect();
    world.start(&["--once"]);
    assert_eq!(world.ended(), Some(0));
    world.until("two jobs run", || jobs.iter().filter(|job| world.is(job, Status::Running)).count() == 2);
    assert_eq!(world.emulator.with_forge(|forge, _| forge.books().registrations().len()), 2);
    world.let_go("all");
    world.until("the two have ended", || jobs.iter().filter(|job| world.is(job, Status::Success)).count() == 2);

    // The next one clears up, and has room for the third.
    world.start(&[]);
    world.until("all have ended", || jobs.iter().all(|job| world.is(job, Status::Success)));
    world.check_success(&jobs);
    world.check_nothing_left();
}

#[test]
fn a_second_daemon_on_one_state_directory_is_refused() {
    let mut world = World::new(&Setup::new(1));
    world.start(&[]);
    world.until("it lists", || world.emulator.calls().rest() > 0);
    let id = world.daemon().id();
    let ran = run(forgescale(["run", "--config"]).arg(world.config()));
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains(&format!("is used by another forgescale (process {id})")), "{}", ran.err);
    let job = world.push("job", "echo served");
    world.until_is(&job, Status::Success);
    world.check_success(&[job]);
    world.check_nothing_left();
}
