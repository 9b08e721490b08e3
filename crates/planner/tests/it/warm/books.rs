//! What calls, answers and listings prove for machines without a job.

use std::time::Duration;

use planner::action::{Action, Leaving};
use planner::change::{Stranded, stranded};
use planner::check::machines;
use planner::error_class::ErrorClass;
use planner::event::{Answer, Decision, Event};
use planner::ids::{Handle, MachineName, PoolId, RunnerUuid, Try};
use planner::seen::{Binding, Exit, JobTags, MachineState};
use planner::state::{MachineFact, Start};

use super::{at, tags};
use crate::scene::{INTERVAL, Scene, acme, here, key, lost, refused};

fn create(name: &str) -> Action {
    let (machine, stop_grace) = (MachineName::new(name), Duration::ZERO);
    Action::CreateWarm { backend: here(), machine, tags: tags(), stop_grace }
}

fn destroy(name: &str) -> Action {
    Action::DestroyWarm { backend: here(), machine: MachineName::new(name), why: Leaving::Surplus }
}

pub(super) fn binding(handle: &str) -> Binding {
    let (handle, runner) = (Handle::new(handle), RunnerUuid::new(format!("uuid of {handle}")));
    Binding { handle, attempt: Try(1), runner, at: Some(at()) }
}

/// Only machines are listed, and nothing is planned.
fn lists(scene: &mut Scene) {
    scene.passes(INTERVAL);
    scene.lists_machines(true);
}

fn count(scene: &Scene) -> u32 {
    machines(&scene.state, &PoolId::new("debian"))
}

/// A scene with a pool that keeps one machine ready, which was found and is known to have no runner.
pub(super) fn found() -> Scene {
    let mut scene = Scene::with(|policy| {
        (policy.pools[0].warm.count, policy.pools[0].warm.made_of) = (1, "1".to_owned());
    });
    scene.has_warm("w1");
    for _ in 0..4 {
        lists(&mut scene);
    }
    assert!(scene.is_ready("w1"));
    scene
}

fn binds(scene: &mut Scene, handle: &str, name: &str) {
    let (pool, handle_of) = (PoolId::new("debian"), Handle::new(handle));
    let tags = JobTags { pool, scope: acme(), handle: handle_of, attempt: Try(1), scope_id: Some(1) };
    let machine = MachineName::new(name);
    scene.fold(&Event::Decided(Decision::Bind { key: key(handle, 1), backend: here(), machine, tags }));
}

#[test]
fn one_that_an_earlier_life_has_made_is_ready_once_no_start_can_come_late() {
    let mut scene = Scene::new();
    scene.has_warm("w1");
    lists(&mut scene);
    assert!(scene.warm("w1").is_some_and(|of| !of.is_ready()), "that life's start may still be under way");
    assert_eq!(count(&scene), 1);
    lists(&mut scene);
    assert!(scene.warm("w1").is_some_and(|of| !of.is_ready()), "this list was begun within the settle time");
    lists(&mut scene);
    assert!(scene.is_ready("w1"));
}

#[test]
fn one_that_is_bound_is_found_as_the_assignment_of_its_job() {
    let mut scene = Scene::new();
    scene.has_warm("w1");
    (scene.row("w1").binding, scene.row("w1").state) = (Some(binding("h1")), MachineState::Running);
    lists(&mut scene);
    let assignment = scene.assignment("h1");
    assert_eq!((assignment.warm.clone(), assignment.start, assignment.adopted), (Some(tags()), Start::Done, true));
    assert_eq!((assignment.scope.clone(), assignment.scope_id), (acme(), Some(1)));
    assert!(!assignment.is_reusable(), "nobody knows what ran on it");
    assert!(scene.warm("w1").is_none());
    assert_eq!(count(&scene), 1);
}

#[test]
fn one_that_a_late_call_has_bound_is_its_jobs_and_no_longer_ready() {
    let mut scene = found();
    (scene.row("w1").binding, scene.row("w1").state) = (Some(binding("h1")), MachineState::Running);
    lists(&mut scene);
    assert!(scene.warm("w1").is_none());
    assert!(scene.assignment("h1").adopted);
}

#[test]
fn a_launch_whose_machine_turns_out_to_be_anothers_has_none_any_more() {
    let mut scene = found();
    binds(&mut scene, "h2", "w1");
    (scene.row("w1").binding, scene.row("w1").state) = (Some(binding("h1")), MachineState::Running);
    lists(&mut scene);
    let lost = scene.assignment("h2");
    assert_eq!((lost.machine, lost.start), (MachineFact::Gone, Start::No));
    assert!(lost.parted.is_some() && lost.is_dead());
    assert_eq!(scene.assignment("h1").registration.known().map(|of| of.uuid.as_str()), Some("uuid of h1"));
    assert_eq!(count(&scene), 1);
    lists(&mut scene);
    assert_eq!(scene.assignment("h2").machine, MachineFact::Gone, "no list speaks of it any more");
}

#[test]
fn one_that_is_bound_to_something_unknown_counts_and_is_never_ready() {
    let mut scene = Scene::new();
    scene.has_warm("w1");
    (scene.row("w1").binding, scene.row("w1").state) =
        (Some(Binding { at: None, ..binding("h1") }), MachineState::Running);
    for _ in 0..5 {
        lists(&mut scene);
    }
    assert!(scene.warm("w1").is_some_and(|of| of.is_bound && !of.is_ready() && !of.is_there()));
    assert_eq!(count(&scene), 1);
    assert!(scene.state.journal.assignments.is_empty());
}

#[test]
fn a_bound_machine_is_in_the_books_once_and_counts_once() {
    let mut scene = found();
    binds(&mut scene, "h1", "w1");
    assert!(scene.warm("w1").is_none());
    let assignment = scene.assignment("h1");
    assert_eq!(assignment.machine, MachineFact::Exists { state: MachineState::Ready });
    assert!(assignment.is_unused() && assignment.is_reusable() && !assignment.adopted);
    assert_eq!(count(&scene), 1);
    lists(&mut scene);
    assert!(scene.warm("w1").is_none());
    assert_eq!((count(&scene), scene.state.journal.assignments.len()), (1, 1));
}

#[test]
fn one_that_was_asked_for_counts_until_nothing_of_it_is_left() {
    let mut scene = Scene::new();
    scene.begins(create("w1"));
    assert_eq!(count(&scene), 1);
    scene.is_done();
    assert!(scene.is_ready("w1"));
    scene.begins(destroy("w1"));
    assert!(scene.warm("w1").is_some_and(|of| !of.is_ready()), "told to go");
    assert_eq!(count(&scene), 1);
    let stale = scene.now;
    scene.is_done();
    assert_eq!(count(&scene), 0);
    scene.has_warm("w1");
    scene.lists_machines_of(&here(), stale, true);
    assert_eq!(count(&scene), 0, "a list begun before its end proves nothing");
}

#[test]
fn one_whose_create_was_lost_counts_until_a_later_list_lacks_it() {
    let mut scene = Scene::new();
    scene.begins(create("w1"));
    scene.is_answered(lost());
    scene.passes(INTERVAL);
    scene.lists_machines(true);
    assert_eq!(count(&scene), 1, "within the settle time");
    scene.passes(INTERVAL);
    scene.lists_machines(false);
    assert_eq!(count(&scene), 1, "an incomplete list lacks nothing");
    scene.lists_machines(true);
    assert_eq!(count(&scene), 0);

    scene.begins(create("w2"));
    let (_, action) = scene.open[0].clone();
    scene.carries_out(&action);
    scene.is_answered(lost());
    lists(&mut scene);
    assert!(scene.is_ready("w2"));
}

#[test]
fn one_that_was_refused_counts_until_it_has_shown_that_it_was() {
    let mut scene = Scene::new();
    scene.begins(create("w1"));
    scene.is_answered(refused(ErrorClass::Permanent));
    assert_eq!(count(&scene), 1);
    assert!(scene.warm("w1").is_none());
    scene.passes(Duration::from_secs(6));
    scene.lists_machines(true);
    assert_eq!(count(&scene), 0);
}

#[test]
fn one_that_is_listed_no_more_is_not_believed_to_be_gone_and_not_bound() {
    let mut scene = found();
    scene.machines.clear();
    lists(&mut scene);
    assert!(scene.warm("w1").is_some_and(|of| !of.is_ready()));
    lists(&mut scene);
    assert_eq!(count(&scene), 1);
    scene.begins(destroy("w1"));
    scene.is_answered(Answer::Stopping);
    lists(&mut scene);
    assert_eq!(count(&scene), 1);
    lists(&mut scene);
    assert_eq!(count(&scene), 0, "its removal was accepted, and two lists lack it");
}

#[test]
fn one_that_has_ended_is_gone_when_a_complete_list_lacks_it() {
    let mut scene = found();
    scene.row("w1").state = MachineState::Ended { exit: Exit::Unknown };
    lists(&mut scene);
    assert!(scene.warm("w1").is_some_and(|of| of.machine == MachineFact::Ended));
    scene.machines.clear();
    lists(&mut scene);
    assert_eq!(count(&scene), 0);
}

#[test]
fn a_backend_with_one_cannot_be_removed() {
    let scene = found();
    let mut next = scene.policy.clone();
    next.backends.clear();
    assert_eq!(stranded(&scene.state, &next), [Stranded::Backend { backend: here(), machines: 1 }]);
}

#[test]
fn the_name_of_a_machine_without_a_job_tells_pool_life_and_ordinal() {
    let name = |pool: &str, life, ordinal| {
        let deployment = Scene::new().policy.deployment;
        planner::identity::warm_machine_name(&deployment, &PoolId::new(pool), life, ordinal)
    };
    assert_eq!(name("debian", 1, 2), name("debian", 1, 2));
    let all = [name("debian", 1, 2), name("debian", 2, 1), name("debian", 1, 1), name("other", 1, 1)];
    for (at, one) in all.iter().enumerate() {
        assert!(all.iter().skip(at + 1).all(|other| other != one) && one.as_str().len() == 19);
    }
}
