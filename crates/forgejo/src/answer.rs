//! Reads the answer to a request: a value, a listing, or an error.

use std::time::SystemTime;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use runner_rpc::{Acted, bounded_message, retry_after};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::Error;
use crate::client::Limits;
use crate::list_reader::{ListReader, NoList};
use crate::listing::Listing;
use crate::rows::Row;

/// Most bytes read of an answer that says no.
const ERROR_BODY_LIMIT: usize = 16 * 1024;

/// A forge's own error body (protocol 1.9).
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: String,
    /// Only in the bodies of the general "not found": about the way to the thing rather than the thing itself.
    #[serde(default)]
    errors: Option<IgnoredAny>,
}

/// The answer if it has the expected status, else the error that it is.
pub(crate) async fn expect(call: &'static str, response: Response, status: StatusCode) -> Result<Response, Error> {
    if response.status() == status {
        return Ok(response);
    }
    if response.status().is_success() {
        let reason = format!("its status is {}, not {status}", response.status());
        return Err(Error::Malformed { call, reason, acted: Acted::Maybe });
    }
    let (head, body) = rejection(response).await;
    Err(head.into_error(call, body))
}

/// Reads a 404 about one thing: `Ok` when the forge itself says that this thing does not exist. A 404 of a proxy, of an
/// unknown route or about the scope (repository invisible, Actions disabled) proves no absence and is an error.
pub(crate) async fn missing(call: &'static str, response: Response) -> Result<(), Error> {
    let (head, body) = rejection(response).await;
    match body {
        Some(body) if body.errors.is_none() && !body.message.starts_with("No permission") => Ok(()),
        body => Err(head.into_error(call, body)),
    }
}

/// What is left of an answer that says no when its body is read.
struct RejectionHead {
    status: u16,
    retry_after: Option<std::time::Duration>,
}

impl RejectionHead {
    fn into_error(self, call: &'static str, body: Option<ErrorBody>) -> Error {
        let message = body.map(|body| bounded_message(&body.message)).unwrap_or_default();
        Error::Rejected { call, status: self.status, message, retry_after: self.retry_after }
    }
}

/// Takes an answer that says no apart. The body of a 401 is not read at all.
async fn rejection(mut response: Response) -> (RejectionHead, Option<ErrorBody>) {
    let status = response.status().as_u16();
    let head = RejectionHead { status, retry_after: retry_after(response.headers(), SystemTime::now()) };
    if status == 401 || !says_json(&response) {
        return (head, None);
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ERROR_BODY_LIMIT {
            break;
        }
    }
    // Only the first document: an old forge lets an apparent success follow after the error (protocol 1.5).
    let first = serde_json::Deserializer::from_slice(&body).into_iter::<ErrorBody>().next();
    (head, first.and_then(Result::ok))
}

/// Reads an answer as one value. `acted` says whether the call can have changed something.
pub(crate) async fn value<T: DeserializeOwned>(
    call: &'static str,
    mut response: Response,
    limits: &Limits,
    acted: Acted,
) -> Result<T, Error> {
    let malformed = |reason: String| Error::Malformed { call, reason, acted };
    if !says_json(&response) {
        return Err(malformed("it is not JSON".to_owned()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|source| Error::transport(call, source))? {
        if body.len() + chunk.len() > limits.answer {
            return Err(malformed(format!("it is larger than {} bytes", limits.answer)));
        }
        body.extend_from_slice(&chunk);
    }
    // The parser's own words could repeat a token that came in the wrong place.
    serde_json::from_slice(&body).map_err(|error| {
        malformed(format!("a field is missing or wrong at line {}, column {}", error.line(), error.column()))
    })
}

/// Reads an answer as a listing, row by row as it arrives.
///
/// An error when not even the beginning of a list came. After that, whatever goes wrong leaves the rows read so far in
/// a listing that is incomplete.
pub(crate) async fn listing<T: Row>(
    call: &'static str,
    mut response: Response,
    limits: &Limits,
) -> Result<Listing<T>, Error> {
    let malformed = |NoList(reason)| Error::Malformed { call, reason: reason.to_owned(), acted: Acted::No };
    if !says_json(&response) {
        return Err(malformed(NoList("it is not JSON")));
    }
    let mut reader = ListReader::new(limits);
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => {
                if reader.feed(&piece).map_err(malformed)?.is_break() {
                    return Ok(reader.stop());
                }
            }
            Ok(None) => return reader.end().map_err(malformed),
            Err(source) => return reader.break_off().ok_or_else(|| Error::transport(call, source)),
        }
    }
}

fn says_json(response: &Response) -> bool {
    let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
