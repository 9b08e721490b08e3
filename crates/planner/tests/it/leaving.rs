//! A job that is listed no more: left, gone, ended elsewhere, or a forge that lies.

use std::time::Duration;

use planner::action::Action;
use planner::event::{Answer, EndReason, Event, Outcome};
use planner::report::{Alert, MachineReason, Reason};
use planner::seen::Exit;

use crate::scene::{Scene, acme};

fn handles(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("h{number}")).collect()
}

/// A scene in which so many jobs run.
fn many_running(count: usize) -> Scene {
    let handles = handles(count);
    Scene::running(&handles.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn one_poll_without_a_running_job_does_nothing() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.poll();
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!(scene.ending("h1"), None);
}

#[test]
fn a_job_missing_in_one_poll_and_shown_in_the_next_begins_anew() {
    let mut scene = Scene::running(&["h1"]);
    let row = scene.jobs[0].clone();
    for _ in 0..10 {
        scene.leaves("h1");
        scene.poll();
        scene.jobs.push(row.clone());
        scene.poll();
    }
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn two_polls_without_it_prove_nothing_before_the_scope_is_known_to_be_the_same() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.polls(40);
    assert!(scene.took().iter().all(|word| *word == "check_scope"));
    assert_eq!(scene.ending("h1"), None);
}

#[test]
fn a_job_that_is_gone_leaves_its_process_a_grace_and_is_then_stopped() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.polls(2);
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "look_up_runner"]);
    assert_eq!(scene.ending("h1"), Some(&EndReason::Gone));
    scene.polls(19);
    assert_eq!(scene.took(), [""; 0]);
    assert!(
        matches!(scene.machine_reason("h1"), MachineReason::Grace { remaining } if *remaining < Duration::from_secs(5))
    );
    scene.goes_on(4);
    assert_eq!(scene.took(), ["destroy"]);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    scene.nothing_is_left();
}

/// How long the process of the machine that is destroyed next may take to end.
fn stop_time(scene: &mut Scene) -> Duration {
    let stops = scene.took_actions().into_iter().filter_map(|action| match action {
        Action::Destroy { stop, .. } => Some(stop),
        _ => None,
    });
    stops.last().expect("the machine is destroyed")
}

#[test]
fn a_process_whose_job_is_gone_has_less_time_to_end_than_one_that_still_has_something_to_say() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(24);
    assert_eq!(stop_time(&mut scene), Duration::from_secs(10));

    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].clocks.run = Duration::from_secs(10);
    scene.goes_on(6);
    assert_eq!(stop_time(&mut scene), Duration::from_secs(30));

    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].clocks.stop = Duration::from_secs(2);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(24);
    assert_eq!(stop_time(&mut scene), Duration::from_secs(2), "never more than the pool allows");
}

#[test]
fn a_stop_that_was_accepted_is_asked_for_again_when_its_time_is_over() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.polls(2);
    scene.does_all();
    scene.polls(22);
    scene.answers("destroy", Answer::Stopping);
    scene.took();
    scene.polls(4);
    assert_eq!(scene.took(), [""; 0]);
    scene.polls(2);
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_process_that_ends_during_the_grace_is_cleaned_up_at_once() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.polls(2);
    scene.does_all();
    scene.took();
    scene.ends("h1", Exit::Code(0));
    scene.poll();
    assert_eq!(scene.took(), ["destroy"]);
}

#[test]
fn a_job_that_ended_without_us_has_its_runner_fenced_and_stopped_without_a_grace_and_deleted() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.leaves("h1");
    scene.polls(2);
    scene.does("check_scope");
    scene.does("look_up_runner");
    assert_eq!(scene.ending("h1"), Some(&EndReason::EndedElsewhere));
    scene.polls(2);
    assert_eq!(scene.took(), ["check_scope", "look_up_runner", "fence"], "nothing before the fence is answered");
    scene.does("fence");
    assert_eq!(scene.took(), [""; 0], "it may have been given its job just before");
    scene.polls(6);
    assert_eq!(scene.took(), ["destroy"], "it waits for what will not come, and needs no grace");
    scene.does_all();
    scene.goes_on(4);
    assert_eq!(scene.took(), ["delete_runner"]);
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
    scene.nothing_is_left();
}

#[test]
fn a_job_that_lists_lacked_and_that_runs_after_the_fence_is_left_alone() {
    let mut scene = Scene::claiming(&["h1"]);
    let row = scene.job("h1").clone();
    scene.leaves("h1");
    scene.polls(2);
    scene.jobs.push((acme(), row));
    scene.claims("h1");
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "look_up_runner", "fence"]);
    scene.goes_on(200);
    assert_eq!((scene.took(), scene.ending("h1")), (vec![], None));
    assert!(matches!(scene.reason("h1"), Reason::Running { .. }));
}

#[test]
fn a_job_that_was_seen_to_run_and_left_its_registration_behind_leaves_its_process_a_grace() {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.polls(2);
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "look_up_runner", "fence"]);
    assert_eq!(scene.ending("h1"), Some(&EndReason::EndedElsewhere));
    scene.polls(15);
    assert_eq!(scene.took(), [""; 0], "perhaps it ran here, and the list is wrong");
    scene.goes_on(12);
    assert_eq!(scene.took(), ["destroy", "delete_runner"]);
}

#[test]
fn an_uncontacted_runner_whose_job_left_is_looked_at_again_before_the_stop() {
    let mut scene = Scene::started(&["h1"]);
    scene.leaves("h1");
    scene.polls(2);
    scene.does_all();
    assert_eq!(scene.took(), ["check_scope", "look_up_runner", "look_up_runner"]);
    scene.goes_on(30);
    assert_eq!(scene.took(), ["destroy", "delete_runner"]);
    scene.nothing_is_left();
}

#[test]
fn a_job_that_comes_back_during_the_grace_goes_on() {
    let mut scene = Scene::running(&["h1"]);
    let (job, runner) = (scene.jobs[0].clone(), scene.runners[0].clone());
    scene.leaves("h1");
    scene.polls(2);
    scene.does_all();
    assert_eq!(scene.ending("h1"), Some(&EndReason::EndedElsewhere));
    scene.jobs.push(job);
    scene.runners = vec![runner];
    scene.took();
    scene.polls(40);
    assert_eq!(scene.ending("h1"), None);
    assert!(!scene.took().contains(&"destroy"));
}

#[test]
fn a_scope_that_is_another_one_now_concludes_nothing() {
    let mut scene = Scene::running(&["h1"]);
    scene.scope_id = 2;
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(2);
    scene.waits("h2");
    scene.goes_on(100);
    assert!(scene.took().iter().all(|word| *word == "check_scope"), "neither stopped nor launched");
    assert_eq!(scene.ending("h1"), None);
    assert!(scene.report.alerts.contains(&Alert::ScopeChanged { scope: acme() }));
    assert!(matches!(scene.reason("h2"), Reason::ForgeUnreachable { .. }));
    scene.scope_id = 1;
    scene.passes(Duration::from_mins(7));
    scene.goes_on(30);
    assert_eq!(scene.outcomes, [Outcome::Completed], "once it is the same again, life goes on");
}

#[test]
fn a_check_asked_for_before_the_job_went_missing_proves_nothing() {
    let mut scene = Scene::running(&["h1"]);
    let checked = scene.state.seen.scopes[&acme()].identity.answered;
    assert!(checked.is_some());
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.polls(2);
    assert_eq!(scene.took(), ["check_scope"]);
}

#[test]
fn the_instance_has_no_id_and_two_polls_are_enough() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.scopes.get_mut(&acme()).expect("it is there").has_identity = false;
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.polls(2);
    assert_eq!(scene.took(), ["look_up_runner"]);
}

#[test]
fn a_scope_that_is_configured_no_more_stops_nothing() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.scopes.clear();
    scene.jobs.clear();
    scene.polls(50);
    assert_eq!(scene.took(), [""; 0]);
    scene.ends("h1", Exit::Code(0));
    scene.goes_on(3);
    assert_eq!(scene.took(), ["destroy"]);
    assert!(scene.state.journal.assignments.is_empty());
}

#[test]
fn when_many_vanish_at_once_their_kills_wait_for_five_minutes_of_polls() {
    let mut scene = many_running(12);
    scene.jobs.clear();
    scene.runners.clear();
    scene.goes_on(90);
    assert!(!scene.took().contains(&"destroy"));
    assert!(scene.report.alerts.contains(&Alert::KillsHeld { count: 12 }));
    assert!(matches!(scene.machine_reason("h3"), MachineReason::Held { .. }));
    scene.passes(Duration::from_hours(5));
    scene.goes_on(2);
    assert!(!scene.took().contains(&"destroy"), "a pause is no agreement");
    scene.goes_on(20);
    assert_eq!(scene.took().iter().filter(|word| **word == "destroy").count(), 12);
    scene.nothing_is_left();
    assert!(scene.report.alerts.is_empty());
}

#[test]
fn what_has_ended_is_cleaned_up_while_kills_are_held() {
    let mut scene = many_running(12);
    scene.jobs.clear();
    scene.runners.clear();
    scene.ends("h3", Exit::Code(0));
    scene.goes_on(5);
    assert_eq!(scene.took().iter().filter(|word| **word == "destroy").count(), 1);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
}

#[test]
fn ten_that_vanish_or_half_of_all_are_no_crowd() {
    for (running, vanish) in [(10, 10), (24, 12)] {
        let mut scene = many_running(running);
        for handle in handles(vanish) {
            scene.leaves(&handle);
            scene.loses_runner(&handle);
        }
        scene.goes_on(26);
        assert_eq!(scene.took().iter().filter(|word| **word == "destroy").count(), vanish, "{vanish} of {running}");
    }
}

#[test]
fn a_crowd_that_comes_back_goes_on_unharmed() {
    let mut scene = many_running(12);
    let (jobs, runners) = (scene.jobs.clone(), scene.runners.clone());
    scene.jobs.clear();
    scene.polls(3);
    scene.answers("check_scope", Answer::ScopeId { id: 1 });
    scene.does_all();
    scene.jobs = jobs;
    scene.runners = runners;
    scene.took();
    scene.polls(60);
    assert!(!scene.took().contains(&"destroy"));
    assert!(scene.report.alerts.is_empty());
}

#[test]
fn kills_that_are_held_go_on_when_the_operator_confirms_and_later_ones_are_held_again() {
    let mut scene = many_running(24);
    let vanish = |scene: &mut Scene, handles: &[String]| {
        for handle in handles {
            scene.leaves(handle);
            scene.loses_runner(handle);
        }
        scene.goes_on(30);
    };
    let handles = handles(24);
    vanish(&mut scene, &handles[..13]);
    assert_eq!((scene.state.journal.kills_held(), scene.took().contains(&"destroy")), (13, false));
    assert_eq!(scene.state.journal.grace_of_held(&scene.policy), Duration::ZERO, "it ran while they were held");
    let grace = std::mem::replace(&mut scene.policy.pools[0].clocks.grace, Duration::from_hours(1));
    let left = scene.state.journal.grace_of_held(&scene.policy);
    assert!(left > Duration::ZERO && left < Duration::from_hours(1), "{left:?}");
    scene.policy.pools[0].clocks.grace = grace;
    scene.fold(&Event::Confirmed);
    assert_eq!(scene.state.journal.kills_held(), 0);
    scene.goes_on(3);
    assert_eq!(scene.took().iter().filter(|word| **word == "destroy").count(), 13);
    vanish(&mut scene, &handles[13..]);
    assert_eq!((scene.state.journal.kills_held(), scene.took().contains(&"destroy")), (11, false));
}
