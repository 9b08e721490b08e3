//! The task message: payload, context, secrets and needs (protocol 3.5).

use forge_model::{Forge, Need, Status, TaskAnswer, Version};
use prost_types::{ListValue, Struct, value::Kind};
use runner_rpc::messages as proto;
use runner_rpc::outcome;
use serde_json::{Value, json};

/// Names under which every job finds its own token.
const TOKEN_SECRETS: [&str; 3] = ["FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN"];

/// Context keys that are always present and empty.
const EMPTY: [&str; 15] = [
    "action",
    "action_path",
    "action_ref",
    "action_repository",
    "action_status",
    "base_ref",
    "env",
    "event_path",
    "graphql_url",
    "head_ref",
    "job_name",
    "path",
    "retention_days",
    "triggering_actor",
    "workspace",
];

/// The wire form of a task.
pub(super) fn message(forge: &Forge, task: &TaskAnswer) -> proto::Task {
    let mut secrets: std::collections::HashMap<String, String> =
        task.secrets.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    secrets.extend(TOKEN_SECRETS.map(|name| (name.to_owned(), task.token.clone())));
    proto::Task {
        id: task.id.0,
        workflow_payload: Some(task.payload.clone().into_bytes()),
        context: Some(context(forge, task)),
        secrets,
        needs: task.needs.iter().map(|(key, need)| (key.clone(), need_message(need))).collect(),
        vars: task.vars.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        ..proto::Task::default()
    }
}

fn need_message(need: &Need) -> proto::TaskNeed {
    proto::TaskNeed {
        outputs: need.outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        result: result(Some(need.result)) as i32,
    }
}

/// The wire form of a result; what is not final is unspecified.
pub(super) const fn result(status: Option<Status>) -> outcome::Result {
    match status {
        Some(Status::Success) => outcome::Result::Success,
        Some(Status::Failure) => outcome::Result::Failure,
        Some(Status::Cancelled) => outcome::Result::Cancelled,
        Some(Status::Skipped) => outcome::Result::Skipped,
        Some(Status::Waiting | Status::Running | Status::Blocked) | None => outcome::Result::Unspecified,
    }
}

fn context(forge: &Forge, task: &TaskAnswer) -> Struct {
    let about = &task.context;
    let root = &forge.settings().root_url;
    let ref_type = if about.reference.starts_with("refs/tags/") { "tag" } else { "branch" };
    let ref_name = about.reference.splitn(3, '/').nth(2).unwrap_or_default();
    let workflow_ref = format!("{}/.forgejo/workflows/{}@{}", about.repository, about.workflow, about.reference);
    let mut body = json!({
        "actor": about.actor,
        "api_url": format!("{root}api/v1"),
        "event": { "ref": about.reference, "inputs": {}, "repository": { "full_name": about.repository } },
        "event_name": about.event_name,
        "forgejo_server_version": forge.settings().version.text(),
        "gitea_default_actions_url": "https://data.forgejo.org",
        "gitea_runtime_token": task.token,
        "job": about.job,
        "ref": about.reference,
        "ref_name": ref_name,
        "ref_protected": false,
        "ref_type": ref_type,
        "repository": about.repository,
        "repositoryUrl": format!("{root}{}", about.repository),
        "repository_owner": about.repository_owner,
        "run_attempt": about.run_attempt.to_string(),
        "run_id": about.run_id.to_string(),
        "run_number": about.run_number.to_string(),
        "runner_perflog": "",
        "runner_tracking_id": "",
        "secret_source": "Actions",
        "server_url": root,
        "sha": about.sha,
        "token": task.token,
        "workflow": about.workflow,
        "workflow_ref": workflow_ref,
    });
    for key in EMPTY {
        body[key] = json!("");
    }
    if forge.settings().version == Version::V16 {
        body["actor_id"] = json!(about.actor_id.to_string());
        body["repository_id"] = json!(about.repo_id.to_string());
        body["repository_owner_id"] = json!(about.owner_id.to_string());
    }
    match to_kind(body) {
        Kind::StructValue(fields) => fields,
        _ => Struct::default(),
    }
}

fn to_kind(value: Value) -> Kind {
    let wrap = |value| prost_types::Value { kind: Some(to_kind(value)) };
    match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(flag) => Kind::BoolValue(flag),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.into_iter().map(wrap).collect() }),
        Value::Object(fields) => {
            Kind::StructValue(Struct { fields: fields.into_iter().map(|(key, value)| (key, wrap(value))).collect() })
        }
    }
}
