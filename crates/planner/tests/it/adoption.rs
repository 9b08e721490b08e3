//! After a restart with an empty store: what an earlier life has left is found in names, tags and bindings.

use planner::event::{Answer, Outcome};
use planner::ids::*;
use planner::report::Reason;
use planner::seen::{Exit, MachineState};

use crate::scene::*;

#[test]
fn a_running_job_is_adopted_and_finishes() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.restarts(&[&uuid]);
    scene.polls(20);
    scene.expect(&[]);
    assert!(scene.assignment("a").adopted);
    assert!(matches!(scene.reason("a"), Reason::Running { .. }), "{:?}", scene.reason("a"));
    scene.ends("a", &uuid);
    scene.exits("a", Exit::Code(0));
    scene.poll();
    scene.destroyed();
    scene.polls(2);
    assert_eq!(scene.outcome(), Outcome::Completed);
}

#[test]
fn a_machine_whose_runner_has_ended_is_cleaned_up() {
    let mut scene = Scene::new();
    let uuid = scene.running("a");
    scene.ends("a", &uuid);
    scene.exits("a", Exit::Code(0));
    scene.restarts(&[]);
    scene.poll();
    scene.destroyed();
    scene.polls(3);
    assert!(scene.state.journal.assignments.is_empty());
    scene.expect(&[]);
}

#[test]
fn a_machine_without_a_binding_is_removed_once_a_start_cannot_be_under_way_any_more() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.created();
    scene.restarts(&[]);
    scene.poll();
    scene.expect(&[]);
    scene.polls(2);
    scene.expect(&["destroy"]);
    scene.destroyed();
    assert!(matches!(scene.outcome(), Outcome::LaunchFailed { charged: false, .. }));
}

#[test]
fn a_start_of_the_earlier_life_that_acts_late_is_believed() {
    let mut scene = Scene::new();
    scene.add_job("a");
    scene.poll();
    scene.created();
    let uuid = scene.registered();
    scene.restarts(&[&uuid]);
    let pending_start = scene.machine_of("a", 1);
    scene.poll();
    let row = scene.machines.get_mut(&pending_start).unwrap();
    row.state = MachineState::Running;
    row.binding = Some(planner::seen::Binding {
        handle: Handle::new("a"),
        attempt: Try(1),
        runner: RunnerUuid::new(&uuid),
    });
    scene.declares(&uuid);
    scene.runs("a");
    scene.polls(5);
    scene.expect(&[]);
    assert_eq!(scene.assignment("a").registration.known().unwrap().uuid.as_str(), uuid);
    assert!(scene.state.journal.strays.is_empty());
}

#[test]
fn a_job_is_not_launched_again_while_a_registration_of_an_earlier_life_is_there() {
    let mut scene = Scene::new();
    let uuid = scene.claiming("a");
    scene.machines.clear();
    scene.restarts(&[]);
    scene.poll();
    scene.expect(&[]);
    assert_eq!(scene.reason("a"), Reason::EarlierTry { attempt: Try(1) });
    scene.polls(3);
    let (id, _) = scene.take("sweep");
    scene.runners.remove(&uuid);
    scene.happens(&planner::event::Event::Answered { id, answer: Answer::Deleted });
    scene.poll();
    scene.expect(&["create"]);
    let (_, action) = scene.take("create");
    assert_eq!(action.key(), Some(&try_of("a", 2)), "the try of the registration is not used again");
}

#[test]
fn the_runners_being_listed_first_makes_no_stray_of_an_adopted_one() {
    let mut scene = Scene::new();
    let uuid = scene.claiming("a");
    scene.restarts(&[]);
    scene.now += 1_000;
    scene.list_runners(true);
    assert_eq!(scene.state.journal.strays.len(), 1);
    scene.list_jobs(true);
    scene.list_machines(true);
    assert!(scene.state.journal.strays.is_empty());
    let registered = scene.assignment("a").registration.known().unwrap();
    assert_eq!((registered.uuid.as_str(), registered.id), (uuid.as_str(), Some(scene.runners[&uuid].id)));
}

#[test]
fn a_machine_of_an_earlier_life_on_another_backend_ends_before_the_new_one_registers() {
    let other = BackendId::new("other");
    let mut scene = Scene::with(|policy| {
        policy.backends.insert(BackendId::new("other"), policy.backends[&here()].clone());
    });
    scene.add_job("a");
    scene.poll();
    let row = planner::seen::MachineSeen {
        name: MachineName::new(scene.machine_of("a", 1)),
        tags: planner::seen::MachineTags {
            pool: PoolId::new("debian"),
            scope: scope(),
            handle: Handle::new("a"),
            attempt: Try(1),
        },
        binding: None,
        state: MachineState::Ready,
    };
    let listed = |scene: &mut Scene, rows: Vec<planner::seen::MachineSeen>| {
        scene.now += INTERVAL_MS;
        let listing = planner::seen::Listing { begun_at: scene.tick(), complete: true, rows };
        scene.happens(&planner::event::Event::MachinesListed { backend: other.clone(), listing });
    };
    listed(&mut scene, vec![row.clone()]);
    scene.created();
    scene.expect(&[]);
    for _ in 0..3 {
        listed(&mut scene, vec![row.clone()]);
    }
    scene.expect(&["destroy"]);
    scene.answer("destroy", Answer::Destroyed);
    scene.expect(&["register"]);
}

#[test]
fn kept_credentials_allow_a_fence_after_the_restart() {
    let mut scene = Scene::new();
    let uuid = scene.claiming("a");
    scene.restarts(&[&uuid]);
    scene.polls(8);
    scene.expect(&["fence"]);
}
