//! A client of the runner's RPC: unary Connect over `application/proto`, as the real runner speaks it (protocol 3.1).
//!
//! Every call has a deadline and a limit on its answer, and is sent exactly once.

use std::fmt;
use std::time::{Duration, SystemTime};

use prost::Message;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use crate::connect::{Code, ErrorBody};
use crate::error::{Error, bounded_message, retry_after};
use crate::messages::{
    DeclareRequest, DeclareResponse, FetchSingleTaskRequest, FetchSingleTaskResponse, FetchTaskRequest,
    FetchTaskResponse, PingRequest, PingResponse, UpdateLogRequest, UpdateLogResponse, UpdateTaskRequest,
    UpdateTaskResponse,
};
use crate::transport::BaseUrl;
use crate::wire;

/// Most bytes read of an error body.
const ERROR_BODY_LIMIT: usize = 16 * 1024;

/// What a runner proves itself with: uuid and token of its registration (protocol 1.5).
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Uuid of the registration.
    pub uuid: String,
    /// Its token, 40 hexadecimal digits.
    pub token: SecretString,
}

/// Bounds of every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// From the beginning of the call to the last byte of its answer.
    pub deadline: Duration,
    /// Largest answer in bytes.
    pub answer: usize,
}

impl Default for CallLimits {
    /// 10 s, far above the 5 to 20 ms that a call takes; 32 MiB, since the outputs of needed jobs come with a task and
    /// each may have 1 MiB (protocol 3.4).
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), answer: 32 * 1024 * 1024 }
    }
}

/// Calls the runner's RPC of one forge. Cheap to clone.
#[derive(Clone)]
pub struct RunnerClient {
    http: reqwest::Client,
    base: BaseUrl,
    limits: CallLimits,
}

impl fmt::Debug for RunnerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerClient")
            .field("base", &self.base.as_str())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl RunnerClient {
    /// A client over an HTTP client of [`crate::transport::http_client`], which brings user agent, trust and proxy.
    pub fn new(http: reqwest::Client, base: BaseUrl, limits: CallLimits) -> Self {
        Self { http, base, limits }
    }

    /// Asks for a greeting; needs no credentials.
    pub async fn ping(&self, data: &str) -> Result<String, Error> {
        let request = PingRequest { data: data.to_owned() };
        let answer: PingResponse = self.call("Ping", wire::PING, HeaderMap::new(), &request).await?;
        Ok(answer.data)
    }

    /// Replaces the stored labels and version of the runner.
    pub async fn declare(&self, who: &Credentials, request: &DeclareRequest) -> Result<DeclareResponse, Error> {
        self.call("Declare", wire::DECLARE, identity("Declare", who, None)?, request).await
    }

    /// Asks for any fitting tasks. The same `request_key` gives the same tasks again.
    pub async fn fetch_task(
        &self,
        who: &Credentials,
        request_key: Option<&str>,
        request: &FetchTaskRequest,
    ) -> Result<FetchTaskResponse, Error> {
        self.call("FetchTask", wire::FETCH_TASK, identity("FetchTask", who, request_key)?, request).await
    }

    /// Asks for one task, optionally by handle. The same `request_key` gives the same task again.
    pub async fn fetch_single_task(
        &self,
        who: &Credentials,
        request_key: Option<&str>,
        request: &FetchSingleTaskRequest,
    ) -> Result<FetchSingleTaskResponse, Error> {
        let headers = identity("FetchSingleTask", who, request_key)?;
        self.call("FetchSingleTask", wire::FETCH_SINGLE_TASK, headers, request).await
    }

    /// Reports the state of a task.
    pub async fn update_task(
        &self,
        who: &Credentials,
        request: &UpdateTaskRequest,
    ) -> Result<UpdateTaskResponse, Error> {
        self.call("UpdateTask", wire::UPDATE_TASK, identity("UpdateTask", who, None)?, request).await
    }

    /// Appends to the log of a task.
    pub async fn update_log(&self, who: &Credentials, request: &UpdateLogRequest) -> Result<UpdateLogResponse, Error> {
        self.call("UpdateLog", wire::UPDATE_LOG, identity("UpdateLog", who, None)?, request).await
    }

    async fn call<Request: Message, Answer: Message + Default>(
        &self,
        call: &'static str,
        path: &str,
        mut headers: HeaderMap,
        request: &Request,
    ) -> Result<Answer, Error> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_PROTO));
        let protocol = HeaderValue::from_static(wire::CONNECT_PROTOCOL);
        headers.insert(HeaderName::from_static(wire::CONNECT_PROTOCOL_VERSION), protocol);
        let milliseconds = u64::try_from(self.limits.deadline.as_millis()).unwrap_or(u64::MAX);
        headers.insert(HeaderName::from_static(wire::CONNECT_TIMEOUT_MS), HeaderValue::from(milliseconds));

        let sent = self
            .http
            .post(self.base.join(path)?)
            .timeout(self.limits.deadline)
            .headers(headers)
            .body(request.encode_to_vec())
            .send()
            .await;
        let response = sent.map_err(|source| Error::transport(call, source))?;
        if response.status() != StatusCode::OK {
            return Err(rejection(call, response).await);
        }
        if !is_content(&response, wire::CONTENT_PROTO) {
            let reason = "its content type is not application/proto".to_owned();
            return Err(Error::Malformed { call, reason });
        }
        let body = read(call, response, self.limits.answer).await?;
        Answer::decode(body.as_slice()).map_err(|error| Error::Malformed { call, reason: error.to_string() })
    }
}

/// The headers of an authenticated call. The token's value is marked, so that no log of headers shows it.
fn identity(call: &'static str, who: &Credentials, request_key: Option<&str>) -> Result<HeaderMap, Error> {
    let value = |text: &str, what: &'static str| HeaderValue::from_str(text).map_err(|_| Error::Header { call, what });
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(wire::RUNNER_UUID), value(&who.uuid, "the runner's uuid")?);
    let mut token = value(who.token.expose_secret(), "the runner's token")?;
    token.set_sensitive(true);
    headers.insert(HeaderName::from_static(wire::RUNNER_TOKEN), token);
    if let Some(key) = request_key {
        headers.insert(HeaderName::from_static(wire::RUNNER_REQUEST_KEY), value(key, "the request key")?);
    }
    Ok(headers)
}

/// Makes an error of an answer that says no. Forgejo always says it as a Connect error in JSON; anything else comes
/// from a page or a proxy and only its status counts. In particular a 401 that is not a Connect error tells nothing
/// about the registration, so it does not get the code `unauthenticated`. The message of a 401 is not kept.
async fn rejection(call: &'static str, response: Response) -> Error {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers(), SystemTime::now());
    let is_json = is_content(&response, wire::CONTENT_JSON);
    let body = if is_json { read(call, response, ERROR_BODY_LIMIT).await.ok() } else { None };
    let told = body.and_then(|body| serde_json::from_slice::<ErrorBody>(&body).ok());
    let (code, message) = match (told, status) {
        (Some(body), 401) => (body.code, String::new()),
        (Some(body), _) => (body.code, bounded_message(&body.message)),
        (None, 401) => (Code::Unknown, String::new()),
        (None, _) => (Code::from_http_status(status), "not an answer of the runner's RPC".to_owned()),
    };
    Error::Rejected { call, status, code, message, retry_after }
}

fn is_content(response: &Response, expected: &str) -> bool {
    let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
}

async fn read(call: &'static str, mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|source| Error::transport(call, source))? {
        if body.len() + chunk.len() > limit {
            return Err(Error::TooLarge { call, limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
