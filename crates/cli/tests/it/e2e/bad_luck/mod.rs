//! Bad luck from the forge, from its people and from the disk: whatever happens, running jobs go on, and launching resumes
//! by itself.

mod answers;
mod changes;
mod disk;
mod identity;
mod lists;
mod rights;

use forge_model::{RegistrationEnd, Status};

use super::config::Setup;
use super::processes;
use super::world::{Pushed, World};

/// Polls that are enough to stop what has left, and to spare: two of them, and a grace of a second.
const MANY_POLLS: u64 = 12;

/// A world with short deadlines, in which the daemon runs a job that goes on until it is let go.
fn with_bystander(setup: &Setup, prepare: impl FnOnce(&mut World)) -> (World, Bystander) {
    let mut world = World::new(setup);
    prepare(&mut world);
    let job = world.push("bystander", &world.held("bystander"));
    world.start(&[]);
    world.until_is(&job, Status::Running);
    world.until_explained(&job, &["why:        runs on fs-"]);
    (world, Bystander { job })
}

/// A job that runs while something bad happens.
struct Bystander {
    job: Pushed,
}

impl Bystander {
    /// Checks that nobody has touched it: the forge's books and the process table.
    #[track_caller]
    fn check_untouched(&self, world: &World) {
        assert!(world.is(&self.job, Status::Running), "{:?}", world.attempt(&self.job));
        let registrations = world.registrations(&self.job);
        let [only] = registrations.as_slice() else { panic!("not one registration: {registrations:#?}") };
        assert_eq!(only.end, RegistrationEnd::StillThere);
        check_lives(world);
    }

    /// Lets it end, and checks that it ended well on its first runner and that nothing is left of anything.
    #[track_caller]
    fn finish(self, mut world: World) {
        world.let_go("bystander");
        world.until_is(&self.job, Status::Success);
        assert_eq!(world.registrations(&self.job).len(), 1);
        world.check_success(&[self.job]);
        world.check_nothing_left();
    }
}

/// Checks that a machine is there, by the process table alone.
#[track_caller]
fn check_lives(world: &World) {
    let processes = processes::of_deployment(&world.deployment);
    assert!(processes.iter().any(processes::Process::is_supervisor), "{processes:#?}");
}

/// Waits until these jobs were served, each of them once.
#[track_caller]
fn check_served(world: &World, jobs: &[Pushed]) {
    for job in jobs {
        world.until_is(job, Status::Success);
    }
    world.check_success(jobs);
}

/// Waits until a job list was asked for so many times more.
#[track_caller]
fn until_polled(world: &World, times: u64) {
    let polls = || world.emulator.calls().of(emulator::RouteKind::ListJobs);
    let before = polls();
    world.until("the forge is polled", || polls() >= before + times);
}
