//! Runners that are registered at repositories within a scope: their lists, and what those prove.

use planner::action::Action;
use planner::error_class::{Acted, ErrorClass};
use planner::event::Event;
use planner::ids::ScopeKey;
use planner::report::{Alert, Reason};
use planner::seen::{Exit, Listing};

use crate::scene::{Scene, acme, failure, refused};

/// The repository of a scene's jobs.
fn place() -> ScopeKey {
    acme().at_repository(1)
}

fn at_repositories() -> Scene {
    Scene::with(|policy| {
        for scope in policy.scopes.values_mut() {
            scope.at_repository = true;
        }
    })
}

/// A poll in which the repository's runners are listed too.
fn poll(scene: &mut Scene, complete: bool) {
    list(scene, complete);
    scene.poll();
}

fn list(scene: &mut Scene, complete: bool) {
    scene.passes(std::time::Duration::from_millis(1));
    let rows = scene.runners.iter().filter(|(of, _)| *of == place()).map(|(_, row)| row.clone()).collect();
    let listing = Listing { begun_at: scene.now, complete, rows };
    scene.fold(&Event::RunnersListed { scope: place(), listing });
}

/// A job whose runner was registered and started.
fn started() -> Scene {
    let mut scene = at_repositories();
    scene.waits("h1");
    poll(&mut scene, true);
    scene.does_all();
    scene.took();
    scene
}

fn running() -> Scene {
    let mut scene = started();
    scene.contacts("h1");
    poll(&mut scene, true);
    scene.claims("h1");
    poll(&mut scene, true);
    scene.took();
    scene
}

#[test]
fn a_runner_is_registered_at_its_jobs_repository_and_listed_there() {
    let mut scene = at_repositories();
    scene.waits("h1");
    scene.poll();
    scene.does_all();
    let begun = scene.took_actions();
    let registered = |action: &Action| matches!(action, Action::Register { scope, .. } if *scope == place());
    assert!(begun.iter().any(registered), "{begun:?}");
    assert!(scene.state.wanted_repositories(&scene.policy).contains(&place()));
    assert!(!scene.state.wants_runners(&scene.policy, &acme()));
}

#[test]
fn once_all_is_over_the_repository_is_listed_no_more() {
    let mut scene = running();
    scene.finishes("h1");
    for _ in 0..4 {
        poll(&mut scene, true);
        scene.does_all();
    }
    assert!(scene.state.journal.assignments.is_empty());
    assert!(scene.state.wanted_repositories(&scene.policy).is_empty());
}

#[test]
fn the_scopes_own_list_never_proves_that_a_repositorys_runner_is_gone() {
    let mut scene = started();
    scene.contacts("h1");
    // The scope's own list is read with every poll, and never shows it.
    scene.polls(5);
    let absent = scene.assignment("h1").registration.known().expect("a registration").absent;
    assert!(absent.newest().is_none());
    list(&mut scene, false);
    scene.loses_runner("h1");
    list(&mut scene, false);
    assert!(scene.assignment("h1").registration.known().expect("a registration").absent.newest().is_none());
    list(&mut scene, true);
    assert!(scene.assignment("h1").registration.known().expect("a registration").absent.newest().is_some());
}

#[test]
fn without_machine_lists_a_launch_waits_for_the_runners_of_its_repository() {
    let mut scene = at_repositories();
    scene.policy.backends.insert(planner::ids::BackendId::new("away"), crate::scene::backend());
    scene.waits("h1");
    scene.passes(crate::scene::INTERVAL);
    scene.lists_jobs(true);
    scene.lists_runners(true);
    let here = crate::scene::here();
    let begun_at = scene.now;
    scene.lists_machines_of(&here, begun_at, true);
    scene.turn();
    assert!(matches!(scene.reason("h1"), Reason::NotListedYet { .. }), "{:?}", scene.reason("h1"));
    assert!(scene.state.wanted_repositories(&scene.policy).contains(&place()));
    list(&mut scene, true);
    scene.turn();
    assert!(matches!(scene.reason("h1"), Reason::Launching { .. }), "{:?}", scene.reason("h1"));
}

#[test]
fn a_repository_that_refuses_keeps_no_other_waiting() {
    let mut scene = at_repositories();
    scene.waits("h1");
    scene.waits_as("h2", 50, 2, "build", &["debian"]);
    scene.poll();
    scene.does("create");
    scene.does("create");
    scene.answers("register", refused(ErrorClass::Forbidden));
    scene.does_all();
    let alert = |alert: &Alert| matches!(alert, Alert::TokenLacksScope { scope, .. } if *scope == place());
    assert!(scene.report.alerts.iter().any(alert), "{:?}", scene.report.alerts);
    scene.poll();
    assert!(matches!(scene.reason("h1"), Reason::TokenLacksScope { .. }), "{:?}", scene.reason("h1"));
    let of_the_other = scene.assignment("h2").registration.known().map(|registered| registered.id);
    assert!(of_the_other.is_some());
}

#[test]
fn a_stray_that_only_a_round_shows_is_deleted_where_it_is() {
    let mut scene = started();
    let stray = scene.runner("h1").clone();
    let mut scene = at_repositories();
    scene.runners.push((place(), stray));
    for _ in 0..5 {
        poll(&mut scene, true);
    }
    let swept = |action: &Action| matches!(action, Action::Sweep { scope, .. } if *scope == place());
    assert!(scene.took_actions().iter().any(swept));
}

#[test]
fn a_runner_of_ours_is_no_stray_in_another_list_of_the_same_repository() {
    let mut scene = running();
    let row = scene.runner("h1").clone();
    scene.passes(crate::scene::INTERVAL);
    let listing = Listing { begun_at: scene.now, complete: true, rows: vec![row] };
    let other = crate::scene::scope("repo:acme/site");
    let policy = scene.policy.scopes[&acme()].clone();
    scene.policy.scopes.insert(other.clone(), policy);
    scene.fold(&Event::RunnersListed { scope: other, listing });
    assert!(scene.state.journal.strays.is_empty());
}

#[test]
fn a_repository_that_is_gone_keeps_its_assignment_no_longer() {
    let mut scene = running();
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.ends("h1", Exit::Code(1));
    for _ in 0..4 {
        let failure = failure(ErrorClass::NotFound, Acted::No);
        scene.fold(&Event::RunnersNotListed { scope: place(), failure });
        scene.poll();
        scene.does_all();
    }
    assert!(scene.state.journal.assignments.is_empty());
}

#[test]
fn what_a_place_is_called_is_read_back() {
    assert_eq!((place().repository(), place().watched()), (Some(1), acme()));
    assert_eq!((acme().repository(), acme().watched()), (None, acme()));
    assert!(place().is_within(&acme()) && acme().is_within(&acme()));
    assert!(!place().is_within(&crate::scene::scope("org:acm")));
    assert_eq!(place().at_repository(2), acme().at_repository(2));
}
