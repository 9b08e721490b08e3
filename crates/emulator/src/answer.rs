//! Answers, and the bodies of refusals (protocol 1.9).

use axum::http::StatusCode;
use forge_model::rest::Refusal;
use forge_model::{Forge, Version};
use serde_json::{Value, json};

/// Content type of REST answers.
const REST_JSON: &str = "application/json;charset=utf-8";

/// One answer, not yet on the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Rows in the body, for answer times that depend on it.
    pub(crate) rows: usize,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), rows: 0 }
    }

    /// A body with its content type.
    pub(crate) fn with_body(status: StatusCode, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::empty(status).header("Content-Type", content_type).body(body)
    }

    /// A REST answer: JSON and a newline.
    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::with_body(status, REST_JSON, format!("{value}\n"))
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The router's own "not found".
    pub(crate) fn no_page() -> Self {
        Self::with_body(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n")
    }

    /// An ordinary error.
    pub(crate) fn error(forge: &Forge, status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message, "url": swagger(forge) }))
    }

    /// A refusal of the forge with its status and literal message.
    pub(crate) fn refusal(forge: &Forge, refusal: &Refusal) -> Self {
        match refusal {
            Refusal::TargetNotFound => Self::not_found(forge, refusal, &json!([])),
            Refusal::NoOrganization { name } | Refusal::NoOwner { name } => {
                Self::not_found(forge, refusal, &json!([format!("user redirect does not exist [name: {name}]")]))
            }
            Refusal::UnknownToken { token } => {
                Self::error(forge, StatusCode::UNAUTHORIZED, &unknown_token(forge, refusal, token))
            }
            Refusal::NotSudoAdmin => Self::json(status(refusal), &json!({ "message": refusal.to_string() })),
            other => Self::error(forge, status(other), &other.to_string()),
        }
    }

    /// A second document after the first, as versions up to 15.0.3 do after a failed registration (protocol 1.5).
    pub(crate) fn followed_by(mut self, value: &Value) -> Self {
        self.body.extend(format!("{value}\n").into_bytes());
        self
    }

    fn not_found(forge: &Forge, refusal: &Refusal, errors: &Value) -> Self {
        let body = json!({ "message": refusal.to_string(), "url": swagger(forge), "errors": errors });
        Self::json(StatusCode::NOT_FOUND, &body)
    }

    /// A relative redirect, for every method (protocol 1.1). Only GET gets a page with it.
    pub(crate) fn moved(method: &str, location: &str) -> Self {
        let answer = Self::empty(StatusCode::MOVED_PERMANENTLY).header("Location", location);
        if method != "GET" {
            return answer;
        }
        answer
            .header("Content-Type", "text/html; charset=utf-8")
            .body(format!("<a href=\"{location}\">Moved Permanently</a>.\n\n"))
    }
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::TokenRequired | Refusal::UnknownToken { .. } => StatusCode::UNAUTHORIZED,
        Refusal::MissingScope { .. }
        | Refusal::NotSiteAdmin
        | Refusal::NotOrganizationOwner
        | Refusal::NotRepositoryOwner
        | Refusal::NotSudoAdmin
        | Refusal::MayNotWrite
        | Refusal::NotHookAdmin => StatusCode::FORBIDDEN,
        Refusal::TargetNotFound
        | Refusal::NoOrganization { .. }
        | Refusal::NoOwner { .. }
        | Refusal::NoRunner { .. }
        | Refusal::NoRun { .. }
        | Refusal::NotEditable => StatusCode::NOT_FOUND,
        Refusal::Moved { .. } => StatusCode::MOVED_PERMANENTLY,
        Refusal::NameRequired => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
        Refusal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Both versions repeat the token in clear; version 16 lists every way in which it tried to read it.
fn unknown_token(forge: &Forge, refusal: &Refusal, token: &str) -> String {
    match forge.settings().version {
        Version::V15 => refusal.to_string(),
        Version::V16 => {
            let malformed = "token is malformed: token contains an invalid number of segments";
            format!(
                "{malformed}\n{refusal}\n{malformed}\ntask with token \"{token}\": resource does not exist\n\
                 authorized integration: parse JWT error: {malformed}"
            )
        }
    }
}

fn swagger(forge: &Forge) -> String {
    format!("{}api/swagger", forge.settings().root_url)
}
