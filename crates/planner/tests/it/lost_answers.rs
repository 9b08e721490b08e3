//! Answers that never come: what then is true is read off the lists.

use std::time::Duration;

use planner::action::Action;
use planner::error_class::{Acted, ErrorClass};
use planner::event::{Answer, Outcome};
use planner::ids::Ordinal;
use planner::report::{LaunchStep, Reason};
use planner::seen::MachineState;
use planner::state::{MachineFact, Start};

use crate::scene::{Scene, acme, failure, lost, refused};

/// A scene in which a machine was asked for.
fn creating() -> Scene {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.took();
    scene
}

/// A scene in which a runner is being registered.
fn registering() -> Scene {
    let mut scene = creating();
    scene.does("create");
    scene.took();
    scene
}

/// A scene in which a runner is being started.
fn starting() -> Scene {
    let mut scene = registering();
    scene.does("register");
    scene.took();
    scene
}

/// Carries out an open call whose answer is lost.
fn does_unheard(scene: &mut Scene, word: &str) {
    let action = scene.open.iter().find(|(_, action)| action.word() == word).expect("it is open").1.clone();
    scene.carries_out(&action);
    scene.answers(word, lost());
}

#[test]
fn a_machine_whose_create_answer_was_lost_is_found_by_its_name() {
    let mut scene = creating();
    does_unheard(&mut scene, "create");
    assert!(matches!(scene.reason("h1"), Reason::Launching { step: LaunchStep::Creating, .. }));
    scene.passes(Duration::from_secs(10));
    scene.poll();
    assert_eq!(scene.took(), ["register"]);
}

#[test]
fn a_create_that_did_nothing_is_followed_by_the_next_try_once_a_listing_shows_it() {
    let mut scene = creating();
    scene.answers("create", lost());
    scene.poll();
    assert!(matches!(scene.assignment("h1").machine, MachineFact::Lost { .. }), "that listing came too early");
    scene.goes_on(12);
    assert!(scene.took().contains(&"create"));
    assert_eq!(scene.machine("h1").tags.job().unwrap().attempt.0, 2);
}

#[test]
fn no_answer_within_the_deadline_is_a_lost_answer_and_a_late_one_is_ignored() {
    let mut scene = creating();
    let (id, _) = scene.open[0].clone();
    scene.passes(Duration::from_secs(29));
    scene.turn();
    assert_eq!(scene.assignment("h1").machine, MachineFact::Asked);
    scene.passes(Duration::from_secs(2));
    scene.turn();
    assert!(matches!(scene.assignment("h1").machine, MachineFact::Lost { .. }));
    scene.fold(&planner::event::Event::Answered { id, answer: Answer::Created });
    scene.turn();
    assert!(matches!(scene.assignment("h1").machine, MachineFact::Lost { .. }));
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn a_registration_whose_answer_was_lost_is_never_used_and_is_swept() {
    let mut scene = registering();
    does_unheard(&mut scene, "register");
    let orphan = scene.runners[0].1.clone();
    scene.goes_on(6);
    let took = scene.took_actions();
    let ordinals: Vec<Ordinal> = took
        .iter()
        .filter_map(|action| match action {
            Action::Register { identity, .. } => Some(identity.ordinal),
            _ => None,
        })
        .collect();
    assert_eq!(ordinals, [Ordinal(2)], "the second call has a number of its own");
    let used: Vec<_> = took
        .iter()
        .filter_map(|action| match action {
            Action::Start { runner, .. } => Some(runner.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(used.len(), 1);
    assert_ne!(used[0], orphan.uuid);
    let swept: Vec<_> = took
        .iter()
        .filter_map(|action| match action {
            Action::Sweep { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(swept, [orphan.id]);
    assert_eq!(scene.runners.len(), 1, "the one in use is still there");
}

#[test]
fn three_register_calls_without_an_answer_end_the_launch() {
    let mut scene = registering();
    for span in [7, 13] {
        scene.answers("register", lost());
        scene.passes(Duration::from_secs(span));
        scene.poll();
    }
    scene.answers("register", lost());
    assert_eq!(scene.took(), ["register", "register", "destroy"], "after the first one two more");
    scene.does("destroy");
    assert!(matches!(scene.outcomes[..], [Outcome::LaunchFailed { charged: false, .. }]), "{:?}", scene.outcomes);
}

#[test]
fn a_runner_whose_start_answer_was_lost_is_found_by_its_binding() {
    let mut scene = starting();
    does_unheard(&mut scene, "start");
    assert!(matches!(scene.assignment("h1").start, Start::Lost { .. }));
    scene.polls(10);
    assert_eq!(scene.assignment("h1").start, Start::Done);
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn a_start_that_did_nothing_is_repeated_only_after_a_listing_begun_a_settle_time_later() {
    let mut scene = starting();
    scene.answers("start", lost());
    scene.poll();
    assert!(matches!(scene.assignment("h1").start, Start::Lost { .. }), "it may still arrive");
    scene.polls(4);
    assert_eq!(scene.took(), ["start"]);
    assert_eq!(scene.machine("h1").state, MachineState::Ready);
}

#[test]
fn a_destroy_without_an_answer_is_repeated() {
    let mut scene = Scene::running(&["h1"]);
    scene.finishes("h1");
    scene.poll();
    scene.answers("destroy", lost());
    scene.took();
    scene.poll();
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(3);
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_destroy_that_acted_without_an_answer_is_believed_by_a_listing() {
    let mut scene = Scene::running(&["h1"]);
    scene.finishes("h1");
    scene.poll();
    does_unheard(&mut scene, "destroy");
    scene.took();
    scene.polls(4);
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    scene.nothing_is_left();
}

#[test]
fn a_deletion_without_an_answer_is_repeated_until_the_registration_is_gone() {
    let mut scene = Scene::started(&["h1"]);
    scene.ends("h1", planner::seen::Exit::Code(3));
    scene.poll();
    scene.does("read_log");
    scene.does("destroy");
    scene.polls(2);
    scene.took();
    scene.answers("delete_runner", lost());
    scene.polls(4);
    assert_eq!(scene.took(), ["delete_runner"]);
    scene.answers("delete_runner", Answer::RunnerGone);
    assert!(matches!(scene.outcomes[..], [Outcome::LaunchFailed { .. }]));
}

#[test]
fn asked_to_slow_down_it_waits_for_as_long_as_it_was_told() {
    let mut scene = Scene::running(&["h1"]);
    scene.finishes("h1");
    scene.poll();
    let retry_after = Some(Duration::from_mins(2));
    scene.answers("destroy", refused(ErrorClass::RateLimited { retry_after }));
    scene.took();
    scene.polls(38);
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(4);
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_scope_that_asks_for_a_pause_with_a_lost_answer_gets_it() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    let retry_after = Some(Duration::from_mins(2));
    let failure = failure(ErrorClass::RateLimited { retry_after }, Acted::Maybe);
    scene.answers("register", Answer::Failed(failure));
    assert!(scene.state.wants_runners(&scene.policy, &acme()), "it may have registered a runner all the same");
    scene.waits("h2");
    scene.goes_on(38);
    assert!(!scene.created().contains(&"h2".to_owned()));
    scene.goes_on(3);
    assert!(scene.created().contains(&"h2".to_owned()));
}

#[test]
fn the_name_of_a_refused_machine_is_not_used_again_while_it_may_turn_up_however_long_its_job_was_not_listed() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 10);
    scene.waits("h1");
    scene.poll();
    let first = scene.open[0].1.clone();
    scene.answers("create", refused(ErrorClass::Transient));
    let rows = std::mem::take(&mut scene.jobs);
    // Nothing lists machines for a long time.
    for _ in 0..30 {
        scene.passes(Duration::from_mins(1));
        scene.lists_jobs(true);
        scene.turn();
    }
    scene.took();
    scene.jobs = rows;
    scene.passes(Duration::from_mins(1));
    scene.lists_jobs(true);
    scene.turn();
    let (Some(Action::Create { machine, .. }), Action::Create { machine: before, .. }) =
        (scene.took_actions().pop(), first)
    else {
        panic!("it is not tried again");
    };
    assert_ne!(machine, before);
}
