//! One call: decode, act, encode (protocol 3.4).

use forge_model::rest::{Registration, RunnerRow};
use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::{Forge, Moment, Status, TaskId};
use runner_rpc::messages as proto;
use runner_rpc::{outcome, wire};

use super::encoding::Encoding;
use super::{Failure, task};
use crate::request::Request;
use crate::route::RouteKind;

/// Acts on a call and gives the encoded answer.
pub(super) fn call(
    forge: &mut Forge,
    now: Moment,
    request: &Request,
    kind: RouteKind,
    encoding: Encoding,
) -> Result<Vec<u8>, Failure> {
    let body = &request.body;
    let caller = Credentials {
        uuid: request.header(wire::RUNNER_UUID).unwrap_or_default(),
        token: request.header(wire::RUNNER_TOKEN).unwrap_or_default(),
    };
    let key = request.header(wire::RUNNER_REQUEST_KEY).filter(|key| !key.is_empty());
    match kind {
        RouteKind::Ping => {
            let ping: proto::PingRequest = encoding.read(body)?;
            Ok(encoding.write(&proto::PingResponse { data: format!("Hello, {}!", ping.data) }))
        }
        RouteKind::RpcRegister => {
            let message: proto::RegisterRequest = encoding.read(body)?;
            register(forge, now, &message).map(|answer| encoding.write(&answer))
        }
        RouteKind::Declare => {
            let message: proto::DeclareRequest = encoding.read(body)?;
            let row = forge.declare(now, caller, &message.version, &message.labels)?;
            Ok(encoding.write(&proto::DeclareResponse { runner: Some(runner(&row)) }))
        }
        RouteKind::FetchTask => {
            let message: proto::FetchTaskRequest = encoding.read(body)?;
            let ask = FetchAsk { tasks_version: message.tasks_version, handle: None, request_key: key };
            fetch(forge, now, caller, ask, message.task_capacity.unwrap_or(1)).map(|answer| encoding.write(&answer))
        }
        RouteKind::FetchSingleTask => {
            let message: proto::FetchSingleTaskRequest = encoding.read(body)?;
            let ask =
                FetchAsk { tasks_version: message.tasks_version, handle: message.handle.as_deref(), request_key: key };
            fetch_single(forge, now, caller, ask).map(|answer| encoding.write(&answer))
        }
        RouteKind::UpdateTask => {
            let message: proto::UpdateTaskRequest = encoding.read(body)?;
            update_task(forge, now, caller, message).map(|answer| encoding.write(&answer))
        }
        RouteKind::UpdateLog => {
            let message: proto::UpdateLogRequest = encoding.read(body)?;
            let rows: Vec<String> = message.rows.into_iter().map(|row| row.content).collect();
            let task = TaskId(message.task_id);
            let ack_index = forge.update_log(now, caller, task, message.index, &rows, message.no_more)?;
            Ok(encoding.write(&proto::UpdateLogResponse { ack_index }))
        }
        _ => Err(Failure::Panic),
    }
}

fn register(
    forge: &mut Forge,
    now: Moment,
    message: &proto::RegisterRequest,
) -> Result<proto::RegisterResponse, Failure> {
    let proto::RegisterRequest { name, token, version, labels, ephemeral, .. } = message;
    let Registration { id, uuid, token } = forge.register_by_token(now, token, name, version, labels, *ephemeral)?;
    let runner = proto::Runner {
        id: id.0,
        uuid,
        token,
        name: name.clone(),
        version: version.clone(),
        labels: labels.clone(),
        ephemeral: *ephemeral,
        ..proto::Runner::default()
    };
    Ok(proto::RegisterResponse { runner: Some(runner) })
}

/// The runner as `Declare` shows it: without its token.
fn runner(row: &RunnerRow) -> proto::Runner {
    proto::Runner {
        id: row.id.0,
        uuid: row.uuid.clone(),
        name: row.name.clone(),
        version: row.version.clone(),
        labels: row.labels.clone().unwrap_or_default(),
        ephemeral: row.ephemeral,
        ..proto::Runner::default()
    }
}

fn fetch(
    forge: &mut Forge,
    now: Moment,
    caller: Credentials<'_>,
    ask: FetchAsk<'_>,
    capacity: i64,
) -> Result<proto::FetchTaskResponse, Failure> {
    let answer = forge.fetch_task(now, caller, ask, capacity)?;
    let mut tasks = answer.tasks.iter().map(|task| task::message(forge, task));
    let task = tasks.next();
    Ok(proto::FetchTaskResponse { task, tasks_version: answer.tasks_version, additional_tasks: tasks.collect() })
}

fn fetch_single(
    forge: &mut Forge,
    now: Moment,
    caller: Credentials<'_>,
    ask: FetchAsk<'_>,
) -> Result<proto::FetchSingleTaskResponse, Failure> {
    let answer = forge.fetch_single_task(now, caller, ask)?;
    let task = answer.tasks.first().map(|task| task::message(forge, task));
    Ok(proto::FetchSingleTaskResponse { tasks_version: answer.tasks_version, task })
}

fn update_task(
    forge: &mut Forge,
    now: Moment,
    caller: Credentials<'_>,
    message: proto::UpdateTaskRequest,
) -> Result<proto::UpdateTaskResponse, Failure> {
    let Some(state) = message.state else {
        // The real server authenticates, then falls over the missing state (protocol 3.1).
        forge.authenticate_runner(now, caller)?;
        return Err(Failure::Panic);
    };
    let report = TaskReport {
        task: TaskId(state.id),
        result: status(state.result),
        outputs: message.outputs.into_iter().collect(),
    };
    let update = forge.update_task(now, caller, &report)?;
    let answer =
        proto::TaskState { id: state.id, result: task::result(update.result) as i32, ..proto::TaskState::default() };
    Ok(proto::UpdateTaskResponse { state: Some(answer), sent_outputs: update.sent_outputs })
}

fn status(result: i32) -> Option<Status> {
    match outcome::Result::try_from(result) {
        Ok(outcome::Result::Success) => Some(Status::Success),
        Ok(outcome::Result::Failure) => Some(Status::Failure),
        Ok(outcome::Result::Cancelled) => Some(Status::Cancelled),
        Ok(outcome::Result::Skipped) => Some(Status::Skipped),
        Ok(outcome::Result::Unspecified) | Err(_) => None,
    }
}
