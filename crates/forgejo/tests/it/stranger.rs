//! An address that is asked without a token.

use std::time::Duration;

use forgejo::{Error, ErrorClass, Stranger};

use crate::scripted::{Reply, Server};

async fn root_url(reply: Reply) -> (Result<String, Error>, Option<String>) {
    let server = Server::start([reply]).await;
    let stranger =
        Stranger::new(&server.url, "test/1", None, Duration::from_secs(10)).expect("a test server or its client");
    let root = stranger.root_url().await;
    (root, server.only().header("authorization").map(str::to_owned))
}

#[tokio::test]
async fn a_forge_tells_its_own_address_to_anybody() {
    let body = r#"{"message":"token is required","url":"https://forge.example/git/api/swagger"}"#;
    let (root, token) = root_url(Reply::json(401, body)).await;
    assert_eq!(root.unwrap(), "https://forge.example/git");
    assert_eq!(token, None);
}

#[tokio::test]
async fn what_is_no_forge_is_told_from_one() {
    let error = root_url(Reply::new(200, "text/html", "<h1>hello</h1>")).await.0.unwrap_err();
    assert!(error.to_string().contains("here came 200 with text/html"), "{error}");
    assert!(root_url(Reply::json(401, r#"{"message":"log in"}"#)).await.0.is_err());
    let moved = Reply::new(301, "text/html", "").header("Location", "https://forge.example/");
    assert_eq!(root_url(moved).await.0.unwrap_err().class(), ErrorClass::Redirected);
}
