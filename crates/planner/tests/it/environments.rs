//! What a job's first label asks for cannot be had; other jobs of the pool are not concerned.

use std::time::Duration;

use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::{Answer, Event};
use planner::ids::{BackendId, PoolId};
use planner::report::{Alert, Reason};

use crate::scene::{Scene, backend, here, pool};

/// Two images in one pool, and jobs that ask for the first or the second label first.
fn two_images(jobs: &[(&str, &[&str])]) -> Scene {
    let mut scene = Scene::with(|policy| {
        policy.pools = vec![pool("both", &["old:docker://old:1", "new:docker://new:1"], &here())];
        policy.pools[0].max = 20;
    });
    for (id, (handle, runs_on)) in (1..).zip(jobs) {
        scene.waits_as(handle, id, id, "build", runs_on);
    }
    scene
}

fn lacking(class: ErrorClass) -> Answer {
    let message = "no such image".to_owned();
    Answer::Failed(Failure { class, acted: Acted::No, concerns: Concerns::Environment, message })
}

fn waits_for_it(scene: &Scene, handle: &str) -> bool {
    matches!(scene.reason(handle), Reason::EnvironmentBackingOff { label, last_error, .. }
        if label == "old" && last_error == "no such image")
}

fn is_launched(scene: &Scene, handle: &str) -> bool {
    matches!(scene.reason(handle), Reason::Launching { .. })
}

fn is_told(scene: &Scene) -> bool {
    let is_it = |alert: &Alert| matches!(alert, Alert::EnvironmentFails { label, .. } if label == "old");
    scene.report.alerts.iter().any(is_it)
}

#[test]
fn a_missing_image_keeps_only_jobs_whose_first_label_names_it_from_being_launched() {
    let mut scene = two_images(&[("h1", &["old"])]);
    scene.poll();
    scene.answers("create", lacking(ErrorClass::Permanent));
    assert!(is_told(&scene));
    scene.waits_as("h2", 2, 2, "build", &["old", "new"]);
    scene.waits_as("h3", 3, 3, "build", &["new", "old"]);
    scene.poll();
    assert!(waits_for_it(&scene, "h2"), "{:?}", scene.reason("h2"));
    assert!(is_launched(&scene, "h3"), "{:?}", scene.reason("h3"));
    let reason = scene.reason("h1").to_string();
    assert!(reason.contains("no such image"), "{reason}");
}

#[test]
fn a_missing_image_is_tried_by_one_job_at_a_time_ever_more_seldom_until_it_is_there() {
    let jobs = ["h1", "h2", "h3", "h4", "h5", "h6"].map(|handle| (handle, &["old"][..]));
    let mut scene = two_images(&jobs);
    scene.poll();
    // All at once, as nothing was known.
    for _ in &jobs {
        scene.answers("create", lacking(ErrorClass::Permanent));
    }
    let mut tries = Vec::new();
    for _ in 0..400 {
        scene.poll();
        assert!(scene.open.len() <= 1, "{:?}", scene.open);
        if !scene.open.is_empty() {
            scene.answers("create", lacking(ErrorClass::Permanent));
            tries.push(scene.now);
        }
    }
    assert!((2..10).contains(&tries.len()), "{} tries in twenty minutes", tries.len());
    assert!(scene.state.journal.pool_rests.is_empty() && scene.state.journal.breakers.is_empty());
    scene.passes(Duration::from_mins(10));
    scene.poll();
    scene.does_all();
    scene.goes_on(1);
    assert!(!is_told(&scene));
    assert!(jobs.iter().all(|(handle, _)| is_launched(&scene, handle)), "all follow the one that was made");
}

#[test]
fn an_image_on_its_way_is_nothing_to_mend_and_looked_for_at_an_even_pace() {
    let mut scene = two_images(&[("h1", &["old"])]);
    let mut looks = 0;
    for _ in 0..100 {
        scene.poll();
        assert!(!is_told(&scene));
        if !scene.open.is_empty() {
            scene.answers("create", lacking(ErrorClass::Capacity));
            looks += 1;
        }
    }
    assert!(looks >= 25, "{looks} looks in five minutes");
}

#[test]
fn a_job_whose_image_one_pool_lacks_goes_to_another() {
    let mut scene = two_images(&[("h1", &["old"])]);
    let there = BackendId::new("there");
    scene.policy.backends.insert(there.clone(), backend());
    scene.policy.pools.push(pool("spare", &["old:docker://old:1"], &there));
    scene.poll();
    scene.answers("create", lacking(ErrorClass::Permanent));
    scene.waits_as("h2", 2, 2, "build", &["old"]);
    scene.poll();
    assert_eq!(scene.reason("h2").pool(), Some(&PoolId::new("spare")));
    assert!(is_launched(&scene, "h2"), "{:?}", scene.reason("h2"));
}

#[test]
fn another_configuration_is_tried_at_once() {
    let mut scene = two_images(&[("h1", &["old"])]);
    scene.poll();
    scene.answers("create", lacking(ErrorClass::Permanent));
    scene.fold(&Event::PolicyReplaced);
    scene.poll();
    // Whose list it is must be known anew.
    scene.does("check_scope");
    scene.poll();
    assert!(is_launched(&scene, "h1"), "{:?}", scene.reason("h1"));
}
