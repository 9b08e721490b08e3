//! Single answers of the forge that are lost or say no. (All of them at once: `bad_luck::answers`.)

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::{RegistrationEnd, Status};

use super::config::Setup;
use super::world::World;

#[test]
fn a_registration_whose_answer_was_lost_is_swept_and_its_job_runs_once() {
    let mut world = World::new(&Setup::new(2));
    let lost = FaultRule::once(Matcher::kind(RouteKind::RegisterRunner), Effect::DropAnswer);
    let lost = world.emulator.faults().add(lost);
    let job = world.push("job", "echo served");
    world.start(&[]);
    world.until_is(&job, Status::Success);
    assert_eq!(world.emulator.faults().fired(lost), 1);
    world.until("the stray is swept", || matches!(world.registrations(&job)[0].end, RegistrationEnd::Deleted(_)));
    let registrations = world.registrations(&job);
    let [first, second] = registrations.as_slice() else { panic!("not two registrations: {registrations:#?}") };
    assert_eq!(first.contacted, None, "nobody has its token");
    assert!(matches!(second.end, RegistrationEnd::UsedUp(_)), "{second:?}");
    world.check_success(&[job]);
    world.check_nothing_left();
}

#[test]
fn a_deletion_that_fails_twice_is_tried_again() {
    let mut setup = Setup::new(1);
    setup.pools[0].claim = "1s";
    let mut world = World::new(&setup);
    // Its runner asks in vain: every request for a task is answered as if there was none.
    let job = world.push("job", "echo never");
    let away = FaultRule::always(Matcher::kind(RouteKind::FetchSingleTask), empty_answer());
    world.emulator.faults().add(away);
    let refused =
        FaultRule { times: Some(2), ..FaultRule::always(Matcher::kind(RouteKind::DeleteRunner), Effect::status(500)) };
    let refused = world.emulator.faults().add(refused);
    world.start(&[]);
    world.until("its runner is taken back", || {
        world.registrations(&job).first().is_some_and(|first| matches!(first.end, RegistrationEnd::Deleted(_)))
    });
    assert_eq!(world.emulator.faults().fired(refused), 2);
    world.emulator.faults().clear();
    world.until_is(&job, Status::Success);
    world.check_success(&[job]);
    world.check_nothing_left();
}

/// A protobuf message with nothing in it: no task.
fn empty_answer() -> Effect {
    let headers = vec![("Content-Type".to_owned(), "application/proto".to_owned())];
    Effect::Answer { status: 200, headers, body: String::new() }
}
