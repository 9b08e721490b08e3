//! Ends: a result that arrives or not, a task that is another's, a machine that vanishes.

use planner::event::{Answer, EndReason, Outcome};
use planner::report::{MachineReason, Reason};
use planner::seen::{Exit, MachineState, RunnerStatus};

use crate::scene::{Scene, lost};

/// A scene in which the process of a running job just died, and its machine was removed.
fn died_while_running() -> Scene {
    let mut scene = Scene::running(&["h1"]);
    scene.ends("h1", Exit::Signal(9));
    scene.poll();
    scene.does("destroy");
    assert_eq!(scene.took(), ["destroy"]);
    scene
}

#[test]
fn a_result_that_never_arrived_is_failed_after_two_polls_in_words() {
    let mut scene = died_while_running();
    scene.poll();
    assert_eq!(scene.took(), [""; 0], "one poll after the death is not enough");
    scene.poll();
    let reason = scene.open.iter().find_map(|(_, action)| match action {
        planner::action::Action::EndEarly { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let machine = scene.assignment("h1").machine_name.clone();
    assert_eq!(reason, Some(format!("the machine {machine} died (killed by signal 9)")));
    scene.does("end_early");
    scene.goes_on(4);
    assert_eq!(scene.took(), ["end_early"], "exactly once");
    assert_eq!(scene.outcomes, [Outcome::Lost]);
    scene.nothing_is_left();
}

#[test]
fn a_job_whose_machine_failed_is_ended_after_one_poll() {
    let mut scene = Scene::running(&["h1"]);
    scene.ends("h1", Exit::Unknown);
    scene.poll();
    scene.does("destroy");
    assert_eq!(scene.took(), ["destroy"], "the poll was begun before its end was known");
    scene.poll();
    assert_eq!(scene.took(), ["end_early"]);
}

#[test]
fn without_credentials_a_lost_job_waits_for_the_forge_to_give_it_up() {
    let mut scene = died_while_running();
    scene.state.journal.credentials.clear();
    scene.goes_on(100);
    assert_eq!(scene.took(), [""; 0], "its registration may hold the job");
    assert!(matches!(scene.reason("h1"), Reason::ResultMissing { .. }));
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(3);
    assert_eq!(scene.outcomes, [Outcome::Lost], "what the forge makes of it is no result of the runner");
    scene.nothing_is_left();
}

#[test]
fn an_early_end_without_an_answer_is_tried_again_later() {
    let mut scene = died_while_running();
    scene.polls(2);
    scene.answers("end_early", lost());
    assert_eq!(scene.took(), ["end_early"]);
    scene.polls(4);
    assert_eq!(scene.took(), ["end_early"]);
}

#[test]
fn a_result_that_arrives_after_the_process_ended_is_a_completion() {
    let mut scene = Scene::running(&["h1"]);
    scene.ends("h1", Exit::Code(0));
    scene.goes_on(1);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(4);
    assert_eq!(scene.took(), ["destroy"]);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
}

#[test]
fn whatever_a_runner_ends_with_the_forge_alone_says_what_became_of_its_job() {
    let ended_with = |exit: Exit| {
        let mut scene = Scene::running(&["h1"]);
        scene.ends("h1", exit);
        scene.poll();
        scene.does("destroy");
        scene
    };
    for exit in [Exit::Code(0), Exit::Code(1)] {
        let mut scene = ended_with(exit);
        scene.polls(2);
        assert_eq!(scene.took(), ["destroy", "end_early"], "{exit:?}: the forge has no result");
        let mut scene = ended_with(exit);
        scene.leaves("h1");
        scene.loses_runner("h1");
        scene.goes_on(4);
        assert_eq!(scene.took(), ["destroy"], "{exit:?}: the forge has one");
    }
}

#[test]
fn a_process_that_died_while_something_of_it_goes_on_is_ended_early_too() {
    let mut scene = Scene::running(&["h1"]);
    scene.machine("h1").state = MachineState::Orphaned;
    scene.goes_on(1);
    assert_eq!(scene.took(), ["destroy"]);
    scene.goes_on(2);
    assert_eq!(scene.took(), ["end_early"]);
}

#[test]
fn a_runner_that_reads_idle_for_a_minute_is_asked_once_whose_the_task_is() {
    let mut scene = Scene::running(&["h1"]);
    scene.runner("h1").status = RunnerStatus::Idle;
    scene.polls(19);
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(3);
    assert_eq!(scene.took(), ["ask_whose"]);
    assert_eq!(*scene.machine_reason("h1"), MachineReason::AskingWhose);
    scene.answers("ask_whose", Answer::Ours);
    scene.polls(100);
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn a_runner_that_is_active_now_and_then_is_never_asked() {
    let mut scene = Scene::running(&["h1"]);
    for _ in 0..10 {
        scene.runner("h1").status = RunnerStatus::Idle;
        scene.polls(15);
        scene.runner("h1").status = RunnerStatus::Active;
        scene.poll();
    }
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn a_task_that_is_anothers_frees_our_machine() {
    let mut scene = Scene::running(&["h1"]);
    scene.runner("h1").status = RunnerStatus::Idle;
    scene.polls(22);
    scene.took();
    scene.answers("ask_whose", Answer::Another);
    assert_eq!(scene.ending("h1"), Some(&EndReason::TakenElsewhere));
    scene.goes_on(4);
    assert_eq!(scene.took(), ["destroy", "delete_runner"]);
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
    assert_eq!(*scene.reason("h1"), Reason::RunsElsewhere);
}

#[test]
fn a_job_that_runs_while_our_runner_has_not_come_yet_is_asked_about() {
    let mut scene = Scene::started(&["h1"]);
    scene.runs("h1");
    scene.polls(3);
    assert_eq!(scene.took(), ["ask_whose"]);
}

#[test]
fn a_job_taken_elsewhere_before_our_start_frees_our_machine() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    scene.runs("h1");
    scene.poll();
    assert_eq!(scene.ending("h1"), None, "the register call is still open");
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "create", "register", "destroy", "delete_runner"]);
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
    scene.nothing_is_left();
}

#[test]
fn a_machine_that_vanishes_while_its_job_runs_is_left_alone() {
    let mut scene = Scene::running(&["h1"]);
    scene.machines.clear();
    scene.polls(100);
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!(*scene.machine_reason("h1"), MachineReason::Vanished);
}

#[test]
fn a_machine_that_vanishes_while_its_job_waits_is_fenced_before_another_try() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.machines.clear();
    scene.poll();
    assert_eq!(scene.took(), [""; 0]);
    scene.poll();
    assert_eq!(scene.took(), ["fence"]);
    assert_eq!(scene.ending("h1"), Some(&EndReason::MachineVanished));
    scene.does_all();
    scene.goes_on(6);
    assert!(scene.took().starts_with(&["destroy", "delete_runner"]));
    assert!(matches!(scene.outcomes[..], [Outcome::LaunchFailed { charged: false, .. }]));
}

#[test]
fn a_registration_that_somebody_removed_ends_the_try() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.loses_runner("h1");
    scene.polls(2);
    assert_eq!(scene.took(), ["look_up_runner"]);
    scene.does("look_up_runner");
    assert_eq!(scene.ending("h1"), Some(&EndReason::RegistrationRemoved));
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_stop_that_was_accepted_is_repeated_only_after_the_stop_time() {
    let mut scene = Scene::running(&["h1"]);
    scene.finishes("h1");
    scene.poll();
    scene.answers("destroy", Answer::Stopping);
    scene.took();
    scene.polls(11);
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(2);
    assert_eq!(scene.took(), ["destroy"]);
    scene.machines.clear();
    scene.answers("destroy", Answer::Stopping);
    scene.polls(3);
    assert_eq!(scene.took(), [""; 0], "a listing shows that it is gone");
    assert_eq!(scene.outcomes, [Outcome::Completed]);
}
