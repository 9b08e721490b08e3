//! After one release, jobs like it are tried one at a time.

use std::time::Duration;

use planner::event::EndReason;
use planner::ids::Handle;
use planner::report::Reason;
use planner::seen::{JobState, RunnerStatus};

use crate::scene::Scene;

/// A scene in which `held`, the youngest of its kind, was just released.
pub(crate) fn after_a_release() -> Scene {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 10);
    scene.waits_as("held", 100, 1, "deploy", &["debian"]);
    scene.waits_as("blocker", 50, 1, "blocker", &["debian"]);
    scene.runs("blocker");
    scene.poll();
    scene.does_all();
    scene.contacts("held");
    scene.goes_on(12);
    assert!(scene.state.journal.assignments.is_empty(), "{:?}", scene.state.journal.assignments);
    scene.took();
    scene
}

/// Adds waiting jobs of the same kind.
pub(crate) fn alike(scene: &mut Scene, rows: &[(&str, i64)]) {
    for (handle, id) in rows {
        scene.waits_as(handle, *id, 1, "deploy", &["debian"]);
    }
}

/// After a release and its rest: of these jobs, which are like the released one, `h1` is being tried.
fn with_a_probe(jobs: &[(&str, i64)]) -> Scene {
    let mut scene = after_a_release();
    alike(&mut scene, jobs);
    scene.passes(Duration::from_secs(40));
    scene.polls(5);
    scene.does_all();
    scene.contacts("h1");
    assert_eq!(scene.created(), ["h1"]);
    scene
}

#[test]
fn jobs_like_a_released_one_are_not_launched_at_once() {
    let mut scene = after_a_release();
    alike(&mut scene, &[("h1", 1), ("h2", 2)]);
    scene.poll();
    assert!(scene.created().is_empty());
    assert!(matches!(scene.reason("h1"), Reason::Suspect { probe: None, releases: 1, .. }));
    assert!(matches!(scene.reason("held"), Reason::HeldBack { releases: 1, .. }));
}

#[test]
fn jobs_of_another_name_are_no_suspects() {
    let mut scene = after_a_release();
    scene.waits_as("other", 1, 1, "build", &["debian"]);
    scene.waits_as("elsewhere", 2, 9, "deploy", &["debian"]);
    scene.poll();
    let mut created = scene.created();
    created.sort();
    assert_eq!(created, ["elsewhere", "other"]);
}

#[test]
fn after_the_back_off_one_is_probed_and_not_the_one_just_released() {
    let mut scene = after_a_release();
    alike(&mut scene, &[("h1", 101), ("h2", 102)]);
    scene.passes(Duration::from_secs(40));
    scene.polls(5);
    assert_eq!(scene.created(), ["h1"]);
    let probe = Some(Handle::new("h1"));
    for other in ["h2", "held"] {
        match scene.reason(other) {
            Reason::Suspect { probe: found, .. } => assert_eq!(*found, probe),
            reason => panic!("{other}: {reason:?}"),
        }
    }
}

#[test]
fn who_leaves_while_another_is_tried_makes_way_for_the_oldest_after_it() {
    let mut scene = with_a_probe(&[("h1", 101), ("h2", 102)]);
    scene.leaves("blocker");
    scene.goes_on(1);
    assert_eq!(scene.created(), ["held"], "the oldest, without a rest, beside the one that is tried in vain");
    scene.goes_on(11);
    assert_eq!(scene.created(), [""; 0], "once for each departure");
}

#[test]
fn who_leaves_makes_way_for_one_and_not_for_another_when_a_probe_ends() {
    let mut scene = with_a_probe(&[("h1", 101), ("h2", 102)]);
    scene.goes_on(1);
    scene.leaves("blocker");
    scene.goes_on(1);
    assert_eq!(scene.created(), ["held"]);
    scene.contacts("held");
    scene.claims("held");
    alike(&mut scene, &[("h0", 1)]);
    while scene.ending("h1").is_none() {
        scene.goes_on(1);
    }
    assert_eq!(scene.ending("h1"), Some(&EndReason::HeldBack));
    assert_eq!(scene.created(), [""; 0], "who left has made way for the one that runs");
}

#[test]
fn while_the_oldest_is_tried_no_other_is_whoever_leaves() {
    let mut scene = with_a_probe(&[("h1", 1), ("h2", 2)]);
    scene.leaves("blocker");
    scene.goes_on(3);
    assert_eq!(scene.created(), [""; 0], "it is its turn now");
}

#[test]
fn who_leaves_just_before_the_first_of_a_kind_is_released_makes_way_for_the_oldest() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 10);
    scene.waits_as("held", 100, 1, "deploy", &["debian"]);
    scene.waits_as("blocker", 50, 1, "deploy", &["debian"]);
    scene.runs("blocker");
    scene.poll();
    scene.does_all();
    scene.contacts("held");
    for _ in 0..20 {
        // The list that ends the claim clock is the first that lacks the one before.
        let before = scene.state.clone();
        scene.poll();
        if scene.ending("held").is_some() {
            scene.state = before;
            break;
        }
        scene.does_all();
    }
    assert_eq!(scene.ending("held"), None);
    scene.took();
    scene.leaves("blocker");
    alike(&mut scene, &[("h1", 101), ("h2", 102)]);
    scene.goes_on(11);
    assert_eq!(scene.created(), ["held"], "the oldest, and without a rest");
}

#[test]
fn a_probe_whose_job_is_cancelled_makes_way_before_its_machine_is_gone() {
    let mut scene = with_a_probe(&[("h1", 101), ("h2", 102)]);
    scene.leaves("h1");
    for _ in 0..3 {
        scene.poll();
        scene.does_all();
    }
    assert_eq!(scene.ending("h1"), Some(&EndReason::EndedElsewhere));
    assert_eq!(scene.machines.len(), 2, "h1's has its grace");
    assert_eq!(scene.created(), ["held"], "the oldest, and without a rest");
}

#[test]
fn when_somebody_has_left_the_oldest_is_tried_at_once() {
    let mut scene = after_a_release();
    alike(&mut scene, &[("h1", 101), ("h2", 102)]);
    scene.poll();
    scene.leaves("blocker");
    scene.poll();
    assert_eq!(scene.created(), ["held"], "the released one is the oldest");
}

#[test]
fn a_job_of_another_repository_that_leaves_tells_nothing() {
    let mut scene = after_a_release();
    alike(&mut scene, &[("h1", 101)]);
    scene.waits_as("other", 103, 9, "x", &["debian"]);
    scene.runs("other");
    scene.poll();
    scene.leaves("other");
    scene.poll();
    assert!(scene.created().is_empty());
}

#[test]
fn a_probe_that_is_held_back_doubles_the_rest_of_its_kind() {
    let mut scene = after_a_release();
    alike(&mut scene, &[("h1", 101)]);
    scene.passes(Duration::from_secs(40));
    scene.poll();
    scene.does_all();
    scene.contacts("h1");
    scene.goes_on(7);
    assert!(
        matches!(scene.reason("h1"), Reason::Releasing { .. } | Reason::EarlierTry { .. }),
        "{:?}",
        scene.reason("h1")
    );
    let suspicion = scene.state.journal.suspicions.values().next().expect("the kind is suspected");
    assert_eq!(suspicion.releases, 2);
    assert!(suspicion.rest_until.since(scene.now) > Duration::from_secs(35), "twice 30 s, less a quarter");
}

#[test]
fn a_claim_while_another_of_the_kind_runs_clears_the_kind() {
    let mut scene = after_a_release();
    alike(&mut scene, &[("h1", 1), ("h2", 2), ("runs", 3)]);
    scene.runs("runs");
    scene.poll();
    scene.leaves("blocker");
    scene.poll();
    scene.does_all();
    assert_eq!(scene.created(), ["h1"]);
    scene.contacts("h1");
    scene.claims("h1");
    scene.poll();
    assert!(scene.state.journal.suspicions.is_empty());
    assert_eq!(scene.created(), ["h2"]);
    assert!(matches!(scene.reason("held"), Reason::HeldBack { releases: 1, .. }), "it keeps its own back-off");
}

#[test]
fn a_claim_while_none_of_the_kind_runs_keeps_the_suspicion() {
    let mut scene = after_a_release();
    alike(&mut scene, &[("h1", 1), ("h2", 2)]);
    scene.poll();
    scene.leaves("blocker");
    scene.poll();
    scene.does_all();
    scene.contacts("h1");
    scene.claims("h1");
    scene.poll();
    assert_eq!(scene.created(), ["h1"]);
    assert!(matches!(scene.reason("h2"), Reason::Suspect { .. }));
}

#[test]
fn suspects_yield_to_others_for_ten_minutes_at_most() {
    for (waited, first) in [(Duration::from_mins(1), "other"), (Duration::from_mins(11), "h1")] {
        let mut scene = after_a_release();
        scene.policy.pools[0].max = 1;
        scene.passes(waited);
        alike(&mut scene, &[("h1", 1)]);
        scene.waits_as("other", 200, 9, "x", &["debian"]);
        scene.poll();
        assert_eq!(scene.created(), [first], "{waited:?}");
    }
}

#[test]
fn fifty_jobs_behind_one_that_runs_cost_one_machine_at_a_time() {
    let mut scene = after_a_release();
    scene.policy.pools[0].max = 100;
    let rows: Vec<(String, i64)> = (0..50).map(|id| (format!("h{id}"), 200 + id)).collect();
    for (handle, id) in &rows {
        scene.waits_as(handle, *id, 1, "deploy", &["debian"]);
    }
    for _ in 0..400 {
        scene.poll();
        scene.does_all();
        for (_, runner) in &mut scene.runners {
            runner.declared = true;
            runner.status = RunnerStatus::Idle;
        }
        assert!(scene.machines.len() <= 1, "{}", scene.machines.len());
    }
    assert!(scene.created().len() > 2);
    assert!(scene.jobs.iter().filter(|(_, row)| row.state == JobState::Waiting).count() == 51);
}

#[test]
fn a_job_that_is_first_listed_when_one_like_it_is_released_is_not_launched_beside() {
    let released_after = |polls: usize| {
        let mut scene = Scene::claiming(&["h1"]);
        scene.polls(polls);
        scene.took();
        scene.waits("h2");
        scene.poll();
        (scene.ending("h1") == Some(&EndReason::HeldBack)).then_some(scene)
    };
    let mut scene = (1..10).find_map(released_after).expect("it is released within ten polls");
    assert_eq!(scene.created(), [""; 0]);
    assert!(matches!(scene.reason("h2"), Reason::Suspect { .. }));
}
