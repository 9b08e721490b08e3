//! A forge as anybody sees it, without any token: for an address of which it is not yet known whose it is.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use runner_rpc::transport::{BaseUrl, http_client};
use runner_rpc::{Acted, CallLimits, RunnerClient};
use serde::Deserialize;

use crate::answer::value;
use crate::request::redirected;
use crate::{Error, Limits};

/// What a forge appends to its own address in the bodies of errors (protocol 1.9).
const SWAGGER: &str = "api/swagger";

/// Asks without a token.
#[derive(Clone, Debug)]
pub struct Stranger {
    http: reqwest::Client,
    base: BaseUrl,
    deadline: Duration,
    runners: RunnerClient,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    url: String,
}

impl Stranger {
    /// Sets it up; sends nothing. `deadline` is for each call, half of it for getting connected.
    pub fn new(url: &str, user_agent: &str, ca_pem: Option<&[u8]>, deadline: Duration) -> Result<Self, Error> {
        let base = BaseUrl::parse(url)?;
        let http = http_client(&base, user_agent, ca_pem, deadline / 2)?;
        let limits = CallLimits { deadline, answer: Limits::default().answer };
        let runners = RunnerClient::new(http.clone(), base.clone(), limits);
        Ok(Self { http, base, deadline, runners })
    }

    /// The address that the forge gives itself (its `ROOT_URL`). Two addresses with one answer lead to one forge.
    ///
    /// It is read from the refusal of a request without a token. That body is safe, unlike others of its status: there
    /// was no token that it could repeat.
    pub async fn root_url(&self) -> Result<String, Error> {
        let call = "ask for the forge's own address";
        let request = self.http.get(self.base.join("/api/v1/user")?).timeout(self.deadline);
        let response = request.send().await.map_err(|source| Error::transport(call, source))?;
        if response.status().is_redirection() {
            return Err(redirected(call, &response));
        }
        let reason = || {
            let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("nothing");
            format!("a forge refuses this with status 401, here came {} with {kind}", response.status().as_u16())
        };
        if response.status().as_u16() != 401 {
            return Err(Error::Malformed { call, reason: runner_rpc::bounded_message(&reason()), acted: Acted::No });
        }
        let answer: ErrorAnswer = value(call, response, &Limits::default(), Acted::No).await?;
        let root = answer.url.strip_suffix(SWAGGER).unwrap_or(&answer.url);
        Ok(runner_rpc::bounded_message(root.trim_end_matches('/')))
    }

    /// Greets the service that runners speak with.
    pub async fn ping(&self) -> Result<(), Error> {
        self.runners.ping("forgescale").await.map(drop).map_err(Error::from)
    }
}
