//! Cleaning up by hand, of what is on an engine.

use forge_model::{RegistrationEnd, Status};
use planner::ids::DeploymentId;

use super::Engine;
use super::gate::Gate;
use crate::e2e::config::Setup;
use crate::e2e::foreign;
use crate::e2e::world::World;
use crate::{Ran, forgescale, run};

/// Above what is left alone.
const ALONE: &str = "left alone, since it may be in use (--force takes it)";

#[track_caller]
fn gc(world: &World, arguments: &[&str]) -> Ran {
    let ran = run(forgescale(["gc", "--config"]).arg(world.config()).args(arguments));
    let said_more = ran.err.lines().any(|line| !line.starts_with("waiting for "));
    assert!(ran.status == Some(0) && !said_more, "{:?}: {}\n{}", ran.status, ran.out, ran.err);
    ran
}

/// What is left of an old deployment goes: what is dead at once, the rest as it ends, and in the end what machines share.
#[track_caller]
fn check_old_goes(engine: &Engine, keeps_state: bool) {
    let (done_gate, gate) = (Gate::new(engine.forge), Gate::new(engine.forge));
    let mut world = World::new(&Setup { engine: Some(engine.clone()), ..Setup::new(3) });
    let old = world.deployment.clone();
    let done = world.push("done", &done_gate.script());
    let running = world.push("running", &gate.script());
    world.start(&[]);
    world.until_is(&done, Status::Running);
    world.until_is(&running, Status::Running);
    world.kill();
    done_gate.open();
    world.until_is(&done, Status::Success);
    let stray = foreign::register(&world, &DeploymentId::new(old.clone()), &done);
    let is_there = |world: &World| {
        world.emulator.with_forge(|forge, _| {
            let row = forge.books().registrations().iter().rfind(|row| row.name == stray).expect("a registration");
            row.end == RegistrationEnd::StillThere
        })
    };
    if !keeps_state {
        std::fs::remove_dir_all(world.state()).expect("a state directory");
    }
    world.rewrite(&format!("deployment = \"{old}\""), &format!("deployment = \"{old}-new\""));

    let before = engine.things(&old);
    let ran = gc(&world, &["--deployment", &old, "--dry-run"]);
    assert!(ran.out.starts_with(&format!("deployment {old}\nwould be removed, or stopped")), "{}", ran.out);
    assert_eq!(ran.out.matches(done.handle.as_str()).count(), 2, "machine and registration: {}", ran.out);
    assert!(ran.out.contains("1 machine runs its job and is left alone"), "{}", ran.out);
    assert_eq!((engine.things(&old), is_there(&world)), (before, true), "{}", ran.out);

    let promised = ran;

    let ran = gc(&world, &["--deployment", &old]);
    assert!(ran.out.starts_with(&format!("deployment {old}\nremoved:\n")), "{}", ran.out);
    assert_eq!(ran.out.matches(done.handle.as_str()).count(), 2, "{}", ran.out);
    assert_eq!((engine.containers(&old).len(), is_there(&world)), (1, false), "{}", ran.out);

    // Nothing ends a running job, and what it needs stays.
    let ran = gc(&world, &["--deployment", &old, "--force"]);
    assert!(ran.out.contains("1 machine runs its job and is left alone"), "{}", ran.out);
    assert!(world.is(&running, Status::Running));
    gate.open();
    world.until_is(&running, Status::Success);

    // What machines share may be in use by a daemon of that deployment.
    let shared = |ran: &Ran, title: &str| {
        let below = ran.out.split_once(&format!("{title}:\n")).map_or("", |(_, below)| below);
        let lines = below.lines().take_while(|line| line.starts_with("  "));
        lines.filter(|line| line.contains(", which machines share")).count()
    };
    let things = engine.things(&old).len() - 1;
    assert!(
        things > 0 && shared(&promised, ALONE) == 0,
        "while a machine is there nobody thinks of it: {}",
        promised.out
    );
    let ran = gc(&world, &["--deployment", &old, "--dry-run"]);
    assert_eq!((shared(&ran, ALONE), engine.things(&old).len()), (things, things + 1), "{}", ran.out);
    let ran = gc(&world, &["--deployment", &old]);
    assert_eq!(ran.out.matches(running.handle.as_str()).count(), 1, "{}", ran.out);
    assert_eq!((shared(&ran, ALONE), engine.things(&old).len()), (things, things), "{}", ran.out);
    let ran = gc(&world, &["--deployment", &old, "--force", "--dry-run"]);
    assert_eq!(shared(&ran, "would be removed, or stopped and removed"), things, "{}", ran.out);
    let ran = gc(&world, &["--deployment", &old, "--force"]);
    assert_eq!(shared(&ran, "removed"), things, "{}", ran.out);
    assert_eq!(engine.things(&old), Vec::<String>::new());
    let ran = gc(&world, &["--deployment", &old, "--force"]);
    assert_eq!(ran.out, format!("deployment {old}\nthere is nothing to clean up\n"));
    world.check_success(&[done, running]);
}

#[test]
fn of_an_old_deployment_all_goes_from_a_docker_engine() {
    let Some(engine) = Engine::docker() else { return };
    for keeps_state in [true, false] {
        check_old_goes(&engine, keeps_state);
    }
}

#[test]
fn of_an_old_deployment_all_goes_from_podman() {
    let Some(engine) = Engine::podman() else { return };
    check_old_goes(&engine, false);
}
