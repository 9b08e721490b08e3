//! Left and gone: a job that left the list, and what that allows (design section 5).

use std::time::Duration;

use planner::action::Action;
use planner::event::{Answer, Decision, EndReason, Event, Outcome};
use planner::report::{Alert, MachineReason};
use planner::seen::{Exit, Listing};

use crate::scene::*;

fn concluded(scene: &Scene) -> Option<&EndReason> {
    scene.decisions.iter().rev().find_map(|decision| match decision {
        Decision::Conclude { reason, .. } => Some(reason),
        Decision::Reinstate { .. } | Decision::Forget { .. } => None,
    })
}

#[test]
fn a_runner_whose_job_is_gone_has_a_grace_and_is_then_stopped() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.ends("a", &uuid);
    scene.poll();
    scene.expect(&[]);
    scene.poll();
    scene.expect(&["look_up_runner"]);
    scene.answer("look_up_runner", Answer::RunnerGone);
    assert_eq!(concluded(&scene), Some(&EndReason::Gone));
    scene.expect(&[]);
    scene.polls(15);
    scene.expect(&[]);
    assert!(matches!(scene.report.machines[0].reason, MachineReason::Grace { .. }));
    scene.polls(10);
    scene.expect(&["destroy"]);
}

#[test]
fn a_process_that_ends_within_the_grace_is_not_stopped() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.ends("a", &uuid);
    scene.polls(2);
    scene.answer("look_up_runner", Answer::RunnerGone);
    scene.exits("a", Exit::Code(0));
    scene.poll();
    scene.destroyed();
    scene.polls(2);
    assert_eq!(scene.outcome(), Outcome::Completed);
}

#[test]
fn one_listing_without_the_job_is_not_enough() {
    let mut scene = Scene::new();
    scene.running("a");
    let row = scene.jobs.remove("a").unwrap();
    scene.poll();
    scene.jobs.insert("a".to_owned(), row);
    scene.poll();
    scene.jobs.remove("a");
    scene.poll();
    scene.expect(&[]);
    assert_eq!(concluded(&scene), None);
}

#[test]
fn a_job_that_was_cancelled_while_it_waited_gives_its_machine_back_by_fence() {
    let mut scene = Scene::new();
    scene.claiming("a");
    scene.jobs.clear();
    scene.polls(2);
    scene.answer("look_up_runner", Answer::RunnerExists { declared: true });
    assert_eq!(concluded(&scene), Some(&EndReason::EndedElsewhere));
    scene.answer("fence", Answer::Fenced);
    scene.expect(&[]);
    scene.polls(25);
    scene.destroyed();
    scene.polls(2);
    scene.deleted();
    assert_eq!(scene.outcome(), Outcome::EndedElsewhere);
}

#[test]
fn nothing_is_concluded_while_the_scope_has_another_id() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.scope_id = Some(8);
    scene.ends("a", &uuid);
    scene.polls(10);
    scene.expect(&[]);
    assert_eq!(concluded(&scene), None);
    assert!(scene.report.alerts.contains(&Alert::ScopeChanged { scope: scope() }));
    scene.scope_id = Some(7);
    scene.pass(Duration::from_mins(7));
    scene.polls(2);
    scene.expect(&["look_up_runner"]);
}

#[test]
fn a_scope_whose_id_cannot_be_read_kills_nothing() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.scope_id = None;
    scene.ends("a", &uuid);
    scene.polls(2);
    scene.answer("check_scope", failed(planner::error_class::ErrorClass::Forbidden, planner::error_class::Acted::No));
    scene.polls(1);
    scene.expect(&[]);
    scene.pass(Duration::from_secs(10));
    scene.expect(&["check_scope"]);
    assert_eq!(concluded(&scene), None);
}

#[test]
fn a_job_that_is_listed_again_is_reinstated() {
    let mut scene = Scene::new();
    scene.running("a");
    let row = scene.jobs.remove("a").unwrap();
    scene.polls(2);
    scene.answer("look_up_runner", Answer::RunnerGone);
    assert_eq!(concluded(&scene), Some(&EndReason::Gone));
    scene.jobs.insert("a".to_owned(), row);
    scene.polls(40);
    scene.expect(&[]);
    assert_eq!(scene.assignment("a").ending, None);
}

#[test]
fn a_job_is_present_as_long_as_one_scope_that_showed_it_does() {
    let wide = planner::ids::ScopeKey { forge: forge(), scope: planner::ids::ScopeId::new("instance") };
    let mut scene = Scene::with(|policy| {
        let mut scope = policy.scopes[&scope()].clone();
        (scope.width, scope.has_identity) = (2, false);
        policy.scopes.insert(wide.clone(), scope);
    });
    let listing = Listing { begun_at: scene.tick(), complete: true, rows: Vec::new() };
    scene.happens(&Event::RunnersListed { scope: wide.clone(), listing });
    let uuid = scene.running("a");
    let rows: Vec<_> = scene.jobs.values().cloned().collect();
    let listing = Listing { begun_at: scene.tick(), complete: true, rows };
    scene.happens(&Event::JobsListed { scope: wide.clone(), listing });
    scene.ends("a", &uuid);
    scene.polls(5);
    scene.expect(&[]);
    for _ in 0..2 {
        scene.now += INTERVAL_MS;
        let listing = Listing { begun_at: scene.tick(), complete: true, rows: Vec::new() };
        scene.happens(&Event::JobsListed { scope: wide.clone(), listing });
    }
    scene.expect(&["look_up_runner"]);
}

#[test]
fn a_machine_that_is_listed_no_more_gets_no_grace() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.machines.clear();
    scene.polls(3);
    scene.expect(&[]);
    scene.ends("a", &uuid);
    scene.polls(2);
    scene.answer("look_up_runner", Answer::RunnerGone);
    scene.expect(&["destroy"]);
}

/// Twelve running jobs that vanish in one poll.
fn mass_departure() -> Scene {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 20);
    let handles: Vec<String> = (0..12).map(|number| format!("job-{number:02}")).collect();
    for handle in &handles {
        scene.running(handle);
    }
    scene.jobs.clear();
    scene.runners.clear();
    scene.polls(2);
    while scene.words().contains(&"look_up_runner") {
        scene.answer("look_up_runner", Answer::RunnerGone);
    }
    scene
}

#[test]
fn when_many_jobs_vanish_at_once_the_kills_are_held_with_an_alert() {
    let mut scene = mass_departure();
    scene.polls(30);
    scene.expect(&[]);
    assert!(scene.report.alerts.contains(&Alert::KillsHeld { count: 12 }), "{:?}", scene.report.alerts);
    assert!(matches!(scene.report.machines[0].reason, MachineReason::Held { .. }));
    scene.polls(90);
    let stopped = scene.pending.iter().filter(|(_, action)| matches!(action, Action::Destroy { .. })).count();
    assert_eq!(stopped, 8, "after five minutes of complete polls, as many as the lane takes");
}

#[test]
fn a_held_process_that_ends_is_cleaned_up_meanwhile() {
    let mut scene = mass_departure();
    scene.exits("job-03", Exit::Code(0));
    scene.poll();
    scene.expect(&["destroy"]);
}

#[test]
fn incomplete_polls_do_not_shorten_the_hold() {
    let mut scene = mass_departure();
    for _ in 0..200 {
        scene.now += INTERVAL_MS;
        scene.list_jobs(false);
        scene.list_machines(true);
    }
    scene.expect(&[]);
}

#[test]
fn a_few_jobs_that_vanish_together_are_not_held() {
    let mut scene = Scene::new();
    for handle in ["a", "b", "c"] {
        scene.running(handle);
    }
    scene.jobs.clear();
    scene.runners.clear();
    scene.polls(2);
    assert!(scene.report.alerts.is_empty());
}
