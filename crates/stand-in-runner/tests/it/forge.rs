//! A scripted forge: answers the runner's RPC as told and keeps what it was sent.
//!
//! Each one has a thread with its own runtime and a free loopback port. Deliberately absent: any judgement of its own;
//! it hands out what the test put in.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use prost::Message;
use prost_types::value::Kind;
use runner_rpc::messages::{
    DeclareRequest, DeclareResponse, FetchSingleTaskRequest, FetchSingleTaskResponse, FetchTaskRequest,
    FetchTaskResponse, Runner, Task, TaskState, UpdateLogRequest, UpdateLogResponse, UpdateTaskRequest,
    UpdateTaskResponse,
};
use runner_rpc::outcome::Result as Outcome;
use runner_rpc::wire;
use tokio::runtime::Runtime;

/// How a call is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// As a forge does that has nothing to object to.
    Well,
    /// With an error: status and code.
    Refuse(u16, &'static str),
    /// Never.
    Hang,
    /// Well, once the books say something else.
    Hold,
}

/// What the forge was sent and what it will answer.
pub(crate) struct Books {
    pub(crate) declare: Reply,
    /// Answers to the coming fetches; after them there is no task.
    pub(crate) fetches: VecDeque<Reply>,
    /// Handed out by the first fetch that is answered well after `fetches` is used up.
    pub(crate) task: Option<Task>,
    pub(crate) update_log: Reply,
    pub(crate) update_task: Reply,
    /// The result that `UpdateTask` tells is stored.
    pub(crate) stored: Outcome,

    pub(crate) declared: Vec<DeclareRequest>,
    /// Call, handle and request key of each fetch.
    pub(crate) fetched: Vec<(&'static str, Option<String>, String)>,
    pub(crate) log_calls: usize,
    pub(crate) task_calls: usize,
    pub(crate) log: Vec<String>,
    pub(crate) archived: bool,
    pub(crate) states: Vec<TaskState>,
    pub(crate) outputs: HashMap<String, String>,
    pub(crate) token: String,
}

impl Books {
    /// The last state, if it is final.
    pub(crate) fn result(&self) -> Outcome {
        self.states.last().map_or(Outcome::Unspecified, TaskState::result)
    }

    /// Whether some line of the log contains the text.
    pub(crate) fn logged(&self, text: &str) -> bool {
        self.log.iter().any(|line| line.contains(text))
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Books>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }
}

pub(crate) struct Forge {
    pub(crate) url: String,
    books: Shared,
    runtime: Option<Runtime>,
}

impl Forge {
    /// A forge that answers everything well and has no task.
    pub(crate) fn start() -> Self {
        let books = Shared(Arc::new(Mutex::new(Books {
            declare: Reply::Well,
            fetches: VecDeque::new(),
            task: None,
            update_log: Reply::Well,
            update_task: Reply::Well,
            stored: Outcome::Unspecified,
            declared: Vec::new(),
            fetched: Vec::new(),
            log_calls: 0,
            task_calls: 0,
            log: Vec::new(),
            archived: false,
            states: Vec::new(),
            outputs: HashMap::new(),
            token: String::new(),
        })));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let routes = Router::new()
            .route(wire::DECLARE, post(declare))
            .route(wire::FETCH_TASK, post(fetch_task))
            .route(wire::FETCH_SINGLE_TASK, post(fetch_single_task))
            .route(wire::UPDATE_LOG, post(update_log))
            .route(wire::UPDATE_TASK, post(update_task))
            .with_state(books.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { url, books, runtime: Some(runtime) }
    }

    /// A forge that has a task with these steps, as YAML of the job.
    pub(crate) fn with_job(job: &str) -> Self {
        let forge = Self::start();
        forge.books().task = Some(task(job));
        forge
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock()
    }

    /// Closes port and connections.
    pub(crate) fn vanish(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    /// Waits until the books show something.
    pub(crate) fn until(&self, what: &str, shows: impl Fn(&Books) -> bool) {
        eventually(what, || shows(&self.books()));
    }
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A task with id 57 whose payload has one job, given by the lines below its key.
pub(crate) fn task(job: &str) -> Task {
    let indented = job.replace('\n', "\n    ");
    let text = |text: &str| prost_types::Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let context = [("repository", "acme/app"), ("sha", "abc123"), ("run_id", "311"), ("token", "job-token-value")];
    Task {
        id: 57,
        workflow_payload: Some(
            format!("name: ci\nenv: {{LEVEL: workflow}}\njobs:\n  build:\n    {indented}\n").into_bytes(),
        ),
        context: Some(prost_types::Struct {
            fields: context.into_iter().map(|(key, value)| (key.to_owned(), text(value))).collect(),
        }),
        secrets: HashMap::from([("PASSWORD".to_owned(), "geheim-4711".to_owned())]),
        vars: HashMap::from([("REGION".to_owned(), "eu".to_owned())]),
        ..Task::default()
    }
}

async fn answer(reply: Reply, message: impl Message) -> Response {
    match reply {
        Reply::Well => ([(header::CONTENT_TYPE, wire::CONTENT_PROTO)], message.encode_to_vec()).into_response(),
        Reply::Hang | Reply::Hold => std::future::pending().await,
        Reply::Refuse(status, code) => {
            let body = format!(r#"{{"code":"{code}","message":"scripted"}}"#);
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(header::CONTENT_TYPE, wire::CONTENT_JSON)], body).into_response()
        }
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn declare(State(books): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let reply = {
        let mut books = books.lock();
        books.token = header_text(&headers, wire::RUNNER_TOKEN);
        books.declared.push(DeclareRequest::decode(body).unwrap());
        books.declare
    };
    answer(reply, DeclareResponse { runner: Some(Runner { name: "scripted".to_owned(), ..Runner::default() }) }).await
}

fn hand_out(books: &Shared, call: &'static str, handle: Option<String>, headers: &HeaderMap) -> (Reply, Option<Task>) {
    let mut books = books.lock();
    books.fetched.push((call, handle, header_text(headers, wire::RUNNER_REQUEST_KEY)));
    match books.fetches.pop_front() {
        Some(reply) => (reply, None),
        None => (Reply::Well, books.task.take()),
    }
}

async fn fetch_task(State(books): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(FetchTaskRequest::decode(body).unwrap().tasks_version, 0);
    let (reply, task) = hand_out(&books, "FetchTask", None, &headers);
    answer(reply, FetchTaskResponse { task, tasks_version: 12, additional_tasks: Vec::new() }).await
}

async fn fetch_single_task(State(books): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let request = FetchSingleTaskRequest::decode(body).unwrap();
    assert_eq!(request.tasks_version, 0);
    let (reply, task) = hand_out(&books, "FetchSingleTask", request.handle, &headers);
    answer(reply, FetchSingleTaskResponse { task, tasks_version: 12 }).await
}

async fn update_log(State(books): State<Shared>, body: Bytes) -> Response {
    let request = UpdateLogRequest::decode(body).unwrap();
    while matches!(books.lock().update_log, Reply::Hold) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (reply, ack_index) = {
        let mut books = books.lock();
        books.log_calls += 1;
        if matches!(books.update_log, Reply::Well) {
            let known = books.log.len().checked_sub(usize::try_from(request.index).unwrap()).expect("no gap");
            books.log.extend(request.rows.into_iter().skip(known).map(|row| row.content));
            books.archived |= request.no_more;
        }
        (books.update_log, i64::try_from(books.log.len()).unwrap())
    };
    answer(reply, UpdateLogResponse { ack_index }).await
}

async fn update_task(State(books): State<Shared>, body: Bytes) -> Response {
    let request = UpdateTaskRequest::decode(body).unwrap();
    let (reply, message) = {
        let mut books = books.lock();
        let mut stored = TaskState { id: 57, ..TaskState::default() };
        stored.set_result(books.stored);
        books.task_calls += 1;
        if matches!(books.update_task, Reply::Well) {
            let state = request.state.as_ref().unwrap();
            // With its result the task ends and an ephemeral runner is gone: log rows that come later are lost.
            assert!(books.archived || state.result() == Outcome::Unspecified, "the result came before the last rows");
            books.states.push(request.state.unwrap());
            books.outputs.extend(request.outputs);
        }
        let sent_outputs = books.outputs.keys().cloned().collect();
        (books.update_task, UpdateTaskResponse { state: Some(stored), sent_outputs })
    };
    answer(reply, message).await
}
