//! From a waiting job to a started runner: order, needless calls, tries, back-off.

use std::time::Duration;

use planner::action::Action;
use planner::error_class::ErrorClass;
use planner::event::Outcome;
use planner::ids::Try;
use planner::report::{Alert, Reason};
use planner::seen::Exit;
use planner::state::Rested;

use crate::scene::{Scene, backend, job_key, refused};

/// One launch whose runner ends at once without its job, and all that follows until the next poll.
fn launch_in_vain(scene: &mut Scene, handle: &str) {
    scene.does_all();
    scene.ends(handle, Exit::Code(3));
    scene.goes_on(4);
}

#[test]
fn a_job_takes_one_create_one_register_one_start_and_one_destroy() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does_all();
    scene.contacts("h1");
    scene.goes_on(1);
    scene.claims("h1");
    scene.goes_on(3);
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.took(), ["check_scope", "create", "register", "start", "destroy"]);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    scene.nothing_is_left();
}

#[test]
fn a_chain_costs_no_poll_between_its_answers() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    scene.does("register");
    scene.does("start");
    assert_eq!(scene.took(), ["check_scope", "create", "register", "start"]);
}

#[test]
fn a_runner_is_registered_only_when_its_machine_is_there() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.polls(3);
    assert_eq!(scene.took(), ["check_scope", "create"]);
    scene.does("create");
    assert_eq!(scene.took(), ["register"]);
}

#[test]
fn nothing_is_launched_before_an_earlier_life_can_be_known() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.lists_jobs(true);
    scene.turn();
    assert!(scene.created().is_empty());
    assert_eq!(*scene.reason("h1"), Reason::NotListedYet { of: "the runners of https://forge.example".to_owned() });
    scene.lists_runners(true);
    scene.turn();
    assert!(scene.created().is_empty());
    assert_eq!(*scene.reason("h1"), Reason::NotListedYet { of: "backend here".to_owned() });
    scene.lists_machines(true);
    scene.turn();
    assert_eq!(scene.created(), ["h1"]);
}

#[test]
fn incomplete_lists_do_not_tell_what_an_earlier_life_left_behind() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.lists_jobs(true);
    scene.lists_runners(false);
    scene.lists_machines(false);
    scene.turn();
    assert!(scene.created().is_empty());
}

#[test]
fn all_backends_listed_stand_for_runners_that_cannot_be_listed() {
    let other = planner::ids::BackendId::new("other");
    let mut scene = Scene::with(|policy| policy.backends.extend([(other.clone(), backend())]));
    scene.waits("h1");
    scene.lists_jobs(true);
    scene.lists_machines_of(&crate::scene::here(), scene.now, true);
    scene.turn();
    assert!(scene.created().is_empty(), "one backend of two is not all");
    scene.lists_machines_of(&other, scene.now, true);
    scene.turn();
    assert_eq!(scene.created(), ["h1"]);
}

#[test]
fn the_same_decision_made_twice_names_the_same_thing() {
    let first_create = || {
        let mut scene = Scene::new();
        scene.waits("h1");
        scene.poll();
        scene.took_actions()
    };
    assert_eq!(first_create(), first_create());
}

#[test]
fn a_machine_for_one_job_says_whose_it_is() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    let took = scene.took_actions();
    let Some(Action::Create { key, repository: Some(repository), .. }) = took.last() else { panic!("{took:?}") };
    assert_eq!((&repository.forge, repository.id), (&key.job.forge, scene.jobs[0].1.repository));
}

#[test]
fn the_next_try_has_the_next_number_and_another_name() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    let first = scene.answers("create", refused(ErrorClass::Transient));
    scene.passes(Duration::from_secs(10));
    scene.poll();
    let creates = scene.took_actions().into_iter().filter(|action| matches!(action, Action::Create { .. }));
    let all: Vec<Action> = creates.collect();
    let numbers: Vec<Try> = all.iter().filter_map(Action::key).map(|key| key.attempt).collect();
    assert_eq!(numbers, [Try(1), Try(2)]);
    let name = |action: &Action| match action {
        Action::Create { machine, .. } => machine.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name(&first), name(&all[0]));
    assert_ne!(name(&all[0]), name(&all[1]));
}

#[test]
fn a_failed_launch_rests_and_says_for_how_long_and_why() {
    let mut scene = Scene::started(&["h1"]);
    launch_in_vain(&mut scene, "h1");
    assert_eq!(scene.took(), ["read_log", "destroy", "delete_runner"]);
    let error = "its runner ended without its job: exit code 3, last words";
    assert_eq!(scene.outcomes, [Outcome::LaunchFailed { error: error.to_owned(), charged: true }]);
    match scene.reason("h1") {
        Reason::BackingOff { remaining, tries: 1, last_error } => {
            assert!(*remaining > Duration::ZERO && *remaining < Duration::from_millis(6_251), "{remaining:?}");
            assert_eq!(last_error, error);
        }
        other => panic!("{other:?}"),
    }
}

/// A scene in which three launches of the job `h1` have failed.
fn parked() -> Scene {
    let mut scene = Scene::new();
    scene.waits("h1");
    for _ in 0..3 {
        scene.poll();
        launch_in_vain(&mut scene, "h1");
        scene.passes(Duration::from_secs(30));
    }
    scene
}

#[test]
fn a_job_that_fails_to_launch_three_times_is_parked_with_an_alert_and_tried_again_later() {
    let mut scene = parked();
    scene.polls(20);
    assert_eq!(scene.created(), ["h1"; 3]);
    match scene.reason("h1") {
        Reason::Parked { remaining, failures: 3, .. } => assert!(*remaining > Duration::from_mins(20)),
        other => panic!("{other:?}"),
    }
    let is_told =
        |alert: &Alert| matches!(alert, Alert::JobParked { handle, failures: 3, .. } if handle.as_str() == "h1");
    assert!(scene.report.alerts.iter().any(is_told));
    scene.passes(Duration::from_mins(38));
    scene.poll();
    assert_eq!(scene.created(), ["h1"]);
    assert!(!scene.report.alerts.iter().any(is_told));
}

#[test]
fn a_parked_job_rests_twice_as_long_the_next_time() {
    let mut scene = parked();
    scene.passes(Duration::from_mins(38));
    scene.poll();
    launch_in_vain(&mut scene, "h1");
    match scene.reason("h1") {
        Reason::Parked { remaining, .. } => assert!(*remaining > Duration::from_mins(44), "{remaining:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refused_machine_parks_a_job_no_longer_than_it_was() {
    let mut scene = parked();
    scene.passes(Duration::from_mins(38));
    scene.poll();
    scene.answers("create", refused(ErrorClass::Permanent));
    scene.goes_on(4);
    assert!(matches!(scene.outcomes[3..], [Outcome::LaunchFailed { charged: false, .. }]), "{:?}", scene.outcomes);
    assert_eq!(scene.state.journal.handles[&job_key("h1")].rest, Rested::LaunchFailed);
}

#[test]
fn a_runner_that_gives_up_since_the_forge_is_away_is_not_charged_to_the_job() {
    let mut scene = Scene::started(&["h1"]);
    scene.nobody_answers();
    scene.ends("h1", Exit::Code(1));
    scene.goes_on(4);
    assert!(matches!(scene.outcomes[..], [Outcome::LaunchFailed { charged: false, .. }]), "{:?}", scene.outcomes);
    assert_eq!(scene.state.journal.handles[&job_key("h1")].rest, Rested::LaunchFailed);
}

#[test]
fn a_scope_that_rests_hides_no_job_that_no_pool_serves() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.waits_as("h2", 50, 2, "build", &["windows"]);
    scene.poll();
    scene.does("create");
    scene.answers("register", refused(ErrorClass::Forbidden));
    scene.does_all();
    assert!(matches!(scene.reason("h1"), Reason::TokenLacksScope { .. }), "{:?}", scene.reason("h1"));
    assert!(matches!(scene.reason("h2"), Reason::NoPool { .. }), "{:?}", scene.reason("h2"));
}

#[test]
fn a_registration_refused_for_good_ends_the_launch_and_names_the_token() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    scene.answers("register", refused(ErrorClass::Forbidden));
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "create", "register", "destroy"]);
    assert!(matches!(scene.reason("h1"), Reason::TokenLacksScope { message, .. } if message == "it says no"));
    assert!(scene.report.alerts.iter().any(|alert| matches!(alert, Alert::TokenLacksScope { .. })));
    scene.passes(Duration::from_secs(10));
    scene.poll();
    assert_eq!(scene.created(), ["h1"], "a refusal is not for ever");
}

#[test]
fn a_start_that_failed_twice_ends_the_launch() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    scene.does("register");
    scene.answers("start", refused(ErrorClass::Transient));
    scene.passes(Duration::from_secs(10));
    scene.turn();
    scene.answers("start", refused(ErrorClass::Transient));
    scene.does_all();
    assert_eq!(
        scene.took(),
        ["check_scope", "create", "register", "start", "start", "destroy", "delete_runner"],
        "its credentials never left us, so that nothing needs to be polled before the deletion"
    );
    assert!(matches!(scene.outcomes[..], [Outcome::LaunchFailed { charged: false, .. }]));
}

#[test]
fn a_pool_rests_after_a_failure_to_make_a_machine() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.answers("create", refused(ErrorClass::Capacity));
    scene.waits("h2");
    scene.poll();
    assert!(matches!(scene.reason("h2"), Reason::PoolBackingOff { last_error, .. } if last_error == "it says no"));
    scene.passes(Duration::from_secs(10));
    scene.poll();
    scene.took();
    scene.does_all();
    assert!(scene.state.journal.pool_rests.is_empty(), "a runner that was started ends the rest");
}

#[test]
fn a_job_that_leaves_before_its_runner_was_started_costs_no_further_call() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.leaves("h1");
    scene.polls(2);
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "create", "destroy"]);
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
    scene.nothing_is_left();
}

#[test]
fn draining_launches_nothing_and_leaves_what_runs_alone() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.draining = true;
    scene.waits("h2");
    scene.polls(10);
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!(*scene.reason("h2"), Reason::Draining);
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
}

#[test]
fn two_scopes_that_show_one_job_serve_it_once_in_the_narrower() {
    let narrow = crate::scene::scope("repo:acme/site");
    let mut scene = Scene::with(|policy| {
        let mut scope_policy = policy.scopes[&crate::scene::acme()].clone();
        scope_policy.width = 1;
        policy.scopes.insert(narrow.clone(), scope_policy);
    });
    scene.waits("h1");
    let row = scene.job("h1").clone();
    scene.jobs.push((narrow.clone(), row));
    scene.poll();
    scene.does_all();
    let scopes: Vec<_> = scene
        .took_actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::Register { scope, .. } => Some(scope),
            _ => None,
        })
        .collect();
    assert_eq!(scopes, [narrow]);
}
