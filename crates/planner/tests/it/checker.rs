//! The checker refuses what the planner never plans: one broken plan for each thing that it knows.

use std::time::Duration;

use planner::action::Action;
use planner::check::{check, machines};
use planner::event::{Decision, EndReason, Event};
use planner::identity::RunnerIdentity;
use planner::ids::{Handle, MachineName, Ordinal, PoolId, RunnerId, RunnerUuid, TaskId, Try};
use planner::policy::Policy;
use planner::seen::{Exit, JobTags, RunnerSeen, RunnerStatus};

use crate::scene::{Scene, acme, here, key};

/// Which invariant an action would break, if any.
fn breaks(scene: &Scene, action: &Action) -> Option<u8> {
    check(&scene.policy, &scene.state, action).err().map(|violation| violation.invariant)
}

fn create(handle: &str, attempt: u32) -> Action {
    Action::Create {
        key: key(handle, attempt),
        backend: here(),
        machine: MachineName::new(format!("{handle}-{attempt}")),
        tags: JobTags {
            pool: PoolId::new("debian"),
            scope: acme(),
            handle: Handle::new(handle),
            attempt: Try(attempt),
            scope_id: None,
        },
        label: "debian".to_owned(),
        warm: None,
        repository: None,
        stop_grace: std::time::Duration::ZERO,
    }
}

fn destroy(scene: &Scene, handle: &str) -> Action {
    let machine = scene.assignment(handle).machine_name.clone();
    Action::Destroy { key: key(handle, 1), backend: here(), machine, stop: Duration::ZERO }
}

fn delete(handle: &str) -> Action {
    Action::DeleteRunner { key: key(handle, 1), scope: acme(), id: RunnerId(1) }
}

fn uuid(scene: &Scene, handle: &str) -> RunnerUuid {
    scene.assignment(handle).registration.known().expect("it is registered").uuid.clone()
}

fn ends(scene: &mut Scene, handle: &str, reason: EndReason) {
    scene.fold(&Event::Decided(Decision::Conclude { key: key(handle, 1), reason }));
}

fn stray() -> RunnerSeen {
    let identity =
        RunnerIdentity { pool: PoolId::new("debian"), handle: Handle::new("h9"), attempt: Try(1), ordinal: Ordinal(1) };
    RunnerSeen {
        id: RunnerId(77),
        uuid: RunnerUuid::new("stray"),
        identity,
        declared: false,
        fenced: false,
        status: RunnerStatus::Offline,
    }
}

fn full(change: impl FnOnce(&mut Policy)) -> Option<u8> {
    let mut scene = Scene::running(&["h1"]);
    assert_eq!(breaks(&scene, &create("h2", 1)), None);
    assert_eq!(machines(&scene.state, &PoolId::new("debian")), 1);
    change(&mut scene.policy);
    breaks(&scene, &create("h2", 1))
}

#[test]
fn a_second_launch_while_the_first_is_not_over() {
    let scene = Scene::started(&["h1"]);
    assert_eq!(breaks(&scene, &create("h1", 2)), Some(1));
}

#[test]
fn a_try_whose_number_was_seen_before() {
    let mut scene = Scene::running(&["h1"]);
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(breaks(&scene, &create("h1", 1)), Some(1));
    assert_eq!(breaks(&scene, &create("h1", 2)), None);
}

#[test]
fn a_runner_beside_another_for_the_same_job() {
    let mut scene = Scene::started(&["h1"]);
    let second = scene.assignment("h1").clone();
    scene.state.journal.assignments.insert(key("h1", 2), second);
    let runner = uuid(&scene, "h1");
    let start = Action::Start {
        key: key("h1", 2),
        backend: here(),
        machine: MachineName::new("second"),
        pool: PoolId::new("debian"),
        runner,
        at: None,
    };
    let identity = stray().identity;
    let register = Action::Register { key: key("h1", 2), scope: acme(), machine: MachineName::new("second"), identity };
    assert_eq!([breaks(&scene, &start), breaks(&scene, &register)], [Some(1), Some(1)]);
}

#[test]
fn a_second_call_for_a_thing_while_one_is_under_way() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.polls(6);
    let fence = Action::Fence { key: key("h1", 1), runner: uuid(&scene, "h1") };
    assert_eq!(breaks(&scene, &fence), Some(1));
}

#[test]
fn a_stop_without_a_decided_end() {
    let scene = Scene::running(&["h1"]);
    assert_eq!(breaks(&scene, &destroy(&scene, "h1")), Some(2));
}

#[test]
fn a_stop_while_the_job_runs() {
    for reason in [EndReason::HeldBack, EndReason::BootOver, EndReason::MachineVanished, EndReason::TakenElsewhere] {
        let mut scene = Scene::running(&["h1"]);
        ends(&mut scene, "h1", reason.clone());
        assert_eq!(breaks(&scene, &destroy(&scene, "h1")), Some(2), "{reason:?}");
    }
    let mut scene = Scene::running(&["h1"]);
    ends(&mut scene, "h1", EndReason::RunOver);
    assert_eq!(breaks(&scene, &destroy(&scene, "h1")), None);
}

#[test]
fn an_early_end_of_a_living_process() {
    let scene = Scene::running(&["h1"]);
    let action =
        Action::EndEarly { key: key("h1", 1), runner: uuid(&scene, "h1"), task: TaskId(1), reason: "died".to_owned() };
    assert_eq!(breaks(&scene, &action), Some(2));
}

#[test]
fn a_stop_of_a_runner_that_may_be_given_its_job() {
    let mut scene = Scene::claiming(&["h1"]);
    ends(&mut scene, "h1", EndReason::HeldBack);
    assert_eq!(breaks(&scene, &destroy(&scene, "h1")), Some(3));
    scene.passes(crate::scene::INTERVAL);
    scene.lists_jobs(true);
    assert_eq!(breaks(&scene, &destroy(&scene, "h1")), None, "seen waiting since");
}

#[test]
fn a_deletion_of_a_registration_whose_process_lives() {
    let mut scene = Scene::claiming(&["h1"]);
    assert_eq!(breaks(&scene, &delete("h1")), Some(3));
    ends(&mut scene, "h1", EndReason::HeldBack);
    scene.lists_jobs(true);
    scene.lists_jobs(true);
    assert_eq!(breaks(&scene, &delete("h1")), Some(3), "nobody tried to stop it");
}

#[test]
fn a_deletion_before_a_poll_shows_how_the_job_stands() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.ends("h1", Exit::Code(1));
    scene.lists_machines(true);
    assert_eq!(breaks(&scene, &delete("h1")), Some(3));
    scene.lists_jobs(true);
    assert_eq!(breaks(&scene, &delete("h1")), None);
    scene.runs("h1");
    scene.lists_jobs(true);
    assert_eq!(breaks(&scene, &delete("h1")), Some(3), "it may hold the job");
}

#[test]
fn a_fence_that_the_runners_own_declare_would_undo() {
    let scene = Scene::started(&["h1"]);
    assert_eq!(breaks(&scene, &Action::Fence { key: key("h1", 1), runner: uuid(&scene, "h1") }), Some(3));
}

#[test]
fn a_sweep_of_a_registration_that_belongs_to_an_assignment() {
    let mut scene = Scene::running(&["h1"]);
    scene.runners.push((acme(), stray()));
    scene.polls(2);
    let row = scene.state.journal.strays.values_mut().next().expect("it is a stray");
    row.uuid = scene.runners[0].1.uuid.clone();
    assert_eq!(breaks(&scene, &Action::Sweep { scope: acme(), id: RunnerId(77) }), Some(3));
}

#[test]
fn a_create_over_the_max_of_pool_backend_or_deployment() {
    assert_eq!(full(|policy| policy.pools[0].max = 1), Some(4));
    assert_eq!(full(|policy| policy.backends.get_mut(&here()).expect("it is there").max = Some(1)), Some(4));
    assert_eq!(full(|policy| policy.max = Some(1)), Some(4));
}

#[test]
fn a_stop_for_a_job_that_was_not_seen_to_be_missing_twice() {
    for reason in [EndReason::Gone, EndReason::EndedElsewhere] {
        let mut scene = Scene::running(&["h1"]);
        scene.leaves("h1");
        scene.lists_jobs(true);
        ends(&mut scene, "h1", reason);
        assert_eq!(breaks(&scene, &destroy(&scene, "h1")), Some(5));
        scene.lists_jobs(true);
        assert_eq!(breaks(&scene, &destroy(&scene, "h1")), None);
    }
}

#[test]
fn a_sweep_before_all_machines_were_listed() {
    let mut scene = Scene::new();
    scene.runners.push((acme(), stray()));
    let sweep = Action::Sweep { scope: acme(), id: RunnerId(77) };
    scene.lists_runners(true);
    scene.lists_machines(true);
    assert_eq!(breaks(&scene, &sweep), Some(5));
    scene.lists_machines(true);
    assert_eq!(breaks(&scene, &sweep), None);
}

#[test]
fn what_is_not_ours() {
    let scene = Scene::running(&["h1"]);
    let machine = MachineName::new("somebody-elses");
    assert_eq!(
        breaks(&scene, &Action::Destroy { key: key("h2", 1), backend: here(), machine, stop: Duration::ZERO }),
        Some(7)
    );
    assert_eq!(breaks(&scene, &delete("h2")), Some(7));
    assert_eq!(breaks(&scene, &Action::Sweep { scope: acme(), id: RunnerId(99) }), Some(7));
}

#[test]
fn a_violation_says_what_would_break_which_invariant() {
    let scene = Scene::started(&["h1"]);
    let violation = check(&scene.policy, &scene.state, &create("h1", 2)).expect_err("it is refused");
    assert_eq!(violation.to_string(), "invariant 1: h1 try 2 although h1 try 1 is not over");
}
