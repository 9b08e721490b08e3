//! The first words with a forge: its version and its clock, or why there is no answer at all.

use std::error::Error as StdError;
use std::io;
use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::DATE;
use serde::Deserialize;

use crate::answer::{expect, value};
use crate::{Acted, Client, Error, Version};

/// What a forge says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its version.
    pub version: Version,
    /// What its clock (or that of a proxy in front of it) showed, in whole seconds; nothing when the answer has no date.
    pub clock: Option<SystemTime>,
}

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The host's name is unknown.
    Name,
    /// The host is there and nobody listens at the port.
    Refused,
    /// Nothing came within the deadline.
    Deadline,
    /// The certificate is not trusted; why, in words of the TLS library.
    Certificate(String),
    /// What listens there does not speak TLS.
    NotTls,
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct VersionAnswer {
    version: String,
}

impl Client {
    /// Version and clock of the forge. A bad token fails here too (protocol 1.1).
    pub async fn greet(&self) -> Result<Greeting, Error> {
        let call = "get version";
        let response = expect(call, self.requests.get(call, "/version").await?, StatusCode::OK).await?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        let clock = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let answer: VersionAnswer = value(call, response, &self.limits, Acted::No).await?;
        let reason = "it holds no version number".to_owned();
        let version = Version::parse(&answer.version).ok_or(Error::Malformed { call, reason, acted: Acted::No })?;
        Ok(Greeting { version, clock })
    }
}

impl Error {
    /// Why there was no answer; nothing when there was one.
    pub fn no_answer(&self) -> Option<NoAnswer> {
        let (Self::Transport { source, .. } | Self::Rpc(runner_rpc::Error::Transport { source, .. })) = self else {
            return None;
        };
        Some(if source.is_dns() { NoAnswer::Name } else { reason(source) })
    }
}

/// Looks through the causes for the first that says enough.
fn reason(error: &reqwest::Error) -> NoAnswer {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(why)) => return NoAnswer::Certificate(why.to_string()),
            Some(rustls::Error::InvalidMessage(_)) => return NoAnswer::NotTls,
            _ => {}
        }
        let io = current.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return NoAnswer::Refused;
        }
        // An error that travels inside one of input and output is not its cause: that one names the next.
        let within = io.and_then(io::Error::get_ref);
        cause = within.map_or_else(|| current.source(), |within| Some(within));
    }
    if error.is_timeout() { NoAnswer::Deadline } else { NoAnswer::Other }
}
