//! Caches through the whole daemon: whose they are, that they outlive machines and daemons, and how they go.

use forge_model::Status;

use super::Engine;
use super::warm::until_ready;
use crate::e2e::config::{Pool, Setup};
use crate::e2e::world::World;
use crate::{forgescale, run};

/// Says where it is and how many jobs were there before, and that it was there.
const SCRIPT: &str =
    "echo \"$HOSTNAME found $(/bin/busybox ls /cache | /bin/busybox wc -l).\"; echo x > /cache/$HOSTNAME";

#[test]
fn a_job_finds_what_earlier_ones_of_its_repository_left_and_of_no_other_one() {
    let Some(engine) = Engine::docker() else { return };
    let pools = vec![Pool { more: "[[pool.cache]]\npath = \"/cache\"", ..Pool::new("debian", 2) }];
    let mut world = World::new(&Setup { engine: Some(engine.clone()), pools, ..Setup::new(2) });
    let deployment = world.deployment.clone();
    let own = world.repository;
    let other =
        world.emulator.with_forge(|forge, _| forge.create_repository(world.organization, "other", false).expect("one"));
    world.start(&[]);
    let mut jobs = Vec::new();
    for (name, repository, found) in [("first", own, 0), ("elsewhere", other, 0), ("second", own, 1), ("third", own, 2)]
    {
        world.repository = repository;
        let job = world.push(name, SCRIPT);
        world.until_is(&job, Status::Success);
        let log = world.job_log(&job);
        assert!(log.iter().any(|line| line.contains(&format!("found {found}."))), "{name}: {log:#?}");
        jobs.push(job);
        if name == "second" {
            assert_eq!(world.terminate(), Some(0));
            world.start(&[]);
        }
    }
    world.until("no container is left", || engine.containers(&deployment).is_empty());
    assert_eq!(world.terminate(), Some(0));
    let caches = engine.things(&deployment);
    assert!(caches.len() == 2 && caches.iter().all(|thing| thing.contains("-cache-")), "{caches:#?}");
    let checked = run(forgescale(["check", "--config"]).arg(world.config()));
    assert!(checked.out.contains("the engine has 2 caches of jobs, of "), "{}\n{}", checked.out, checked.err);

    // Of a deployment that is no more they go as well.
    let gc = |arguments: &[&str]| run(forgescale(["gc", "--config"]).arg(world.config()).args(arguments));
    let ran = gc(&[]);
    assert_eq!((ran.status, engine.things(&deployment).len()), (Some(0), 2), "{}", ran.out);
    world.rewrite(&format!("deployment = \"{deployment}\""), &format!("deployment = \"{deployment}-new\""));
    let ran = gc(&["--deployment", &deployment]);
    assert_eq!(engine.things(&deployment).len(), 2, "a daemon elsewhere may have jobs for them: {}", ran.out);
    let ran = gc(&["--deployment", &deployment, "--force"]);
    assert_eq!(ran.out.matches("cache /cache of repository ").count(), 2, "{}", ran.out);
    assert_eq!(engine.things(&deployment), [""; 0]);
}

#[test]
fn a_container_that_is_there_before_its_job_has_the_cache_of_its_pool() {
    let Some(engine) = Engine::docker() else { return };
    let more = "warm = 1\n[[pool.cache]]\npath = \"/cache\"\nper = \"pool\"";
    let pools = vec![Pool { more, ..Pool::new("debian", 1) }];
    let mut world = World::new(&Setup { engine: Some(engine.clone()), pools, ..Setup::new(1) });
    world.start(&[]);
    for (name, found) in [("first", 0), ("second", 1)] {
        let ready = until_ready(&world, 1);
        let job = world.push(name, SCRIPT);
        world.until_is(&job, Status::Success);
        let log = world.job_log(&job);
        let said = |id: &String| format!("{} found {found}.", &id[..12]);
        assert!(log.iter().any(|line| ready.iter().any(|id| line.contains(&said(id)))), "{ready:?}: {log:#?}");
    }
    assert_eq!(world.terminate(), Some(0));
    engine.clear(&world.deployment);
}
