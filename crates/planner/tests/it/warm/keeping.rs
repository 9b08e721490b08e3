//! How many machines without a job are kept, and of which images.

use std::time::Duration;

use planner::action::{Action, Leaving};
use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::{Answer, Event};
use planner::ids::{MachineName, PoolId};
use planner::report::{Alert, MachineReason, Reason};
use planner::seen::{Exit, MachineState};

use super::{changed, keeping, kept, wanting};
use crate::scene::{INTERVAL, Scene, here, lost, refused};

fn counts(scene: &mut Scene, count: u32) {
    scene.fold(&Event::WarmCount { pool: PoolId::new("debian"), count });
}

fn lacks_its_image() -> Answer {
    let (class, acted) = (ErrorClass::Permanent, Acted::No);
    Answer::Failed(Failure { class, acted, concerns: Concerns::Environment, message: "no shell".to_owned() })
}

fn is_told(scene: &Scene) -> bool {
    scene.report.alerts.iter().any(|alert| matches!(alert, Alert::WarmFails { .. }))
}

#[test]
fn a_pool_keeps_as_many_as_are_wanted_and_no_more() {
    let mut scene = wanting(3);
    assert_eq!(scene.took(), ["check_scope"], "nothing is made before it is known what there is");
    scene.poll();
    assert_eq!(scene.took(), ["create_warm"; 3]);
    assert!(scene.report.machines.iter().all(|of| of.reason == MachineReason::WarmCreating && of.handle.is_none()));
    scene.does_all();
    scene.polls(5);
    assert_eq!(scene.took(), [""; 0]);
    assert!(scene.report.machines.iter().all(|of| of.reason == MachineReason::Warm));
    let pool = &scene.report.pools[0];
    assert_eq!((pool.used, pool.warm_wanted, pool.warm_ready), (3, 3, 3));
}

#[test]
fn the_hour_says_how_many() {
    let mut scene = keeping(3);
    counts(&mut scene, 1);
    scene.goes_on(1);
    assert_eq!(scene.left_for(), [Leaving::Surplus; 2]);
    assert_eq!(scene.waiting(), 1);
    counts(&mut scene, 2);
    scene.goes_on(1);
    assert_eq!(scene.took(), ["create_warm"]);
}

#[test]
fn of_too_many_the_oldest_go() {
    let mut scene = keeping(2);
    let old = scene.names();
    counts(&mut scene, 3);
    scene.goes_on(1);
    counts(&mut scene, 1);
    scene.goes_on(1);
    assert!(scene.names().is_disjoint(&old));
}

#[test]
fn while_we_are_about_to_stop_all_of_them_go() {
    let mut scene = keeping(3);
    scene.policy.draining = true;
    scene.goes_on(2);
    assert_eq!(scene.left_for(), [Leaving::Surplus; 3]);
    scene.nothing_is_left();
}

#[test]
fn limits_of_pool_backend_and_deployment_hold_for_them() {
    for change in [
        |policy: &mut planner::policy::Policy| policy.pools[0].max = 2,
        |policy: &mut planner::policy::Policy| policy.backends.get_mut(&here()).expect("it is there").max = Some(2),
        |policy: &mut planner::policy::Policy| policy.max = Some(2),
    ] {
        let mut scene = changed(3, change);
        scene.goes_on(3);
        assert_eq!(scene.waiting(), 2);
    }
}

#[test]
fn they_take_half_of_the_slots_at_the_most() {
    let mut scene = changed(3, |policy| policy.backends.get_mut(&here()).expect("it is there").parallel_creates = 3);
    scene.polls(2);
    assert_eq!(scene.open.len(), 2);
    scene.waits("h1");
    scene.poll();
    assert_eq!(scene.created(), ["h1"], "though those hang");
}

#[test]
fn they_are_of_the_images_that_were_asked_for_lately() {
    let mut scene = keeping(3);
    assert_eq!(scene.images(), ["none"; 3], "of the first label's, as long as none was asked for");
    scene.waits_for("h1", "old");
    scene.goes_on(1);
    scene.waits_for("h2", "new");
    scene.goes_on(1);
    for handle in ["h1", "h2"] {
        scene.contacts(handle);
        scene.claims(handle);
    }
    counts(&mut scene, 0);
    scene.goes_on(2);
    scene.policy.pools[0].max = 10;
    counts(&mut scene, 3);
    scene.goes_on(2);
    assert_eq!(scene.images(), ["new:1", "new:1", "old:1"], "what was asked for last gets the odd one");
}

#[test]
fn an_image_that_was_not_asked_for_lately_gives_way_to_one_that_was() {
    let mut scene = changed(2, |policy| policy.pools[0].max = 10);
    scene = kept(scene);
    scene.waits_for("h1", "old");
    scene.goes_on(1);
    scene.contacts("h1");
    scene.claims("h1");
    scene.goes_on(10);
    assert_eq!(scene.images(), ["old:1", "old:1"]);
    let took = scene.left_for();
    assert_eq!(took, [Leaving::Surplus; 2]);
}

#[test]
fn of_two_images_that_are_asked_for_neither_keeps_all_machines_and_none_goes_by_turns() {
    let mut scene = kept(changed(2, |policy| policy.pools[0].max = 10));
    let runs = |scene: &mut Scene, handle: &str, label: &str| {
        scene.waits_for(handle, label);
        scene.goes_on(1);
        scene.contacts(handle);
        scene.claims(handle);
        scene.goes_on(10);
    };
    runs(&mut scene, "h1", "old");
    assert_eq!(scene.images(), ["old:1", "old:1"]);
    runs(&mut scene, "h2", "new");
    assert_eq!(scene.images(), ["new:1", "old:1"]);
    scene.left_for();
    for (handle, label) in [("h3", "old"), ("h4", "new"), ("h5", "new"), ("h6", "old")] {
        runs(&mut scene, handle, label);
        assert_eq!(scene.left_for(), [], "{handle}");
        assert_eq!(scene.images(), ["new:1", "old:1"]);
    }
    counts(&mut scene, 1);
    scene.goes_on(2);
    scene.left_for();
    let kept = scene.images().concat();
    for (handle, label) in [("h7", "debian"), ("h8", "debian")] {
        scene.policy.pools[0].max = 20;
        runs(&mut scene, handle, label);
        assert_eq!(
            (scene.images().concat(), scene.left_for()),
            (kept.clone(), vec![]),
            "there is one for three images"
        );
    }
}

#[test]
fn what_made_anew_would_be_another_is_replaced() {
    for change in [
        |scene: &mut Scene| scene.policy.pools[0].warm.made_of = "2".to_owned(),
        |scene: &mut Scene| drop(scene.policy.pools[0].labels.remove(0)),
    ] {
        let mut scene = keeping(2);
        let before = scene.names();
        change(&mut scene);
        scene.goes_on(2);
        assert_eq!(scene.left_for(), [Leaving::Outdated; 2]);
        assert_eq!((scene.waiting(), scene.names().is_disjoint(&before)), (2, true));
    }
    let mut scene = keeping(2);
    scene.policy.pools.clear();
    scene.goes_on(2);
    assert_eq!((scene.left_for(), scene.waiting()), (vec![Leaving::Outdated; 2], 0));
}

#[test]
fn one_that_has_ended_or_is_listed_no_more_is_removed_and_replaced() {
    let mut scene = keeping(1);
    scene.machines[0].1.state = MachineState::Ended { exit: Exit::NeverStarted };
    scene.goes_on(2);
    assert_eq!((scene.left_for(), scene.waiting()), (vec![Leaving::Ended], 1));
    scene.machines.clear();
    scene.goes_on(1);
    assert_eq!(scene.left_for(), [], "one list proves nothing");
    scene.goes_on(2);
    assert_eq!((scene.left_for(), scene.waiting()), (vec![Leaving::Vanished], 1));
}

#[test]
fn one_that_does_not_become_ready_is_removed() {
    let mut scene = keeping(1);
    scene.machines[0].1.state = MachineState::Stopping;
    scene.polls(50);
    assert_eq!(scene.took(), [""; 0], "an earlier life may have been taking it back");
    scene.goes_on(60);
    assert_eq!((scene.left_for(), scene.waiting()), (vec![Leaving::NeverReady], 1));
}

#[test]
fn one_that_cannot_be_removed_is_tried_on_and_counts() {
    let mut scene = keeping(1);
    counts(&mut scene, 0);
    for tries in 1.. {
        scene.poll();
        if scene.open.is_empty() {
            continue;
        }
        scene.answers("destroy_warm", refused(ErrorClass::Transient));
        assert_eq!(scene.report.pools[0].used, 1);
        if tries > 300 {
            break;
        }
        if scene.report.alerts.iter().any(|alert| matches!(alert, Alert::MachineNotRemoved { .. })) {
            return;
        }
    }
    panic!("nobody is told");
}

#[test]
fn what_cannot_be_made_is_tried_ever_more_seldom_and_told_and_keeps_no_job_waiting() {
    let mut scene = wanting(1);
    let (mut tries, mut names) = (0, Vec::new());
    for _ in 0..200 {
        scene.poll();
        if !scene.open.is_empty() {
            let action = scene.answers("create_warm", lacks_its_image());
            let Action::CreateWarm { machine, .. } = action else { panic!("{action:?}") };
            tries += 1;
            names.push(machine);
            assert!(!is_told(&scene) || tries >= 3);
        }
    }
    assert!((4..20).contains(&tries), "{tries} tries in ten minutes");
    assert!(is_told(&scene));
    names.dedup();
    assert_eq!(names.len(), tries, "each under a name of its own");
    scene.waits("h1");
    scene.poll();
    assert!(matches!(scene.reason("h1"), Reason::Launching { .. }), "{}", scene.reason("h1"));
    scene.does_all();
    scene.passes(Duration::from_mins(10));
    scene.goes_on(2);
    assert!(!is_told(&scene));
    assert_eq!(scene.waiting(), 1);
}

#[test]
fn no_room_at_the_backend_lets_the_pool_rest_as_for_jobs() {
    let mut scene = wanting(1);
    scene.poll();
    scene.answers("create_warm", refused(ErrorClass::Capacity));
    scene.waits("h1");
    scene.poll();
    assert!(matches!(scene.reason("h1"), Reason::PoolBackingOff { .. }), "{}", scene.reason("h1"));
}

#[test]
fn where_an_image_cannot_be_had_for_jobs_it_is_not_tried_for_spare_machines() {
    let mut scene = keeping(1);
    scene.waits_for("h1", "old");
    scene.poll();
    scene.answers("create", lacks_its_image());
    assert_eq!(scene.took(), ["create"]);
    scene.poll();
    assert_eq!(scene.took(), [""; 0]);
}

#[test]
fn a_broken_pool_makes_none() {
    let mut scene = wanting(1);
    let breaker = scene.state.journal.breakers.entry(PoolId::new("debian")).or_default();
    breaker.failures = planner::state::Breaker::LAUNCHES;
    scene.polls(5);
    assert_eq!(scene.took(), ["check_scope"]);
}

#[test]
fn an_answer_that_was_lost_leads_to_no_second_one() {
    let mut scene = wanting(1);
    scene.poll();
    let (_, action) = scene.open[0].clone();
    scene.carries_out(&action);
    scene.answers("create_warm", lost());
    scene.goes_on(5);
    assert_eq!(scene.took(), ["check_scope", "create_warm"]);
    assert_eq!(scene.waiting(), 1);
}

#[test]
fn the_machine_of_a_job_whose_runner_never_came_is_replaced_in_the_turn_that_tells_it_to_go() {
    let mut scene = changed(1, |policy| policy.backends.get_mut(&here()).expect("it is there").parallel_creates = 1);
    scene.waits("h1");
    scene.poll();
    let (_, create) = scene.open[0].clone();
    scene.carries_out(&create);
    scene.answers("create", lost());
    scene.machines[0].1.state = MachineState::Creating;
    assert_eq!(scene.took(), ["check_scope", "create"], "the job may have given its machine back");
    for _ in 0..100 {
        scene.polls(1);
        if scene.open.iter().any(|(_, action)| action.word() == "destroy") {
            assert_eq!(scene.took(), ["destroy", "create_warm"]);
            return;
        }
    }
    panic!("it is not told to go");
}

#[test]
fn a_new_life_finds_them_and_uses_none_of_their_names_again() {
    let mut scene = keeping(3);
    scene.restarts();
    scene.goes_on(5);
    assert_eq!(scene.took(), ["check_scope"]);
    let before = scene.names();
    scene.policy.pools[0].max = 10;
    counts(&mut scene, 6);
    scene.goes_on(2);
    assert_eq!((scene.waiting(), scene.names().len()), (6, 6));
    assert!(scene.names().is_superset(&before));
}

#[test]
fn the_same_plan_names_the_same_machines_and_each_once() {
    let mut scene = wanting(3);
    scene.passes(INTERVAL);
    scene.lists_machines(true);
    let plan = || planner::plan::plan(&scene.policy, &scene.state, scene.now);
    assert_eq!(plan(), plan());
    let names: Vec<MachineName> = plan()
        .actions
        .iter()
        .filter_map(|action| if let Action::CreateWarm { machine, .. } = action { Some(machine.clone()) } else { None })
        .collect();
    let mut once = names.clone();
    once.sort();
    once.dedup();
    assert_eq!((names.len(), once.len()), (3, 3));
}
