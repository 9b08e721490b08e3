//! Concurrency groups (protocol 2.5).

use forge_model::script::{Concurrency, Event, RunSpec};
use forge_model::{RunId, Status, Version};

use crate::world::{BOTH, World, job};

fn queued(world: &mut World, group: &str) -> RunId {
    let spec = RunSpec::new(world.repo, "deploy.yml", vec![job("a"), job("b")]);
    world.push_run(spec.with_concurrency(Concurrency::queue(group)))
}

#[test]
fn a_queued_run_is_listed_as_waiting_and_cannot_be_fetched_before_its_turn() {
    for version in BOTH {
        let mut world = World::new(version);
        let first = queued(&mut world, "prod");
        let second = queued(&mut world, "PROD");
        assert_eq!(world.listed().len(), 4, "all look alike");
        let runner = world.repo_runner();
        let held_back = world.job(second, 0);
        assert_eq!(world.take(&runner, Some(held_back)), None);
        for index in 0..2 {
            let next = world.job(first, index);
            world.run_to(next, Status::Success);
            let admitted = world.take(&runner, Some(held_back)).is_some();
            assert_eq!(admitted, index == 1, "after job {index} of the first run");
        }
    }
}

#[test]
fn a_failed_run_no_longer_blocks_although_a_job_of_it_still_runs() {
    let mut world = World::new(Version::V15);
    let first = queued(&mut world, "prod");
    let second = queued(&mut world, "prod");
    let busy = world.repo_runner();
    let other = world.job(first, 1);
    assert!(world.take(&busy, Some(other)).is_some());
    let failing = world.job(first, 0);
    world.run_to(failing, Status::Failure);
    let runner = world.repo_runner();
    let next = world.job(second, 0);
    assert!(world.take(&runner, Some(next)).is_some());
}

#[test]
fn groups_do_not_cross_repositories_and_the_switch_turns_them_off() {
    let mut world = World::new(Version::V16);
    queued(&mut world, "prod");
    let second = queued(&mut world, "prod");
    let elsewhere = world.forge.create_repository(world.user, "other", false).expect("a user");
    let spec = RunSpec::new(elsewhere, "deploy.yml", vec![job("a")]).with_concurrency(Concurrency::queue("prod"));
    let free = world.push_run(spec);
    let runner = world.runner(forge_model::Area::Instance, false);
    let (held_back, other) = (world.job(second, 0), world.job(free, 0));
    assert!(world.take(&runner, Some(other)).is_some());
    assert_eq!(world.take(&runner, Some(held_back)), None);
    world.forge.settings_mut().concurrency_queue = false;
    assert!(world.take(&runner, Some(held_back)).is_some());
}

#[test]
fn a_newer_push_cancels_the_older_run_with_its_running_job_and_ephemeral_runner() {
    let mut world = World::new(Version::V15);
    let push = |world: &World| RunSpec::new(world.repo, "ci.yml", vec![job("a"), job("b")]).with_event(Event::Push);
    let older = push(&world);
    let older = world.push_run(older);
    let runner = world.repo_runner();
    let running = world.job(older, 0);
    let task = world.take(&runner, Some(running)).expect("a waiting job");
    let newer = push(&world);
    let newer = world.push_run(newer);
    assert_eq!(world.forge.run_status(older), Some(Status::Cancelled));
    assert_eq!(world.forge.run_status(newer), Some(Status::Waiting));
    assert!(world.forge.runners_now().is_empty());
    assert!(world.report(&runner, task, Some(Status::Success)).is_err(), "nobody tells it, and nobody listens");
    let unlimited = RunSpec::new(world.repo, "ci.yml", vec![job("c")])
        .with_event(Event::Push)
        .with_concurrency(Concurrency::unlimited());
    world.push_run(unlimited);
    assert_eq!(world.forge.run_status(newer), Some(Status::Waiting));
}
