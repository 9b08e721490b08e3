//! The daemon is asked for something while it runs.

use forge_model::Status;

use super::config::Setup;
use super::world::{Pushed, World};
use crate::{Ran, check_quiet, forgescale, run};

/// Polls after which held kills would have been carried out: two of them, and a grace of a second.
const MANY_POLLS: u64 = 15;

/// Asks the daemon of a world.
pub(super) fn ask(world: &World, command: &str) -> Ran {
    run(forgescale([command, "--config"]).arg(world.config()))
}

#[test]
fn jobs_that_vanish_together_are_killed_when_the_operator_confirms_it() {
    let mut world = World::new(&Setup::new(3).limit("mass_left", "2"));
    let jobs: Vec<Pushed> = (0..3).map(|number| world.push(&format!("job {number}"), &world.held("never"))).collect();
    world.start(&[]);
    for job in &jobs {
        world.until_is(job, Status::Running);
        world.until_explained(job, &["why:        runs on fs-"]);
    }
    let ran = ask(&world, "confirm");
    check_quiet(&ran);
    assert_eq!(ran.out, "nothing is held: there is nothing to confirm\n");
    world.emulator.with_forge(|forge, now| {
        for job in &jobs {
            forge.cancel_run(now, job.run).expect("a run");
        }
    });
    world.until_told("the kills are held", |said| said.contains("or until `forgescale confirm`"));
    let polls = || world.emulator.calls().of(emulator::RouteKind::ListJobs);
    let before = polls();
    world.until("the forge is polled", || polls() >= before + MANY_POLLS);
    assert_eq!(world.explain("all").matches("many jobs vanished").count(), 3, "{}", world.explain("all"));
    let ran = ask(&world, "confirm");
    check_quiet(&ran);
    assert_eq!(ran.out, "confirmed: 3 processes whose jobs vanished are stopped now\n");
    world.check_nothing_left();
}

#[test]
fn while_there_is_grace_left_the_answer_says_so() {
    let mut setup = Setup::new(1).limit("mass_left", "0");
    setup.pools[0].grace = "1h";
    let mut world = World::new(&setup);
    let job = world.push("job", &world.held("never"));
    world.start(&[]);
    world.until_is(&job, Status::Running);
    world.until_explained(&job, &["why:        runs on fs-"]);
    world.emulator.with_forge(|forge, now| forge.cancel_run(now, job.run).expect("a run"));
    world.until_told("the kill is held", |said| said.contains("or until `forgescale confirm`"));
    let ran = ask(&world, "confirm");
    check_quiet(&ran);
    let begin = "confirmed: 1 process whose job vanished is stopped when its grace is over, of which ";
    assert!(ran.out.starts_with(begin) && ran.out.ends_with(" is left at most\n"), "{}", ran.out);
    world.rewrite("grace = \"1h\"", "grace = \"1s\"");
    check_quiet(&ask(&world, "reload"));
    world.check_nothing_left();
}

#[test]
fn without_a_daemon_there_is_nobody_to_ask() {
    let world = World::new(&Setup::new(1));
    std::fs::create_dir(world.state()).expect("a state directory");
    let ran = ask(&world, "confirm");
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains("no daemon listens in the state directory"), "{}", ran.err);
    assert!(ran.err.contains("hint: is `forgescale run` running"), "{}", ran.err);
    assert!(ran.err.contains("`--state-directory OLD`"), "{}", ran.err);
    let ran = run(forgescale(["confirm", "--state-directory"]).arg(world.state()));
    assert!(ran.status == Some(1) && !ran.err.contains("OLD"), "{}", ran.err);
}
