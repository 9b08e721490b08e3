//! Webhooks as rows (protocol 5.1).

use axum::http::StatusCode;
use forge_model::rest::{Hook, HookSpec};
use forge_model::{Area, Forge, Moment};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rows;
use crate::answer::Answer;
use crate::request::Request;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    active: bool,
    events: Vec<String>,
    branch_filter: String,
    authorization_header: String,
    config: Config,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    url: String,
    content_type: String,
}

pub(super) fn create(forge: &mut Forge, now: Moment, request: &Request, area: Area) -> Answer {
    let Ok(Body { active, events, branch_filter, authorization_header, config }) =
        serde_json::from_slice(&request.body)
    else {
        return Answer::error(forge, StatusCode::UNPROCESSABLE_ENTITY, "[]: not a webhook");
    };
    let Config { url, content_type } = config;
    let spec = HookSpec { url, content_type, events, branch_filter, authorization_header, active };
    Answer::json(StatusCode::CREATED, &row(&forge.create_hook(now, area, spec)))
}

pub(super) fn list(forge: &Forge, area: Area) -> Answer {
    let rows: Vec<Value> = forge.list_hooks(area).into_iter().map(row).collect();
    let total = rows.len().to_string();
    Answer::json(StatusCode::OK, &Value::Array(rows))
        .header("Access-Control-Expose-Headers", "X-Total-Count")
        .header("X-Total-Count", total)
}

fn row(hook: &Hook) -> Value {
    let spec = &hook.spec;
    json!({
        "id": hook.id,
        "type": "forgejo",
        "branch_filter": spec.branch_filter,
        "url": spec.url,
        "config": { "content_type": spec.content_type, "url": spec.url },
        "events": spec.events,
        "authorization_header": spec.authorization_header,
        "content_type": spec.content_type,
        "metadata": null,
        "active": spec.active,
        "updated_at": rows::time(hook.created),
        "created_at": rows::time(hook.created),
    })
}
