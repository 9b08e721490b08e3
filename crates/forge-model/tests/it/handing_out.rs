//! Who is given what, and in which order (protocol 2.6, 3.4).

use std::time::Duration;

use forge_model::rpc::{FetchAsk, RpcRefusal};
use forge_model::script::JobSpec;
use forge_model::{Area, RunnerStatus, Status, Version};

use crate::world::{BOTH, World, credentials, job};

#[test]
fn the_longest_untouched_job_goes_first_and_version_16_knows_priorities() {
    for (version, expected) in [(Version::V15, ["old", "new"]), (Version::V16, ["new", "old"])] {
        let mut world = World::new(version);
        world.push(vec![job("old")]);
        world.settle();
        let new = world.push(vec![job("new")]);
        world.forge.set_priority(new, 1).expect("a run");
        let runner = world.runner(Area::Instance, false);
        let answer = world.forge.fetch_task(world.now, credentials(&runner), FetchAsk::default(), 10);
        let tasks = answer.expect("a registered runner").tasks;
        let order: Vec<_> = tasks.iter().map(|task| task.context.job.as_str()).collect();
        assert_eq!(order, expected, "{version:?}");
    }
}

#[test]
fn an_ephemeral_runner_gets_one_task_whatever_its_capacity() {
    let mut world = World::new(Version::V16);
    world.push(vec![job("a"), job("b")]);
    let runner = world.repo_runner();
    let fetch = |world: &mut World| {
        let answer = world.forge.fetch_task(world.now, credentials(&runner), FetchAsk::default(), 3);
        answer.expect("a registered runner").tasks.len()
    };
    assert_eq!(fetch(&mut world), 1);
    assert_eq!(fetch(&mut world), 0, "no error, no task");
}

#[test]
fn the_same_request_key_gives_the_same_task_with_a_new_token() {
    let mut world = World::new(Version::V15);
    world.push(vec![job("a")]);
    let runner = world.repo_runner();
    let ask = FetchAsk { request_key: Some("key"), ..FetchAsk::default() };
    let first = world.ask(&runner, ask).expect("a registered runner");
    let again = world.ask(&runner, ask).expect("a registered runner");
    assert_eq!(again.tasks_version, 0);
    assert_eq!(first.tasks[0].id, again.tasks[0].id);
    assert_ne!(first.tasks[0].token, again.tasks[0].token);
    assert_eq!(world.forge.books().hand_outs().len(), 1);
}

#[test]
fn the_current_version_gets_nothing_and_any_other_looks() {
    let mut world = World::new(Version::V15);
    world.push(vec![job("a")]);
    let runner = world.repo_runner();
    let at = |world: &mut World, tasks_version| {
        world.ask(&runner, FetchAsk { tasks_version, ..FetchAsk::default() }).expect("a registered runner")
    };
    let current = at(&mut world, 1);
    assert_eq!((current.tasks_version, current.tasks.len()), (1, 0));
    assert_eq!(at(&mut world, 7).tasks.len(), 1);
}

#[test]
fn labels_must_cover_the_job_and_a_job_without_labels_never_runs() {
    for version in BOTH {
        let mut world = World::new(version);
        world.push(vec![JobSpec::shell("gpu", &["debian", "gpu"], "true"), JobSpec::shell("none", &[], "true")]);
        let runner = world.repo_runner();
        assert_eq!(world.take(&runner, None), None);
        world.declare(&runner, &["gpu", "debian", "x"]).expect("a registered runner");
        assert!(world.take(&runner, None).is_some());
        assert_eq!(world.listed(), ["none", "gpu"]);
    }
}

#[test]
fn a_fence_closes_the_door_and_leaves_a_running_job_alone() {
    for version in BOTH {
        let mut world = World::new(version);
        let run = world.push(vec![job("a"), job("b")]);
        let (a, b) = (world.job(run, 0), world.job(run, 1));
        let (waits, works) = (world.repo_runner(), world.repo_runner());
        let task = world.take(&works, Some(b)).expect("a waiting job");
        for runner in [&waits, &works] {
            world.declare(runner, &["fenced"]).expect("a registered runner");
        }
        assert_eq!(world.take(&waits, Some(a)), None);
        assert_eq!(world.forge.update_log(world.now, credentials(&works), task, 0, &[], false), Ok(0));
        let whose = world.forge.update_log(world.now, credentials(&waits), task, 0, &[], false);
        assert_eq!(whose, Err(RpcRefusal::Internal("invalid runner for task")));
        let update = world.report(&works, task, Some(Status::Success)).expect("its own task");
        assert_eq!(update.result, Some(Status::Success));
        assert_eq!(world.status(a), Status::Waiting);
    }
}

#[test]
fn an_owners_runner_follows_a_transfer_and_a_lost_unit_while_the_list_does_not() {
    for version in BOTH {
        let mut world = World::new(version);
        let run = world.push(vec![job("a")]);
        let wanted = world.job(run, 0);
        let before = world.runner(Area::Owner(world.user), true);
        let organization = world.forge.create_organization("acme", &[world.user]);
        world.forge.transfer_repository(world.repo, organization).expect("an owner");
        let listed = world.forge.list_jobs(Area::Owner(world.user), &forge_model::rest::LabelFilter::Absent);
        assert_eq!(listed.len(), 1);
        assert_eq!(world.take(&before, Some(wanted)), None);
        let after = world.runner(Area::Owner(organization), true);
        world.forge.set_actions_enabled(world.repo, false).expect("a repository");
        assert_eq!(world.take(&after, Some(wanted)), None);
        let global = world.runner(Area::Instance, true);
        let answer = world.ask(&global, FetchAsk::default());
        match version {
            Version::V15 => assert_eq!(answer.expect("version 15 hands it out").tasks.len(), 1),
            Version::V16 => {
                let message = "pick task: GetUnit: Unit type does not exist: TypeActions";
                assert_eq!(answer, Err(RpcRefusal::Internal(message)));
            }
        }
    }
}

#[test]
fn status_follows_the_clocks() {
    let mut world = World::new(Version::V15);
    world.push(vec![job("a")]);
    let area = Area::Repository(world.repo);
    let runner = world.forge.register_runner(world.now, area, "r", "", true).expect("a name");
    let status = |world: &World| world.forge.get_runner(world.now, area, runner.id).expect("a runner").status;
    assert_eq!(status(&world), RunnerStatus::Offline);
    world.declare(&runner, &["debian"]).expect("a registered runner");
    assert_eq!(status(&world), RunnerStatus::Idle);
    let task = world.take(&runner, None).expect("a waiting job");
    world.report(&runner, task, None).expect("its own task");
    assert_eq!(status(&world), RunnerStatus::Active);
    world.pass(Duration::from_secs(11));
    assert_eq!(status(&world), RunnerStatus::Idle);
    world.pass(Duration::from_secs(50));
    assert_eq!(status(&world), RunnerStatus::Offline);
}
