//! Faults, counters, time and the binary encoding, seen from the other end of the wire.

use std::time::Duration;

use emulator::{AnswerTimes, Effect, Emulator, EmulatorClock, EmulatorSettings, FaultRule, Matcher, RouteKind};
use forge_model::script::{JobSpec, RunSpec};
use forge_model::{Area, Moment, TokenScope, TokenSpec, Version};
use prost::Message as _;
use runner_rpc::{messages, wire as names};

use crate::wire::{Reply, send};

const LIST: &str = "/api/v1/user/actions/runners/jobs";
const RUNNERS: &str = "/api/v1/user/actions/runners";

fn auth() -> Vec<(String, String)> {
    vec![("Authorization".to_owned(), "token T".to_owned()), ("Content-Type".to_owned(), "application/json".to_owned())]
}

async fn started(settings: EmulatorSettings) -> Emulator {
    let emulator = Emulator::start(settings).await.expect("a free port");
    emulator.with_forge(|forge, now| {
        let user = forge.create_user("ann", false);
        forge.create_token(user, TokenSpec::new(&[TokenScope::All]).with_text("T")).expect("a user");
        let repo = forge.create_repository(user, "app", false).expect("a user");
        let jobs = vec![JobSpec::shell("build", &["debian"], "true")];
        forge.push_run(now, RunSpec::new(repo, "ci.yml", jobs)).expect("a repository");
    });
    emulator
}

async fn register(emulator: &Emulator) -> std::io::Result<Option<Reply>> {
    let body = br#"{"name":"r","ephemeral":true}"#;
    send(&emulator.url(), "POST", RUNNERS, &auth(), Some(body)).await
}

async fn list(emulator: &Emulator) -> std::io::Result<Option<Reply>> {
    send(&emulator.url(), "GET", LIST, &auth(), None).await
}

#[tokio::test]
async fn a_dropped_request_changes_nothing_and_a_dropped_answer_hides_what_changed() {
    let emulator = started(EmulatorSettings::new(Version::V16)).await;
    let registrations = || emulator.with_forge(|forge, _| forge.runners_now().len());
    for (effect, left_behind) in [(Effect::DropRequest, 0), (Effect::DropAnswer, 1)] {
        let id = emulator.faults().add(FaultRule::once(Matcher::kind(RouteKind::RegisterRunner), effect.clone()));
        let lost = register(&emulator).await;
        assert!(matches!(lost, Ok(None) | Err(_)), "{effect:?}: {lost:?}");
        assert_eq!(registrations(), left_behind, "{effect:?}");
        assert_eq!(emulator.faults().fired(id), 1, "{effect:?}");
    }
    let answered = register(&emulator).await.expect("a connection").expect("an answer");
    assert_eq!(answered.status, 201);
    assert_eq!(registrations(), 2);
    assert_eq!(emulator.calls().of(RouteKind::RegisterRunner), 3);
    assert_eq!(emulator.calls().rest(), 3);
}

#[tokio::test]
async fn answers_can_be_replaced_cut_and_changed() {
    let emulator = started(EmulatorSettings::new(Version::V15)).await;
    emulator.faults().add(FaultRule::once(Matcher::kind(RouteKind::ListJobs), Effect::html(502)));
    let page = list(&emulator).await.expect("a connection").expect("an answer");
    assert_eq!((page.status, page.header("content-type")), (502, Some("text/html")));
    let cut = emulator.faults().add(FaultRule::always(Matcher::any(), Effect::CutBody));
    let error = list(&emulator).await.expect_err("half of a body");
    assert!(error.to_string().contains("cut") || error.kind() == std::io::ErrorKind::ConnectionReset, "{error}");
    assert_eq!(emulator.faults().remove(cut), 1);
    let changed = Effect::rewrite(|body| body.replace("waiting", "ready"));
    emulator.faults().add(FaultRule::once(Matcher::kind(RouteKind::ListJobs), changed));
    let text = list(&emulator).await.expect("a connection").expect("an answer").text();
    assert!(text.contains("\"ready\"") && !text.contains("waiting"), "{text}");
    assert_eq!(list(&emulator).await.expect("a connection").expect("an answer").status, 200);
}

#[tokio::test]
async fn a_rule_can_let_requests_pass_first() {
    let emulator = started(EmulatorSettings::new(Version::V15)).await;
    let rule =
        FaultRule { skip: 1, ..FaultRule::once(Matcher::when(|_, method, _| method == "GET"), Effect::status(500)) };
    emulator.faults().add(rule);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(list(&emulator).await.expect("a connection").expect("an answer").status);
    }
    assert_eq!(seen, [200, 500, 200]);
}

#[tokio::test]
async fn a_runner_works_over_protobuf_and_a_moved_clock_makes_it_a_zombie() {
    let mut settings = EmulatorSettings::new(Version::V15);
    settings.clock = EmulatorClock::frozen(Moment::from_millis(1_000_000));
    let emulator = started(settings).await;
    let area = emulator.with_forge(|forge, _| Area::Owner(forge.owner_named("ann").expect("ann").id));
    let made = emulator.with_forge(|forge, now| forge.register_runner(now, area, "r", "", true).expect("a name"));
    let headers = vec![
        ("Content-Type".to_owned(), names::CONTENT_PROTO.to_owned()),
        (names::RUNNER_UUID.to_owned(), made.uuid),
        (names::RUNNER_TOKEN.to_owned(), made.token),
    ];
    let url = emulator.url();
    let declare = messages::DeclareRequest { version: "v1".to_owned(), labels: vec!["debian".to_owned()] };
    let reply = send(&url, "POST", names::DECLARE, &headers, Some(&declare.encode_to_vec())).await;
    let reply = reply.expect("a connection").expect("an answer");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(names::CONTENT_PROTO)));
    let reply = send(&url, "POST", names::FETCH_SINGLE_TASK, &headers, Some(&[])).await;
    let reply = reply.expect("a connection").expect("an answer");
    let task = messages::FetchSingleTaskResponse::decode(reply.body.as_slice()).expect("a message").task;
    let task = task.expect("the waiting job");
    assert!(task.context.expect("a context").fields.contains_key("gitea_default_actions_url"));
    assert!(task.secrets.contains_key("FORGEJO_TOKEN"));

    emulator.clock().forward(Duration::from_mins(16));
    assert_eq!(list(&emulator).await.expect("a connection").expect("an answer").text(), "null\n");
    let reply = send(&url, "POST", names::UPDATE_TASK, &headers, Some(&[])).await;
    let reply = reply.expect("a connection").expect("an answer");
    assert_eq!(reply.status, 401);
    assert_eq!(reply.text(), r#"{"code":"unauthenticated","message":"unregistered runner"}"#);
}

#[tokio::test]
async fn a_stopped_forge_can_go_on_with_its_past() {
    let mut settings = EmulatorSettings::new(Version::V16);
    settings.latency = AnswerTimes::measured();
    let emulator = started(settings.clone()).await;
    settings.listen = emulator.address();
    let forge = emulator.stop().await;
    assert!(tokio::net::TcpStream::connect(settings.listen).await.is_err());
    let emulator = Emulator::resume(settings, forge).await.expect("the same port");
    let reply = list(&emulator).await.expect("a connection").expect("an answer");
    assert!(reply.text().contains("\"waiting\""), "{}", reply.text());
}
