//! Boot, claim and run: they count observed time only.

use std::time::Duration;

use planner::event::EndReason;
use planner::report::Reason;
use planner::seen::JobState;

use crate::scene::{INTERVAL, Scene};

const PAUSE: Duration = Duration::from_hours(10);

#[test]
fn a_runner_that_does_not_contact_the_forge_in_time_is_ended() {
    let mut scene = Scene::started(&["h1"]);
    scene.polls(98);
    assert_eq!(scene.ending("h1"), None);
    scene.polls(4);
    assert_eq!(scene.ending("h1"), Some(&EndReason::BootOver));
}

#[test]
fn a_runner_that_is_not_given_its_job_in_time_is_ended() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.polls(4);
    assert_eq!(scene.ending("h1"), None);
    scene.polls(2);
    assert_eq!(scene.ending("h1"), Some(&EndReason::HeldBack));
}

#[test]
fn a_job_that_runs_too_long_is_stopped_without_a_fence() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].clocks.run = Duration::from_mins(1);
    scene.polls(19);
    assert_eq!(scene.ending("h1"), None);
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(3);
    assert_eq!(scene.ending("h1"), Some(&EndReason::RunOver));
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_pause_of_hours_ends_no_boot() {
    let mut scene = Scene::started(&["h1"]);
    scene.passes(PAUSE);
    scene.polls(2);
    assert_eq!(scene.ending("h1"), None);
}

#[test]
fn a_pause_of_hours_ends_no_claim() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.passes(PAUSE);
    scene.poll();
    assert_eq!(scene.ending("h1"), None);
    let counted = scene.assignment("h1").claim.total();
    assert!(counted > Duration::ZERO && counted <= 2 * INTERVAL, "{counted:?}");
}

#[test]
fn a_pause_of_hours_ends_no_run() {
    let mut scene = Scene::running(&["h1"]);
    scene.passes(PAUSE);
    scene.polls(3);
    assert_eq!(scene.took(), [""; 0]);
    assert!(matches!(scene.reason("h1"), Reason::Running { ran, .. } if *ran < Duration::from_mins(1)));
}

#[test]
fn an_outage_of_forge_and_backend_ends_nothing() {
    let mut scene = Scene::running(&["h1"]);
    scene.waits("h2");
    scene.poll();
    scene.does_all();
    scene.took();
    for _ in 0..5_000 {
        scene.nobody_answers();
    }
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!((scene.ending("h1"), scene.ending("h2")), (None, None));
}

#[test]
fn during_an_outage_of_the_forge_nothing_is_launched_and_the_reason_counts_the_failures() {
    let mut scene = Scene::new();
    scene.poll();
    scene.does_all();
    scene.waits("h1");
    scene.lists_jobs(true);
    for _ in 0..4 {
        scene.nobody_answers();
    }
    assert!(scene.created().is_empty());
    assert!(
        matches!(scene.reason("h1"), Reason::ForgeUnreachable { failures: 4, last_error, .. } if last_error == "it says no")
    );
}

#[test]
fn boot_and_claim_count_polls_of_the_job_and_not_listings_of_machines() {
    let mut scene = Scene::started(&["h1"]);
    for _ in 0..500 {
        scene.passes(INTERVAL);
        scene.lists_machines(true);
        scene.lists_runners(true);
        scene.turn();
    }
    assert_eq!(scene.assignment("h1").boot.total(), Duration::ZERO);
    assert_eq!(scene.ending("h1"), None);
}

#[test]
fn the_run_clock_counts_listings_of_machines_and_not_polls() {
    let mut scene = Scene::running(&["h1"]);
    let before = scene.assignment("h1").run.total();
    for _ in 0..100 {
        scene.passes(INTERVAL);
        scene.lists_jobs(true);
        scene.turn();
    }
    assert_eq!(scene.assignment("h1").run.total(), before);
}

#[test]
fn an_incomplete_poll_that_shows_the_job_counts() {
    let mut scene = Scene::claiming(&["h1"]);
    for _ in 0..6 {
        scene.passes(INTERVAL);
        scene.lists_jobs(false);
        scene.turn();
    }
    assert_eq!(scene.ending("h1"), Some(&EndReason::HeldBack));
}

#[test]
fn a_row_that_cannot_be_read_counts_nothing() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.job("h1").state = JobState::Unknown;
    scene.polls(50);
    assert_eq!(scene.ending("h1"), None);
    assert_eq!(scene.took(), [""; 0]);
}
