//! The JSON form of protobuf, for the messages that a server reads and writes (protocol 3.1): lowerCamelCase names,
//! 64-bit numbers as strings (numbers accepted), bytes in base64, enums by name, unset fields left out, unknown ones
//! ignored. Times are accepted and not read: the forge has its own clock.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use prost_types::{Struct, value::Kind};
use runner_rpc::messages as proto;
use runner_rpc::outcome;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// A message that can be read from JSON.
pub(super) trait FromJson: Sized {
    /// The message of a JSON object.
    fn from_json(body: &[u8]) -> serde_json::Result<Self>;
}

/// A message that can be written as JSON.
pub(super) trait ToJson {
    /// The JSON object of the message.
    fn to_json(&self) -> Value;
}

/// A 64-bit number, as a string or as a number.
#[derive(Clone, Copy, Default)]
struct Long(i64);

impl<'de> Deserialize<'de> for Long {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(value) => Ok(Self(value)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

/// A result by name or number.
#[derive(Clone, Copy, Default)]
struct Outcome(i32);

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i32),
            Name(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(value) => Ok(Self(value)),
            Either::Name(name) => outcome::Result::from_proto_name(&name)
                .map(|result| Self(result as i32))
                .ok_or_else(|| serde::de::Error::custom(format!("unknown result {name}"))),
        }
    }
}

#[derive(Deserialize)]
struct Ping {
    #[serde(default)]
    data: String,
}

impl FromJson for proto::PingRequest {
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body).map(|Ping { data }| Self { data })
    }
}

impl ToJson for proto::PingResponse {
    fn to_json(&self) -> Value {
        json!({ "data": self.data })
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Register {
    name: String,
    token: String,
    version: String,
    labels: Vec<String>,
    ephemeral: bool,
}

impl FromJson for proto::RegisterRequest {
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        let Register { name, token, version, labels, ephemeral } = serde_json::from_slice(body)?;
        Ok(Self { name, token, version, labels, ephemeral, ..Self::default() })
    }
}

impl FromJson for proto::DeclareRequest {
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        let Register { version, labels, .. } = serde_json::from_slice(body)?;
        Ok(Self { version, labels })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Fetch {
    tasks_version: Long,
    task_capacity: Option<Long>,
    handle: Option<String>,
}

impl FromJson for proto::FetchTaskRequest {
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        let fetch: Fetch = serde_json::from_slice(body)?;
        Ok(Self { tasks_version: fetch.tasks_version.0, task_capacity: fetch.task_capacity.map(|capacity| capacity.0) })
    }
}

impl FromJson for proto::FetchSingleTaskRequest {
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        let fetch: Fetch = serde_json::from_slice(body)?;
        Ok(Self { tasks_version: fetch.tasks_version.0, handle: fetch.handle })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Update {
    state: Option<State>,
    outputs: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    id: Long,
    result: Outcome,
}

impl FromJson for proto::UpdateTaskRequest {
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        let Update { state, outputs } = serde_json::from_slice(body)?;
        let state =
            state.map(|state| proto::TaskState { id: state.id.0, result: state.result.0, ..Default::default() });
        Ok(Self { state, outputs })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Log {
    task_id: Long,
    index: Long,
    rows: Vec<Row>,
    no_more: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    content: String,
}

impl FromJson for proto::UpdateLogRequest {
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        let Log { task_id, index, rows, no_more } = serde_json::from_slice(body)?;
        let rows = rows.into_iter().map(|row| proto::LogRow { content: row.content, time: None }).collect();
        Ok(Self { task_id: task_id.0, index: index.0, rows, no_more })
    }
}

/// An object without the fields that hold their default.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_unset = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) => false,
    };
    let set = fields.into_iter().filter(|(_, value)| !is_unset(value));
    Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn long(value: i64) -> Value {
    if value == 0 { Value::Null } else { json!(value.to_string()) }
}

fn result(value: i32) -> Value {
    match outcome::Result::try_from(value) {
        Ok(outcome::Result::Unspecified) => Value::Null,
        Ok(known) => json!(known.proto_name()),
        Err(_) => json!(value),
    }
}

fn sorted(map: &HashMap<String, String>) -> Value {
    json!(map.iter().collect::<BTreeMap<_, _>>())
}

fn runner(runner: Option<&proto::Runner>) -> Value {
    let Some(runner) = runner else { return json!({}) };
    let body = object([
        ("id", long(runner.id)),
        ("uuid", json!(runner.uuid)),
        ("token", json!(runner.token)),
        ("name", json!(runner.name)),
        ("version", json!(runner.version)),
        ("labels", json!(runner.labels)),
        ("ephemeral", json!(runner.ephemeral)),
    ]);
    json!({ "runner": body })
}

impl ToJson for proto::RegisterResponse {
    fn to_json(&self) -> Value {
        runner(self.runner.as_ref())
    }
}

impl ToJson for proto::DeclareResponse {
    fn to_json(&self) -> Value {
        runner(self.runner.as_ref())
    }
}

fn task(task: &proto::Task) -> Value {
    let payload = task.workflow_payload.as_ref().map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
    let needs: BTreeMap<&String, Value> = task
        .needs
        .iter()
        .map(|(key, need)| (key, object([("outputs", sorted(&need.outputs)), ("result", result(need.result))])))
        .collect();
    object([
        ("id", long(task.id)),
        ("workflowPayload", json!(payload)),
        ("context", task.context.as_ref().map_or(Value::Null, struct_to_json)),
        ("secrets", sorted(&task.secrets)),
        ("needs", json!(needs)),
        ("vars", sorted(&task.vars)),
    ])
}

impl ToJson for proto::FetchTaskResponse {
    fn to_json(&self) -> Value {
        object([
            ("task", self.task.as_ref().map_or(Value::Null, task)),
            ("tasksVersion", long(self.tasks_version)),
            ("additionalTasks", Value::Array(self.additional_tasks.iter().map(task).collect())),
        ])
    }
}

impl ToJson for proto::FetchSingleTaskResponse {
    fn to_json(&self) -> Value {
        object([("tasksVersion", long(self.tasks_version)), ("task", self.task.as_ref().map_or(Value::Null, task))])
    }
}

impl ToJson for proto::UpdateTaskResponse {
    fn to_json(&self) -> Value {
        let state = self.state.as_ref();
        let state = state.map(|state| object([("id", long(state.id)), ("result", result(state.result))]));
        object([("state", json!(state)), ("sentOutputs", json!(self.sent_outputs))])
    }
}

impl ToJson for proto::UpdateLogResponse {
    fn to_json(&self) -> Value {
        object([("ackIndex", long(self.ack_index))])
    }
}

fn struct_to_json(message: &Struct) -> Value {
    message.fields.iter().map(|(key, value)| (key.clone(), value_to_json(value))).collect()
}

fn value_to_json(value: &prost_types::Value) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::NumberValue(number)) => json!(number),
        Some(Kind::StringValue(text)) => json!(text),
        Some(Kind::BoolValue(flag)) => json!(flag),
        Some(Kind::StructValue(fields)) => struct_to_json(fields),
        Some(Kind::ListValue(list)) => list.values.iter().map(value_to_json).collect(),
    }
}
