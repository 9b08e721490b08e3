//! The registration's body, read with the leniency of the real forge (protocol 1.5).

use axum::http::StatusCode;
use forge_model::rest::{Caller, Refusal};
use forge_model::{Area, Forge, Moment, Version};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::request::{Request, first};

struct Fields {
    name: String,
    description: String,
    ephemeral: bool,
}

pub(super) fn register(
    forge: &mut Forge,
    now: Moment,
    request: &Request,
    caller: Caller<'_>,
    area: Area,
) -> Result<Answer, Refusal> {
    let fields = match request.content_type() {
        Some("application/json") => from_json(&request.body),
        Some("application/x-www-form-urlencoded") => Ok(from_form(&request.body)),
        None | Some("") => Err("Empty Content-Type".to_owned()),
        Some(_) => Err("Unsupported Content-Type".to_owned()),
    };
    match fields {
        Err(text) => Ok(Answer::error(forge, StatusCode::UNPROCESSABLE_ENTITY, &format!("[]: {text}"))),
        Ok(Fields { name, description, ephemeral }) => {
            let made = match forge.register_runner(now, area, &name, &description, ephemeral) {
                Err(Refusal::Internal(text)) if forge.settings().version == Version::V15 => {
                    return Ok(two_documents(forge, caller, text));
                }
                made => made?,
            };
            let body = json!({ "id": made.id.0, "uuid": made.uuid, "token": made.token });
            Ok(Answer::json(StatusCode::CREATED, &body))
        }
    }
}

/// Version 15 does not stop at a database error: what would have been the answer follows the error (protocol 1.5).
fn two_documents(forge: &mut Forge, caller: Caller<'_>, text: String) -> Answer {
    let shown = if forge.asks_as_site_admin(caller) { text } else { String::new() };
    let (uuid, token) = forge.unused_credentials();
    Answer::refusal(forge, &Refusal::Internal(shown)).followed_by(&json!({ "id": 0, "uuid": uuid, "token": token }))
}

/// The first document of the body counts; keys in any case; an empty body and `null` have no fields.
fn from_json(body: &[u8]) -> Result<Fields, String> {
    let document = serde_json::Deserializer::from_slice(body).into_iter::<Value>().next();
    let fields: Map<String, Value> = match document {
        None | Some(Ok(Value::Null)) => Map::new(),
        Some(Ok(Value::Object(fields))) => {
            fields.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect()
        }
        Some(Ok(_)) => return Err("json: the body is not an object".to_owned()),
        Some(Err(error)) => return Err(format!("json: {error}")),
    };
    Ok(Fields {
        name: text(&fields, "name")?,
        description: text(&fields, "description")?,
        ephemeral: match fields.get("ephemeral") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => return Err("json: ephemeral is not a bool".to_owned()),
        },
    })
}

fn text(fields: &Map<String, Value>, key: &str) -> Result<String, String> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("json: {key} is not a string")),
    }
}

fn from_form(body: &[u8]) -> Fields {
    let uri = format!("/?{}", String::from_utf8_lossy(body)).parse().unwrap_or_default();
    let fields = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).map(|query| query.0);
    let fields = fields.unwrap_or_default();
    let text = |key: &str| first(&fields, key).unwrap_or_default().to_owned();
    Fields { name: text("name"), description: text("description"), ephemeral: text("ephemeral") == "true" }
}
