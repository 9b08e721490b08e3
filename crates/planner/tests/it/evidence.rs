//! What a listing proves, and what it does not.

use planner::event::Event;
use planner::seen::{Listing, MachineState};
use planner::time::Tick;

use crate::scene::{INTERVAL, Scene, acme, here};

#[test]
fn incomplete_job_lists_never_prove_that_a_job_has_left() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    for _ in 0..100 {
        scene.passes(INTERVAL);
        scene.lists_jobs(false);
        scene.turn();
        scene.does_all();
    }
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!(scene.ending("h1"), None);
}

#[test]
fn incomplete_machine_lists_never_prove_that_a_machine_has_vanished() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.machines.clear();
    for _ in 0..100 {
        scene.passes(INTERVAL);
        scene.lists_machines(false);
        scene.turn();
    }
    assert_eq!(scene.took(), [""; 0]);
    assert!(!scene.assignment("h1").has_vanished());
}

#[test]
fn incomplete_runner_lists_never_prove_that_a_registration_is_gone() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.runners.clear();
    for _ in 0..100 {
        scene.passes(INTERVAL);
        scene.lists_runners(false);
        scene.turn();
    }
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn an_incomplete_list_still_proves_presence() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.claims("h1");
    scene.passes(INTERVAL);
    scene.lists_jobs(false);
    scene.turn();
    assert!(scene.assignment("h1").runs());
}

#[test]
fn a_listing_begun_before_the_answer_of_a_create_does_not_prove_that_the_machine_vanished() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    let before = scene.now;
    let rows = std::mem::take(&mut scene.machines);
    scene.does("create");
    let made = std::mem::replace(&mut scene.machines, rows);
    for begun_at in [before.0 + 1, before.0 + 2] {
        scene.lists_machines_of(&here(), Tick(begun_at), true);
        scene.turn();
    }
    assert!(!scene.assignment("h1").has_vanished());
    scene.machines = made;
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "create", "register", "start"]);
}

#[test]
fn a_listing_begun_before_a_destroy_does_not_bring_the_machine_back() {
    let mut scene = Scene::running(&["h1"]);
    scene.finishes("h1");
    scene.poll();
    let rows = scene.machines.clone();
    let before = Tick(scene.now.0 + 1);
    scene.passes(INTERVAL);
    scene.does("destroy");
    scene.lists_jobs(true);
    scene.lists_runners(true);
    scene.turn();
    assert!(scene.state.journal.assignments.is_empty(), "it is over");
    scene.machines = rows;
    scene.lists_machines_of(&here(), before, true);
    scene.turn();
    assert!(scene.state.journal.assignments.is_empty(), "an old listing proves nothing");
}

#[test]
fn an_older_job_list_than_the_newest_changes_nothing() {
    let mut scene = Scene::running(&["h1"]);
    let before = scene.state.journal.assignments.clone();
    let listing = Listing { begun_at: Tick(1), complete: true, rows: Vec::new() };
    scene.fold(&Event::JobsListed { scope: acme(), listing });
    assert_eq!(scene.state.journal.assignments, before);
}

#[test]
fn one_listing_of_machines_without_it_is_not_two() {
    let mut scene = Scene::claiming(&["h1"]);
    let rows = scene.machines.clone();
    for _ in 0..10 {
        scene.machines.clear();
        scene.passes(INTERVAL);
        scene.lists_machines(true);
        scene.turn();
        scene.machines.clone_from(&rows);
        scene.passes(INTERVAL);
        scene.lists_machines(true);
        scene.turn();
    }
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn a_machine_that_is_stopping_by_itself_is_not_dead_yet() {
    let mut scene = Scene::running(&["h1"]);
    scene.machine("h1").state = MachineState::Stopping;
    scene.polls(10);
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn an_unknown_scope_or_backend_changes_nothing() {
    let mut scene = Scene::new();
    scene.waits("h1");
    let rows = vec![scene.job("h1").clone()];
    let listing = Listing { begun_at: Tick(5), complete: true, rows };
    scene.fold(&Event::JobsListed { scope: crate::scene::scope("org:other"), listing });
    let listing = Listing { begun_at: Tick(5), complete: true, rows: Vec::new() };
    scene.fold(&Event::MachinesListed { backend: planner::ids::BackendId::new("other"), listing });
    scene.turn();
    assert!(scene.state.seen.scopes.keys().eq([&acme()]) && scene.state.seen.backends.is_empty());
}
