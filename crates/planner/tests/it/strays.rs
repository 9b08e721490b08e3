//! Registrations of ours that belong to no assignment.

use planner::event::{Answer, Event};
use planner::identity::RunnerIdentity;
use planner::ids::*;
use planner::report::RunnerReason;
use planner::seen::Listing;

use crate::scene::*;

/// A registration of an earlier life whose machine is gone.
fn stray(scene: &mut Scene, handle: &str) -> String {
    let identity = RunnerIdentity {
        pool: PoolId::new("debian"),
        handle: Handle::new(handle),
        attempt: Try(1),
        ordinal: Ordinal(1),
    };
    scene.add_runner(identity)
}

#[test]
fn an_unused_registration_without_a_machine_is_deleted_after_two_listings_and_the_settle_time() {
    let mut scene = Scene::new();
    stray(&mut scene, "a");
    scene.poll();
    scene.expect(&[]);
    assert!(matches!(scene.report.runners[0].reason, RunnerReason::Settling { .. }));
    scene.polls(2);
    scene.expect(&["sweep"]);
    scene.runners.clear();
    scene.answer("sweep", Answer::Deleted);
    scene.poll();
    assert!(scene.report.runners.is_empty());
}

#[test]
fn a_registration_that_may_hold_a_running_job_is_kept() {
    let mut scene = Scene::new();
    let uuid = stray(&mut scene, "a");
    scene.declares(&uuid);
    scene.add_job("a");
    scene.runs("a");
    scene.polls(20);
    scene.expect(&[]);
    assert_eq!(scene.report.runners[0].reason, RunnerReason::JobRunning);
}

#[test]
fn one_listing_that_lacks_its_job_does_not_free_a_used_registration() {
    let mut scene = Scene::new();
    let uuid = stray(&mut scene, "a");
    scene.declares(&uuid);
    scene.add_job("a");
    scene.runs("a");
    scene.polls(5);
    let row = scene.jobs.remove("a").unwrap();
    scene.poll();
    scene.expect(&[]);
    scene.jobs.insert("a".to_owned(), row);
    scene.poll();
    scene.jobs.clear();
    scene.poll();
    scene.expect(&[]);
    scene.poll();
    scene.expect(&["sweep"]);
}

#[test]
fn a_backend_that_is_not_listed_keeps_every_stray() {
    let mut scene = Scene::new();
    stray(&mut scene, "a");
    for _ in 0..10 {
        scene.now += INTERVAL_MS;
        scene.list_jobs(true);
        scene.list_runners(true);
        scene.list_machines(false);
    }
    scene.expect(&[]);
    assert_eq!(scene.report.runners[0].reason, RunnerReason::MachinesNotListed);
}

#[test]
fn a_sweep_that_fails_is_repeated_after_a_rest() {
    let mut scene = Scene::new();
    stray(&mut scene, "a");
    scene.polls(3);
    scene.answer(
        "sweep",
        failed(planner::error_class::ErrorClass::Transient, planner::error_class::Acted::No),
    );
    scene.expect(&[]);
    scene.pass(std::time::Duration::from_secs(7));
    scene.expect(&["sweep"]);
}

#[test]
fn a_stray_that_is_listed_no_more_is_forgotten() {
    let mut scene = Scene::new();
    stray(&mut scene, "a");
    scene.poll();
    scene.runners.clear();
    scene.poll();
    assert!(scene.state.journal.strays.is_empty());
}

#[test]
fn a_launch_that_has_begun_waits_for_a_used_registration_that_turns_up() {
    let mut scene = Scene::unlisted(policy());
    scene.add_job("a");
    scene.now += 1_000;
    scene.list_machines(true);
    scene.list_jobs(true);
    scene.expect(&["create"]);
    let uuid = stray(&mut scene, "a");
    scene.declares(&uuid);
    let rows = scene.runners.values().cloned().collect();
    let listing = Listing { begun_at: scene.tick(), complete: true, rows };
    scene.happens(&Event::RunnersListed { scope: scope(), listing });
    scene.created();
    scene.expect(&[]);
    scene.polls(3);
    scene.expect(&["sweep"]);
    scene.runners.clear();
    scene.answer("sweep", Answer::Deleted);
    scene.expect(&["register"]);
}
