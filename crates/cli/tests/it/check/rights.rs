//! What a token lacks is named, scope by scope.

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::{Category, TokenScope, TokenSpec};

use super::place::Place;

const READ: TokenScope = TokenScope::Read(Category::Repository);
const WRITE: TokenScope = TokenScope::Write(Category::Repository);

#[test]
fn a_read_only_token_is_told_which_scope_it_lacks() {
    let place = Place::new();
    place.token(place.dana, &[TokenScope::Read(Category::Organization)]);
    place.finds("scope org:acme of http", "error", &["may only read", "write:organization"]);
}

#[test]
fn a_token_of_another_category_is_told_which_scope_it_lacks() {
    let place = Place::new();
    place.configure("\"org:acme\", \"repo:acme/site\", \"user\", \"instance\"", "");
    place.token(place.dana, &[READ]);
    let found = place.found();
    assert!(found.has("scope org:acme", "error", &["the token lacks write:organization"]), "{found:#?}");
    assert!(found.has("scope repo:acme/site", "error", &["may only read", "write:repository"]), "{found:#?}");
    assert!(found.has("scope user", "error", &["the token lacks write:user"]), "{found:#?}");
    assert!(found.has("scope instance", "error", &["the token lacks write:admin"]), "{found:#?}");
    assert_eq!(found.status, Some(2));
    place.unchanged();
}

#[test]
fn a_collaborator_is_no_owner() {
    let place = Place::new();
    place.configure("\"repo:acme/site\"", "");
    let carol = place.emulator.with_forge(|forge, _| {
        let carol = forge.create_user("carol", false);
        forge.add_collaborator(place.site, carol).unwrap();
        carol
    });
    place.token(carol, &[TokenScope::All]);
    place.finds("scope repo:acme/site", "error", &["does not own acme/site", "a collaborator is not enough"]);
}

#[test]
fn somebody_outside_the_owners_cannot_serve_an_organization_nor_the_instance() {
    let place = Place::new();
    place.configure("\"org:acme\", \"instance\"", "");
    let carol = place.emulator.with_forge(|forge, _| forge.create_user("carol", false));
    place.token(carol, &[TokenScope::All]);
    place.finds("scope org:acme", "error", &["does not own the organization acme", "team Owners"]);
    place.finds("scope instance", "error", &["no site administrator"]);
}

#[test]
fn an_unknown_token_is_named_for_its_scope_and_shown_nowhere() {
    let place = Place::new();
    place.write("token", "0123456789abcdef0123456789abcdef01234567", 0o600);
    place.finds("scope org:acme", "error", &["does not know the token", "write:organization"]);
    assert!(!place.found().has("runners of ", "ok", &[]), "no list of runners was read");
    let ran = place.run(&[]);
    assert!(!ran.out.contains("0123456789abcdef"), "{}", ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn a_repository_specific_token_serves_its_repository_and_no_other() {
    let place = Place::new();
    let api = place.emulator.with_forge(|forge, _| {
        let acme = forge.repository(place.site).unwrap().owner;
        forge.create_repository(acme, "api", false).unwrap()
    });
    let spec = TokenSpec { repositories: Some([api].into()), ..TokenSpec::new(&[WRITE]) };
    place.token_of(place.dana, spec);
    place.configure("\"repo:acme/api\", \"repo:acme/site\"", "");
    let found = place.found();
    assert!(found.has("scope repo:acme/api", "ok", &["may read and write"]), "{found:#?}");
    assert!(found.has("scope repo:acme/site", "error", &["for other repositories only"]), "{found:#?}");
}

#[test]
fn what_does_not_exist_or_has_no_actions_or_another_name_is_told_apart() {
    let place = Place::new();
    place.emulator.with_forge(|forge, _| {
        let acme = forge.repository(place.site).unwrap().owner;
        let off = forge.create_repository(acme, "off", false).unwrap();
        forge.set_actions_enabled(off, false).unwrap();
        let old = forge.create_repository(acme, "old", false).unwrap();
        forge.set_archived(old, true).unwrap();
        forge.rename_repository(place.site, "page").unwrap();
    });
    place
        .configure("\"org:acne\", \"repo:acme/nothing\", \"repo:acme/off\", \"repo:acme/old\", \"repo:acme/site\"", "");
    let found = place.found();
    assert!(found.has("scope org:acne", "error", &["no organization acne"]), "{found:#?}");
    assert!(found.has("scope repo:acme/nothing", "error", &["no repository acme/nothing"]), "{found:#?}");
    assert!(found.has("scope repo:acme/off", "error", &["Actions are switched off"]), "{found:#?}");
    assert!(found.has("scope repo:acme/old", "ok", &["may read and write"]), "{found:#?}");
    assert!(found.has("scope repo:acme/old", "warning", &["archived"]), "{found:#?}");
    assert!(found.has("scope repo:acme/site", "error", &["repo:acme/page now"]), "{found:#?}");
    place.unchanged();
}

#[test]
fn where_runners_are_registered_at_repositories_reading_the_scope_is_enough_and_writing_there_is_needed() {
    let place = Place::new();
    place.configure("{ scope = \"org:acme\", register_at = \"repository\" }", "");
    place.token(place.dana, &[TokenScope::Read(Category::Organization), WRITE]);
    let found = place.found();
    assert!(found.has("scope org:acme of", "ok", &["may read; 0 jobs"]), "{found:#?}");
    assert!(found.has("scope org:acme of", "ok", &["runners can be registered there"]), "{found:#?}");
    assert_eq!(found.status, Some(0));
    place.token(place.dana, &[TokenScope::Write(Category::Organization)]);
    place.finds("scope org:acme", "error", &["lacks write:repository"]);
    place.token(place.dana, &[TokenScope::Read(Category::Organization), READ]);
    place.finds("scope org:acme", "error", &["may only read", "write:repository"]);
    place.token(place.dana, &[WRITE]);
    place.finds("scope org:acme", "error", &["lacks read:organization"]);
}

#[test]
fn a_repository_that_has_just_gone_says_nothing_of_the_token() {
    let place = Place::new();
    place.configure("{ scope = \"org:acme\", register_at = \"repository\" }", "");
    let name = Matcher::when(|kind, _, _| kind == RouteKind::RepositoryById);
    place.emulator.with_forge(|forge, _| {
        let acme = forge.repository(place.site).unwrap().owner;
        forge.create_repository(acme, "api", false).unwrap();
    });
    place.emulator.faults().add(FaultRule::once(name, Effect::status(404)));
    place.finds("scope org:acme", "ok", &["runners can be registered there"]);
}

#[test]
fn trouble_of_the_forge_hides_no_scope() {
    let place = Place::new();
    let gone = Effect::Answer {
        status: 404,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: "{\"message\":\"The target couldn't be found.\",\"url\":\"\",\"errors\":[]}".to_owned(),
    };
    let deletion = Matcher::when(|_, method, _| method == "DELETE");
    place.emulator.faults().add(FaultRule::always(deletion, gone));
    place.emulator.faults().add(FaultRule::always(Matcher::kind(RouteKind::ScopeId), Effect::status(500)));
    let found = place.found();
    assert!(found.has("scope org:acme", "error", &["did not say", "500"]), "{found:#?}");
    assert!(!found.has("scope org:acme", "error", &["no organization acme"]), "{found:#?}");
}
