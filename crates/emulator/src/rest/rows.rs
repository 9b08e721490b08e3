//! JSON of rows, with the names and quirks of protocol 1.3, 1.4 and 1.8.

use forge_model::rest::{JobRow, RunnerRow};
use forge_model::{Forge, Owner, Repository, Settings, Version};
use serde_json::{Value, json};

pub(super) fn job(row: &JobRow, settings: &Settings) -> Value {
    let mut body = json!({
        "id": row.id.0,
        "attempt": row.attempt,
        "handle": row.handle.as_str(),
        "repo_id": row.repo_id.0,
        "owner_id": row.owner_id.0,
        "name": row.name,
        "needs": if row.needs.is_empty() { Value::Null } else { json!(row.needs) },
        "runs_on": row.runs_on,
        "task_id": row.task_id,
        "status": row.status_word(),
    });
    if settings.version == Version::V16 {
        body["run_id"] = json!(row.run_id.0);
    }
    with_unknown_fields(body, settings)
}

pub(super) fn runner(row: &RunnerRow, settings: &Settings) -> Value {
    let body = json!({
        "id": row.id.0,
        "uuid": row.uuid,
        "owner_id": row.area.owner_id(),
        "repo_id": row.area.repo_id(),
        "name": row.name,
        "status": row.status.word(),
        "version": row.version,
        "labels": row.labels,
        "description": row.description,
        "ephemeral": row.ephemeral,
    });
    with_unknown_fields(body, settings)
}

/// What a later release may add, if that is wanted.
fn with_unknown_fields(mut body: Value, settings: &Settings) -> Value {
    if settings.unknown_fields {
        body["of_a_later_release"] = json!({ "nested": [1, null, "text"] });
    }
    body
}

pub(super) fn user(owner: &Owner) -> Value {
    json!({ "id": owner.id.0, "login": owner.name, "username": owner.name, "full_name": "", "active": true })
}

pub(super) fn organization(owner: &Owner) -> Value {
    json!({ "id": owner.id.0, "name": owner.name, "username": owner.name, "full_name": "", "visibility": "public" })
}

pub(super) fn repository(forge: &Forge, row: &Repository) -> Value {
    let owner = forge.owner(row.owner);
    let full_name = format!("{}/{}", owner.map_or("", |owner| &owner.name), row.name);
    let html_url = format!("{}{full_name}", forge.settings().root_url);
    json!({
        "id": row.id.0,
        "owner": owner.map(user),
        "name": row.name,
        "full_name": full_name,
        "private": row.private,
        "archived": row.archived,
        "has_actions": row.actions_enabled,
        "clone_url": format!("{html_url}.git"),
        "html_url": html_url,
        "default_branch": "main",
    })
}
