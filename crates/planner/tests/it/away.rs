//! A backend that is not within reach: its listings fail, or there was no connection for a call.

use planner::action::Action;
use planner::error_class::{Acted, ErrorClass};
use planner::event::{Answer, Event};
use planner::ids::BackendId;
use planner::report::{Alert, LaunchStep, Reason};
use planner::state::Start;

use crate::scene::{INTERVAL, Scene, backend, failure, here, pool};

/// Two pools for the same jobs, on two backends; the first is preferred.
fn two_backends() -> Scene {
    let there = BackendId::new("there");
    Scene::with(|policy| {
        policy.backends.insert(there.clone(), backend());
        policy.pools.push(pool("other", &["debian:host"], &there));
    })
}

fn unasked() -> Answer {
    Answer::Failed(failure(ErrorClass::Transient, Acted::Unasked))
}

/// An interval later only the machines of `here` cannot be listed.
fn fails_to_list(scene: &mut Scene) {
    scene.passes(INTERVAL);
    scene.lists_jobs(true);
    scene.lists_runners(true);
    let failure = failure(ErrorClass::Transient, Acted::Unasked);
    scene.fold(&Event::MachinesNotListed { backend: here(), failure });
    scene.turn();
}

fn is_told(scene: &Scene) -> bool {
    scene.report.alerts.iter().any(|alert| matches!(alert, Alert::BackendAway { backend, .. } if *backend == here()))
}

#[test]
fn after_two_failed_listings_in_a_row_nothing_is_made_and_the_reason_says_for_how_long() {
    let mut scene = Scene::new();
    scene.poll();
    fails_to_list(&mut scene);
    scene.waits("h1");
    assert!(!is_told(&scene) && scene.report.backends[0].away_since.is_none(), "one may be a hiccup");
    let since = scene.report.backends[0].listed_at;
    for _ in 0..80 {
        fails_to_list(&mut scene);
    }
    assert_eq!(scene.created(), Vec::<String>::new());
    let reason = scene.reason("h1").to_string();
    assert_eq!(reason, "backend here has been away for 4m 0s: it says no");
    assert!(is_told(&scene));
    let report = &scene.report.backends[0];
    assert_eq!((report.failures, report.listed_at), (81, since));
    assert_eq!(scene.report.at.since(report.away_since.unwrap()).as_secs(), 240);

    scene.poll();
    assert_eq!(scene.created().len(), 1, "one good listing ends it");
    assert!(!is_told(&scene) && scene.report.backends[0].away_since.is_none());
}

#[test]
fn one_failed_listing_between_good_ones_keeps_nothing_from_being_made() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.poll();
        fails_to_list(&mut scene);
        assert!(!is_told(&scene));
    }
    scene.waits("h1");
    scene.lists_jobs(true);
    scene.turn();
    assert_eq!(scene.created().len(), 1);
}

#[test]
fn jobs_go_to_another_pool_while_the_backend_of_the_first_is_away() {
    let mut scene = two_backends();
    scene.poll();
    fails_to_list(&mut scene);
    scene.waits("h1");
    fails_to_list(&mut scene);
    assert!(matches!(scene.reason("h1"), Reason::Launching { pool, .. } if pool.as_str() == "other"));
}

#[test]
fn a_create_without_a_connection_holds_nothing_and_names_the_backend() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 1);
    scene.waits("h1");
    scene.waits("h2");
    scene.poll();
    scene.answers("create", unasked());
    assert!(scene.state.journal.assignments.is_empty() && scene.state.journal.refused.is_empty());
    assert_eq!(scene.report.pools[0].used, 0);
    for handle in ["h1", "h2"] {
        let reason = scene.reason(handle).to_string();
        assert!(reason.starts_with("backend here could not be reached (tried again in "), "{reason}");
        assert!(reason.ends_with("it says no"), "{reason}");
    }
    assert!(scene.state.journal.handles.values().all(|memory| memory.failures == 0 && memory.rest_until.0 == 0));
    assert!(scene.outcomes.is_empty(), "{:?}", scene.outcomes);
}

#[test]
fn without_a_connection_a_job_goes_to_another_pool_at_once() {
    let mut scene = two_backends();
    scene.waits("h1");
    scene.poll();
    scene.answers("create", unasked());
    assert!(matches!(scene.reason("h1"), Reason::Launching { pool, .. } if pool.as_str() == "other"));
}

#[test]
fn calls_that_find_no_connection_come_ever_more_seldom_until_one_is_answered() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 20);
    for handle in ["h1", "h2", "h3", "h4"] {
        scene.waits(handle);
    }
    let mut rounds = Vec::new();
    for _ in 0..200 {
        scene.poll();
        if !scene.open.is_empty() {
            rounds.push(scene.now);
        }
        for _ in 0..scene.open.len() {
            scene.answers("create", unasked());
        }
    }
    let spans: Vec<u64> = rounds.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert!((6..=9).contains(&rounds.len()), "{spans:?}");
    assert!(spans.windows(2).all(|pair| pair[1] > pair[0]) && spans[0] <= 9, "all at once are one failure: {spans:?}");

    let rest = scene.state.journal.backend_rests.values().next().unwrap().until.since(scene.now);
    scene.passes(rest);
    scene.poll();
    scene.does("create");
    assert!(scene.state.journal.backend_rests.is_empty());
}

#[test]
fn a_spare_machine_that_could_not_be_asked_for_is_not_there_and_its_image_does_not_rest() {
    let mut scene = Scene::with(|policy| policy.pools[0].warm.count = 1);
    scene.poll();
    assert!(matches!(scene.open[0].1, Action::CreateWarm { .. }), "{:?}", scene.open);
    scene.answers("create_warm", unasked());
    let journal = &scene.state.journal;
    assert!(journal.warm.is_empty() && journal.refused.is_empty() && journal.warm_rests.is_empty());
    assert!(scene.open.is_empty(), "{:?}", scene.open);
    fails_to_list(&mut scene);
    for _ in 0..20 {
        fails_to_list(&mut scene);
    }
    assert!(scene.open.is_empty(), "{:?}", scene.open);
    scene.poll();
    assert!(matches!(scene.open[..], [(_, Action::CreateWarm { .. })]), "{:?}", scene.open);
}

#[test]
fn a_machine_that_waits_on_a_backend_that_is_away_gets_no_job_and_stays() {
    let mut scene = Scene::with(|policy| policy.pools[0].warm.count = 1);
    scene.poll();
    scene.does_all();
    scene.poll();
    assert_eq!(scene.report.pools[0].warm_ready, 1);
    fails_to_list(&mut scene);
    fails_to_list(&mut scene);
    scene.waits("h1");
    fails_to_list(&mut scene);
    assert!(matches!(scene.reason("h1"), Reason::BackendAway { .. }), "{:?}", scene.reason("h1"));
    assert_eq!((scene.state.journal.warm.len(), scene.open.len()), (1, 0));
    scene.poll();
    assert_eq!(scene.state.journal.warm.len(), 0, "bound: {:?}", scene.reason("h1"));
}

#[test]
fn a_launch_under_way_waits_for_its_backend_and_registers_no_runner_meanwhile() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    fails_to_list(&mut scene);
    fails_to_list(&mut scene);
    scene.does("create");
    for _ in 0..5 {
        fails_to_list(&mut scene);
    }
    assert_eq!(scene.open, []);
    assert!(matches!(scene.reason("h1"), Reason::BackendAway { .. }), "{:?}", scene.reason("h1"));
    scene.goes_on(1);
    assert!(
        matches!(scene.reason("h1"), Reason::Launching { step: LaunchStep::Booting, .. }),
        "{:?}",
        scene.reason("h1")
    );
}

#[test]
fn a_start_without_a_connection_is_charged_to_nobody_and_tried_again() {
    let mut scene = Scene::with(|policy| policy.pools[0].warm.count = 1);
    scene.goes_on(2);
    scene.waits("h1");
    scene.poll();
    scene.does("register");
    for _ in 0..3 {
        scene.answers("start", unasked());
        assert_eq!(scene.open, []);
        assert!(matches!(scene.reason("h1"), Reason::BackendBackingOff { .. }), "{:?}", scene.reason("h1"));
        let rest = scene.state.journal.backend_rests.values().next().unwrap().until.since(scene.now);
        scene.passes(rest);
        scene.poll();
    }
    assert!(scene.assignment("h1").is_reusable() && scene.assignment("h1").failures == 0);
    scene.does("start");
    assert_eq!(scene.assignment("h1").start, Start::Done);
}

#[test]
fn a_suspect_whose_machine_was_not_asked_for_keeps_its_turn() {
    let mut scene = super::suspects::after_a_release();
    super::suspects::alike(&mut scene, &[("h1", 1), ("h2", 2)]);
    scene.leaves("blocker");
    scene.polls(2);
    assert_eq!(scene.created(), ["h1"]);
    scene.answers("create", unasked());
    let rest = scene.state.journal.backend_rests.values().next().unwrap().until.since(scene.now);
    scene.passes(rest);
    scene.poll();
    assert_eq!(scene.created(), ["h1"]);
}

#[test]
fn a_spare_machine_on_a_backend_that_is_away_makes_no_room() {
    let mut scene = two_backends();
    scene.policy.max = Some(2);
    for pool in &mut scene.policy.pools {
        pool.warm.count = 1;
    }
    scene.policy.pools[1].labels = pool("other", &["gpu:host"], &here()).labels;
    scene.restarts();
    scene.goes_on(2);
    assert_eq!(scene.machines.len(), 2);
    fails_to_list(&mut scene);
    fails_to_list(&mut scene);
    scene.policy.pools[1].max = 5;
    for handle in ["h1", "h2"] {
        scene.waits_for(handle, "gpu");
    }
    for _ in 0..3 {
        fails_to_list(&mut scene);
    }
    assert!(scene.state.journal.warm.values().all(|of| of.leaving.is_none()));
    assert!(matches!(scene.reason("h2"), Reason::DeploymentFull { .. }), "{:?}", scene.reason("h2"));
}
