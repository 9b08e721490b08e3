//! Fence, whose task, early end.

use forgejo::{Credentials, EarlyEnd, Error, FENCE_LABEL, FenceAnswer, TaskOwner};
use prost::Message;
use runner_rpc::messages::{
    DeclareRequest, DeclareResponse, TaskState, UpdateLogRequest, UpdateLogResponse, UpdateTaskRequest,
    UpdateTaskResponse,
};
use runner_rpc::outcome::Result as TaskResult;

use crate::client;
use crate::scripted::{Reply, Seen, Server};

fn credentials() -> Credentials {
    Credentials { uuid: "uuid-1".to_owned(), token: "token-1".to_owned().into() }
}

fn message(answer: &impl Message) -> Reply {
    Reply::new(200, "application/proto", answer.encode_to_vec())
}

fn ack(ack_index: i64) -> Reply {
    message(&UpdateLogResponse { ack_index })
}

fn ended(result: TaskResult) -> Reply {
    let mut state = TaskState { id: 13, ..TaskState::default() };
    state.set_result(result);
    message(&UpdateTaskResponse { state: Some(state), sent_outputs: Vec::new() })
}

fn gone() -> Reply {
    Reply::json(401, r#"{"code":"unauthenticated","message":"unregistered runner"}"#)
}

fn of_another() -> Reply {
    Reply::json(500, r#"{"code":"internal","message":"invalid runner for task"}"#)
}

fn read<T: Message + Default>(seen: &Seen) -> T {
    T::decode(seen.body.as_slice()).expect("a message")
}

#[tokio::test]
async fn a_fence_declares_the_one_label_that_no_job_uses() {
    let server = Server::start([message(&DeclareResponse::default()), gone()]).await;
    let client = client(&server.url);
    assert_eq!(client.fence(&credentials()).await.unwrap(), FenceAnswer::Fenced);
    assert_eq!(client.fence(&credentials()).await.unwrap(), FenceAnswer::RegistrationGone);
    let seen = &server.seen()[0];
    assert_eq!(read::<DeclareRequest>(seen).labels, [FENCE_LABEL]);
    assert_eq!((seen.header("x-runner-uuid"), seen.header("authorization")), (Some("uuid-1"), None));
}

#[tokio::test]
async fn a_login_page_of_a_proxy_is_not_taken_for_a_gone_registration() {
    let server = Server::start([Reply::new(401, "text/html", "<h1>log in</h1>")]).await;
    let error = client(&server.url).fence(&credentials()).await.unwrap_err();
    assert_eq!(error.class(), forgejo::ErrorClass::Auth);
}

#[tokio::test]
async fn a_task_is_ours_anothers_or_nobody_can_say() {
    let server = Server::start([ack(4), of_another(), gone(), Reply::json(500, "{}")]).await;
    let client = client(&server.url);
    assert_eq!(client.whose_task(&credentials(), 13).await.unwrap(), TaskOwner::Ours { ack: 4 });
    assert_eq!(client.whose_task(&credentials(), 13).await.unwrap(), TaskOwner::Another);
    assert_eq!(client.whose_task(&credentials(), 13).await.unwrap(), TaskOwner::RegistrationGone);
    assert!(matches!(client.whose_task(&credentials(), 13).await, Err(Error::Rpc(_))));
    let request: UpdateLogRequest = read(&server.seen()[0]);
    assert_eq!(request, UpdateLogRequest { task_id: 13, ..UpdateLogRequest::default() });
}

/// Ends task 13 early against a script; gives the outcome and what was sent.
async fn end_early(script: Vec<Reply>) -> (Result<EarlyEnd, Error>, Vec<Seen>) {
    let server = Server::start(script).await;
    let outcome = client(&server.url).end_early(&credentials(), 13, "the machine was\npreempted").await;
    (outcome, server.seen())
}

#[tokio::test]
async fn a_lost_job_ends_with_the_reason_in_its_log() {
    let (outcome, seen) = end_early(vec![ack(0), ack(1), ended(TaskResult::Failure)]).await;
    assert_eq!(outcome.unwrap(), EarlyEnd::Ended { stored: TaskResult::Failure });
    let [ask, log, task] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(read::<UpdateLogRequest>(ask), UpdateLogRequest { task_id: 13, ..UpdateLogRequest::default() });
    let log: UpdateLogRequest = read(log);
    assert_eq!((log.task_id, log.index, log.no_more), (13, 0, true));
    assert_eq!(log.rows[0].content, "the machine was preempted");
    assert!(log.rows[0].time.is_some());
    let state = read::<UpdateTaskRequest>(task).state.unwrap();
    assert_eq!((state.id, state.result()), (13, TaskResult::Failure));
    assert!(state.stopped_at.is_some());
}

#[tokio::test]
async fn the_reason_goes_after_the_rows_that_are_there() {
    for there in [1, 7] {
        let (outcome, seen) = end_early(vec![ack(there), ack(there + 1), ended(TaskResult::Failure)]).await;
        assert_eq!(outcome.unwrap(), EarlyEnd::Ended { stored: TaskResult::Failure });
        let second: UpdateLogRequest = read(&seen[1]);
        assert_eq!((second.index, second.rows.len(), second.no_more), (there, 1, true));
        assert_eq!(seen.len(), 3);
    }
}

#[tokio::test]
async fn an_archived_log_does_not_keep_a_task_from_ending() {
    let archived = Reply::json(409, r#"{"code":"already_exists","message":"log file has been archived"}"#);
    let (outcome, _) = end_early(vec![ack(3), archived, ended(TaskResult::Success)]).await;
    assert_eq!(outcome.unwrap(), EarlyEnd::Ended { stored: TaskResult::Success });
}

#[tokio::test]
async fn anothers_task_is_left_alone() {
    let (outcome, seen) = end_early(vec![of_another()]).await;
    assert_eq!((outcome.unwrap(), seen.len()), (EarlyEnd::Another, 1));
    let (outcome, _) = end_early(vec![ack(0), ack(1), of_another()]).await;
    assert_eq!(outcome.unwrap(), EarlyEnd::Another);
}

#[tokio::test]
async fn a_gone_registration_ends_the_attempt() {
    let (outcome, seen) = end_early(vec![gone()]).await;
    assert_eq!((outcome.unwrap(), seen.len()), (EarlyEnd::RegistrationGone, 1));
    let (outcome, _) = end_early(vec![ack(0), ack(1), gone()]).await;
    assert_eq!(outcome.unwrap(), EarlyEnd::RegistrationGone);
}

#[tokio::test]
async fn trouble_with_the_log_is_an_error_and_ends_nothing() {
    let (outcome, seen) = end_early(vec![Reply::json(503, "{}")]).await;
    assert_eq!(outcome.unwrap_err().class(), forgejo::ErrorClass::Transient);
    assert_eq!(seen.len(), 1);
}
