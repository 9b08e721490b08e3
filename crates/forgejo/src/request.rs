//! Sends one request to the REST API: address, token, deadline, redirects.
//!
//! Redirects of a GET are followed by hand, within the same origin only, since the token goes with them; Forgejo
//! answers so after a rename or transfer (protocol 1.1). Any other redirect is an error.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, Response, Url};
use runner_rpc::bounded_message;
use runner_rpc::transport::BaseUrl;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::Error;

/// Most redirects that one GET follows.
const REDIRECT_LIMIT: usize = 3;
/// Most redirected addresses that are remembered as told.
const TOLD_LIMIT: usize = 64;

/// Sends requests with the current token. Clones share the token.
#[derive(Clone)]
pub(crate) struct Requests {
    http: reqwest::Client,
    base: BaseUrl,
    deadline: Duration,
    authorization: Arc<RwLock<HeaderValue>>,
    told_redirects: Arc<Mutex<BTreeSet<String>>>,
}

impl Requests {
    pub(crate) fn new(
        http: reqwest::Client,
        base: BaseUrl,
        deadline: Duration,
        token: &SecretString,
    ) -> Result<Self, Error> {
        let authorization = Arc::new(RwLock::new(authorization(token)?));
        Ok(Self { http, base, deadline, authorization, told_redirects: Arc::default() })
    }

    /// The same with a token of its own.
    pub(crate) fn with_token(&self, token: &SecretString) -> Result<Self, Error> {
        Ok(Self { authorization: Arc::new(RwLock::new(authorization(token)?)), ..self.clone() })
    }

    pub(crate) fn set_token(&self, token: &SecretString) -> Result<(), Error> {
        let value = authorization(token)?;
        *self.authorization.write().unwrap_or_else(PoisonError::into_inner) = value;
        Ok(())
    }

    /// Any answer that is no redirect.
    pub(crate) async fn get(&self, call: &'static str, path: &str) -> Result<Response, Error> {
        let ends = Instant::now() + self.deadline;
        let mut url = self.url(path)?;
        let mut followed = 0;
        loop {
            let left = ends.saturating_duration_since(Instant::now());
            let response = send(call, self.request(Method::GET, url.clone(), left)).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = next_place(&url, &response).filter(|_| followed < REDIRECT_LIMIT);
            let Some(next) = next else { return Err(redirected(call, &response)) };
            self.tell_redirect(call, &url, &next);
            url = next;
            followed += 1;
        }
    }

    /// Any answer that is no redirect.
    pub(crate) async fn post(&self, call: &'static str, path: &str, body: &impl Serialize) -> Result<Response, Error> {
        let request = self.request(Method::POST, self.url(path)?, self.deadline).json(body);
        refuse_redirect(call, send(call, request).await?)
    }

    /// Any answer that is no redirect.
    pub(crate) async fn delete(&self, call: &'static str, path: &str) -> Result<Response, Error> {
        let request = self.request(Method::DELETE, self.url(path)?, self.deadline);
        refuse_redirect(call, send(call, request).await?)
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        Ok(self.base.join(&format!("/api/v1{path}"))?)
    }

    fn request(&self, method: Method, url: Url, deadline: Duration) -> RequestBuilder {
        let authorization = self.authorization.read().unwrap_or_else(PoisonError::into_inner).clone();
        let accept = HeaderValue::from_static("application/json");
        let request = self.http.request(method, url).timeout(deadline);
        request.header(AUTHORIZATION, authorization).header(ACCEPT, accept)
    }

    /// Warns of a redirect, once for each address.
    fn tell_redirect(&self, call: &'static str, from: &Url, to: &Url) {
        let mut told = self.told_redirects.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_LIMIT && told.insert(from.path().to_owned()) {
            tracing::warn!(
                call,
                from = from.path(),
                to = to.path(),
                "redirected: renamed or transferred; reading goes on, registering will fail until the configuration \
                 has the new name"
            );
        }
    }
}

fn authorization(token: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("token {}", token.expose_secret())).map_err(|_| Error::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn send(call: &'static str, request: RequestBuilder) -> Result<Response, Error> {
    request.send().await.map_err(|source| Error::transport(call, source))
}

fn refuse_redirect(call: &'static str, response: Response) -> Result<Response, Error> {
    if response.status().is_redirection() { Err(redirected(call, &response)) } else { Ok(response) }
}

/// Where a redirect leads, if that may be followed.
fn next_place(from: &Url, response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let next = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    (next.origin() == from.origin() && next.username().is_empty() && next.password().is_none()).then_some(next)
}

pub(crate) fn redirected(call: &'static str, response: &Response) -> Error {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
    let location = bounded_message(location.split(['?', '#']).next().unwrap_or_default());
    Error::Redirected { call, status: response.status().as_u16(), location }
}
