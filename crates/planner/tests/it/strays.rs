//! Registrations of ours that belong to no assignment.

use planner::action::Action;
use planner::error_class::ErrorClass;
use planner::identity::RunnerIdentity;
use planner::ids::{BackendId, Handle, Ordinal, PoolId, RunnerId, RunnerUuid, Try};
use planner::report::{Reason, RunnerReason};
use planner::seen::{RunnerSeen, RunnerStatus};

use crate::scene::{Scene, acme, backend, here, refused};

/// A registration for `h1` that nobody remembers.
fn stray(attempt: u32) -> RunnerSeen {
    RunnerSeen {
        id: RunnerId(77),
        uuid: RunnerUuid::new("stray"),
        identity: RunnerIdentity {
            pool: PoolId::new("debian"),
            handle: Handle::new("h1"),
            attempt: Try(attempt),
            ordinal: Ordinal(1),
        },
        declared: false,
        fenced: false,
        status: RunnerStatus::Offline,
    }
}

fn with_stray(mut scene: Scene, declared: bool) -> Scene {
    let mut row = stray(5);
    row.declared = declared;
    scene.runners.push((acme(), row));
    scene
}

#[test]
fn a_stray_is_deleted_after_its_settle_time_and_two_listings_of_the_machines() {
    let mut scene = with_stray(Scene::new(), false);
    scene.polls(2);
    assert_eq!(scene.took(), ["check_scope"]);
    assert!(matches!(scene.runner_reasons()[..], [RunnerReason::Settling { .. }]));
    scene.goes_on(3);
    assert_eq!(scene.took(), ["sweep"]);
    scene.nothing_is_left();
}

#[test]
fn a_stray_is_kept_while_one_backend_of_two_is_not_listed() {
    let other = BackendId::new("other");
    let mut scene = Scene::with(|policy| policy.backends.extend([(other.clone(), backend())]));
    scene = with_stray(scene, false);
    for _ in 0..50 {
        scene.passes(crate::scene::INTERVAL);
        scene.lists_jobs(true);
        scene.lists_runners(true);
        let now = scene.now;
        scene.lists_machines_of(&here(), now, true);
        scene.lists_machines_of(&other, now, false);
        scene.turn();
    }
    assert!(!scene.took().contains(&"sweep"));
    assert_eq!(scene.runner_reasons(), [&RunnerReason::MachinesNotListed]);
    scene.polls(2);
    assert!(scene.took().contains(&"sweep"));
}

#[test]
fn a_stray_to_which_a_machine_is_bound_is_no_stray() {
    let mut scene = Scene::running(&["h1"]);
    scene.restarts();
    scene.lists_jobs(true);
    scene.lists_runners(true);
    scene.turn();
    assert_eq!(scene.state.journal.strays.len(), 1);
    scene.goes_on(20);
    assert!(!scene.took().contains(&"sweep"));
    assert!(scene.state.journal.strays.is_empty());
}

#[test]
fn a_stray_that_declared_itself_is_kept_while_its_job_runs() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.runs("h1");
    let mut scene = with_stray(scene, true);
    scene.polls(50);
    assert!(!scene.took().contains(&"sweep"));
    assert_eq!(scene.runner_reasons(), [&RunnerReason::JobRunning]);
    scene.leaves("h1");
    scene.goes_on(3);
    assert!(scene.took().contains(&"sweep"));
}

#[test]
fn a_stray_keeps_its_job_from_the_next_try_and_counts_as_a_try() {
    let mut scene = Scene::new();
    scene.waits("h1");
    let mut scene = with_stray(scene, false);
    scene.polls(2);
    assert_eq!(*scene.reason("h1"), Reason::EarlierTry { attempt: Try(5) });
    assert!(scene.created().is_empty());
    scene.polls(2);
    scene.does("sweep");
    scene.poll();
    let tries: Vec<Try> = scene.state.journal.assignments.keys().map(|key| key.attempt).collect();
    assert_eq!(tries, [Try(6)]);
}

#[test]
fn a_sweep_that_fails_is_repeated_later() {
    let mut scene = with_stray(Scene::new(), false);
    scene.poll();
    scene.polls(3);
    scene.answers("sweep", refused(ErrorClass::Transient));
    scene.took();
    scene.turn();
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(4);
    assert_eq!(scene.took(), ["sweep"]);
}

#[test]
fn a_stray_is_not_swept_twice_at_once() {
    let mut scene = with_stray(Scene::new(), false);
    scene.polls(7);
    let sweeps = scene.took_actions().iter().filter(|action| matches!(action, Action::Sweep { .. })).count();
    assert_eq!(sweeps, 1);
}
