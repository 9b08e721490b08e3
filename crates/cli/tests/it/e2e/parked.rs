//! Jobs that are parked since their launches failed, and what releases them once the cause is mended.

use std::fs;

use forge_model::Status;
use forge_model::script::{Concurrency, JobSpec};

use super::config::{Pool, Setup};
use super::world::{Pushed, World, write};

/// The runner of both pools fails at its start.
const BROKEN: &str = "#!/bin/sh\necho 'cannot find my engine' >&2\nexit 1\n";

/// How many launches fail before a job is parked.
const LAUNCHES: usize = 3;

fn until_parked(world: &World, job: &Pushed) {
    let said = "then it is tried again, or at once when the cause is mended and forgescale is restarted";
    world.until_explained(job, &["why:        parked for ", said]);
    assert_eq!(world.registrations(job).len(), LAUNCHES);
}

#[test]
fn a_parked_job_is_released_by_another_configuration_or_a_deliberate_restart_and_not_by_a_crash() {
    let mut setup = Setup::new(1).limit("park", "30m");
    setup
        .pools
        .extend([("odd", 3), ("queer", 2)].map(|(name, max)| Pool { backend: "broken", ..Pool::new(name, max) }));
    setup.broken_runner = Some(BROKEN);
    let mut world = World::new(&setup);
    // That somebody has once restarted it on purpose forgives nothing later.
    world.start(&[]);
    world.until("the forge is polled", || world.emulator.calls().rest() > 5);
    assert_eq!(world.terminate(), Some(0));
    let push = |label: &str| world.push_job(JobSpec::shell("build", &[label], "echo mended"), Concurrency::unlimited());
    let (odd, queer) = (push("odd"), push("queer"));
    world.start(&[]);
    until_parked(&world, &odd);
    until_parked(&world, &queer);

    let mended = format!("#!/bin/sh\nexec '{}' stand-in-runner \"$@\"\n", env!("CARGO_BIN_EXE_forgescale"));
    write(&world.place.path().join("broken-runner"), &mended, 0o700);
    world.kill();
    let config = fs::read_to_string(world.config()).expect("a configuration");
    write(&world.config(), &config.replace("max = 2\n", "max = 4\n"), 0o600);
    world.start(&[]);
    world.until_is(&queer, Status::Success);
    until_parked(&world, &odd);

    assert_eq!(world.terminate(), Some(0));
    world.start(&[]);
    world.until_is(&odd, Status::Success);
    world.check_success(&[odd, queer]);
    world.check_nothing_left();
}
