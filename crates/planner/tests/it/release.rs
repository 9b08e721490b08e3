//! Release by fence: a job that waits is not always a job that can run.

use std::time::Duration;

use planner::error_class::ErrorClass;
use planner::event::{Answer, EndReason, Event, Outcome};
use planner::ids::{ForgeId, ScopeKey};
use planner::report::{MachineReason, Reason};

use planner::seen::Listing;
use planner::time::Tick;

use crate::scene::{Scene, lost, refused, scope};

/// A scene in which the forge holds `h1` back and the fence was just asked for.
fn held_back() -> Scene {
    let mut scene = Scene::claiming(&["h1"]);
    scene.polls(5);
    assert_eq!(scene.took(), ["fence"]);
    assert_eq!(*scene.machine_reason("h1"), MachineReason::Fencing);
    scene
}

/// The same, and the blocker ends in this very moment: the runner is given its job although it is fenced.
fn given_its_job_after_all() -> Scene {
    let mut scene = held_back();
    scene.claims("h1");
    scene.does("fence");
    scene.polls(3);
    assert_eq!(scene.took(), ["ask_whose"]);
    scene
}

#[test]
fn a_job_that_is_held_back_gives_its_machine_back_and_waits_on() {
    let mut scene = held_back();
    scene.does("fence");
    scene.goes_on(5);
    assert_eq!(scene.took(), ["destroy", "delete_runner"]);
    assert_eq!(scene.outcomes, [Outcome::Released]);
    assert!(matches!(scene.reason("h1"), Reason::HeldBack { releases: 1, .. }));
    scene.nothing_is_left();
}

#[test]
fn a_fenced_runner_is_stopped_only_after_a_poll_begun_a_settle_time_after_the_answer() {
    let mut scene = held_back();
    scene.does("fence");
    scene.poll();
    assert_eq!(scene.took(), [""; 0], "that poll was begun within the settle time");
    scene.passes(Duration::from_mins(1));
    scene.lists_machines(true);
    scene.turn();
    assert_eq!(scene.took(), [""; 0], "time alone proves nothing");
    scene.poll();
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_forge_that_was_slow_to_answer_lately_is_given_twice_as_long_to_settle() {
    let mut scene = held_back();
    scene.passes(Duration::from_secs(10));
    scene.does("fence");
    scene.polls(6);
    assert_eq!(scene.took(), [""; 0], "the fence took 10 s, so that these polls were begun within the settle time");
    scene.poll();
    assert_eq!(scene.took(), ["destroy"]);

    // A list that takes as long counts as much, and what another forge does counts nothing.
    for (forge, settled) in [("https://forge.example", 7), ("https://other.example", 2)] {
        let mut scene = held_back();
        scene.does("fence");
        let begun_at = Tick(scene.now.0 - 10_000);
        let other = ScopeKey { forge: ForgeId::new(forge), ..scope("org:another") };
        scene
            .fold(&Event::JobsListed { scope: other, listing: Listing { begun_at, complete: true, rows: Vec::new() } });
        scene.polls(settled - 1);
        assert_eq!(scene.took(), [""; 0]);
        scene.poll();
        assert_eq!(scene.took(), ["destroy"]);
    }
}

#[test]
fn a_pause_of_the_daemon_is_no_slow_answer_of_the_forge() {
    let mut scene = held_back();
    scene.does("fence");
    let begun_at = scene.now;
    scene.passes(Duration::from_hours(1));
    let listing = Listing { begun_at, complete: true, rows: Vec::new() };
    scene.fold(&Event::JobsListed { scope: scope("org:another"), listing });
    scene.poll();
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_runner_that_an_earlier_life_has_fenced_is_not_fenced_again() {
    let mut scene = held_back();
    scene.does("fence");
    let machines = std::mem::take(&mut scene.state);
    for registered in machines.journal.credentials {
        scene.fold(&Event::CredentialsFound { runner: registered });
    }
    scene.open.clear();
    scene.goes_on(10);
    let took = scene.took();
    assert_eq!(took, ["check_scope", "destroy", "delete_runner"]);
    assert_eq!(scene.outcomes, [Outcome::Released]);
}

#[test]
fn a_fence_whose_answer_was_lost_is_seen_in_the_list() {
    let mut scene = held_back();
    let (_, fence) = scene.open[0].clone();
    scene.carries_out(&fence);
    scene.answers("fence", lost());
    scene.goes_on(8);
    assert_eq!(scene.took(), ["destroy", "delete_runner"]);
    scene.nothing_is_left();
}

#[test]
fn a_release_that_comes_too_late_leaves_the_job_alone() {
    let mut scene = given_its_job_after_all();
    scene.answers("ask_whose", Answer::Ours);
    scene.polls(30);
    assert_eq!(scene.took(), [""; 0]);
    assert!(matches!(scene.reason("h1"), Reason::Running { .. }));
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
}

#[test]
fn a_job_that_another_runner_took_meanwhile_is_left_to_it() {
    let mut scene = given_its_job_after_all();
    scene.answers("ask_whose", Answer::Another);
    scene.goes_on(5);
    assert_eq!(scene.took(), ["destroy", "delete_runner"]);
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
    assert_eq!(*scene.reason("h1"), Reason::RunsElsewhere);
}

#[test]
fn a_lost_answer_to_whose_it_is_stops_nothing() {
    let mut scene = given_its_job_after_all();
    scene.answers("ask_whose", lost());
    scene.polls(10);
    assert_eq!(scene.took(), ["ask_whose"]);
}

#[test]
fn a_fence_without_an_answer_is_tried_again_and_nothing_is_stopped_before() {
    let mut scene = held_back();
    scene.answers("fence", lost());
    scene.poll();
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(3);
    assert_eq!(scene.took(), ["fence"]);
}

#[test]
fn a_runner_that_the_forge_does_not_know_any_more_counts_as_fenced() {
    let mut scene = held_back();
    scene.loses_runner("h1");
    scene.answers("fence", Answer::RunnerGone);
    assert_eq!(scene.took(), [""; 0], "its job may have ended on it just now");
    scene.poll();
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_runner_that_did_not_contact_the_forge_is_looked_at_instead_of_fenced() {
    let mut scene = Scene::started(&["h1"]);
    scene.polls(102);
    assert_eq!(scene.took(), ["look_up_runner"]);
    scene.does("look_up_runner");
    assert_eq!(scene.took(), ["destroy"]);
    scene.does("destroy");
    scene.goes_on(3);
    assert_eq!(scene.took(), ["delete_runner"]);
    let error = "its runner did not contact the forge within 5m 0s".to_owned();
    assert_eq!(scene.outcomes, [Outcome::LaunchFailed { error, charged: true }]);
}

#[test]
fn a_runner_that_comes_in_the_moment_of_its_end_goes_on() {
    let mut scene = Scene::started(&["h1"]);
    scene.polls(102);
    assert_eq!(scene.ending("h1"), Some(&EndReason::BootOver));
    scene.contacts("h1");
    scene.does("look_up_runner");
    assert_eq!(scene.ending("h1"), None);
    assert_eq!(scene.took(), ["look_up_runner"]);
}

#[test]
fn a_look_at_the_runner_that_fails_stops_nothing() {
    let mut scene = Scene::started(&["h1"]);
    scene.polls(102);
    scene.answers("look_up_runner", refused(ErrorClass::Transient));
    scene.polls(3);
    assert_eq!(scene.took(), ["look_up_runner", "look_up_runner"]);
}

#[test]
fn without_credentials_a_fresh_poll_comes_before_the_stop() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.state.journal.credentials.clear();
    for _ in 0..5 {
        scene.poll();
    }
    assert_eq!(scene.ending("h1"), Some(&EndReason::HeldBack));
    assert_eq!(scene.took(), [""; 0]);
    scene.poll();
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn without_credentials_a_job_that_is_seen_running_goes_on() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.state.journal.credentials.clear();
    scene.polls(5);
    assert_eq!(scene.ending("h1"), Some(&EndReason::HeldBack));
    scene.claims("h1");
    scene.polls(3);
    assert_eq!(scene.ending("h1"), None);
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn a_machine_that_cannot_be_stopped_lets_its_job_go_once_its_registration_is_deleted() {
    let mut scene = held_back();
    scene.does("fence");
    scene.polls(2);
    for _ in 0..3 {
        scene.answers("destroy", refused(ErrorClass::Transient));
        for _ in 0..20 {
            scene.poll();
            if !scene.open.is_empty() {
                break;
            }
        }
        if scene.open.iter().any(|(_, action)| action.word() == "delete_runner") {
            break;
        }
    }
    scene.took();
    scene.does("delete_runner");
    assert!(scene.assignment("h1").detached.is_some());
    assert!(scene.created().is_empty(), "the next try comes with a fresh look");
    scene.passes(Duration::from_mins(1));
    scene.poll();
    assert_eq!(scene.created(), ["h1"], "a registration that is gone cannot be given the job");
}
