//! The policy is exchanged while jobs wait and run.

use std::time::Duration;

use planner::change::{Stranded, retired, stranded};
use planner::event::{EndReason, Event, Outcome};
use planner::ids::BackendId;
use planner::policy::Policy;
use planner::report::Reason;
use planner::seen::Exit;

use crate::scene::{Scene, acme, backend, here, key, pool};

/// What the daemon does with a policy that strands nothing.
fn change(scene: &mut Scene, change: impl FnOnce(&mut Policy)) {
    let mut next = scene.policy.clone();
    change(&mut next);
    next.retired = retired(&scene.state, &scene.policy, &next);
    assert_eq!(stranded(&scene.state, &next), []);
    scene.policy = next;
    scene.fold(&Event::PolicyReplaced);
}

#[test]
fn a_removed_pool_launches_nothing_and_its_running_job_goes_on_by_its_own_clocks() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].clocks.run = Duration::from_hours(9);
    change(&mut scene, |policy| policy.pools[0] = pool("other", &["other:host"], &here()));
    scene.waits("h2");
    for _ in 0..5 {
        scene.passes(Duration::from_hours(1));
        scene.goes_on(1200);
    }
    assert_eq!(scene.ending("h1"), None, "the run clock of the default is over, its own is not");
    assert!(matches!(scene.reason("h2"), Reason::NoPool { .. }));
    assert!(!scene.took().contains(&"create"));
    scene.ends("h1", Exit::Code(0));
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(6);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    change(&mut scene, |_| {});
    assert!(scene.policy.retired.is_empty(), "nothing of it is left");
}

#[test]
fn the_run_clock_of_a_removed_pool_goes_on() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].clocks.run = Duration::from_mins(10);
    change(&mut scene, |policy| policy.pools.clear());
    scene.goes_on(190);
    assert!(!scene.took().contains(&"destroy"));
    scene.goes_on(20);
    assert!(scene.took().contains(&"destroy"));
}

#[test]
fn the_run_clock_of_a_pool_that_nobody_knows_ends_nothing() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools.clear();
    scene.goes_on(5000);
    assert_eq!(scene.ending("h1"), None, "the forge has its own limit, and ends the job by it");
}

#[test]
fn a_launch_that_its_pool_serves_no_more_is_taken_back_and_done_elsewhere() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    assert!(scene.took().ends_with(&["create", "register"]));
    change(&mut scene, |policy| {
        policy.pools[0] = pool("debian", &["bookworm:host"], &here());
        policy.pools.push(pool("other", &["debian:host"], &here()));
    });
    scene.does("register");
    assert!(!scene.took().contains(&"start"));
    assert!(matches!(scene.ending("h1"), Some(EndReason::LaunchFailed { .. })));
    scene.goes_on(10);
    let second = &scene.state.journal.assignments[&key("h1", 2)];
    assert_eq!(second.pool.as_str(), "other");
    assert!(matches!(&scene.outcomes[..], [Outcome::LaunchFailed { charged: false, .. }]), "{:?}", scene.outcomes);
}

#[test]
fn a_lower_max_stops_nothing_and_launches_nothing() {
    let mut scene = Scene::running(&["h1", "h2"]);
    change(&mut scene, |policy| policy.pools[0].max = 0);
    scene.waits("h3");
    scene.goes_on(200);
    assert!(scene.ending("h1").is_none() && scene.ending("h2").is_none());
    assert!(matches!(scene.reason("h3"), Reason::PoolFull { used: 2, max: 0, .. }));
    assert!(!scene.took().contains(&"create"));
}

#[test]
fn a_scope_or_a_backend_with_something_of_ours_cannot_go() {
    let scene = Scene::running(&["h1", "h2"]);
    let mut next = scene.policy.clone();
    next.scopes.clear();
    next.backends.clear();
    let found = stranded(&scene.state, &next);
    let scope = Stranded::Scope { scope: acme(), assignments: 2, runners: 0 };
    assert_eq!(found, [scope, Stranded::Backend { backend: here(), machines: 2 }]);
}

#[test]
fn what_rested_is_tried_at_once_and_what_is_watched_no_more_is_forgotten() {
    let mut scene = Scene::with(|policy| {
        policy.backends.insert(BackendId::new("there"), backend());
    });
    scene.waits("h1");
    scene.poll();
    scene.answers("create", crate::scene::refused(planner::error_class::ErrorClass::Quota));
    assert!(!scene.state.journal.pool_rests.is_empty() && scene.state.seen.backends.len() == 2);
    change(&mut scene, |policy| {
        policy.backends.remove(&BackendId::new("there"));
    });
    assert!(scene.state.journal.pool_rests.is_empty());
    assert_eq!(scene.state.seen.backends.keys().collect::<Vec<_>>(), [&here()]);
}
