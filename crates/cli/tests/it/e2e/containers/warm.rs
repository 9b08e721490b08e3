//! Containers that wait for their job.

use std::collections::{BTreeMap, BTreeSet};

use forge_model::Status;
use forge_model::script::{Concurrency, JobSpec};
use planner::ids::DeploymentId;

use super::events::Events;
use super::gate::Gate;
use super::{Engine, PROGRAM, blocking};
use crate::e2e::config::{Pool, Setup};
use crate::e2e::control::ask;
use crate::e2e::world::{Pushed, World, wait};
use crate::{check_quiet, forgescale, run};

/// What tells a machine from what else we make on an engine.
const ROLE: (&str, &str) = ("forgescale.role", "machine");

/// A world with a daemon whose pool has these lines, and what the engine tells from before its start.
fn world(engine: &Engine, pool: &'static str) -> (World, Events) {
    let pools = vec![Pool { more: pool, ..Pool::new("debian", 4) }];
    let mut world = World::new(&Setup { engine: Some(engine.clone()), pools, ..Setup::new(4) });
    let events = Events::listen(engine, &world.deployment);
    world.start(&[]);
    (world, events)
}

/// The names of a world's machines on the engine, by the containers' ids. One that is bound has a longer one.
fn machines(world: &World) -> BTreeMap<String, String> {
    let engine = world.engine.as_ref().expect("an engine");
    let listed = blocking(engine.real.containers(&DeploymentId::new(world.deployment.clone())));
    let (role, machine) = ROLE;
    let are = listed
        .into_iter()
        .filter(|row| row.labels.as_ref().is_some_and(|labels| labels.get(role).is_some_and(|it| it == machine)));
    are.filter_map(|row| Some((row.id?, row.names?.into_iter().next()?))).collect()
}

/// Waits until so many machines wait for a job, and there is no other one: the containers' ids.
#[track_caller]
pub(super) fn until_ready(world: &World, count: usize) -> BTreeSet<String> {
    let is_ready = |machines: &BTreeMap<String, String>| {
        machines.len() == count && machines.values().all(|name| !name.contains('.'))
    };
    let mut last = BTreeMap::new();
    let told = format!("warm: {count} of {count} ready");
    let reached = wait(|| {
        last = machines(world);
        // The report of a daemon that was killed is explained with a warning.
        let ran = run(forgescale(["explain", "debian", "--config"]).arg(world.config()));
        is_ready(&last) && ran.err.is_empty() && ran.out.contains(&told)
    });
    assert!(reached, "not {count} wait: {last:?}\n{}", world.explain("all"));
    last.into_keys().collect()
}

/// Lets the pool keep none, and checks that all goes.
#[track_caller]
fn finish(mut world: World, from: &str, to: &str) {
    world.rewrite(from, to);
    check_quiet(&ask(&world, "reload"));
    world.check_nothing_left();
}

#[test]
fn a_job_gets_a_container_that_waits_which_goes_with_it_and_another_one_is_made() {
    let Some(engine) = Engine::docker() else { return };
    let (world, events) = world(&engine, "warm = 2");
    let before = until_ready(&world, 2);
    assert_eq!(
        world.emulator.with_forge(|forge, _| forge.books().registrations().len()),
        0,
        "nothing is registered ahead"
    );
    let ran = ask(&world, "gc");
    check_quiet(&ran);
    assert!(ran.out.ends_with("there is nothing to clean up\n"), "{}", ran.out);
    let job = world.push("greet", "echo hello");
    world.until_is(&job, Status::Success);
    let after = until_ready(&world, 2);
    assert_eq!(
        before.intersection(&after).count(),
        1,
        "the one that ran it is gone, the other one waits on: {before:?} {after:?}"
    );
    assert_eq!((events.judged().created, world.registrations(&job).len()), (3, 1));
    for line in ["making a machine ahead of any job", "launching on a machine that was ready"] {
        assert!(world.logged(line), "{line}");
    }
    world.check_success(&[job]);
    finish(world, "warm = 2", "warm = 0");
}

#[test]
fn a_killed_daemon_finds_those_that_wait_and_the_one_with_a_job() {
    let Some(engine) = Engine::docker() else { return };
    let gate = Gate::new(engine.forge);
    let (mut world, events) = world(&engine, "warm = 2");
    let idle = until_ready(&world, 2);
    world.kill();
    world.start(&[]);
    assert_eq!(until_ready(&world, 2), idle, "they were found");
    let job = world.push("running", &gate.script());
    world.until_is(&job, Status::Running);
    world.kill();
    world.start(&[]);
    world.until_explained(&job, &["why:        runs on fs-"]);
    gate.open();
    world.until_is(&job, Status::Success);
    let after = until_ready(&world, 2);
    assert_eq!(idle.intersection(&after).count(), 1, "{idle:?} {after:?}");
    assert_eq!((events.judged().created, world.registrations(&job).len()), (3, 1));
    world.check_success(&[job]);
    finish(world, "warm = 2", "warm = 0");
}

#[test]
fn those_that_wait_are_renewed_when_they_would_be_made_otherwise() {
    let Some(engine) = Engine::docker() else { return };
    let always = "[[pool.warm_schedule]]\nfrom = \"00:00\"\nto = \"24:00\"\ntimezone = \"UTC\"\nwarm = 2";
    let (world, events) = world(&engine, always);
    let before = until_ready(&world, 2);
    world.rewrite("pull = \"never\"", "pull = \"never\"\npids = 99");
    check_quiet(&ask(&world, "reload"));
    world.until("both are others", || machines(&world).keys().all(|id| !before.contains(id)));
    until_ready(&world, 2);
    assert_eq!(events.judged().created, 4);
    assert!(world.logged("removing a machine without a job") && world.logged("made anew it would be another"));
    // What shapes no machine renews none.
    let renewed = until_ready(&world, 2);
    world.rewrite("max = 4", "max = 3");
    check_quiet(&ask(&world, "reload"));
    assert_eq!(until_ready(&world, 2), renewed);
    assert_eq!(events.judged().created, 4);
    finish(world, "warm = 2", "warm = 0");
}

#[test]
fn a_runner_that_is_exchanged_in_its_place_is_used_after_a_reload() {
    let Some(engine) = Engine::docker() else { return };
    let pools = vec![Pool { more: "warm = 1", ..Pool::new("debian", 4) }];
    let mut world = World::new(&Setup { engine: Some(engine.clone()), pools, ..Setup::new(4) });
    let runner = world.place.path().join("runner");
    let exchange = || {
        let beside = runner.with_extension("new");
        std::fs::copy(PROGRAM, &beside).expect("a copy");
        std::fs::rename(&beside, &runner).expect("a runner in its place");
    };
    exchange();
    world.rewrite(&format!("runner = [\"{PROGRAM}\""), "runner = [\"./runner\"");
    world.start(&[]);
    let before = until_ready(&world, 1);
    let volumes = || engine.things(&world.deployment).into_iter().filter(|thing| thing.starts_with("volume "));
    let volume = volumes().next().expect("a volume with the runner");
    exchange();
    check_quiet(&ask(&world, "reload"));
    world.until("it is another one", || machines(&world).keys().all(|id| !before.contains(id)));
    until_ready(&world, 1);
    assert!(volumes().any(|other| other != volume), "{volume} is all there is");
    let job = world.push("greet", "echo hello");
    world.until_is(&job, Status::Success);
    world.check_success(&[job]);
    finish(world, "warm = 1", "warm = 0");
}

#[test]
fn the_container_of_a_job_that_is_held_back_is_taken_back_and_none_is_lost() {
    let Some(engine) = Engine::docker() else { return };
    let gate = Gate::new(engine.forge);
    let pools = vec![Pool { more: "warm = 1", claim: "1s", ..Pool::new("debian", 4) }];
    let mut world = World::new(&Setup { engine: Some(engine.clone()), pools, ..Setup::new(4) });
    let events = Events::listen(&engine, &world.deployment);
    world.start(&[]);
    until_ready(&world, 1);
    let push = |name: &str, script: &str| {
        let job = JobSpec::shell("build", &["debian"], script).named(name);
        world.push_job(job, Concurrency::queue("deploy"))
    };
    let first = push("first", &gate.script());
    world.until_is(&first, Status::Running);
    let others: Vec<Pushed> = (0..3).map(|number| push(&format!("later {number}"), "echo hello")).collect();
    let taken_back = "taking the machine of a job that does not begin back";
    world.until("a runner waits in vain and is taken back", || world.logged(taken_back));
    gate.open();
    for job in &others {
        world.until_is(job, Status::Success);
    }
    until_ready(&world, 1);
    // One for each job, and the one that waits now: what was taken back has served another job.
    let created = events.judged().created;
    assert!(created <= others.len() + 1 + 1, "{created} containers for {} jobs", others.len() + 1);
    world.check_success(&others);
    world.check_success(&[first]);
    finish(world, "warm = 1", "warm = 0");
}

#[test]
fn a_clean_up_by_hand_takes_those_that_wait_and_of_another_deployment_by_force_alone() {
    let Some(engine) = Engine::docker() else { return };
    let (mut world, _) = world(&engine, "warm = 2");
    let idle = until_ready(&world, 2);
    assert_eq!(world.terminate(), Some(0));
    assert_eq!(machines(&world).into_keys().collect::<BTreeSet<_>>(), idle, "a stop leaves them");
    let gc = |arguments: &[&str]| {
        let ran = run(forgescale(["gc", "--config"]).arg(world.config()).args(arguments));
        assert_eq!(ran.status, Some(0), "{}{}", ran.out, ran.err);
        ran.out
    };
    let out = gc(&["--dry-run"]);
    assert!(out.contains("would be removed") && out.matches(", without a job\n").count() == 2, "{out}");
    assert_eq!(machines(&world).len(), 2);

    let old = world.deployment.clone();
    world.rewrite(&format!("deployment = \"{old}\""), &format!("deployment = \"{old}-new\""));
    let out = gc(&["--deployment", &old]);
    assert!(
        out.contains("left alone, since it may be in use") && out.matches(", without a job\n").count() == 2,
        "{out}"
    );
    assert_eq!(machines(&world).into_keys().collect::<BTreeSet<_>>(), idle);
    let out = gc(&["--deployment", &old, "--force"]);
    assert!(out.contains("removed:\n") && out.matches(", without a job\n").count() == 2, "{out}");
    assert_eq!(engine.things(&old), Vec::<String>::new());
}
