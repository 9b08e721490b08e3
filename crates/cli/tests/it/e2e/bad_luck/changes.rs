//! What people do to a forge while jobs run: rename, transfer, switch Actions off, restart it.

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::Status;

use super::{MANY_POLLS, check_lives, check_served, until_polled, with_bystander};
use crate::e2e::config::Setup;

/// The scope of one repository.
fn of_repository() -> Setup {
    Setup { scopes: "[\"repo:acme/site\"]", ..Setup::new(3) }
}

#[test]
fn a_renamed_repository_keeps_its_running_job_and_registers_nothing_by_redirect() {
    let (world, bystander) = with_bystander(&of_repository(), |_| {});
    let rename = |name: &str| {
        world.emulator.with_forge(|forge, _| forge.rename_repository(world.repository, name)).expect("a new name");
    };
    rename("web");
    let waiting = world.push("waiting", "echo served");
    world.until_explained(&waiting, &["redirected with status 301", "/repos/acme/web/"]);
    until_polled(&world, MANY_POLLS);
    bystander.check_untouched(&world);
    assert!(world.registrations(&waiting).is_empty() && world.is(&waiting, Status::Waiting));
    rename("site");
    check_served(&world, &[waiting]);
    bystander.finish(world);
}

#[test]
fn a_transferred_repository_keeps_its_running_job() {
    let mut setup = Setup::new(3);
    setup.pools[0].claim = "1s";
    let (world, bystander) = with_bystander(&setup, |_| {});
    let beta = world.emulator.with_forge(|forge, _| {
        let dana = forge.owner_named("dana").expect("dana").id;
        forge.create_organization("beta", &[dana])
    });
    let give = |owner| {
        world.emulator.with_forge(|forge, _| forge.transfer_repository(world.repository, owner)).expect("an owner");
    };
    // Nobody looks while it is pushed and given away: it is listed under the owner of its time, and not handed out to that
    // one's runners any more (protocol 1.3).
    let unseen = FaultRule::always(Matcher::kind(RouteKind::ListJobs), Effect::status(500));
    let unseen = world.emulator.faults().add(unseen);
    let waiting = world.push("waiting", "echo served");
    give(beta);
    world.emulator.faults().remove(unseen);
    world.until_explained(&waiting, &["held back by the forge"]);
    until_polled(&world, MANY_POLLS);
    bystander.check_untouched(&world);
    give(world.organization);
    check_served(&world, &[waiting, world.push("next", "echo served")]);
    bystander.finish(world);
}

#[test]
fn actions_switched_off_midway_end_nothing_and_launching_resumes() {
    let (world, bystander) = with_bystander(&of_repository(), |_| {});
    let switch = |on| {
        world.emulator.with_forge(|forge, _| forge.set_actions_enabled(world.repository, on)).expect("a repository");
    };
    let waiting = world.push("waiting", "echo served");
    check_served(&world, &[waiting]);
    switch(false);
    world.until_told("the refusal is told", |said| said.contains("refused with status 404"));
    // Enough for a conclusion, if one were drawn; each that fails doubles the pause before the next.
    until_polled(&world, 3);
    bystander.check_untouched(&world);
    switch(true);
    check_served(&world, &[world.push("next", "echo served")]);
    bystander.finish(world);
}

#[test]
fn a_forge_that_is_restarted_finds_its_jobs_running_and_goes_on() {
    let (mut world, bystander) = with_bystander(&Setup::new(3), |_| {});
    let waiting = world.push("waiting", "echo served");
    world.restart_forge(|world| {
        world.until_told("the daemon notices", |said| said.contains("no answer from the forge"));
        check_lives(world);
    });
    bystander.check_untouched(&world);
    check_served(&world, &[waiting, world.push("next", "echo served")]);
    bystander.finish(world);
}
