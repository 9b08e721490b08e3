//! Jobs that people cancel. An ephemeral runner is never told of it (protocol 2.7).

use emulator::RouteKind;
use forge_model::script::{Concurrency, JobSpec};
use forge_model::{RegistrationEnd, Status};

use super::config::Setup;
use super::leftovers::Others;
use super::processes;
use super::rival::Rival;
use super::world::World;

#[test]
fn a_job_that_is_cancelled_while_it_runs_is_stopped_with_all_that_it_started() {
    let mut world = World::new(&Setup::new(2));
    let other = world.push("other", &world.held("other"));
    // One of its processes leaves the session and ignores what is polite.
    let stubborn = "setsid sh -c 'trap \"\" TERM INT HUP; while :; do sleep 0.2; done' & sleep 600";
    let job = world.push("job", stubborn);
    world.start(&[]);
    world.until("both run", || world.is(&job, Status::Running) && world.is(&other, Status::Running));
    world.until("it has begun", || {
        processes_of(&world, "sh -c trap").len() == 1 && !processes_of(&world, "600").is_empty()
    });
    world.cancel(&job);
    world.until("it is stopped", || processes_of(&world, "trap").is_empty() && processes_of(&world, "600").is_empty());
    assert!(world.is(&job, Status::Cancelled) && world.is(&other, Status::Running));
    assert!(matches!(world.registrations(&job)[0].end, RegistrationEnd::UsedUp(_)));
    assert_eq!(world.registrations(&job).len(), 1);
    world.let_go("other");
    world.until_is(&other, Status::Success);
    world.check_success(&[other]);
    world.check_nothing_left();
}

#[test]
fn a_job_that_is_cancelled_while_its_runner_asks_for_it_has_it_fenced_stopped_and_deleted() {
    let mut world = World::new(&Setup::new(2));
    let rival = Rival::join(&world, &["elsewhere"]);
    let deploy = |label: &str| JobSpec::shell("deploy", &[label], "echo deployed").named(label);
    let blocker = world.push_job(deploy("elsewhere"), Concurrency::queue("production"));
    let task = rival.take(&world, &blocker);
    let job = world.push_job(deploy("debian"), Concurrency::queue("production"));
    world.start(&[]);
    world.until_explained(&job, &["has asked for it for"]);
    let declared = world.emulator.calls().of(RouteKind::Declare);
    world.cancel(&job);
    let end = || world.registrations(&job)[0].end;
    world.until("its registration is gone", || end() != RegistrationEnd::StillThere);
    assert!(matches!(end(), RegistrationEnd::Deleted(_)), "{:?}", end());
    assert_eq!(world.emulator.calls().of(RouteKind::Declare), declared + 1, "fences");
    assert_eq!(processes::of_deployment(&world.deployment).len(), 0, "the process was stopped before");
    assert_eq!((world.attempt(&job).status, world.attempt(&job).hand_outs), (Status::Cancelled, 0));
    rival.finish(&world, task);
    world.check_left_alone(&Others { runners: vec![rival.name], ..Others::default() });
}

fn processes_of(world: &World, words: &str) -> Vec<processes::Process> {
    let all = processes::of_deployment(&world.deployment);
    all.into_iter().filter(|process| process.command.contains(words)).collect()
}
