//! Messages of `runner.v1` and `ping.v1`, field numbers as in protocol 3.3.
//!
//! `Debug` of messages that carry tokens or secrets names the field and hides the value.

use std::collections::HashMap;
use std::fmt;

use prost::Message;
use prost_types::{Struct, Timestamp};

use crate::outcome::{Result, RunnerStatus};

/// What `Debug` prints in the place of a secret.
const HIDDEN: &str = "<hidden>";

/// Asks for a greeting.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PingRequest {
    /// Any text.
    #[prost(string, tag = "1")]
    pub data: String,
}

/// The greeting: `Hello, <data>!`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PingResponse {
    /// The text of the greeting.
    #[prost(string, tag = "1")]
    pub data: String,
}

/// Registers a runner with a registration token (the deprecated way).
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub struct RegisterRequest {
    /// Name of the runner; required.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The registration token of the scope: a secret.
    #[prost(string, tag = "2")]
    pub token: String,
    /// Deprecated in favour of `labels`.
    #[prost(string, repeated, tag = "3")]
    pub agent_labels: Vec<String>,
    /// Deprecated in favour of `labels`.
    #[prost(string, repeated, tag = "4")]
    pub custom_labels: Vec<String>,
    /// Version of the runner program.
    #[prost(string, tag = "5")]
    pub version: String,
    /// Label names.
    #[prost(string, repeated, tag = "6")]
    pub labels: Vec<String>,
    /// Whether the runner may take one task only.
    #[prost(bool, tag = "7")]
    pub ephemeral: bool,
}

impl fmt::Debug for RegisterRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterRequest")
            .field("name", &self.name)
            .field("token", &HIDDEN)
            .field("version", &self.version)
            .field("labels", &self.labels)
            .field("ephemeral", &self.ephemeral)
            .finish_non_exhaustive()
    }
}

/// The new runner, with its token.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterResponse {
    /// The runner.
    #[prost(message, optional, tag = "1")]
    pub runner: Option<Runner>,
}

/// Replaces the labels and the version that the server has stored for the runner.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeclareRequest {
    /// Version of the runner program.
    #[prost(string, tag = "1")]
    pub version: String,
    /// Label names, without schema.
    #[prost(string, repeated, tag = "2")]
    pub labels: Vec<String>,
}

/// The runner as stored now, without its token.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeclareResponse {
    /// The runner.
    #[prost(message, optional, tag = "1")]
    pub runner: Option<Runner>,
}

/// Asks for any fitting tasks.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct FetchTaskRequest {
    /// The version last seen; the server looks for tasks only when it differs. 0 always looks.
    #[prost(int64, tag = "1")]
    pub tasks_version: i64,
    /// How many tasks the runner would take; absent means one.
    #[prost(int64, optional, tag = "2")]
    pub task_capacity: Option<i64>,
}

/// The tasks handed out, if any. Field order differs from [`FetchSingleTaskResponse`].
#[derive(Clone, PartialEq, Message)]
pub struct FetchTaskResponse {
    /// The first task.
    #[prost(message, optional, tag = "1")]
    pub task: Option<Task>,
    /// The scope's current version.
    #[prost(int64, tag = "2")]
    pub tasks_version: i64,
    /// Further tasks, up to the capacity.
    #[prost(message, repeated, tag = "3")]
    pub additional_tasks: Vec<Task>,
}

/// Asks for one task, optionally for the job with exactly this handle.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FetchSingleTaskRequest {
    /// As in [`FetchTaskRequest::tasks_version`].
    #[prost(int64, tag = "1")]
    pub tasks_version: i64,
    /// Handle of the wanted job; absent or empty means any job.
    #[prost(string, optional, tag = "2")]
    pub handle: Option<String>,
}

/// The task handed out, if any. Field order differs from [`FetchTaskResponse`].
#[derive(Clone, PartialEq, Message)]
pub struct FetchSingleTaskResponse {
    /// The scope's current version.
    #[prost(int64, tag = "1")]
    pub tasks_version: i64,
    /// The task; absent when nothing fits, which is no error.
    #[prost(message, optional, tag = "2")]
    pub task: Option<Task>,
}

/// Reports the state of a task: a sign of life, or its end.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct UpdateTaskRequest {
    /// The state; the server demands it.
    #[prost(message, optional, tag = "1")]
    pub state: Option<TaskState>,
    /// Outputs of the job that are not acknowledged yet.
    #[prost(map = "string, string", tag = "2")]
    pub outputs: HashMap<String, String>,
}

/// The state as stored and the outputs that the server has.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct UpdateTaskResponse {
    /// Id and stored result of the task.
    #[prost(message, optional, tag = "1")]
    pub state: Option<TaskState>,
    /// Keys of all outputs stored so far.
    #[prost(string, repeated, tag = "2")]
    pub sent_outputs: Vec<String>,
}

/// Appends rows to the log of a task.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct UpdateLogRequest {
    /// The task.
    #[prost(int64, tag = "1")]
    pub task_id: i64,
    /// Number of the first of `rows`, from 0.
    #[prost(int64, tag = "2")]
    pub index: i64,
    /// The rows; none changes nothing and asks for the acknowledged index.
    #[prost(message, repeated, tag = "3")]
    pub rows: Vec<LogRow>,
    /// Whether these are the last rows.
    #[prost(bool, tag = "4")]
    pub no_more: bool,
}

/// How far the log is stored.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct UpdateLogResponse {
    /// Number of rows stored.
    #[prost(int64, tag = "1")]
    pub ack_index: i64,
}

/// A registration as the runner sees it.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub struct Runner {
    /// Id in Forgejo.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// Uuid, the first half of the credentials.
    #[prost(string, tag = "2")]
    pub uuid: String,
    /// The token, the second half; only in the answer of `Register`. A secret.
    #[prost(string, tag = "3")]
    pub token: String,
    /// Name.
    #[prost(string, tag = "4")]
    pub name: String,
    /// Status.
    #[prost(enumeration = "RunnerStatus", tag = "5")]
    pub status: i32,
    /// Deprecated in favour of `labels`.
    #[prost(string, repeated, tag = "6")]
    pub agent_labels: Vec<String>,
    /// Deprecated in favour of `labels`.
    #[prost(string, repeated, tag = "7")]
    pub custom_labels: Vec<String>,
    /// Version of the runner program.
    #[prost(string, tag = "8")]
    pub version: String,
    /// Label names.
    #[prost(string, repeated, tag = "9")]
    pub labels: Vec<String>,
    /// Whether the runner may take one task only.
    #[prost(bool, tag = "10")]
    pub ephemeral: bool,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("id", &self.id)
            .field("uuid", &self.uuid)
            .field("token", &HIDDEN)
            .field("name", &self.name)
            .field("status", &self.status())
            .field("version", &self.version)
            .field("labels", &self.labels)
            .field("ephemeral", &self.ephemeral)
            .finish_non_exhaustive()
    }
}

/// A job handed out to a runner (protocol 3.5).
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Task {
    /// Id of the task.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// YAML of a workflow with exactly one job.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub workflow_payload: Option<Vec<u8>>,
    /// The expression context; holds the job's token.
    #[prost(message, optional, tag = "3")]
    pub context: Option<Struct>,
    /// Secrets by name; always holds the job's token.
    #[prost(map = "string, string", tag = "4")]
    pub secrets: HashMap<String, String>,
    /// Deprecated.
    #[prost(string, tag = "5")]
    pub machine: String,
    /// Results and outputs of the needed jobs, by job key.
    #[prost(map = "string, message", tag = "6")]
    pub needs: HashMap<String, TaskNeed>,
    /// Variables of owner and repository.
    #[prost(map = "string, string", tag = "7")]
    pub vars: HashMap<String, String>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("workflow_payload_bytes", &self.workflow_payload.as_ref().map(Vec::len))
            .field("context", &HIDDEN)
            .field("secrets", &HIDDEN)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

/// How a needed job ended.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TaskNeed {
    /// Outputs of the job.
    #[prost(map = "string, string", tag = "1")]
    pub outputs: HashMap<String, String>,
    /// Result of the job.
    #[prost(enumeration = "Result", tag = "2")]
    pub result: i32,
}

/// State of a task.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TaskState {
    /// Id of the task.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// Result; unspecified while it runs.
    #[prost(enumeration = "Result", tag = "2")]
    pub result: i32,
    /// When the job began.
    #[prost(message, optional, tag = "3")]
    pub started_at: Option<Timestamp>,
    /// When the job ended.
    #[prost(message, optional, tag = "4")]
    pub stopped_at: Option<Timestamp>,
    /// States of the steps.
    #[prost(message, repeated, tag = "5")]
    pub steps: Vec<StepState>,
}

/// State of one step.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct StepState {
    /// Index of the step, from 0.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// Result; unspecified while it runs.
    #[prost(enumeration = "Result", tag = "2")]
    pub result: i32,
    /// When the step began.
    #[prost(message, optional, tag = "3")]
    pub started_at: Option<Timestamp>,
    /// When the step ended.
    #[prost(message, optional, tag = "4")]
    pub stopped_at: Option<Timestamp>,
    /// Number of the step's first log row.
    #[prost(int64, tag = "5")]
    pub log_index: i64,
    /// How many log rows the step has.
    #[prost(int64, tag = "6")]
    pub log_length: i64,
}

/// One line of a task's log.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LogRow {
    /// When the line was written.
    #[prost(message, optional, tag = "1")]
    pub time: Option<Timestamp>,
    /// The line, without its end.
    #[prost(string, tag = "2")]
    pub content: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task { id: 7, secrets: HashMap::from([("FORGEJO_TOKEN".into(), "s3cret-value".into())]), ..Task::default() }
    }

    #[test]
    fn the_two_fetch_answers_have_their_fields_the_other_way_round() {
        let task = Task { id: 1, ..Task::default() };
        let single = FetchSingleTaskResponse { tasks_version: 5, task: Some(task.clone()) }.encode_to_vec();
        assert_eq!(single, [0x08, 5, 0x12, 2, 0x08, 1]);
        let any = FetchTaskResponse { tasks_version: 5, task: Some(task), additional_tasks: Vec::new() };
        assert_eq!(any.encode_to_vec(), [0x0a, 2, 0x08, 1, 0x10, 5]);
    }

    #[test]
    fn an_absent_handle_differs_from_an_empty_one() {
        let absent = FetchSingleTaskRequest { tasks_version: 0, handle: None };
        let empty = FetchSingleTaskRequest { tasks_version: 0, handle: Some(String::new()) };
        assert!(absent.encode_to_vec().is_empty());
        assert_eq!(FetchSingleTaskRequest::decode(empty.encode_to_vec().as_slice()), Ok(empty));
    }

    #[test]
    fn debug_text_hides_tokens_and_secrets() {
        let runner = Runner { token: "s3cret-value".into(), ..Runner::default() };
        let request = RegisterRequest { token: "s3cret-value".into(), ..RegisterRequest::default() };
        let answer = FetchTaskResponse { task: Some(task()), ..FetchTaskResponse::default() };
        let text =
            format!("{runner:?} {request:?} {answer:?} {:#?}", RegisterResponse { runner: Some(runner.clone()) });
        assert!(text.contains("RegisterRequest"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
