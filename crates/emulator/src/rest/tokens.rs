//! Making access tokens (protocol 1.1).

use axum::http::StatusCode;
use forge_model::rest::{Caller, Refusal};
use forge_model::{Forge, Moment, RepoId, Version};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rows;
use crate::answer::Answer;
use crate::request::Request;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    name: String,
    scopes: Vec<String>,
    repositories: Vec<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    owner: String,
    name: String,
}

/// Only somebody who gives a password may make tokens, and only own ones.
pub(super) fn create(
    forge: &mut Forge,
    now: Moment,
    request: &Request,
    caller: Caller<'_>,
    user: &str,
) -> Result<Answer, Refusal> {
    let signed_in = forge.signed_in(caller).ok_or(Refusal::TokenRequired)?;
    if forge.owner_named(user).is_none_or(|owner| owner.id != signed_in) {
        return Err(Refusal::NotSiteAdmin);
    }
    let Ok(Body { name, scopes, repositories }) = serde_json::from_slice(&request.body) else {
        return Ok(Answer::error(forge, StatusCode::UNPROCESSABLE_ENTITY, "[]: not a token"));
    };
    let paths: Vec<(String, String)> = repositories.into_iter().map(|path| (path.owner, path.name)).collect();
    let made = forge.make_token(signed_in, &scopes, &paths)?;
    let last_eight = made.text.get(made.text.len().saturating_sub(8)..).unwrap_or_default();
    let mut body = json!({
        "id": made.id,
        "name": name,
        "sha1": made.text,
        "token_last_eight": last_eight,
        "scopes": made.scopes,
        "repositories": made.repositories.iter().filter_map(|id| short(forge, *id)).collect::<Vec<_>>(),
    });
    if forge.settings().version == Version::V16 {
        body["created_at"] = json!(rows::time(now));
    }
    Ok(Answer::json(StatusCode::CREATED, &body))
}

fn short(forge: &Forge, id: RepoId) -> Option<Value> {
    let repository = forge.repository(id)?;
    let owner = &forge.owner(repository.owner)?.name;
    let full_name = format!("{owner}/{}", repository.name);
    Some(json!({ "id": id.0, "name": repository.name, "owner": owner, "full_name": full_name }))
}
