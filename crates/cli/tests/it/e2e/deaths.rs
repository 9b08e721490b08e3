//! Machines that die while their job runs.

use forge_model::Status;

use super::config::Setup;
use super::processes;
use super::world::World;

#[test]
fn the_job_of_a_dead_machine_fails_early_with_a_reason_in_its_log() {
    let mut world = World::new(&Setup::new(2));
    // What it started outlives its supervisor; the machine is not over before that is gone, too.
    let job = world.push("job", "setsid sleep 600 & echo begun; sleep 600");
    world.start(&[]);
    world.until_is(&job, Status::Running);
    let sleeping =
        |all: &[processes::Process]| all.iter().filter(|process| process.command.starts_with("sleep 600")).count();
    world.until("it has begun", || sleeping(&processes::of_deployment(&world.deployment)) == 2);
    world.until("its log has begun", || log(&world, &job).iter().any(|line| line.contains("begun")));
    let all = processes::of_deployment(&world.deployment);
    let supervisors: Vec<_> = all.iter().filter(|process| process.is_supervisor()).collect();
    assert_eq!(supervisors.len(), 1, "{all:#?}");
    supervisors[0].kill();
    world.until_is(&job, Status::Failure);
    let log = log(&world, &job);
    let last = log.iter().rev().find(|line| !line.trim().is_empty()).expect("a log");
    assert!(last.contains("the machine fs-") && last.contains(" died "), "{log:#?}");
    assert_eq!((world.attempt(&job).hand_outs, world.registrations(&job).len()), (1, 1));
    world.check_nothing_left();
}

fn log(world: &World, job: &super::world::Pushed) -> Vec<String> {
    world.emulator.with_forge(|forge, _| {
        let task = forge.books().hand_outs().iter().find(|hand_out| hand_out.handle == job.handle);
        task.map(|hand_out| forge.task_log(hand_out.task).to_vec()).unwrap_or_default()
    })
}
