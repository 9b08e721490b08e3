//! A new life that remembers nothing finds everything again.

use planner::event::{Answer, Event, Outcome};
use planner::ids::Try;
use planner::report::{MachineReason, Reason};
use planner::seen::{Exit, MachineState};

use crate::scene::{INTERVAL, Scene};

/// Forgets everything, and every call that was under way.
fn restarts(scene: &mut Scene) {
    scene.took();
    scene.restarts();
}

#[test]
fn a_running_job_is_found_and_left_alone() {
    let mut scene = Scene::running(&["h1"]);
    restarts(&mut scene);
    scene.goes_on(200);
    assert_eq!(scene.took(), ["check_scope"]);
    assert!(matches!(scene.reason("h1"), Reason::Running { .. }));
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.took(), ["destroy"]);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    scene.nothing_is_left();
}

#[test]
fn a_job_that_ended_meanwhile_is_cleaned_up() {
    let mut scene = Scene::running(&["h1"]);
    scene.finishes("h1");
    restarts(&mut scene);
    scene.goes_on(5);
    assert_eq!(scene.took(), ["check_scope", "destroy"]);
    scene.nothing_is_left();
}

#[test]
fn a_runner_on_its_way_goes_on_and_nothing_is_launched_beside_it() {
    let mut scene = Scene::started(&["h1"]);
    restarts(&mut scene);
    scene.goes_on(5);
    scene.contacts("h1");
    scene.goes_on(2);
    scene.claims("h1");
    scene.goes_on(5);
    assert_eq!(scene.took(), ["check_scope"]);
}

#[test]
fn a_process_that_died_meanwhile_is_ended_early_only_with_its_credentials() {
    let mut scene = Scene::running(&["h1"]);
    let uuid = scene.runners[0].1.uuid.clone();
    scene.machine("h1").state = MachineState::Orphaned;
    restarts(&mut scene);
    scene.goes_on(20);
    assert_eq!(scene.took(), ["check_scope", "read_log", "destroy"]);
    scene.fold(&Event::CredentialsFound { runner: uuid });
    scene.goes_on(5);
    assert_eq!(scene.took(), ["end_early"]);
    assert_eq!(scene.outcomes, [Outcome::Lost]);
    scene.nothing_is_left();
}

#[test]
fn a_machine_on_which_nothing_was_started_is_removed_and_its_job_tried_again() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    restarts(&mut scene);
    scene.polls(2);
    assert_eq!(scene.took(), ["check_scope"], "the start of the earlier life may still arrive");
    scene.goes_on(12);
    assert_eq!(scene.took(), ["destroy", "create", "register", "start"]);
    let tries: Vec<Try> = scene.state.journal.assignments.keys().map(|key| key.attempt).collect();
    assert_eq!(tries, [Try(2)]);
}

#[test]
fn a_registered_runner_that_was_never_started_is_swept_and_its_job_tried_again() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    scene.does("register");
    restarts(&mut scene);
    scene.goes_on(20);
    let took = scene.took();
    assert!(took.contains(&"sweep"), "{took:?}");
    assert_eq!(took.iter().filter(|word| **word == "start").count(), 1, "{took:?}");
    assert_eq!(scene.machines.len(), 1);
    assert_eq!(scene.runners.len(), 1);
}

#[test]
fn a_restart_in_the_middle_of_a_release_ends_in_the_same_place() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.polls(6);
    scene.does("fence");
    restarts(&mut scene);
    scene.goes_on(20);
    assert!(scene.took().contains(&"destroy"));
    assert_eq!(scene.outcomes, [Outcome::Released]);
}

#[test]
fn without_what_was_remembered_the_run_clock_of_an_adopted_job_starts_at_its_adoption() {
    let mut scene = Scene::running(&["h1"]);
    scene.polls(100);
    restarts(&mut scene);
    scene.goes_on(3);
    assert!(scene.assignment("h1").run.total() <= crate::scene::INTERVAL * 3);
}

#[test]
fn the_run_clock_goes_on_after_a_restart_where_it_was() {
    let mut scene = Scene::running(&["h1"]);
    scene.polls(100);
    let ran = scene.assignment("h1").run.total();
    restarted(&mut scene);
    scene.goes_on(3);
    let goes_on_with = scene.assignment("h1").run.total();
    assert!(goes_on_with + planner::state::RUN_STEP > ran, "{goes_on_with:?} after {ran:?}");
    assert!(goes_on_with < ran + crate::scene::INTERVAL * 4, "{goes_on_with:?} after {ran:?}");
}

#[test]
fn a_machine_of_a_pool_that_is_configured_no_more_is_still_cleaned_up() {
    let mut scene = Scene::running(&["h1"]);
    restarts(&mut scene);
    scene.policy.pools.clear();
    scene.polls(3);
    scene.ends("h1", Exit::Code(0));
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(5);
    scene.nothing_is_left();
}

/// Another life begins, which has kept what is remembered of handles.
fn restarted(scene: &mut Scene) {
    let handles = std::mem::take(&mut scene.state.journal.handles);
    scene.begins_again();
    scene.state.journal.handles = handles;
    scene.does_all();
    scene.took();
}

/// A scene in which the job of `h1` is gone and most of its process' grace is over.
fn in_its_grace() -> Scene {
    let mut scene = Scene::running(&["h1"]);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(16);
    assert!(matches!(scene.machine_reason("h1"), MachineReason::Grace { .. }));
    scene
}

#[test]
fn a_grace_goes_on_after_a_restart_where_it_was() {
    let mut scene = in_its_grace();
    restarted(&mut scene);
    scene.goes_on(12);
    assert!(scene.took().contains(&"destroy"));
}

#[test]
fn without_what_was_remembered_a_grace_begins_anew() {
    let mut scene = in_its_grace();
    scene.state.journal.handles.clear();
    restarted(&mut scene);
    scene.goes_on(12);
    assert!(!scene.took().contains(&"destroy"));
}

#[test]
fn a_job_that_is_listed_again_after_a_restart_has_its_whole_grace_when_it_leaves_once_more() {
    let mut scene = Scene::running(&["h1"]);
    let (job, runner) = (scene.jobs[0].clone(), scene.runners[0].clone());
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(16);
    restarted(&mut scene);
    scene.jobs.push(job);
    scene.runners.push(runner);
    scene.goes_on(3);
    scene.leaves("h1");
    scene.loses_runner("h1");
    scene.goes_on(15);
    assert!(!scene.took().contains(&"destroy"));
}

#[test]
fn the_time_that_a_release_took_is_no_part_of_a_grace_after_a_restart() {
    let mut scene = Scene::claiming(&["h1"]);
    scene.polls(5);
    scene.does("fence");
    for _ in 0..20 {
        scene.passes(INTERVAL);
        scene.lists_machines(true);
        scene.turn();
    }
    scene.claims("h1");
    scene.poll();
    scene.answers("ask_whose", Answer::Ours);
    assert_eq!(scene.ending("h1"), None);
    scene.leaves("h1");
    scene.loses_runner("h1");
    restarted(&mut scene);
    scene.goes_on(15);
    assert!(!scene.took().contains(&"destroy"));
}

#[test]
fn a_grace_that_was_broken_off_is_not_gone_on_with_after_a_restart() {
    let mut scene = in_its_grace();
    scene.jobs = Scene::running(&["h1"]).jobs;
    scene.poll();
    assert_eq!(scene.ending("h1"), None);
    scene.leaves("h1");
    restarted(&mut scene);
    scene.goes_on(15);
    assert!(!scene.took().contains(&"destroy"));
}

#[test]
fn how_long_a_job_has_waited_and_its_name_are_known_after_a_restart_too() {
    let mut scene = Scene::with(|policy| policy.pools[0].max = 1);
    scene.waits("h1");
    scene.goes_on(1);
    scene.waits("h2");
    scene.goes_on(4);
    scene.finishes("h1");
    scene.goes_on(4);
    let waited = scene.assignment("h2").waited;
    assert!(waited.is_some_and(|waited| waited > INTERVAL * 4 && waited < INTERVAL * 8), "{waited:?}");
    restarted(&mut scene);
    scene.leaves("h2");
    scene.poll();
    assert_eq!(scene.assignment("h2").waited, waited);
    assert_eq!(scene.assignment("h2").job.as_ref().map(|job| job.name.as_str()), Some("build"));
}

#[test]
fn a_machine_that_was_found_is_not_said_to_wait_or_boot_before_its_job_is_listed() {
    let mut scene = Scene::running(&["h1"]);
    restarts(&mut scene);
    // The list of jobs comes first and says nothing of machines that are found later; or it does not come at all.
    for is_listed in [true, false] {
        scene.begins_again();
        if is_listed {
            scene.lists_jobs(true);
        }
        scene.lists_runners(true);
        scene.lists_machines(true);
        scene.turn();
        assert_eq!(*scene.machine_reason("h1"), MachineReason::Found);
        if is_listed {
            assert!(matches!(scene.reason("h1"), Reason::Running { .. }), "{}", scene.reason("h1"));
        }
    }
    scene.goes_on(1);
    assert_eq!(*scene.machine_reason("h1"), MachineReason::Running);
}
