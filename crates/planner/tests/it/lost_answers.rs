//! Lost answers: nobody knows whether the call acted, until listings tell.

use std::time::Duration;

use planner::error_class::{Acted, ErrorClass};
use planner::event::{Answer, Outcome};
use planner::seen::{Exit, MachineState};

use crate::scene::*;

fn lost() -> Answer {
    failed(ErrorClass::Transient, Acted::Maybe)
}

#[test]
fn a_machine_whose_create_was_not_answered_is_found_by_its_name() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    let (id, action) = scene.pending[0].clone();
    scene.created();
    let mut other = Scene::new();
    other.add_job("a");
    other.poll();
    other.answer("create", lost());
    other.machines = scene.machines.clone();
    other.poll();
    other.pass(Duration::from_secs(7));
    other.expect(&["register"]);
    assert_eq!((id, action.word()), (id, "create"));
}

#[test]
fn a_machine_whose_create_was_lost_and_did_not_act_is_made_anew() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.answer("create", lost());
    scene.poll();
    assert!(scene.ended.is_empty(), "an early listing proves nothing");
    scene.polls(2);
    assert!(matches!(scene.outcome(), Outcome::LaunchFailed { .. }));
    scene.pass(Duration::from_secs(7));
    scene.poll();
    scene.expect(&["create"]);
}

#[test]
fn an_action_past_its_deadline_counts_as_lost_and_its_late_answer_is_ignored() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    let (id, _) = scene.take("create");
    scene.pass(Duration::from_secs(31));
    assert!(scene.state.journal.in_flight.is_empty());
    scene.happens(&planner::event::Event::Answered { id, answer: Answer::Created });
    scene.expect(&[]);
}

#[test]
fn a_registration_whose_answer_was_lost_is_never_adopted_but_made_anew_and_swept() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.created();
    let first = scene.registers();
    scene.answer("register", lost());
    scene.poll();
    scene.pass(Duration::from_secs(7));
    let second = scene.registered();
    assert_ne!(first, second);
    let ordinals: Vec<u32> = scene.runners.values().map(|row| row.identity.ordinal.0).collect();
    assert_eq!(ordinals, [1, 2]);
    scene.started();
    scene.polls(3);
    let (_, action) = scene.take("sweep");
    let planner::action::Action::Sweep { id, .. } = action else { unreachable!() };
    assert_eq!(id, scene.runners[&first].id);
}

#[test]
fn after_a_lost_register_call_runners_are_listed_even_when_nothing_else_is_there() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.created();
    scene.answer("register", lost());
    assert!(scene.state.wants_runners(&scene.policy, &scope()));
    scene.polls(3);
    assert!(!scene.state.wants_runners(&scene.policy, &scope()));
}

#[test]
fn too_many_register_calls_end_the_try() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.created();
    for _ in 0..3 {
        scene.answer("register", lost());
        scene.pass(Duration::from_secs(30));
    }
    scene.expect(&["destroy"]);
}

#[test]
fn a_start_whose_answer_was_lost_is_found_by_the_binding() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.created();
    let uuid = scene.registered();
    scene.starts();
    scene.answer("start", lost());
    scene.poll();
    scene.expect(&[]);
    scene.declares(&uuid);
    scene.runs("a");
    scene.polls(3);
    scene.expect(&[]);
    assert_eq!(scene.assignment("a").ending, None);
}

#[test]
fn a_start_that_was_lost_and_did_not_act_is_repeated_only_after_the_settle_time() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.created();
    scene.registered();
    scene.answer("start", lost());
    scene.poll();
    scene.expect(&[]);
    scene.polls(2);
    scene.expect(&["start"]);
}

#[test]
fn a_destroy_whose_answer_was_lost_is_repeated_until_the_machine_is_gone() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.ends("a", &uuid);
    scene.exits("a", Exit::Code(0));
    scene.poll();
    scene.answer("destroy", lost());
    scene.expect(&[]);
    scene.pass(Duration::from_secs(7));
    scene.expect(&["destroy"]);
    scene.machines.clear();
    scene.answer("destroy", lost());
    scene.polls(2);
    assert_eq!(scene.outcome(), Outcome::Completed, "a dead machine that is listed no more is gone");
}

#[test]
fn a_fence_whose_answer_was_lost_is_made_again() {
    let mut scene = Scene::new();
    scene.claiming("a");
    scene.polls(7);
    scene.answer("fence", lost());
    scene.pass(Duration::from_secs(7));
    scene.expect(&["fence"]);
}

#[test]
fn a_deletion_whose_answer_was_lost_is_made_again_or_seen() {
    let mut scene = Scene::new();
    scene.claiming("a");
    scene.polls(7);
    scene.answer("fence", Answer::Fenced);
    scene.polls(2);
    scene.destroyed();
    scene.polls(2);
    scene.answer("delete_runner", lost());
    scene.pass(Duration::from_secs(7));
    scene.expect(&["delete_runner"]);
    scene.runners.clear();
    scene.answer("delete_runner", Answer::RunnerGone);
    assert_eq!(scene.outcome(), Outcome::Released);
}

#[test]
fn a_machine_that_was_created_but_is_not_ready_yet_is_waited_for() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    let name = scene.machine_of("a", 1);
    scene.created();
    scene.machines.get_mut(&name).unwrap().state = MachineState::Creating;
    scene.answer("register", lost());
    scene.poll();
    scene.pass(Duration::from_secs(7));
    scene.expect(&[]);
    scene.machines.get_mut(&name).unwrap().state = MachineState::Ready;
    scene.poll();
    scene.expect(&["register"]);
}
