//! Starting a workflow (protocol 1.8).

use std::collections::BTreeMap;

use axum::http::StatusCode;
use forge_model::rest::{Caller, Refusal};
use forge_model::{Forge, Moment, RepoId};
use serde::Deserialize;
use serde_json::json;

use crate::answer::Answer;
use crate::request::Request;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    #[serde(rename = "ref")]
    reference: String,
    inputs: BTreeMap<String, String>,
    return_run_info: bool,
}

pub(super) fn dispatch(
    forge: &mut Forge,
    now: Moment,
    request: &Request,
    caller: Caller<'_>,
    repository: RepoId,
    file: &str,
) -> Result<Answer, Refusal> {
    let Ok(Body { reference, inputs, return_run_info }) = serde_json::from_slice(&request.body) else {
        return Ok(Answer::error(forge, StatusCode::UNPROCESSABLE_ENTITY, "[]: not a dispatch"));
    };
    let actor = forge.user_of(caller)?;
    let made = forge.dispatch(now, repository, file, &reference, &inputs, actor)?;
    if !return_run_info {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    let body = json!({ "id": made.run.0, "run_number": made.number, "jobs": made.jobs });
    Ok(Answer::json(StatusCode::CREATED, &body))
}
