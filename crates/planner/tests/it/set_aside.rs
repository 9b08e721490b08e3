//! What cannot be removed, whatever is tried: it is told, tried on, and keeps nothing from running.

use planner::error_class::ErrorClass;
use planner::event::Outcome;
use planner::report::{Alert, Reason};
use planner::seen::Exit;

use crate::scene::{Scene, refused};

/// Goes on, but every call of these kinds is refused.
fn goes_on_without(scene: &mut Scene, words: &[&str], polls: usize) {
    for _ in 0..polls {
        scene.poll();
        while let Some((_, action)) = scene.open.first().cloned() {
            if words.contains(&action.word()) {
                scene.answers(action.word(), refused(ErrorClass::Permanent));
            } else {
                scene.does(action.word());
            }
        }
    }
}

fn is_told(scene: &Scene, fits: impl Fn(&Alert) -> bool) -> bool {
    scene.report.alerts.iter().any(fits)
}

#[test]
fn a_dead_machine_that_cannot_be_removed_counts_and_keeps_its_job_from_nothing() {
    let mut scene = Scene::started(&["h1"]);
    scene.policy.pools[0].max = 2;
    let first = scene.machine("h1").name.clone();
    scene.ends("h1", Exit::Code(3));
    goes_on_without(&mut scene, &["destroy"], 60);
    assert_eq!(scene.created(), ["h1"], "its next try");
    assert!(matches!(scene.outcomes[..], [Outcome::LaunchFailed { charged: true, .. }]), "{:?}", scene.outcomes);
    assert!(is_told(&scene, |alert| matches!(alert, Alert::MachineNotRemoved { tries: 6.., .. })));
    scene.contacts("h1");
    scene.claims("h1");
    scene.waits("h2");
    scene.poll();
    assert!(matches!(scene.reason("h2"), Reason::PoolFull { used: 2, max: 2, .. }), "{:?}", scene.reason("h2"));
    scene.took();
    goes_on_without(&mut scene, &["destroy"], 200);
    assert!(scene.took().len() <= 5, "it is tried seldom");

    // Once it can be removed it goes, and tells nothing a second time.
    scene.goes_on(120);
    assert_eq!(scene.outcomes.len(), 1);
    assert!(scene.machines.iter().all(|(_, row)| row.name != first));
    assert!(!is_told(&scene, |alert| matches!(alert, Alert::MachineNotRemoved { .. })));
}

#[test]
fn a_job_that_was_lost_is_ended_though_what_is_left_of_its_machine_stays() {
    let mut scene = Scene::running(&["h1"]);
    scene.ends("h1", Exit::Signal(9));
    goes_on_without(&mut scene, &["destroy"], 40);
    assert!(scene.took().contains(&"end_early"));
    assert_eq!(scene.outcomes, [Outcome::Lost]);
    scene.goes_on(120);
    scene.nothing_is_left();
}

#[test]
fn a_registration_that_cannot_be_deleted_keeps_its_job_from_nothing() {
    let mut scene = Scene::started(&["h1"]);
    scene.ends("h1", Exit::Code(3));
    goes_on_without(&mut scene, &["delete_runner", "sweep"], 60);
    assert_eq!(scene.created(), ["h1"], "its next try");
    assert!(is_told(&scene, |alert| matches!(alert, Alert::RunnerNotRemoved { tries: 3.., .. })));
    scene.contacts("h1");
    scene.claims("h1");
    scene.goes_on(120);
    assert_eq!(scene.runners.len(), 1, "that of the second try");
    assert!(!is_told(&scene, |alert| matches!(alert, Alert::RunnerNotRemoved { .. })));
}
