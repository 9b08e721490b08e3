//! Needs, conditions and reruns.

use std::collections::BTreeMap;
use std::time::Duration;

use forge_model::rpc::{FetchAsk, TaskReport};
use forge_model::script::{Condition, ScriptError};
use forge_model::{Status, Version};

use crate::world::{BOTH, World, credentials, job};

#[test]
fn a_dependent_is_blocked_until_its_need_succeeded_and_the_emitter_came_by() {
    for version in BOTH {
        let mut world = World::new(version);
        let run = world.push(vec![job("build"), job("deploy").needing(&["build"])]);
        assert_eq!(world.listed(), ["build"]);
        let build = world.job(run, 0);
        world.run_to(build, Status::Success);
        assert!(world.listed().is_empty(), "the emitter needs time");
        world.pass(Duration::from_millis(299));
        assert!(world.listed().is_empty());
        world.pass(Duration::from_millis(1));
        assert_eq!(world.listed(), ["deploy"]);
    }
}

#[test]
fn a_failed_need_skips_the_whole_chain_behind_it() {
    let mut world = World::new(Version::V15);
    let run = world.push(vec![job("a"), job("b").needing(&["a"]), job("c").needing(&["b"])]);
    let first = world.job(run, 0);
    world.run_to(first, Status::Failure);
    world.settle();
    assert_eq!([1, 2].map(|index| world.status(world.job(run, index))), [Status::Skipped; 2]);
    assert_eq!(world.forge.run_status(run), Some(Status::Failure));
}

#[test]
fn version_15_leaves_an_if_to_the_runner_and_version_16_decides_it() {
    let never = Condition::Present { after_success: false, after_failure: false };
    let on_failure = Condition::Present { after_success: false, after_failure: true };
    let jobs = || {
        let never_at_all = job("never").with_condition(never);
        let rescue = job("rescue").needing(&["a"]).with_condition(on_failure);
        let ship = job("ship").needing(&["a"]).with_condition(never);
        vec![job("a"), never_at_all, rescue, ship]
    };
    for (version, at_once, after_failure) in
        [(Version::V15, vec!["never", "a"], vec!["ship", "rescue", "never"]), (Version::V16, vec!["a"], vec!["rescue"])]
    {
        let mut world = World::new(version);
        let run = world.push(jobs());
        assert_eq!(world.listed(), at_once, "{version:?}");
        let first = world.job(run, 0);
        world.run_to(first, Status::Failure);
        world.settle();
        assert_eq!(world.listed(), after_failure, "{version:?}");
    }
}

#[test]
fn outputs_and_results_of_needs_reach_the_dependent() {
    let mut world = World::new(Version::V16);
    let matrix = |name: &str| job("build").named(name);
    let run = world.push(vec![matrix("build (1)"), matrix("build (2)"), job("deploy").needing(&["build"])]);
    for (index, key) in [(0, "one"), (1, "two")] {
        let runner = world.repo_runner();
        let wanted = world.job(run, index);
        let task = world.take(&runner, Some(wanted)).expect("a waiting job");
        let outputs = BTreeMap::from([(key.to_owned(), "v".to_owned()), ("x".repeat(256), "too long".to_owned())]);
        let report = TaskReport { task, result: Some(Status::Success), outputs };
        let update = world.forge.update_task(world.now, credentials(&runner), &report).expect("its own task");
        assert_eq!(update.sent_outputs, [key]);
    }
    world.settle();
    let runner = world.repo_runner();
    let answer = world.ask(&runner, FetchAsk::default()).expect("a registered runner");
    let need = &answer.tasks[0].needs["build"];
    assert_eq!(need.result, Status::Success);
    assert_eq!(need.outputs.keys().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_rerun_gives_every_job_a_new_handle_and_the_old_one_never_comes_back() {
    let mut world = World::new(Version::V15);
    let run = world.push(vec![job("a"), job("b").needing(&["a"])]);
    let (a, b) = (world.job(run, 0), world.job(run, 1));
    assert_eq!(world.forge.rerun_run(world.now, run), Err(ScriptError::NotEnded(run)));
    world.run_to(a, Status::Success);
    world.settle();
    world.run_to(b, Status::Failure);
    let old = world.handle(a);
    world.forge.rerun_run(world.now, run).expect("an ended run");
    assert_ne!(world.handle(a), old);
    assert_eq!((world.status(a), world.status(b)), (Status::Waiting, Status::Blocked));
    let runner = world.repo_runner();
    let ask = FetchAsk { handle: Some(old.as_str()), ..FetchAsk::default() };
    assert!(world.ask(&runner, ask).expect("a registered runner").tasks.is_empty());
    assert_eq!(world.forge.books().attempt(&old).map(|attempt| attempt.status), Some(Status::Success));
}

#[test]
fn one_job_runs_again_although_it_has_needs_and_its_dependents_follow() {
    let mut world = World::new(Version::V16);
    let run = world.push(vec![job("a"), job("b").needing(&["a"]), job("c").needing(&["b"])]);
    for index in 0..3 {
        let next = world.job(run, index);
        world.run_to(next, Status::Success);
        world.settle();
    }
    let (b, c) = (world.job(run, 1), world.job(run, 2));
    world.forge.rerun_job(world.now, b).expect("an ended job");
    assert_eq!((world.status(b), world.status(c)), (Status::Waiting, Status::Blocked));
    world.run_to(b, Status::Success);
    world.settle();
    assert_eq!(world.status(c), Status::Waiting);
}

#[test]
fn a_matrix_made_from_outputs_replaces_its_job_only_after_success() {
    for (result, names) in [(Status::Success, vec!["m (2)", "m (1)"]), (Status::Failure, vec![])] {
        let mut world = World::new(Version::V16);
        let matrix = ["m (1)", "m (2)"].map(|name| job("m").named(name)).to_vec();
        let run = world.push(vec![job("gen"), job("m").needing(&["gen"]).expanding_to(matrix)]);
        let (generator, incomplete) = (world.job(run, 0), world.job(run, 1));
        world.run_to(generator, result);
        world.settle();
        assert_eq!(world.listed(), names, "after {result:?}");
        assert_eq!(world.forge.job_status(incomplete).is_none(), result == Status::Success);
    }
}
