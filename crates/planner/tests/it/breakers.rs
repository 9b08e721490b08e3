//! A pool in which every launch fails.

use planner::report::{Alert, Reason};
use planner::seen::Exit;

use crate::scene::Scene;

/// A pool of twenty machines, on which every runner ends at once.
fn broken(jobs: usize) -> (Scene, Vec<String>) {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 20);
    let handles: Vec<String> = (0..jobs).map(|number| format!("h{number}")).collect();
    for (id, handle) in (1..).zip(&handles) {
        // Each of another kind, so that none is suspected for another's sake.
        scene.waits_as(handle, id, id, "build", &["debian"]);
    }
    (scene, handles)
}

/// Goes on; every runner that was started has ended by the next look.
fn fails(scene: &mut Scene, polls: usize) {
    for _ in 0..polls {
        scene.goes_on(1);
        for (_, machine) in &mut scene.machines {
            if machine.binding.is_some() {
                machine.state = planner::seen::MachineState::Ended { exit: Exit::Code(3) };
            }
        }
    }
}

fn launching(scene: &Scene) -> usize {
    scene.state.journal.assignments.values().filter(|assignment| assignment.ending.is_none()).count()
}

#[test]
fn a_pool_in_which_all_fails_rests_and_is_then_probed_by_one_launch() {
    let (mut scene, handles) = broken(100);
    fails(&mut scene, 12);
    let before = scene.created().len();
    // A pool full: that it fails is known when the first runners have ended.
    assert!(before <= 25, "{before} launches before it was known");
    let alert =
        |scene: &Scene| scene.report.alerts.iter().any(|alert| matches!(alert, Alert::PoolFails { failures: 5.., .. }));
    assert!(alert(&scene));
    let resting = handles.iter().filter(|handle| matches!(scene.reason(handle), Reason::PoolBackingOff { .. }));
    assert!(resting.count() > 50);
    for _ in 0..200 {
        fails(&mut scene, 1);
        assert!(launching(&scene) <= 1, "one probe at a time");
    }
    let probes = scene.created().len();
    assert!((2..=20).contains(&probes), "{probes} probes in ten minutes");

    // Mended: the next probe is given its job, and all others follow at once.
    for _ in 0..200 {
        scene.goes_on(1);
        if let Some((_, machine)) = scene.machines.iter().find(|(_, machine)| machine.binding.is_some()) {
            let handle = machine.handle().unwrap().to_string();
            scene.contacts(&handle);
            scene.claims(&handle);
            break;
        }
    }
    scene.goes_on(2);
    assert!(!alert(&scene));
    assert!(launching(&scene) > 10, "{}", launching(&scene));
}

#[test]
fn a_few_jobs_that_fail_by_themselves_break_no_pool() {
    let (mut scene, _) = broken(1);
    fails(&mut scene, 100);
    assert!(scene.state.journal.breakers.values().all(|breaker| !breaker.is_broken()));
    scene.waits_as("other", 90, 90, "build", &["debian"]);
    scene.goes_on(1);
    assert!(matches!(scene.reason("other"), Reason::Launching { .. }), "{:?}", scene.reason("other"));
}
