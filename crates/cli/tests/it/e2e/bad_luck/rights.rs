//! Tokens that are refused, replaced, or somebody else's; scopes that are closed to us.

use emulator::{Effect, FaultRule, Matcher};
use forge_model::{Category, OwnerId, RepoId, Status, TokenScope, TokenSpec};

use super::{check_served, until_polled, with_bystander};
use crate::e2e::config::Setup;
use crate::e2e::world::World;

/// A new token of a user, who is made if need be.
pub(super) fn token_of(world: &World, user: &str) -> String {
    token_with(world, user, TokenScope::All)
}

fn token_with(world: &World, user: &str, scope: TokenScope) -> String {
    world.emulator.with_forge(|forge, _| {
        let known = forge.owner_named(user).map(|owner| owner.id);
        let id = match known {
            Some(id) => id,
            None => forge.create_user(user, false),
        };
        forge.create_token(id, TokenSpec::new(&[scope])).expect("a token")
    })
}

fn revoke(world: &World, token: &str) {
    world.emulator.with_forge(|forge, _| forge.revoke_token(token));
}

pub(super) fn id_of(world: &World, user: &str) -> OwnerId {
    world.emulator.with_forge(|forge, _| forge.owner_named(user).expect("a user").id)
}

pub(super) fn new_repository(world: &World, owner: &str, name: &str) -> RepoId {
    let owner = id_of(world, owner);
    world.emulator.with_forge(|forge, _| forge.create_repository(owner, name, false).expect("a repository"))
}

/// Checks that the log tells once that another token is used, for which scope, and from which file.
#[track_caller]
fn check_told_once(world: &World) {
    let told = world.log_lines("another token is used from now on");
    let [told] = told.as_slice() else { panic!("{told:#?}") };
    let scope = format!("\"scope\":\"org:acme at {}\"", world.emulator.url());
    let file = format!("\"file\":\"{}\"", world.place.path().join("token").display());
    assert!(told.contains(&scope) && told.contains(&file), "{told}");
}

#[test]
fn a_token_that_is_refused_midway_is_read_again_when_its_file_changes() {
    let (mut world, bystander) = with_bystander(&Setup::new(3), |_| {});
    let old = world.token.clone();
    revoke(&world, &old);
    let waiting = world.push("waiting", "echo served");
    world.until_told("the refusal is an alert", |said| said.contains("the forge does not know the token"));
    bystander.check_untouched(&world);
    assert!(world.is(&waiting, Status::Waiting));

    let new = token_of(&world, "dana");
    world.write_token(&new);
    check_served(&world, &[waiting]);
    check_told_once(&world);
    // The forge repeats a rejected token in its answer.
    for token in [&old, &new] {
        assert!(!world.logged(token), "a token is in the log");
    }
    bystander.finish(world);
}

#[test]
fn a_token_of_another_user_is_not_used_and_nothing_is_concluded() {
    let setup = Setup { scopes: "[\"user\"]", ..Setup::new(3) };
    let (mut world, bystander) = with_bystander(&setup, |world| {
        world.repository = new_repository(world, "dana", "home");
    });
    let danas = world.token.clone();
    let eves = token_of(&world, "eve");
    world.write_token(&eves);
    // The old one is good still: work goes on with it.
    let meanwhile = world.push("meanwhile", "echo served");
    check_served(&world, &[meanwhile]);
    world.until("the other one is looked at", || world.logged("the new token in the file is not used"));
    bystander.check_untouched(&world);

    revoke(&world, &danas);
    let waiting = world.push("waiting", "echo served");
    let words = format!("id {} instead of {}", id_of(&world, "eve"), id_of(&world, "dana"));
    world.until_told("the refusal tells why", |said| said.contains(&words));
    until_polled(&world, 2);
    bystander.check_untouched(&world);
    assert!(world.is(&waiting, Status::Waiting) && world.registrations(&waiting).is_empty());

    let new = token_of(&world, "dana");
    world.write_token(&new);
    check_served(&world, &[waiting]);
    bystander.finish(world);
}

#[test]
fn a_new_token_that_may_do_less_is_not_used_while_the_old_one_works() {
    let (mut world, bystander) = with_bystander(&Setup::new(3), |_| {});
    let good = world.token.clone();
    let reads = token_with(&world, "dana", TokenScope::Read(Category::Organization));
    world.write_token(&reads);
    world.until("the new one is looked at", || world.logged("the new token in the file is not used"));
    check_served(&world, &[world.push("meanwhile", "echo served")]);

    // Less than all is better than nothing: jobs are watched on.
    revoke(&world, &good);
    let waiting = world.push("waiting", "echo served");
    world.until_explained(&waiting, &["write:organization"]);
    bystander.check_untouched(&world);
    let new = token_of(&world, "dana");
    world.write_token(&new);
    check_served(&world, &[waiting]);
    bystander.finish(world);
}

#[test]
fn one_scope_that_is_closed_to_us_does_not_delay_another() {
    let setup = Setup { scopes: "[\"repo:acme/site\", \"repo:acme/docs\"]", ..Setup::new(3) };
    let mut docs = None;
    let (mut world, bystander) = with_bystander(&setup, |world| docs = Some(new_repository(world, "acme", "docs")));
    let (site, docs) = (world.repository, docs.expect("a repository"));
    let closed = Effect::Answer {
        status: 403,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: "{\"message\":\"user should be the owner of the repo\"}".to_owned(),
    };
    let matcher = Matcher::when(|_, _, path| path.starts_with("/api/v1/repos/acme/site"));
    let fault = world.emulator.faults().add(FaultRule::always(matcher, closed));
    let waiting = world.push("waiting", "echo served");
    world.until_told("the refusal is an alert", |said| said.contains("user should be the owner of the repo"));
    world.repository = docs;
    let meanwhile = [world.push("one", "echo served"), world.push("two", "echo served")];
    check_served(&world, &meanwhile);
    bystander.check_untouched(&world);
    assert!(world.is(&waiting, Status::Waiting));
    world.emulator.faults().remove(fault);
    world.repository = site;
    check_served(&world, &[waiting]);
    bystander.finish(world);
}
