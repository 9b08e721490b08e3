//! What a token may do, read from the forge's refusals.

use forgejo::{Error, Lack, Rights, Scope};

use crate::scripted::{Reply, Server};
use crate::{client, repository};

/// Asks for the rights in a scope against a script; what was asked as `METHOD target`.
async fn asked(scope: &Scope, script: Vec<Reply>) -> (Result<Rights, Error>, Vec<String>) {
    let server = Server::start(script).await;
    let rights = client(&server.url).rights(scope).await;
    let seen = server.seen().into_iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    (rights, seen)
}

async fn lacks(scope: &Scope, script: Vec<Reply>) -> Vec<Lack> {
    asked(scope, script).await.0.expect("a test server or its client").lacks
}

fn no_runner() -> Reply {
    Reply::json(404, r#"{"message":"runner with ID 9223372036854775807: resource does not exist","url":"u"}"#)
}

fn lacks_scope(scope: &str) -> Reply {
    let message = format!("token does not have at least one of required scope(s): [{scope}]");
    Reply::json(403, &format!("{{\"message\":\"{message}\",\"url\":\"u\"}}"))
}

fn not_found() -> Reply {
    Reply::json(404, r#"{"message":"The target couldn't be found.","url":"u","errors":[]}"#)
}

fn not_owner() -> Reply {
    Reply::json(403, r#"{"message":"Must be an organization owner","url":"u"}"#)
}

fn organization() -> Scope {
    Scope::Organization("acme".to_owned())
}

#[tokio::test]
async fn the_right_to_write_is_proven_by_a_deletion_of_nothing() {
    let (rights, seen) = asked(&organization(), vec![no_runner()]).await;
    assert_eq!(rights.unwrap(), Rights::default());
    assert_eq!(seen, [format!("DELETE /api/v1/orgs/acme/actions/runners/{}", i64::MAX)]);
}

#[tokio::test]
async fn each_lack_is_told() {
    let scope = organization();
    assert_eq!(lacks(&scope, vec![Reply::json(401, "{}")]).await, [Lack::KnownToken]);
    assert_eq!(lacks(&scope, vec![not_owner()]).await, [Lack::Ownership]);
    assert_eq!(lacks(&scope, vec![not_found(), Reply::json(200, "{}")]).await, [Lack::Visibility]);
    let needed = "write:organization".to_owned();
    let read_only = Lack::TokenScope { needed: needed.clone(), reads: true };
    assert_eq!(lacks(&scope, vec![lacks_scope(&needed), no_runner()]).await, [read_only]);
    let nothing = Lack::TokenScope { needed: needed.clone(), reads: false };
    let read = lacks_scope("read:organization");
    assert_eq!(lacks(&scope, vec![lacks_scope(&needed), read]).await, std::slice::from_ref(&nothing));
    assert_eq!(lacks(&scope, vec![lacks_scope(&needed), not_owner()]).await, [nothing, Lack::Ownership]);
}

#[tokio::test]
async fn a_repository_may_be_hidden_without_actions_renamed_or_archived() {
    let scope = repository();
    assert_eq!(lacks(&scope, vec![not_found(), not_found()]).await, [Lack::Visibility]);
    let off = Reply::json(200, r#"{"id":1,"has_actions":false}"#);
    assert_eq!(lacks(&scope, vec![not_found(), off]).await, [Lack::ActionsUnit]);
    let moved = Reply::new(301, "text/html", "").header("Location", "/api/v1/repos/tools/site/actions/runners/1");
    assert_eq!(lacks(&scope, vec![moved]).await, [Lack::Name { now: "repo:tools/site".to_owned() }]);
    let archived = Reply::json(200, r#"{"id":1,"has_actions":true,"archived":true}"#);
    let (rights, _) = asked(&scope, vec![no_runner(), archived]).await;
    assert_eq!(rights.unwrap(), Rights { lacks: Vec::new(), archived: true });
}

#[tokio::test]
async fn a_forge_in_trouble_proves_nothing() {
    assert!(asked(&organization(), vec![Reply::json(500, "{}")]).await.0.is_err());
    assert!(asked(&organization(), vec![Reply::json(429, "{}")]).await.0.is_err());
}

#[tokio::test]
async fn trouble_on_the_way_to_what_is_lacking_is_no_lack() {
    let scope = repository();
    let needed = "write:repository";
    for status in [403, 429, 500] {
        let trouble = || Reply::json(status, "{}");
        let (rights, _) = asked(&scope, vec![not_found(), trouble()]).await;
        assert!(rights.is_err(), "{status} hides nothing: {rights:?}");
        let (rights, _) = asked(&scope, vec![lacks_scope(needed), not_found(), trouble()]).await;
        assert!(rights.is_err(), "{status}: {rights:?}");
    }
    for status in [429, 500] {
        let (rights, _) = asked(&scope, vec![lacks_scope(needed), Reply::json(status, "{}")]).await;
        assert!(rights.is_err(), "whether it may read is not known: {rights:?}");
    }
    let nothing = Lack::TokenScope { needed: needed.to_owned(), reads: false };
    let hidden = vec![lacks_scope(needed), not_found(), not_found()];
    assert_eq!(lacks(&scope, hidden).await, [nothing, Lack::Visibility]);
}
