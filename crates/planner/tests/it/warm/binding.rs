//! A job gets a machine that waits.

use planner::action::Action;
use planner::error_class::ErrorClass;
use planner::event::Outcome;
use planner::identity::machine_name;
use planner::ids::{BackendId, PoolId, Try};
use planner::report::Reason;

use super::{at, changed, keeping, kept};
use crate::scene::{Scene, backend, here, job_key, pool, refused};

/// The machine of a job's assignment.
fn machine_of(scene: &Scene, handle: &str) -> String {
    scene.assignment(handle).machine_name.to_string()
}

#[test]
fn a_job_gets_a_machine_that_waits_and_another_takes_its_place() {
    let mut scene = keeping(1);
    let waiting = scene.names().into_iter().next().expect("one waits");
    scene.waits("h1");
    scene.poll();
    assert_eq!(machine_of(&scene, "h1"), waiting.as_str());
    assert!(matches!(scene.reason("h1"), Reason::Launching { .. }));
    let calls = scene.took_actions();
    let words: Vec<&str> = calls.iter().map(Action::word).collect();
    assert_eq!(words, ["register"], "no machine is made for it");
    let Action::Register { machine, .. } = &calls[0] else { panic!("{calls:?}") };
    assert_eq!(
        *machine,
        machine_name(&scene.policy.deployment, &job_key("h1"), Try(1)),
        "the runner's name is the try's"
    );
    scene.does("register");
    let calls = scene.took_actions();
    let Action::Start { machine, at: bound, .. } = &calls[0] else { panic!("{calls:?}") };
    assert_eq!((machine, bound.clone()), (&waiting, Some(at())));
    scene.does_all();
    scene.contacts("h1");
    scene.claims("h1");
    scene.goes_on(3);
    assert_eq!(scene.took(), ["create_warm"], "once its job is seen to run");
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.took(), ["destroy"], "a machine on which a job ran is not used again");
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    assert_eq!((scene.waiting(), scene.machines.len()), (1, 1));
}

#[test]
fn only_one_of_the_image_that_its_first_label_names_serves_a_job() {
    let mut scene = keeping(1);
    scene.waits_for("h1", "old");
    scene.poll();
    assert_eq!(scene.created(), ["h1"]);
}

#[test]
fn each_is_bound_once_and_the_rest_get_machines_of_their_own() {
    let mut scene = keeping(2);
    for handle in ["h1", "h2", "h3"] {
        scene.waits(handle);
    }
    scene.poll();
    assert_eq!(scene.created(), ["h3"]);
    assert_ne!(machine_of(&scene, "h1"), machine_of(&scene, "h2"));
    assert_eq!(scene.waiting(), 2, "as listed: nothing is started yet");
}

#[test]
fn what_goes_or_is_in_doubt_or_listed_no_more_serves_no_job() {
    let mut scene = keeping(1);
    scene.machines.clear();
    scene.waits("h1");
    scene.poll();
    assert_eq!(scene.created(), ["h1"], "it is missing");

    let mut scene = keeping(1);
    scene.policy.pools[0].warm.made_of = "2".to_owned();
    scene.waits("h1");
    scene.poll();
    assert_eq!(scene.created(), ["h1"], "it is outdated");

    let mut scene = keeping(1);
    scene.restarts();
    scene.waits("h1");
    scene.poll();
    assert_eq!(scene.created(), ["h1"], "an earlier life may just be starting a runner on it");
}

#[test]
fn it_takes_no_more_room() {
    let mut scene = changed(2, |policy| policy.pools[0].max = 2);
    scene = kept(scene);
    scene.waits("h1");
    scene.waits("h2");
    scene.waits("h3");
    scene.poll();
    assert_eq!(scene.took(), ["register", "register"]);
    assert!(matches!(scene.reason("h3"), Reason::PoolFull { used: 2, max: 2, .. }));
}

#[test]
fn a_lower_limit_holds_for_machines_with_a_job() {
    let mut scene = keeping(2);
    scene.waits("h1");
    scene.goes_on(1);
    scene.policy.pools[0].max = 1;
    scene.waits("h2");
    scene.poll();
    assert!(matches!(scene.reason("h2"), Reason::PoolFull { max: 1, .. }), "{}", scene.reason("h2"));
}

#[test]
fn a_repository_gets_no_more_than_its_share() {
    let mut scene = changed(2, |policy| policy.pools[0].max_per_repository = Some(1));
    scene = kept(scene);
    scene.waits("h1");
    scene.waits("h2");
    scene.poll();
    assert_eq!(scene.took(), ["register"]);
    assert!(matches!(scene.reason("h2"), Reason::RepositoryFull { used: 1, max: 1, .. }));
}

#[test]
fn a_backend_without_room_keeps_no_job_from_a_machine_that_is_there() {
    for (class, is_bound) in [(ErrorClass::Capacity, true), (ErrorClass::Auth, false)] {
        let mut scene = keeping(1);
        scene.waits_for("h1", "old");
        scene.poll();
        scene.answers("create", refused(class));
        scene.waits("h2");
        scene.poll();
        let reason = scene.reason("h2").clone();
        assert_eq!(matches!(reason, Reason::Launching { .. }), is_bound, "{reason}");
    }
}

#[test]
fn of_pools_that_are_equally_preferred_the_one_with_a_machine_that_waits_gets_the_job() {
    for (priority, expected) in [(0, "debian"), (1, "first")] {
        let mut scene = changed(1, |policy| {
            policy.backends.insert(BackendId::new("there"), backend());
            let mut first = pool("first", &["debian:docker"], &BackendId::new("there"));
            first.priority = priority;
            policy.pools.insert(0, first);
        });
        scene = kept(scene);
        scene.waits("h1");
        scene.poll();
        assert_eq!(scene.reason("h1").pool(), Some(&PoolId::new(expected)));
    }
}

#[test]
fn after_a_restart_between_register_and_start_it_waits_again_and_the_registration_is_swept() {
    let mut scene = keeping(1);
    scene.waits("h1");
    scene.poll();
    scene.does("register");
    let waiting = scene.machines[0].1.name.clone();
    scene.took();
    scene.restarts();
    scene.goes_on(12);
    let took = scene.took();
    assert!(took.contains(&"sweep") && !took.contains(&"destroy"), "{took:?}");
    assert_eq!(took.iter().filter(|word| **word == "start").count(), 1, "{took:?}");
    assert!(scene.names().contains(&waiting));
    assert_eq!(scene.runners.len(), 1);
}

#[test]
fn after_a_restart_a_bound_one_is_its_jobs_and_goes_when_that_has_ended() {
    let mut scene = keeping(1);
    scene.waits("h1");
    scene.poll();
    scene.does_all();
    scene.contacts("h1");
    scene.claims("h1");
    scene.goes_on(1);
    scene.took();
    scene.restarts();
    scene.goes_on(20);
    assert_eq!(scene.took(), ["check_scope"]);
    assert!(matches!(scene.reason("h1"), Reason::Running { .. }));
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.took(), ["destroy"]);
    assert_eq!((scene.outcomes.clone(), scene.waiting()), (vec![Outcome::Completed], 1));
}

#[test]
fn a_start_that_another_life_was_faster_with_costs_a_try_and_no_job() {
    let mut scene = keeping(1);
    scene.waits("h1");
    scene.poll();
    scene.does("register");
    scene.answers("start", refused(ErrorClass::Permanent));
    scene.goes_on(2);
    let took = scene.took();
    assert!(took.contains(&"destroy") && !took.contains(&"release"), "{took:?}");
    scene.goes_on(12);
    assert_eq!(scene.assignment("h1").contacted, None);
    assert_eq!(scene.runners.len(), 1, "its first registration is gone");
    let _ = here();
}
