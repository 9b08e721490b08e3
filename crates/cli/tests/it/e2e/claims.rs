//! Two daemons of one deployment on one host: the second is refused, whatever its state directory, and `check` sees it.

use std::fs;
use std::path::PathBuf;

use forge_model::Status;

use super::config::Setup;
use super::world::World;
use crate::{Ran, forgescale, run};

/// A copy of a world's configuration with another state directory, and further changes.
fn beside(world: &World, changes: &[(&str, &str)]) -> PathBuf {
    let text = fs::read_to_string(world.config()).expect("a configuration");
    let state = world.state().display().to_string();
    let text = text.replace(&state, &format!("{state}-of-another"));
    let text = changes.iter().fold(text, |text, (from, to)| text.replace(from, to));
    let file = world.place.path().join("another.toml");
    fs::write(&file, text).expect("a configuration");
    file
}

fn check(file: &PathBuf) -> Ran {
    run(forgescale(["check", "--config"]).arg(file))
}

#[test]
fn a_second_daemon_of_a_deployment_is_refused_whatever_its_state_directory() {
    let mut world = World::new(&Setup::new(1));
    world.start(&[]);
    world.until("it lists", || world.emulator.calls().rest() > 0);
    let id = world.daemon().id();
    let another = beside(&world, &[]);
    let ran = run(forgescale(["run", "--once", "--config"]).arg(&another));
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    let words =
        format!("the deployment {} is served by another forgescale on this host (process {id})", world.deployment);
    assert!(ran.err.contains(&words), "{}", ran.err);
    assert!(ran.err.contains("hint: stop the other one, or give this one both a `deployment` and"), "{}", ran.err);
    assert!(!world.place.path().join("state-of-another").exists(), "a start that is refused makes no directory");

    let job = world.push("job", "echo served");
    world.until_is(&job, Status::Success);
    world.check_success(&[job]);
    // Whoever follows a daemon that was killed is not taken for a second one.
    world.kill();
    world.start(&[]);
    let next = world.push("next", "echo served");
    world.until_is(&next, Status::Success);
    world.check_nothing_left();
}

#[test]
fn check_tells_of_another_daemon_of_the_deployment_and_not_of_our_own() {
    let mut world = World::new(&Setup::new(1));
    world.start(&[]);
    world.until("it lists", || world.emulator.calls().rest() > 0);
    let own = check(&world.config());
    assert!(own.out.contains("a daemon runs with it now"), "{}", own.out);
    assert!(!own.out.contains("served by another forgescale"), "{}", own.out);
    let name = world.deployment.clone();
    let words = format!("error    deployment {name}: the deployment {name} is served by another forgescale");
    let found = check(&beside(&world, &[]));
    assert_eq!(found.status, Some(2));
    assert!(
        found.out.contains(&words) && found.out.contains("a `deployment` and a `state_directory`"),
        "{}",
        found.out
    );

    let with_its_own_name = beside(&world, &[(&name, &format!("{name}-b"))]);
    assert!(!check(&with_its_own_name).out.contains("served by another forgescale"));
    let ran = run(forgescale(["run", "--once", "--config"]).arg(&with_its_own_name));
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    world.check_nothing_left();
}
