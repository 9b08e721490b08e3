//! What is sent, and what is made of good answers.

use forgejo::{Deletion, ErrorClass, RunnerStatus, Scope};
use secrecy::ExposeSecret;

use crate::scripted::{Reply, Server};
use crate::{TOKEN, client, repository};

#[tokio::test]
async fn a_registration_is_ephemeral_and_keeps_its_token_to_itself() {
    let server = Server::start([Reply::json(201, r#"{"id":41,"uuid":"d4637a60","token":"5f0c1d2e3a"}"#)]).await;
    let client = client(&format!("{}/git/", server.url));
    let registration = client.register(&repository(), "fs-1", "pool=a").await.unwrap();
    assert_eq!((registration.id, registration.uuid.as_str()), (41, "d4637a60"));
    assert_eq!(registration.credentials().token.expose_secret(), "5f0c1d2e3a");
    assert!(!format!("{registration:?} {client:?}").contains("5f0c1d2e3a"));

    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/git/api/v1/repos/acme/web/actions/runners"));
    assert_eq!(seen.header("authorization"), Some(format!("token {TOKEN}").as_str()));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("user-agent"), Some("test/1"));
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body, serde_json::json!({"name": "fs-1", "description": "pool=a", "ephemeral": true}));
}

#[tokio::test]
async fn names_are_encoded_within_the_path() {
    let server = Server::start([Reply::json(200, "null")]).await;
    let scope = Scope::parse("repo:a?b/c#d%2f").unwrap();
    client(&server.url).list_jobs(&scope).await.unwrap();
    assert_eq!(server.only().target, "/api/v1/repos/a%3Fb/c%23d%252f/actions/runners/jobs");
}

#[tokio::test]
async fn a_changed_token_is_used_by_all_clones() {
    let version = || Reply::json(200, r#"{"version":"15.0.3+gitea-1.22.0"}"#);
    let server = Server::start([version(), version()]).await;
    let client = client(&server.url);
    let clone = client.clone();
    assert_eq!(client.greet().await.unwrap().version.major, 15);
    client.set_token(&"another".to_owned().into()).unwrap();
    clone.greet().await.unwrap();
    assert_eq!(server.seen()[1].header("authorization"), Some("token another"));
    assert!(client.set_token(&"line\nbreak".to_owned().into()).is_err());
}

#[tokio::test]
async fn a_client_with_another_token_leaves_the_first_one_alone() {
    let version = || Reply::json(200, r#"{"version":"15.0.3+gitea-1.22.0"}"#);
    let server = Server::start([version(), version()]).await;
    let client = client(&server.url);
    client.with_token(&"another".to_owned().into()).unwrap().greet().await.unwrap();
    client.greet().await.unwrap();
    let tokens: Vec<_> = server.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert_eq!(tokens, [Some("token another".to_owned()), Some(format!("token {TOKEN}"))]);
}

#[tokio::test]
async fn a_runner_is_read_or_known_to_be_gone() {
    let runner = r#"{"id":41,"uuid":"u","owner_id":0,"repo_id":17,"name":"n","status":"idle","version":"v12.8.2",
        "labels":["debian"],"description":"d","ephemeral":true}"#;
    let gone = r#"{"message":"runner with ID 41: resource does not exist","url":"u"}"#;
    let server = Server::start([Reply::json(200, runner), Reply::json(404, gone)]).await;
    let client = client(&server.url);
    let found = client.get_runner(&Scope::User, 41).await.unwrap().unwrap();
    assert_eq!((found.status, found.labels), (RunnerStatus::Idle, vec!["debian".to_owned()]));
    assert_eq!(client.get_runner(&Scope::User, 41).await.unwrap(), None);
    assert_eq!(server.seen()[0].target, "/api/v1/user/actions/runners/41");
}

#[tokio::test]
async fn a_404_that_is_not_about_the_runner_proves_nothing() {
    let scope_unseen = r#"{"message":"The target couldn't be found.","url":"u","errors":[]}"#;
    for reply in [
        || Reply::new(404, "text/plain; charset=utf-8", "404 page not found\n"),
        || Reply::new(404, "text/html", "<h1>nothing here</h1>"),
        || Reply::json(404, "null"),
    ]
    .map(|reply| reply())
    .into_iter()
    .chain([Reply::json(404, scope_unseen)])
    {
        let server = Server::start([reply]).await;
        let error = client(&server.url).get_runner(&Scope::Instance, 41).await.unwrap_err();
        assert_eq!(error.class(), forgejo::ErrorClass::NotFound, "{error:?}");
    }
}

#[tokio::test]
async fn a_deleted_runner_is_deleted_again_without_harm() {
    let gone = r#"{"message":"runner with ID 41: resource does not exist","url":"u"}"#;
    let not_ours = r#"{"message":"No permission to delete this runner","url":"u"}"#;
    let server = Server::start([Reply::new(204, "", ""), Reply::json(404, gone), Reply::json(404, not_ours)]).await;
    let client = client(&server.url);
    let scope = Scope::Organization("acme".to_owned());
    assert_eq!(client.delete_runner(&scope, 41).await.unwrap(), Deletion::Deleted);
    assert_eq!(client.delete_runner(&scope, 41).await.unwrap(), Deletion::NotFound);
    let error = client.delete_runner(&scope, 41).await.unwrap_err();
    assert_eq!(error.class(), forgejo::ErrorClass::Forbidden { needed_scope: None });
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("DELETE", "/api/v1/orgs/acme/actions/runners/41"));
}

#[tokio::test]
async fn a_repository_has_its_name_or_a_reason_why_not() {
    let server = Server::start([
        Reply::json(200, r#"{"id":17,"full_name":"acme/web","owner":{"id":3}}"#),
        Reply::json(403, r#"{"message":"token does not have at least one of required scope(s): [read:repository]"}"#),
        Reply::json(404, "null"),
        Reply::json(500, "{}"),
    ])
    .await;
    let client = client(&server.url);
    assert_eq!(client.repository(17).await.unwrap(), "acme/web");
    let needed_scope = Some("read:repository".to_owned());
    for class in [ErrorClass::Forbidden { needed_scope }, ErrorClass::NotFound, ErrorClass::Transient] {
        assert_eq!(client.repository(17).await.unwrap_err().class(), class);
    }
    assert_eq!(server.seen()[0].target, "/api/v1/repositories/17");
}

#[tokio::test]
async fn every_scope_but_the_instance_has_an_id() {
    let id = || Reply::json(200, r#"{"id":5,"name":"x"}"#);
    let server = Server::start([id(), id(), id()]).await;
    let client = client(&server.url);
    assert_eq!(client.scope_id(&Scope::Instance).await.unwrap(), None);
    for scope in [Scope::User, Scope::Organization("acme".to_owned()), repository()] {
        assert_eq!(client.scope_id(&scope).await.unwrap(), Some(5));
    }
    let targets: Vec<String> = server.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/api/v1/user", "/api/v1/orgs/acme", "/api/v1/repos/acme/web"]);
}
