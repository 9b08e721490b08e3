//! Alerts: what needs a human is told as long as it holds, and no longer.

use planner::error_class::{Acted, ErrorClass};
use planner::event::Event;
use planner::ids::RunnerId;
use planner::overlap::ForeignRunner;
use planner::report::Alert;
use planner::seen::RunnerStatus;

use crate::scene::{Scene, acme, failure};

fn persistent(labels: &[&str], status: RunnerStatus) -> ForeignRunner {
    ForeignRunner {
        id: RunnerId(9),
        name: "old-server".to_owned(),
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        ephemeral: false,
        status,
    }
}

fn in_reach(scene: &mut Scene, runners: Vec<ForeignRunner>) {
    scene.fold(&Event::RunnersInReach { scope: acme(), runners });
    scene.poll();
}

fn lacks_a_right(scene: &Scene) -> bool {
    scene.report.alerts.iter().any(|alert| matches!(alert, Alert::TokenLacksScope { .. }))
}

#[test]
fn a_persistent_runner_with_our_labels_is_told_until_it_is_gone() {
    let mut scene = Scene::new();
    in_reach(&mut scene, vec![persistent(&["debian", "windows"], RunnerStatus::Idle)]);
    let expected = Alert::Overlap { scope: acme(), runner: "old-server".to_owned(), labels: vec!["debian".to_owned()] };
    assert_eq!(scene.report.alerts, [expected]);
    in_reach(&mut scene, vec![persistent(&["windows"], RunnerStatus::Idle)]);
    assert_eq!(scene.report.alerts, []);
}

#[test]
fn a_persistent_runner_that_is_offline_alarms_nobody() {
    let mut scene = Scene::new();
    in_reach(&mut scene, vec![persistent(&["debian"], RunnerStatus::Offline)]);
    assert_eq!(scene.report.alerts, []);
}

#[test]
fn however_many_runners_are_beside_us_the_alerts_are_bounded() {
    let mut scene = Scene::new();
    in_reach(&mut scene, vec![persistent(&["debian"], RunnerStatus::Active); 500]);
    assert_eq!(scene.report.alerts.len(), 20);
}

#[test]
fn failing_runner_lists_are_told_with_their_reason_until_one_works() {
    let mut scene = Scene::new();
    scene.poll();
    let refused = failure(ErrorClass::Transient, Acted::No);
    scene.fold(&Event::RunnersNotListed { scope: acme(), failure: refused });
    scene.turn();
    assert_eq!(scene.report.scopes[0].runners_failures, 1);
    assert_eq!(scene.report.scopes[0].runners_last_error.as_deref(), Some("it says no"));
    assert!(!lacks_a_right(&scene));
    scene.poll();
    assert_eq!((scene.report.scopes[0].runners_failures, &scene.report.scopes[0].runners_last_error), (0, &None));
}

#[test]
fn a_token_that_may_not_list_runners_is_told_until_it_may() {
    let mut scene = Scene::new();
    scene.poll();
    scene.fold(&Event::RunnersNotListed { scope: acme(), failure: failure(ErrorClass::Forbidden, Acted::No) });
    scene.turn();
    assert!(lacks_a_right(&scene));
    scene.poll();
    assert!(!lacks_a_right(&scene));
}

#[test]
fn a_token_that_may_not_list_repositories_is_told_until_it_may() {
    let mut scene = Scene::new();
    let refused = failure(ErrorClass::Forbidden, Acted::No);
    scene.fold(&Event::RepositoriesNotListed { scope: acme(), failure: refused });
    scene.poll();
    assert!(lacks_a_right(&scene));
    scene.fold(&Event::RepositoriesListed { scope: acme() });
    scene.poll();
    assert!(!lacks_a_right(&scene));
}

#[test]
fn a_token_that_the_forge_does_not_know_lacks_no_right() {
    let mut scene = Scene::new();
    scene.poll();
    scene.fold(&Event::RunnersNotListed { scope: acme(), failure: failure(ErrorClass::Auth, Acted::No) });
    scene.turn();
    assert_eq!(scene.report.alerts, [Alert::TokenUnknown { scope: acme(), message: "it says no".to_owned() }]);
    scene.poll();
    assert_eq!(scene.report.alerts, []);
}
