//! How jobs and registrations end (protocol 2.7, 2.8).

use std::time::Duration;

use forge_model::rpc::RpcRefusal;
use forge_model::script::CronTask;
use forge_model::{Area, RegistrationEnd, Status, Version};

use crate::world::{BOTH, World, credentials, job};

#[test]
fn a_final_report_uses_an_ephemeral_runner_up_and_keeps_a_persistent_one() {
    for (ephemeral, left) in [(true, 0), (false, 1)] {
        let mut world = World::new(Version::V15);
        world.push(vec![job("a")]);
        let runner = world.runner(Area::Instance, ephemeral);
        let task = world.take(&runner, None).expect("a waiting job");
        world.report(&runner, task, Some(Status::Success)).expect("its own task");
        assert_eq!(world.forge.runners_now().len(), left);
        let end = world.forge.books().registration(runner.id).map(|record| record.end);
        let expected = if ephemeral { RegistrationEnd::UsedUp(world.now) } else { RegistrationEnd::StillThere };
        assert_eq!(end, Some(expected));
    }
}

#[test]
fn a_cancelled_persistent_runner_is_told_and_its_own_result_changes_nothing() {
    let mut world = World::new(Version::V16);
    let run = world.push(vec![job("a")]);
    let runner = world.runner(Area::Instance, false);
    let task = world.take(&runner, None).expect("a waiting job");
    world.forge.cancel_run(world.now, run).expect("a run");
    for reported in [None, Some(Status::Success)] {
        let update = world.report(&runner, task, reported).expect("a registered runner");
        assert_eq!(update.result, Some(Status::Cancelled));
    }
    assert_eq!(world.forge.run_status(run), Some(Status::Cancelled));
}

#[test]
fn a_deleted_runner_loses_its_running_job_to_the_zombie_clean_up() {
    for version in BOTH {
        let mut world = World::new(version);
        let run = world.push(vec![job("a")]);
        let runner = world.repo_runner();
        let task = world.take(&runner, None).expect("a waiting job");
        world.forge.delete_runner(world.now, Area::Repository(world.repo), runner.id).expect("its own scope");
        assert_eq!(world.report(&runner, task, None), Err(RpcRefusal::Unregistered));
        let lost = world.job(run, 0);
        world.pass(Duration::from_mins(10));
        assert_eq!(world.status(lost), Status::Running);
        world.pass(Duration::from_mins(5));
        assert_eq!(world.status(lost), Status::Failure);
    }
}

#[test]
fn a_log_without_rows_moves_the_zombie_clock() {
    let mut world = World::new(Version::V15);
    let run = world.push(vec![job("a")]);
    let runner = world.repo_runner();
    let task = world.take(&runner, None).expect("a waiting job");
    for _ in 0..5 {
        world.pass(Duration::from_mins(9));
        world.forge.update_log(world.now, credentials(&runner), task, 0, &[], false).expect("its own task");
    }
    assert_eq!(world.status(world.job(run, 0)), Status::Running);
    world.pass(Duration::from_mins(16));
    assert_eq!(world.status(world.job(run, 0)), Status::Failure);
    assert!(world.forge.runners_now().is_empty());
}

#[test]
fn abandoned_and_endless_jobs_end_by_cron() {
    let mut world = World::new(Version::V16);
    let run = world.push(vec![job("a"), job("b"), job("c").needing(&["b"])]);
    let runner = world.repo_runner();
    let wanted = world.job(run, 0);
    let task = world.take(&runner, Some(wanted)).expect("a waiting job");
    for _ in 0..24 {
        world.pass(Duration::from_mins(8));
        let _ = world.report(&runner, task, None);
    }
    assert_eq!(world.status(wanted), Status::Failure, "longer than 3 h, although it reports");
    world.pass(Duration::from_hours(30));
    assert_eq!([1, 2].map(|index| world.status(world.job(run, index))), [Status::Cancelled; 2]);
}

#[test]
fn clean_up_spares_unused_and_busy_ephemeral_runners() {
    let mut world = World::new(Version::V15);
    world.push(vec![job("a")]);
    let (unused, busy) = (world.repo_runner(), world.repo_runner());
    world.take(&busy, None).expect("a waiting job");
    world.forge.run_cron(world.now, CronTask::CleanupActions);
    assert_eq!(world.forge.runners_now(), [unused.id, busy.id]);
    let global = world.runner(Area::Instance, true);
    world.now = world.now + Duration::from_hours(25);
    world.forge.run_cron(world.now, CronTask::CleanupOfflineRunners);
    assert_eq!(world.forge.runners_now(), [unused.id, busy.id], "global ones only, without {}", global.id);
}

#[test]
fn a_deleted_repository_takes_its_runners_and_busy_ephemeral_ones_along() {
    let mut world = World::new(Version::V16);
    world.push(vec![job("a"), job("b")]);
    let own = world.repo_runner();
    let busy = world.runner(Area::Owner(world.user), true);
    let idle = world.runner(Area::Owner(world.user), true);
    let task = world.take(&busy, None).expect("a waiting job");
    world.forge.delete_repository(world.now, world.repo).expect("a repository");
    assert_eq!(world.forge.runners_now(), [idle.id]);
    assert_eq!(world.forge.listed_jobs(), 0);
    for gone in [&own, &busy] {
        assert_eq!(world.report(gone, task, None), Err(RpcRefusal::Unregistered));
    }
    assert_eq!(world.take(&idle, None), None);
}

#[test]
fn log_rows_are_stored_once_and_an_archived_log_takes_no_more() {
    let mut world = World::new(Version::V15);
    world.push(vec![job("a")]);
    let runner = world.repo_runner();
    let task = world.take(&runner, None).expect("a waiting job");
    let mut send = |index, rows: &[&str], no_more| {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        world.forge.update_log(world.now, credentials(&runner), task, index, &rows, no_more)
    };
    assert_eq!(send(0, &["0", "1"], false), Ok(2));
    assert_eq!(send(1, &["1", "2"], false), Ok(3), "an overlap adds what is new");
    assert_eq!(send(9, &["9"], false), Ok(3), "a gap adds nothing");
    assert_eq!(send(3, &[], true), Ok(3), "the end without rows does not archive");
    assert_eq!(send(3, &["3"], true), Ok(4));
    assert_eq!(send(4, &["4"], false), Err(RpcRefusal::LogArchived));
    assert_eq!(world.forge.task_log(task), ["0", "1", "2", "3"]);
}

#[test]
fn a_status_of_a_later_release_is_only_shown() {
    let mut world = World::new(Version::V16);
    let run = world.push(vec![job("a")]);
    let job = world.forge.jobs_of_run(run)[0];
    world.forge.show_status_as(job, Some("ready")).expect("a job");
    let rows = world.forge.list_jobs(Area::Instance, &forge_model::rest::LabelFilter::Absent);
    assert_eq!((rows[0].status_word(), rows[0].status), ("ready", Status::Waiting));
}

#[test]
fn a_forge_that_was_down_for_long_fails_what_ran_when_it_starts_up() {
    for (minutes, left) in [(9, Status::Running), (11, Status::Failure)] {
        let mut world = World::new(Version::V15);
        let run = world.push(vec![job("a")]);
        let runner = world.repo_runner();
        world.declare(&runner, &["debian"]).expect("a registered runner");
        let job = world.job(run, 0);
        world.take(&runner, Some(job)).expect("a task");
        world.forge.start_up(world.now + Duration::from_mins(minutes));
        assert_eq!(world.status(job), left, "after {minutes} minutes");
    }
}
