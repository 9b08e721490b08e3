//! A persistent runner beside us takes jobs that we launched for.

use std::time::Duration;

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::{RegistrationEnd, Status};

use super::config::Setup;
use super::leftovers::Others;
use super::rival::Rival;
use super::world::World;

#[test]
fn a_runner_whose_job_another_one_took_is_taken_back_and_the_job_is_left_alone() {
    let mut world = World::new(&Setup::new(1).limit("idle_doubt", "1s"));
    let rival = Rival::join(&world, &["debian"]);
    let asks = FaultRule::once(Matcher::kind(RouteKind::FetchSingleTask), Effect::DelayRequest(Duration::from_secs(2)));
    let asks = world.emulator.faults().add(asks);
    let job = world.push("job", "echo never here");
    world.start(&[]);
    world.until("our runner asks for it", || world.emulator.faults().fired(asks) == 1);
    let task = rival.take(&world, &job);
    world.until("our runner is taken back", || world.registrations(&job)[0].end != RegistrationEnd::StillThere);
    assert!(matches!(world.registrations(&job)[0].end, RegistrationEnd::Deleted(_)));
    world.until_explained(&job, &["state:      running", "runs on a runner that is not ours"]);
    assert!(world.is(&job, Status::Running));
    rival.finish(&world, task);
    assert_eq!(world.registrations(&job).len(), 1, "nothing more was launched for it");

    // The pool's only place is free again.
    let next = world.push("next", "echo here");
    world.until_is(&next, Status::Success);
    world.check_success(&[job, next]);
    world.check_left_alone(&Others { runners: vec![rival.name], ..Others::default() });
}
