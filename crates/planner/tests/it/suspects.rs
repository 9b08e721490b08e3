//! Suspects: after the release of one job, those alike are tried one at a time.

use std::time::Duration;

use planner::event::Answer;
use planner::report::Reason;
use planner::seen::JobState;

use crate::scene::*;

const DEPLOY: (&str, &[&str]) = ("deploy", &["debian"]);

fn add_deploy(scene: &mut Scene, handle: &str) {
    scene.add_job_like(handle, DEPLOY.0, DEPLOY.1, 1);
}

/// The handles of the creates that are under way.
fn tried(scene: &Scene) -> Vec<String> {
    scene.pending.iter().filter_map(|(_, action)| action.key()).map(|key| key.job.handle.to_string()).collect()
}

/// Gives the machine of the job that is tried just now back.
fn release(scene: &mut Scene) {
    let uuid = scene.launch();
    scene.declares(&uuid);
    scene.polls(8);
    scene.answer("fence", Answer::Fenced);
    scene.polls(2);
    scene.destroyed();
    scene.polls(2);
    scene.deleted();
}

/// `first` was released; `second` and `third` are like it; somebody else's job of the kind runs.
fn suspected() -> Scene {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 1);
    add_deploy(&mut scene, "blocker");
    scene.jobs.get_mut("blocker").unwrap().state = JobState::Running { task: planner::ids::TaskId(1) };
    for handle in ["first", "second", "third"] {
        add_deploy(&mut scene, handle);
    }
    scene.poll();
    assert_eq!(tried(&scene), ["first"]);
    release(&mut scene);
    scene
}

#[test]
fn after_one_release_those_alike_rest_instead_of_being_tried_all() {
    let scene = suspected();
    scene.expect(&[]);
    assert!(matches!(scene.reason("first"), Reason::HeldBack { releases: 1, .. }), "{:?}", scene.reason("first"));
    assert!(matches!(scene.reason("second"), Reason::Suspect { probe: None, releases: 1, .. }));
}

#[test]
fn after_the_back_off_the_one_probed_longest_ago_is_tried_and_the_others_wait_for_it() {
    let mut scene = suspected();
    scene.pass(Duration::from_secs(40));
    scene.poll();
    assert_eq!(tried(&scene), ["second"]);
    assert!(matches!(scene.reason("third"), Reason::Suspect { probe: Some(_), .. }), "{:?}", scene.reason("third"));
    release(&mut scene);
    scene.pass(Duration::from_secs(80));
    scene.poll();
    assert_eq!(tried(&scene), ["third"]);
}

#[test]
fn the_back_off_of_the_key_doubles_with_each_release() {
    let mut scene = suspected();
    scene.pass(Duration::from_secs(40));
    scene.poll();
    release(&mut scene);
    scene.pass(Duration::from_secs(35));
    scene.poll();
    scene.expect(&[]);
}

#[test]
fn when_a_job_of_the_repository_has_left_the_oldest_is_tried_at_once() {
    let mut scene = suspected();
    scene.jobs.remove("blocker");
    scene.poll();
    assert_eq!(tried(&scene), ["first"]);
}

#[test]
fn a_claim_while_another_of_the_kind_runs_clears_the_suspicion() {
    let mut scene = suspected();
    scene.policy.pools[0].max = 9;
    scene.pass(Duration::from_secs(40));
    scene.poll();
    let uuid = scene.launch();
    scene.declares(&uuid);
    scene.runs("second");
    scene.poll();
    assert!(scene.state.journal.suspicions.is_empty());
    assert_eq!(tried(&scene), ["third"]);
}

#[test]
fn a_claim_while_no_other_runs_keeps_the_others_waiting() {
    let mut scene = suspected();
    scene.policy.pools[0].max = 9;
    scene.jobs.remove("blocker");
    scene.poll();
    let uuid = scene.launch();
    scene.declares(&uuid);
    scene.runs("first");
    scene.poll();
    scene.expect(&[]);
    assert!(matches!(scene.reason("second"), Reason::Suspect { .. }));
}

#[test]
fn suspects_yield_to_unsuspected_demand_for_a_while() {
    let mut scene = suspected();
    scene.pass(Duration::from_secs(40));
    scene.add_job_like("other", "build", &["debian"], 1);
    scene.poll();
    assert_eq!(tried(&scene), ["other"]);
}

#[test]
fn after_ten_minutes_a_suspect_yields_no_more() {
    let mut scene = suspected();
    for _ in 0..220 {
        scene.now += INTERVAL_MS;
        scene.job_list_fails();
    }
    scene.add_job_like("other", "build", &["debian"], 1);
    scene.poll();
    assert_eq!(tried(&scene), ["second"]);
}

#[test]
fn jobs_of_another_kind_are_not_suspected() {
    let mut scene = suspected();
    scene.add_job_like("other", "build", &["debian"], 1);
    scene.add_job_like("elsewhere", DEPLOY.0, DEPLOY.1, 2);
    scene.policy.pools[0].max = 9;
    scene.poll();
    assert_eq!(tried(&scene), ["other", "elsewhere"]);
}

#[test]
fn a_parked_suspect_does_not_keep_the_others_from_being_tried() {
    let mut scene = suspected();
    let memory = scene.state.journal.handles.entry(job_key("second")).or_default();
    memory.rest = planner::state::Rested::Parked;
    memory.rest_until = planner::time::Tick(scene.now + 3_600_000);
    scene.pass(Duration::from_secs(40));
    scene.poll();
    assert_eq!(tried(&scene), ["third"]);
}

#[test]
fn a_suspicion_ends_when_no_job_of_the_kind_is_listed() {
    let mut scene = suspected();
    scene.jobs.clear();
    scene.list_jobs(true);
    scene.poll();
    assert!(scene.state.journal.suspicions.is_empty());
}
