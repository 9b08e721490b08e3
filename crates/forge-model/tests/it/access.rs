//! Who may ask what, beyond the recorded cases (protocol 1.1, 1.6, 1.7).

use std::collections::BTreeSet;

use forge_model::rest::{Access, Refusal, Scope};
use forge_model::{Area, Category, TokenScope, TokenSpec, Version};

use crate::world::World;

fn repository(name: &str) -> Scope {
    Scope::Repository { owner: "ann".to_owned(), name: name.to_owned() }
}

#[test]
fn a_repository_specific_token_opens_one_repository_only() {
    let mut world = World::new(Version::V16);
    world.forge.create_repository(world.user, "open", false).expect("a user");
    world.forge.create_repository(world.user, "closed", true).expect("a user");
    let spec = TokenSpec {
        repositories: Some(BTreeSet::from([world.repo])),
        ..TokenSpec::new(&[TokenScope::Write(Category::Repository)]).with_text("T")
    };
    world.forge.create_token(world.user, spec).expect("a user");
    let ask = |name| world.forge.authorise(Some("T"), &repository(name), Access::Write);
    assert_eq!(ask("app"), Ok(Area::Repository(world.repo)));
    assert_eq!(ask("open"), Err(Refusal::NotRepositoryOwner));
    assert_eq!(ask("closed"), Err(Refusal::TargetNotFound));
}

#[test]
fn a_renamed_repository_redirects_and_one_without_unit_is_not_found() {
    let mut world = World::new(Version::V15);
    world.forge.create_token(world.user, TokenSpec::new(&[TokenScope::All]).with_text("T")).expect("a user");
    world.forge.rename_repository(world.repo, "new").expect("a repository");
    let ask = |world: &World, name| world.forge.authorise(Some("T"), &repository(name), Access::Read);
    let moved = Refusal::Moved { owner: world.user, repository: world.repo };
    assert_eq!(ask(&world, "app"), Err(moved));
    assert_eq!(ask(&world, "NEW"), Ok(Area::Repository(world.repo)));
    world.forge.set_actions_enabled(world.repo, false).expect("a repository");
    assert_eq!(ask(&world, "new"), Err(Refusal::TargetNotFound));
}

#[test]
fn a_revoked_token_is_unknown() {
    let mut world = World::new(Version::V15);
    let token = world.forge.create_token(world.user, TokenSpec::new(&[TokenScope::All])).expect("a user");
    assert_eq!(world.forge.who(Some(&token)).map(|owner| owner.id), Ok(world.user));
    world.forge.revoke_token(&token);
    assert_eq!(world.forge.who(Some(&token)), Err(Refusal::UnknownToken { token }));
}

#[test]
fn a_registration_token_registers_in_its_area_until_replaced() {
    let mut world = World::new(Version::V15);
    let area = Area::Owner(world.user);
    let token = world.forge.registration_token(area);
    assert_eq!(world.forge.registration_token(area), token);
    let labels = ["debian".to_owned()];
    let made = world.forge.register_by_token(world.now, &token, "old", "v1", &labels, true).expect("a known token");
    let row = world.forge.get_runner(world.now, area, made.id).expect("a runner");
    assert_eq!((row.area, row.labels), (area, Some(labels.to_vec())));
}

#[test]
fn a_deleted_owner_takes_everything_along() {
    let World { mut forge, now, .. } = World::new(Version::V15);
    let alice = forge.create_user("alice", false);
    let acme = forge.create_organization("acme", &[alice]);
    let repo = forge.create_repository(acme, "app", false).expect("an owner");
    let token = forge.create_token(alice, TokenSpec::new(&[TokenScope::All])).expect("a user");
    forge.register_runner(now, Area::Owner(acme), "of acme", "", true).expect("a name");
    forge.register_runner(now, Area::Repository(repo), "of its repository", "", true).expect("a name");
    let other = forge.register_runner(now, Area::Instance, "of the forge", "", true).expect("a name");
    forge.delete_owner(now, acme).expect("an owner");
    assert_eq!(forge.runners_now(), vec![other.id]);
    assert!(forge.repository(repo).is_none() && forge.owner_named("acme").is_none());
    assert!(forge.who(Some(&token)).is_ok());
    forge.delete_owner(now, alice).expect("an owner");
    assert!(forge.who(Some(&token)).is_err());
}
