//! Answers that say no, and answers that never come.

use std::time::Duration;

use forgejo::{Acted, Client, Error, ErrorClass, Scope};

use crate::scripted::{Reply, Server};
use crate::{TOKEN, client, repository, settings};

async fn register_answered(reply: Reply) -> Error {
    let server = Server::start([reply]).await;
    client(&server.url).register(&repository(), "n", "d").await.expect_err("not a success")
}

async fn list_answered(replies: Vec<Reply>) -> Result<usize, Error> {
    let server = Server::start(replies).await;
    client(&server.url).list_jobs(&Scope::User).await.map(|listing| listing.rows.len())
}

#[tokio::test]
async fn the_result_that_follows_after_an_error_is_not_taken() {
    let body = "{\"message\":\"lab\",\"url\":\"u\"}\n{\"id\":0,\"uuid\":\"e8d4\",\"token\":\"feed\"}\n";
    let error = register_answered(Reply::json(500, body)).await;
    assert_eq!((error.class(), error.acted()), (ErrorClass::Transient, Acted::Maybe));
    assert_eq!(error.to_string(), "register runner: refused with status 500: lab");
    assert!(!format!("{error:?}").contains("feed"));
}

#[tokio::test]
async fn the_body_of_a_401_is_not_kept() {
    let body = format!(r#"{{"message":"access token does not exist [sha: {TOKEN}]","url":"u"}}"#);
    let error = register_answered(Reply::json(401, &body)).await;
    assert_eq!((error.class(), error.acted()), (ErrorClass::Auth, Acted::No));
    let text = format!("{error} {error:?} {error:#?}");
    assert!(!text.contains(TOKEN) && !text.contains("sha"), "{text}");
}

#[tokio::test]
async fn the_token_is_in_no_text() {
    let client = client("http://127.0.0.1:9");
    let text = format!("{client:?} {:?}", settings("http://127.0.0.1:9"));
    assert!(!text.contains(TOKEN), "{text}");
}

#[tokio::test]
async fn a_lacking_token_scope_is_told() {
    let body = r#"{"message":"token does not have at least one of required scope(s): [write:repository]"}"#;
    let error = register_answered(Reply::json(403, body)).await;
    assert_eq!(error.class(), ErrorClass::Forbidden { needed_scope: Some("write:repository".to_owned()) });
    assert_eq!(error.acted(), Acted::No);
}

#[tokio::test]
async fn a_rate_limit_tells_its_pause() {
    let error = register_answered(Reply::new(429, "text/plain", "slow down").header("Retry-After", "30")).await;
    assert_eq!(error.class(), ErrorClass::RateLimited { retry_after: Some(Duration::from_secs(30)) });
    let date = "Fri, 01 Jan 2100 00:00:00 GMT";
    let error = register_answered(Reply::json(503, "{}").header("Retry-After", date)).await;
    assert_eq!((error.class(), error.retry_after()), (ErrorClass::Transient, Some(Duration::from_hours(1))));
}

#[tokio::test]
async fn a_message_is_bounded() {
    let error = register_answered(Reply::json(422, &format!(r#"{{"message":"{}"}}"#, "x".repeat(5_000)))).await;
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert!(error.to_string().len() < 600);
}

#[tokio::test]
async fn a_redirected_registration_is_an_error_that_did_nothing() {
    let moved = Reply::new(301, "text/html", "").header("Location", "/api/v1/repos/new/web/actions/runners?token=x");
    let error = register_answered(moved).await;
    assert_eq!((error.class(), error.acted()), (ErrorClass::Redirected, Acted::No));
    let text = error.to_string();
    assert!(text.contains("/repos/new/web") && !text.contains("token=x"), "{text}");
}

#[tokio::test]
async fn a_success_that_is_not_the_expected_one_may_have_acted() {
    for reply in [
        Reply::json(200, r#"{"id":41,"uuid":"u","token":"feed"}"#),
        Reply::json(201, r#"{"id":"feed","uuid":"u"}"#),
        Reply::json(201, r#"{"id":0,"uuid":"u","token":"feed"}"#),
        Reply::new(201, "text/html", "<h1>feed</h1>"),
    ] {
        let error = register_answered(reply).await;
        assert_eq!((error.class(), error.acted()), (ErrorClass::Transient, Acted::Maybe), "{error:?}");
        assert!(!format!("{error:?}").contains("feed"), "{error:?}");
    }
    let cut = register_answered(Reply::json(201, r#"{"id":41"#).cut()).await;
    assert_eq!(cut.acted(), Acted::Maybe);
}

fn moved(to: &str) -> Reply {
    Reply::new(301, "text/html", "").header("Location", to)
}

#[tokio::test]
async fn a_redirected_list_is_followed_on_the_same_host() {
    let server = Server::start([moved("/api/v1/there"), Reply::json(200, "null")]).await;
    client(&server.url).list_jobs(&Scope::User).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[1].target, "/api/v1/there");
    assert_eq!(seen[1].header("authorization"), Some(format!("token {TOKEN}").as_str()));
}

#[tokio::test]
async fn a_token_is_not_carried_to_another_host() {
    let other = Server::start([Reply::json(200, "null")]).await;
    let outcome = list_answered(vec![moved(&format!("{}/api/v1/there", other.url))]).await;
    assert_eq!(outcome.unwrap_err().class(), ErrorClass::Redirected);
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn redirects_end() {
    let three = || vec![moved("/a"), moved("/b"), moved("/c")];
    let ends = three().into_iter().chain([Reply::json(200, "null")]).collect();
    assert_eq!(list_answered(ends).await.unwrap(), 0);
    let goes_on = three().into_iter().chain([moved("/d"), Reply::json(200, "null")]).collect();
    assert_eq!(list_answered(goes_on).await.unwrap_err().class(), ErrorClass::Redirected);
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let server = Server::start([Reply::Silence, Reply::Silence]).await;
    let mut settings = settings(&server.url);
    settings.call_deadline = Duration::from_millis(300);
    let client = Client::new(&settings).unwrap();
    let error = client.register(&repository(), "n", "d").await.unwrap_err();
    assert_eq!((error.class(), error.acted()), (ErrorClass::Transient, Acted::Maybe));
    let error = client.list_jobs(&Scope::User).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
}

#[tokio::test]
async fn a_refused_connection_did_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = client(&format!("http://127.0.0.1:{port}"));
    let error = client.register(&repository(), "n", "d").await.unwrap_err();
    assert_eq!((error.class(), error.acted()), (ErrorClass::Transient, Acted::No), "{error:?}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(Client::new(&settings("forge.example")).is_err());
    let mut with_bad_token = settings("http://forge.example");
    with_bad_token.token = "se\ncret".to_owned().into();
    let error = Client::new(&with_bad_token).unwrap_err();
    assert!(matches!(error, Error::Token) && error.class() == ErrorClass::Permanent);
}
