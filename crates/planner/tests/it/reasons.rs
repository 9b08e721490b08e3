//! The sentences that people read, with their numbers, and the report as data.

use planner::report::{MachineReason, Reason, Report, RunnerReason};

use crate::scene::Scene;

/// The sentence for a job.
fn sentence(scene: &Scene, handle: &str) -> String {
    scene.reason(handle).to_string()
}

#[test]
fn a_job_says_at_each_step_where_it_is() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    let machine = scene.assignment("h1").machine_name.to_string();
    assert_eq!(sentence(&scene, "h1"), format!("creating on machine {machine} of pool debian, try 1"));
    scene.does("create");
    assert_eq!(sentence(&scene, "h1"), format!("registering on machine {machine} of pool debian, try 1"));
    scene.does("register");
    assert_eq!(sentence(&scene, "h1"), format!("starting on machine {machine} of pool debian, try 1"));
    scene.does("start");
    assert_eq!(sentence(&scene, "h1"), format!("booting on machine {machine} of pool debian, try 1"));
    scene.contacts("h1");
    scene.polls(3);
    let waits = sentence(&scene, "h1");
    assert!(waits.starts_with(&format!("its runner on {machine} has asked for it for ")), "{waits}");
    assert!(waits.ends_with(" of 15s"), "{waits}");
    scene.claims("h1");
    scene.polls(5);
    assert_eq!(sentence(&scene, "h1"), format!("runs on {machine}, seen running for 12s"));
    assert_eq!(*scene.machine_reason("h1"), MachineReason::Running);
}

#[test]
fn a_job_without_room_says_which_limit_it_meets() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].max = 1;
    scene.waits("h2");
    scene.waits_as("h3", 9, 1, "build", &["debian", "gpu"]);
    scene.waits_as("h4", 10, 1, "build", &["windows", "gpu", "gpu"]);
    scene.poll();
    assert_eq!(sentence(&scene, "h2"), "pool debian is full: 1 of 1 machines");
    assert_eq!(sentence(&scene, "h3"), "no pool has the label `gpu` (closest: pool debian)");
    let nothing_in_common = scene.reason("h4");
    let missing_labels = vec!["windows".to_owned(), "gpu".to_owned()];
    assert_eq!(*nothing_in_common, Reason::NoPool { missing_labels, closest: None });
    assert_eq!(nothing_in_common.pool(), None);
    let pool = &scene.report.pools[0];
    assert_eq!((pool.pool.as_str(), pool.used, pool.max), ("debian", 1, 1));
}

#[test]
fn without_any_pool_every_label_is_missing() {
    let mut scene = Scene::with(|policy| policy.pools.clear());
    scene.waits_as("h1", 1, 1, "build", &["debian", "gpu"]);
    scene.poll();
    assert_eq!(sentence(&scene, "h1"), "no pool has the label `debian`, `gpu`");
}

#[test]
fn a_released_job_says_when_it_is_tried_again() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.polls(5);
    let machine = scene.assignment("h1").machine_name.to_string();
    assert_eq!(sentence(&scene, "h1"), format!("its runner on {machine} is being taken back"));
    scene.does_all();
    scene.goes_on(5);
    let held = sentence(&scene, "h1");
    let start = "held back by the forge (most likely its concurrency group): released once, next try in ";
    assert!(held.starts_with(start), "{held}");
}

#[test]
fn every_listed_job_and_every_machine_has_exactly_one_reason() {
    let mut scene = Scene::running(&["h1", "h2"]);
    scene.waits_as("h3", 9, 1, "build", &["gpu"]);
    scene.waits("h4");
    scene.runs("h4");
    scene.poll();
    let jobs: Vec<&str> = scene.report.jobs.iter().map(|job| job.handle.as_str()).collect();
    assert_eq!(jobs, ["h1", "h2", "h4", "h3"], "the oldest first");
    assert_eq!(scene.report.machines.len(), 2);
    assert_eq!(sentence(&scene, "h4"), "runs on a runner that is not ours");
}

#[test]
fn the_age_and_the_failures_of_a_scope_are_reported() {
    let mut scene = Scene::new();
    scene.poll();
    let listed_at = scene.report.scopes[0].listed_at;
    assert!(listed_at.is_some());
    scene.nobody_answers();
    scene.nobody_answers();
    let row = &scene.report.scopes[0];
    assert_eq!((row.listed_at, row.failures, row.last_error.as_deref()), (listed_at, 2, Some("it says no")));
}

#[test]
fn an_incomplete_list_is_an_alert() {
    let mut scene = Scene::new();
    scene.lists_jobs(false);
    scene.lists_runners(false);
    scene.lists_machines(false);
    scene.turn();
    let words: Vec<String> = scene.report.alerts.iter().map(|alert| format!("{alert:?}")).collect();
    assert_eq!(words.len(), 3, "{words:?}");
    scene.poll();
    assert!(scene.report.alerts.is_empty());
}

#[test]
fn the_report_is_read_back_as_it_was_written() {
    let mut scene = Scene::running(&["h1"]);
    scene.waits_as("h2", 9, 1, "build", &["gpu"]);
    scene.poll();
    let text = serde_json::to_string(&scene.report).expect("a report can be written");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("and read"), scene.report);
    assert!(text.contains(r#""reason":{"reason":"no_pool","missing_labels":["gpu"],"closest":null}"#), "{text}");
    assert_eq!(RunnerReason::Deleting.to_string(), "being deleted");
}
