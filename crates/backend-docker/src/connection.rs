//! Questions to the engine over a connection of their own, which ends with the answer: for answers that the usual client
//! cannot read, and for what it cannot send.

use std::io;
use std::path::Path;

use bollard::errors::Error as EngineError;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;

/// How much of a refusal is read: engines say a sentence.
const MOST_OF_A_REFUSAL: usize = 64 << 10;

/// How much of a refusal that is no JSON is kept.
const KEPT_OF_A_REFUSAL: usize = 1000;

/// A successful answer, whose body is still to be read. What is no success is an error with what the engine said.
pub(crate) async fn ask(socket: &Path, mut request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, EngineError> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the answer was read, or nobody wants it any more.
    tokio::spawn(connection);
    request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
    let response = sender.send_request(request).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = limited(response, MOST_OF_A_REFUSAL).await?;
    Err(EngineError::DockerResponseServerError { status_code: status.as_u16(), message: refusal(&body) })
}

/// A body that may be no longer than this.
pub(crate) async fn limited(response: Response<Incoming>, most_bytes: usize) -> Result<Bytes, EngineError> {
    let body = Limited::new(response.into_body(), most_bytes).collect().await;
    Ok(body.map_err(|cause| io::Error::other(cause.to_string()))?.to_bytes())
}

/// Why a question was refused.
fn refusal(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    match serde_json::from_slice(body) {
        Ok(Refusal { message }) => message,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(KEPT_OF_A_REFUSAL)]).trim().to_owned(),
    }
}
