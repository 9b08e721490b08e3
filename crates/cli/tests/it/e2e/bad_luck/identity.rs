//! Lists that are empty although nothing has ended: a scope that is another one now, a token of somebody else, a forge that
//! was restored.

use std::collections::BTreeSet;
use std::fs;

use emulator::{Effect, FaultId, FaultRule, Matcher, RouteKind};
use forge_model::{Status, TokenScope, TokenSpec};

use super::rights::{new_repository, token_of};
use super::{MANY_POLLS, check_served, until_polled, with_bystander};
use crate::e2e::config::Setup;
use crate::e2e::leftovers::names;
use crate::e2e::processes;
use crate::e2e::world::World;
use crate::{forgescale, run};

fn answer(world: &World, kind: RouteKind, status: u16, body: &str) -> FaultId {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let answer = Effect::Answer { status, headers, body: body.to_owned() };
    world.emulator.faults().add(FaultRule::always(Matcher::kind(kind), answer))
}

/// As if the organization had been deleted, and another one of the same name had come.
#[test]
fn an_empty_list_of_a_scope_with_another_id_concludes_nothing() {
    let (world, bystander) = with_bystander(&Setup::new(2), |_| {});
    answer(&world, RouteKind::ListJobs, 200, "null\n");
    answer(&world, RouteKind::ListRunners, 200, "[]\n");
    answer(&world, RouteKind::GetRunner, 404, "{\"message\":\"runner with ID 1: not there\",\"url\":\"u\"}\n");
    answer(&world, RouteKind::ScopeId, 200, "{\"id\":4711,\"name\":\"acme\"}\n");
    until_polled(&world, MANY_POLLS);
    bystander.check_untouched(&world);
    let all = world.explain("all");
    assert!(all.contains("has another id than before: nothing is concluded from its lists"), "{all}");

    world.emulator.faults().clear();
    check_served(&world, &[world.push("next", "echo served")]);
    bystander.finish(world);
}

/// The daemon is killed while a job of a user runs, finds another user's token at its next start, and later the right one.
#[track_caller]
fn another_users_token_over_a_restart(meanwhile: impl FnOnce(&World)) {
    let setup = Setup { scopes: "[\"user\"]", ..Setup::new(3) };
    let (mut world, bystander) = with_bystander(&setup, |world| {
        world.repository = new_repository(world, "dana", "home");
    });
    let danas = world.token.clone();
    world.kill();
    meanwhile(&world);
    let eves = token_of(&world, "eve");
    world.write_token(&eves);
    world.start(&[]);
    let words = "has another id than before: nothing is concluded from its lists";
    // Until the new daemon has written its report, the old one's is shown with a warning.
    let told = || run(forgescale(["explain", "all", "--config"]).arg(world.config())).out.contains(words);
    world.until("the change is an alert", told);
    let home = world.repository;
    world.repository = new_repository(&world, "eve", "den");
    let anothers = world.push("another's", "echo served");
    until_polled(&world, MANY_POLLS);
    bystander.check_untouched(&world);
    assert!(world.registrations(&anothers).is_empty());

    world.repository = home;
    world.write_token(&danas);
    check_served(&world, &[world.push("next", "echo served")]);
    bystander.check_untouched(&world);
    world.until_told("nothing is the matter any more", |said| !said.contains(words));
    assert!(world.is(&anothers, Status::Waiting));
    world.cancel(&anothers);
    bystander.finish(world);
}

#[test]
fn another_users_token_over_a_restart_concludes_nothing() {
    another_users_token_over_a_restart(|_| {});
}

#[test]
fn another_users_token_over_a_restart_without_the_store_concludes_nothing() {
    another_users_token_over_a_restart(|world| {
        for name in names(&world.state()).iter().filter(|name| name.starts_with("forgescale.sqlite")) {
            fs::remove_file(world.state().join(name)).expect("a removed file");
        }
    });
}

#[test]
fn after_a_restore_from_a_backup_kills_are_held_and_jobs_that_come_back_go_on() {
    let mut world = World::new(&Setup::new(4).limit("mass_left", "2"));
    let backup = world.emulator.with_forge(|forge, _| forge.clone());
    let jobs: Vec<_> = (0..3).map(|number| world.push(&format!("job {number}"), &world.held("all"))).collect();
    world.start(&[]);
    for job in &jobs {
        world.until_is(job, Status::Running);
        world.until_explained(job, &["why:        runs on fs-"]);
    }
    // Runners would be told that they are unknown; what they make of it is not the point here.
    let silent = FaultRule::always(Matcher::when(|kind, _, _| kind.is_rpc()), Effect::DropRequest);
    let silent = world.emulator.faults().add(silent);
    let present = world.emulator.with_forge(|forge, _| std::mem::replace(forge, backup));
    world.until_told("the kills are held", |said| said.contains("3 jobs vanished at once"));
    until_polled(&world, MANY_POLLS);
    let supervisors = || {
        let ours = processes::of_deployment(&world.deployment).into_iter();
        ours.filter(processes::Process::is_supervisor).map(|process| process.id).collect::<BTreeSet<_>>()
    };
    let held = supervisors();
    assert_eq!(held.len(), 3);
    // What the restored forge has, is served. (Something is drawn first: it would choose the same handles again.)
    world.emulator.faults().remove(silent);
    world.emulator.with_forge(|forge, _| {
        let dana = forge.owner_named("dana").expect("dana").id;
        forge.create_token(dana, TokenSpec::new(&[TokenScope::All])).expect("a token")
    });
    let meanwhile = world.push("meanwhile", "echo served");
    check_served(&world, &[meanwhile]);
    world.until("only what is held is left", || supervisors() == held);

    world.emulator.with_forge(|forge, _| *forge = present);
    for job in &jobs {
        world.until_explained(job, &["why:        runs on fs-"]);
    }
    world.let_go("all");
    check_served(&world, &jobs);
    world.check_nothing_left();
}
