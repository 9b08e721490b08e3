//! The client against scripted answers.

mod scripted;

use std::time::Duration;

use prost::Message;
use runner_rpc::connect::Code;
use runner_rpc::messages::{
    DeclareRequest, FetchSingleTaskRequest, FetchSingleTaskResponse, PingResponse, Task, UpdateLogRequest,
};
use runner_rpc::transport::{BaseUrl, http_client};
use runner_rpc::{Acted, CallLimits, Credentials, Error, RunnerClient};
use scripted::{Reply, Server};

const TOKEN: &str = "5f0c1d2e3a4b5c6d7e8f90112233445566778899";

fn credentials() -> Credentials {
    Credentials { uuid: "d4637a60-7fea-4075-a81c-7e4ae01bdf0d".into(), token: TOKEN.to_owned().into() }
}

fn client(url: &str, limits: CallLimits) -> RunnerClient {
    let base = BaseUrl::parse(url).expect("a good URL");
    let http = http_client(&base, "test/1", None, Duration::from_secs(5)).expect("a client");
    RunnerClient::new(http, base, limits)
}

fn message(answer: &impl Message) -> Reply {
    Reply::new(200, "application/proto", answer.encode_to_vec())
}

/// What Declare makes of one reply.
async fn declare_answered(reply: Reply) -> Error {
    let server = Server::start([reply]).await;
    let client = client(&server.url, CallLimits { answer: 1024, ..CallLimits::default() });
    let error = client.declare(&credentials(), &DeclareRequest::default()).await.expect_err("not a success");
    assert!(!format!("{error:?} {error}").contains(TOKEN), "{error:?}");
    error
}

#[tokio::test]
async fn a_call_looks_like_the_runners() {
    let answer = FetchSingleTaskResponse { tasks_version: 3, task: Some(Task { id: 9, ..Task::default() }) };
    let server = Server::start([message(&answer)]).await;
    let client = client(&format!("{}/sub/", server.url), CallLimits::default());
    let request = FetchSingleTaskRequest { tasks_version: 0, handle: Some("h".into()) };
    let got = client.fetch_single_task(&credentials(), Some("key-1"), &request).await.unwrap();
    assert_eq!(got, answer);

    let seen = server.only();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.target, "/sub/api/actions/runner.v1.RunnerService/FetchSingleTask");
    for (name, value) in [
        ("content-type", "application/proto"),
        ("connect-protocol-version", "1"),
        ("connect-timeout-ms", "10000"),
        ("user-agent", "test/1"),
        ("x-runner-uuid", "d4637a60-7fea-4075-a81c-7e4ae01bdf0d"),
        ("x-runner-token", TOKEN),
        ("x-runner-request-key", "key-1"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(FetchSingleTaskRequest::decode(seen.body.as_slice()), Ok(request));
}

#[tokio::test]
async fn ping_carries_no_credentials() {
    let server = Server::start([message(&PingResponse { data: "Hello, x!".into() })]).await;
    assert_eq!(client(&server.url, CallLimits::default()).ping("x").await.unwrap(), "Hello, x!");
    let seen = server.only();
    assert_eq!(seen.target, "/api/actions/ping.v1.PingService/Ping");
    assert_eq!(seen.header("x-runner-token"), None);
}

#[tokio::test]
async fn an_error_keeps_its_code_and_message() {
    let body = r#"{"code":"already_exists","message":"log file has been archived"}"#;
    let error = declare_answered(Reply::json(409, body)).await;
    assert!(error.is_already_exists());
    assert_eq!(error.acted(), Acted::No);
    assert_eq!(error.to_string(), "Declare: refused with status 409, already_exists: log file has been archived");
}

#[tokio::test]
async fn an_internal_error_may_have_acted_and_can_name_another_runner() {
    let body = r#"{"code":"internal","message":"update task: invalid runner for task"}"#;
    let error = declare_answered(Reply::json(500, body)).await;
    assert!(error.is_task_of_another());
    assert_eq!(error.acted(), Acted::Maybe);
}

#[tokio::test]
async fn an_unregistered_runner_is_known_by_the_forges_own_word() {
    let body = format!(r#"{{"code":"unauthenticated","message":"unregistered runner {TOKEN}"}}"#);
    let error = declare_answered(Reply::json(401, &body)).await;
    assert!(error.is_unauthenticated());

    let of_a_proxy = declare_answered(Reply::new(401, "text/html", format!("<h1>log in</h1> {TOKEN}"))).await;
    assert!(!of_a_proxy.is_unauthenticated(), "{of_a_proxy:?}");
}

#[tokio::test]
async fn a_page_instead_of_an_error_gives_the_code_of_its_status() {
    let error = declare_answered(Reply::new(503, "text/html", "<h1>back soon</h1>").header("Retry-After", "7")).await;
    let Error::Rejected { code, retry_after, message, .. } = error else { panic!("{error:?}") };
    assert_eq!((code, retry_after), (Code::Unavailable, Some(Duration::from_secs(7))));
    assert!(!message.contains("back soon"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let error = declare_answered(Reply::new(301, "text/html", "").header("Location", "/elsewhere")).await;
    assert!(matches!(error, Error::Rejected { status: 301, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_malformed() {
    let page = declare_answered(Reply::new(200, "text/html", "<h1>hello</h1>")).await;
    assert!(matches!(page, Error::Malformed { .. }), "{page:?}");
    let garbage = declare_answered(Reply::new(200, "application/proto", [0xff, 0xff])).await;
    assert!(matches!(garbage, Error::Malformed { .. }), "{garbage:?}");
}

#[tokio::test]
async fn an_answer_has_a_limit() {
    let error = declare_answered(Reply::new(200, "application/proto", vec![0; 1025])).await;
    assert!(matches!(error, Error::TooLarge { limit: 1024, .. }), "{error:?}");
}

#[tokio::test]
async fn a_cut_answer_may_have_acted() {
    let error = declare_answered(Reply::new(200, "application/proto", []).cut()).await;
    assert!(matches!(error, Error::Transport { acted: Acted::Maybe, .. }), "{error:?}");
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_may_have_acted() {
    let server = Server::start([Reply::Silence]).await;
    let limits = CallLimits { deadline: Duration::from_millis(300), ..CallLimits::default() };
    let outcome = client(&server.url, limits).update_log(&credentials(), &UpdateLogRequest::default()).await;
    let error = outcome.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.acted(), Acted::Maybe);
    assert_eq!(server.only().header("connect-timeout-ms"), Some("300"));
}

#[tokio::test]
async fn a_refused_connection_did_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = client(&format!("http://127.0.0.1:{port}"), CallLimits::default());
    let error = client.ping("x").await.unwrap_err();
    assert_eq!(error.acted(), Acted::No, "{error:?}");
}

#[tokio::test]
async fn a_token_that_fits_no_header_is_refused_without_being_shown() {
    let who = Credentials { uuid: "u".into(), token: "secret\nvalue".to_owned().into() };
    let client = client("http://127.0.0.1:9", CallLimits::default());
    let error = client.declare(&who, &DeclareRequest::default()).await.unwrap_err();
    assert!(matches!(error, Error::Header { .. }), "{error:?}");
    assert!(!format!("{error:?} {error} {who:?}").contains("secret\nvalue"));
}
