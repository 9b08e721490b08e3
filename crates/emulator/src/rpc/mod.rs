//! The runner's RPC: Connect, unary, in protobuf and in JSON (protocol 3.1).

mod call;
mod encoding;
mod json;
mod task;

use axum::http::StatusCode;
use forge_model::rpc::RpcRefusal;
use forge_model::{Forge, Moment};
use runner_rpc::connect::{Code, ErrorBody};

use crate::answer::Answer;
use crate::request::Request;
use crate::route::RouteKind;
use encoding::Encoding;

/// What a call comes to when it does not succeed.
enum Failure {
    Connect(Code, String),
    /// The server's code fell over: an HTML page instead of a Connect error.
    Panic,
}

impl From<RpcRefusal> for Failure {
    fn from(refusal: RpcRefusal) -> Self {
        let code = match refusal {
            RpcRefusal::Unregistered => Code::Unauthenticated,
            RpcRefusal::Invalid(_) => Code::InvalidArgument,
            RpcRefusal::LogArchived => Code::AlreadyExists,
            RpcRefusal::Internal(_) => Code::Internal,
        };
        Self::Connect(code, refusal.to_string())
    }
}

/// Answers one call.
pub(crate) fn answer(forge: &mut Forge, now: Moment, request: &Request, kind: RouteKind) -> Answer {
    if request.method != "POST" {
        return Answer::empty(StatusCode::METHOD_NOT_ALLOWED).header("Allow", "POST");
    }
    let Some(encoding) = Encoding::of(request.content_type()) else {
        return Answer::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .header("Accept-Post", "application/json, application/proto");
    };
    match call::call(forge, now, request, kind, encoding) {
        Ok(body) => Answer::with_body(StatusCode::OK, encoding.content_type(), body),
        Err(Failure::Connect(code, message)) => connect_error(code, message),
        Err(Failure::Panic) => panic_page(),
    }
}

/// Error bodies are JSON whatever the encoding of the call.
fn connect_error(code: Code, message: String) -> Answer {
    let status = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&ErrorBody::new(code, message)).unwrap_or_default();
    Answer::with_body(status, "application/json", body)
}

/// The page has no content type of its own: the handler had set that of the call.
fn panic_page() -> Answer {
    let page = "<!DOCTYPE html>\n<html><head><title>Internal server error</title></head>\
                <body><h1>500</h1><p>Internal server error</p></body></html>\n";
    Answer::with_body(StatusCode::INTERNAL_SERVER_ERROR, "application/json", page)
}
