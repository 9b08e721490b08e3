//! Which pool, how many machines, and whose turn it is.

use std::time::Duration;

use planner::action::Action;
use planner::error_class::ErrorClass;
use planner::ids::{BackendId, ForgeId, Handle, PoolId, ScopeKey};
use planner::report::Reason;
use planner::seen::Exit;

use crate::scene::{Scene, acme, backend, here, key, pool, refused, scope};

/// Two pools with the same labels on one backend, of which the second is preferred.
fn two_pools() -> Scene {
    Scene::with(|policy| {
        let mut preferred = pool("preferred", &["debian:host"], &here());
        preferred.priority = 1;
        preferred.max = 1;
        policy.pools.push(preferred);
    })
}

fn pool_of(scene: &Scene, handle: &str) -> String {
    scene.assignment(handle).pool.to_string()
}

#[test]
fn the_pool_of_the_highest_priority_is_filled_first() {
    let mut scene = two_pools();
    scene.waits("h1");
    scene.waits("h2");
    scene.poll();
    assert_eq!([pool_of(&scene, "h1"), pool_of(&scene, "h2")], ["preferred", "debian"]);
}

#[test]
fn equal_pools_are_used_in_the_order_of_the_configuration() {
    let mut scene = Scene::with(|policy| policy.pools.push(pool("another", &["debian:host"], &here())));
    scene.waits("h1");
    scene.poll();
    assert_eq!(pool_of(&scene, "h1"), "debian");
}

#[test]
fn a_pool_without_capacity_hands_over_to_the_next() {
    let mut scene = two_pools();
    scene.waits("h1");
    scene.poll();
    scene.answers("create", refused(ErrorClass::Capacity));
    scene.waits("h2");
    scene.poll();
    assert_eq!(pool_of(&scene, "h2"), "debian");
}

#[test]
fn labels_must_all_be_of_one_pool() {
    let mut scene = Scene::with(|policy| policy.pools.push(pool("gpu", &["gpu:host", "cuda:host"], &here())));
    scene.waits_as("h1", 1, 1, "build", &["debian", "gpu"]);
    scene.waits_as("h2", 2, 1, "build", &["cuda", "gpu"]);
    scene.poll();
    assert_eq!(scene.created(), ["h2"]);
    assert_eq!(
        *scene.reason("h1"),
        Reason::NoPool { missing_labels: vec!["gpu".to_owned()], closest: Some(PoolId::new("debian")) }
    );
}

#[test]
fn a_full_pool_makes_jobs_wait_with_its_numbers() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 2);
    for handle in ["h1", "h2", "h3"] {
        scene.waits(handle);
    }
    scene.polls(3);
    assert_eq!(scene.created(), ["h1", "h2"]);
    assert_eq!(*scene.reason("h3"), Reason::PoolFull { pool: PoolId::new("debian"), used: 2, max: 2 });
}

#[test]
fn a_full_backend_makes_jobs_wait_with_its_numbers() {
    let mut scene = Scene::with(|policy| {
        policy.backends.get_mut(&here()).expect("it is there").max = Some(1);
        policy.pools.push(pool("another", &["debian:host"], &here()));
    });
    scene.waits("h1");
    scene.waits("h2");
    scene.polls(3);
    assert_eq!(scene.created(), ["h1"]);
    assert_eq!(*scene.reason("h2"), Reason::BackendFull { backend: here(), used: 1, max: 1 });
}

#[test]
fn a_full_deployment_makes_jobs_wait_with_its_numbers() {
    let other = BackendId::new("other");
    let mut scene = Scene::with(|policy| {
        policy.max = Some(1);
        policy.backends.insert(other.clone(), backend());
        policy.pools.push(pool("another", &["gpu:host"], &other));
    });
    scene.waits("h1");
    scene.waits_as("h2", 2, 1, "build", &["gpu"]);
    scene.polls(3);
    assert_eq!(scene.created(), ["h1"]);
    assert_eq!(*scene.reason("h2"), Reason::DeploymentFull { used: 1, max: 1 });
}

#[test]
fn a_repository_takes_no_more_than_its_share() {
    let mut scene = Scene::with(|policy| policy.pools[0].max_per_repository = Some(1));
    scene.waits_as("a1", 1, 7, "build", &["debian"]);
    scene.waits_as("a2", 2, 7, "build", &["debian"]);
    scene.waits_as("b1", 3, 8, "build", &["debian"]);
    scene.polls(3);
    assert_eq!(scene.created(), ["a1", "b1"]);
    assert_eq!(*scene.reason("a2"), Reason::RepositoryFull { pool: PoolId::new("debian"), used: 1, max: 1 });
}

#[test]
fn a_machine_counts_until_nothing_of_it_is_left() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].max = 1;
    scene.finishes("h1");
    scene.waits("h2");
    scene.polls(2);
    assert!(scene.created().is_empty(), "h1's machine is being removed");
    scene.does("destroy");
    assert_eq!(scene.created(), ["h2"]);
}

#[test]
fn a_lower_max_after_a_reload_stops_nothing() {
    let mut scene = Scene::running(&["h1", "h2", "h3"]);
    scene.policy.pools[0].max = 1;
    scene.waits("h4");
    scene.polls(20);
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!(*scene.reason("h4"), Reason::PoolFull { pool: PoolId::new("debian"), used: 3, max: 1 });
}

#[test]
fn repositories_take_turns_and_the_oldest_job_of_each_goes_first() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 5);
    for (handle, id, repository) in
        [("a3", 3, 7), ("a1", 1, 7), ("a2", 2, 7), ("a4", 4, 7), ("b2", 20, 8), ("b1", 10, 8), ("c1", 30, 9)]
    {
        scene.waits_as(handle, id, repository, "build", &["debian"]);
    }
    scene.poll();
    assert_eq!(scene.created(), ["a1", "b1", "c1", "a2", "b2"]);
}

#[test]
fn a_repository_that_has_machines_waits_for_one_that_has_none() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 2);
    scene.waits_as("a1", 1, 7, "build", &["debian"]);
    scene.poll();
    scene.waits_as("a2", 2, 7, "build", &["debian"]);
    scene.waits_as("b1", 3, 8, "build", &["debian"]);
    scene.poll();
    assert_eq!(scene.created(), ["a1", "b1"]);
}

#[test]
fn no_more_creates_are_under_way_than_the_backend_takes() {
    let mut scene = Scene::with(|policy| policy.backends.get_mut(&here()).expect("it is there").parallel_creates = 1);
    scene.waits("h1");
    scene.waits("h2");
    scene.polls(3);
    assert_eq!(scene.created(), ["h1"]);
    assert_eq!(*scene.reason("h2"), Reason::NextInLine);
    scene.does("create");
    assert_eq!(scene.created(), ["h2"]);
}

#[test]
fn one_backend_that_hangs_delays_no_other() {
    let other = BackendId::new("other");
    let mut scene = Scene::with(|policy| {
        policy.backends.insert(other.clone(), backend());
        policy.pools.push(pool("another", &["gpu:host"], &other));
        policy.backends.values_mut().for_each(|backend| backend.parallel_creates = 1);
    });
    scene.waits("h1");
    scene.waits_as("h2", 2, 1, "build", &["gpu"]);
    scene.poll();
    assert_eq!(scene.created(), ["h1", "h2"], "h1's create is never answered, h2's comes all the same");
}

#[test]
fn a_scope_whose_registrations_hang_delays_no_other() {
    let other = scope("repo:tools/site");
    let mut scene = Scene::with(|policy| {
        policy.limits.parallel_forge_calls = 1;
        let policy_of_other = policy.scopes[&acme()].clone();
        policy.scopes.insert(other.clone(), policy_of_other);
    });
    scene.poll();
    scene.does_all();
    scene.took();
    for handle in ["h1", "h2", "h3"] {
        scene.waits(handle);
    }
    scene.jobs[2].0 = other;
    scene.poll();
    for _ in 0..3 {
        scene.does("create");
    }
    let registered: Vec<_> = scene.open.iter().map(|(_, action)| action.key().expect("a job's").clone()).collect();
    assert_eq!(registered, [key("h1", 1), key("h3", 1)], "h2 waits for h1 in its scope, h3 for nobody");
}

/// How many register calls are open in each of these scopes.
fn registering(scene: &Scene, scopes: &[ScopeKey]) -> Vec<usize> {
    let open = |of: &ScopeKey| {
        let calls =
            scene.open.iter().filter(|(_, action)| matches!(action, Action::Register { scope, .. } if scope == of));
        calls.count()
    };
    scopes.iter().map(open).collect()
}

#[test]
fn scopes_share_the_calls_to_their_forge_and_none_is_kept_from_its_first() {
    let elsewhere = ScopeKey { forge: ForgeId::new("https://other.example"), ..acme() };
    let mut scopes: Vec<_> = (0..6).map(|number| scope(&format!("repo:tools/r{number}"))).collect();
    scopes.push(elsewhere);
    let mut scene = Scene::with(|policy| {
        policy.limits.parallel_calls_per_forge = 8;
        policy.limits.forge_deadline = Duration::from_hours(1);
        policy.pools[0].max = 100;
        let policy_of_scope = policy.scopes[&acme()].clone();
        policy.scopes.extend(scopes.iter().map(|scope| (scope.clone(), policy_of_scope.clone())));
    });
    scene.poll();
    scene.does_all();
    for (number, scope) in scopes.iter().enumerate() {
        for job in 0..6 {
            scene.waits(&format!("h{number}-{job}"));
            scene.jobs.last_mut().expect("it waits").0 = scope.clone();
        }
        scene.poll();
        for _ in 0..6 {
            scene.does("create");
        }
    }
    assert_eq!(registering(&scene, &scopes), [5, 3, 2, 2, 1, 1, 5], "the first of each, and of eight what is left");
    scene.does("register");
    assert_eq!(registering(&scene, &scopes), [4, 3, 2, 2, 2, 1, 5], "what comes free goes to who has least");
}

#[test]
fn removals_have_a_limit_of_their_own() {
    let mut scene = Scene::running(&["h1", "h2", "h3", "h4"]);
    scene.policy.limits.parallel_forge_calls = 1;
    scene.policy.limits.parallel_removals = 3;
    for handle in ["h1", "h2", "h3", "h4"] {
        scene.finishes(handle);
    }
    scene.poll();
    assert_eq!(scene.took(), ["destroy"; 3]);
}

#[test]
fn a_backend_that_was_never_listed_delays_no_other() {
    let other = BackendId::new("other");
    let mut scene = Scene::with(|policy| {
        policy.backends.insert(other.clone(), backend());
        policy.pools.push(pool("another", &["gpu:host"], &other));
    });
    scene.waits("h1");
    scene.waits_as("h2", 2, 1, "build", &["gpu"]);
    scene.lists_jobs(true);
    scene.lists_runners(true);
    scene.lists_machines_of(&here(), scene.now, true);
    scene.turn();
    assert_eq!(scene.created(), ["h1"]);
    assert_eq!(*scene.reason("h2"), Reason::NotListedYet { of: "backend other".to_owned() });
}

#[test]
fn a_job_without_labels_or_without_a_handle_is_left_alone_with_a_reason() {
    let mut scene = Scene::new();
    scene.waits_as("h1", 1, 1, "build", &[]);
    scene.waits("");
    scene.poll();
    assert!(scene.created().is_empty());
    assert_eq!(*scene.reason("h1"), Reason::NoLabels);
    assert_eq!(*scene.reason(""), Reason::NoHandle);
}

#[test]
fn ten_thousand_waiting_jobs_are_planned() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 50);
    for id in 0..10_000 {
        scene.waits_as(&format!("h{id}"), id, id % 40, &format!("build {}", id % 7), &["debian"]);
    }
    scene.poll();
    assert_eq!(scene.created().len(), 50);
    assert_eq!(scene.report.jobs.len(), 10_000);
}

#[test]
fn a_dead_machine_that_cannot_be_removed_still_counts() {
    let mut scene = Scene::running(&["h1"]);
    scene.policy.pools[0].max = 1;
    scene.finishes("h1");
    scene.waits("h2");
    scene.poll();
    for _ in 0..8 {
        scene.answers("destroy", refused(ErrorClass::Transient));
        for _ in 0..150 {
            scene.poll();
            if !scene.open.is_empty() {
                break;
            }
        }
    }
    assert!(scene.created().is_empty());
    let stuck = |alert: &planner::report::Alert| matches!(alert, planner::report::Alert::MachineNotRemoved { tries: 8, last_error, .. } if last_error == "it says no");
    assert!(scene.report.alerts.iter().any(stuck), "{:?}", scene.report.alerts);
    assert!(scene.report.jobs.iter().any(|job| job.handle == Handle::new("h2")));
    assert!(scene.machines[0].1.state == planner::seen::MachineState::Ended { exit: Exit::Code(0) });
}

/// A pool of one machine, which was just refused to the only job; it rests no longer, and nothing was listed since.
fn refused_the_only_machine() -> (Scene, Action) {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 1);
    scene.waits("h1");
    scene.poll();
    let create = scene.answers("create", refused(ErrorClass::Capacity));
    scene.passes(Duration::from_secs(20));
    scene.took();
    (scene, create)
}

#[test]
fn a_machine_that_was_refused_counts_until_a_list_lacks_it() {
    let (mut scene, _) = refused_the_only_machine();
    scene.lists_jobs(true);
    scene.lists_machines(false);
    scene.turn();
    assert_eq!(*scene.reason("h1"), Reason::PoolFull { pool: PoolId::new("debian"), used: 1, max: 1 });
    scene.poll();
    assert_eq!(scene.created(), ["h1"]);
}

#[test]
fn a_list_begun_soon_after_a_refusal_does_not_free_its_place() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 1);
    scene.waits("h1");
    scene.poll();
    scene.answers("create", refused(ErrorClass::Capacity));
    scene.poll();
    scene.took();
    scene.passes(Duration::from_secs(20));
    scene.lists_jobs(true);
    scene.turn();
    assert_eq!(scene.created(), [""; 0], "that list was begun 3 s after the refusal");
    scene.poll();
    assert_eq!(scene.created(), ["h1"]);
}

#[test]
fn a_machine_that_was_refused_and_made_after_all_counts_once_and_is_removed() {
    let (mut scene, create) = refused_the_only_machine();
    scene.carries_out(&create);
    scene.poll();
    assert_eq!((scene.created(), planner::check::machines(&scene.state, &PoolId::new("debian"))), (vec![], 1));
    scene.goes_on(6);
    let took = scene.took();
    assert_eq!(took[..2], ["destroy", "create"], "no runner was registered for it: {took:?}");
}

#[test]
fn lists_that_are_never_complete_free_the_place_once_no_delivery_can_be_obeyed() {
    let (mut scene, _) = refused_the_only_machine();
    scene.lists_machines(false);
    scene.passes(scene.policy.limits.backend_deadline);
    scene.lists_jobs(true);
    scene.lists_machines(false);
    scene.turn();
    assert_eq!(scene.created(), ["h1"]);
}

#[test]
fn a_machine_that_was_refused_does_not_keep_its_job_from_another_pool() {
    let mut scene = two_pools();
    scene.waits("h1");
    scene.poll();
    scene.answers("create", refused(ErrorClass::Capacity));
    scene.lists_jobs(true);
    scene.passes(Duration::from_secs(7));
    scene.lists_jobs(true);
    scene.turn();
    assert_eq!(pool_of(&scene, "h1"), "debian");
}
