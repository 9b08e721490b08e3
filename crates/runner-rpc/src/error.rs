//! What can go wrong in a call, and whether the forge may have acted on it all the same.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::connect::Code;

/// Longest message of a forge that is kept, in characters.
const MESSAGE_LIMIT: usize = 512;
/// Longest pause that a forge can ask for; more than that is no pause but a fault.
const RETRY_AFTER_LIMIT: Duration = Duration::from_hours(1);

/// Whether a call that failed may have had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acted {
    /// Certainly not: the request was never sent, or was refused.
    No,
    /// Perhaps: the request was sent and its answer was lost or says nothing.
    Maybe,
}

/// Errors of the runner's RPC. `call` names what was tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root URL cannot be used.
    #[error("the URL of the forge cannot be used: {reason}")]
    BaseUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The CA file cannot be read as certificates.
    #[error("the CA file is not a list of certificates in PEM form")]
    CaFile {
        /// The parser's error.
        source: reqwest::Error,
    },
    /// The CA file has no certificate.
    #[error("the CA file holds no certificate")]
    CaFileEmpty,
    /// The HTTP client cannot be built, for instance for want of certificates on this machine.
    #[error("the HTTP client cannot be set up")]
    Client {
        /// The cause.
        source: reqwest::Error,
    },
    /// Uuid, token or request key do not fit into a header. Their text is left out on purpose.
    #[error("{call}: {what} holds characters that no header can carry")]
    Header {
        /// The call.
        call: &'static str,
        /// Which value.
        what: &'static str,
    },
    /// No answer: refused, broken off or too late.
    #[error("{call}: no answer from the forge")]
    Transport {
        /// The call.
        call: &'static str,
        /// Whether the request can have had an effect.
        acted: Acted,
        /// The cause.
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("{call}: refused with status {status}, {code}{}", told(message))]
    Rejected {
        /// The call.
        call: &'static str,
        /// HTTP status.
        status: u16,
        /// Connect's code, or the one that the status stands for.
        code: Code,
        /// The forge's message, at most 512 characters; empty for 401.
        message: String,
        /// The pause that the answer asks for, at most an hour.
        retry_after: Option<Duration>,
    },
    /// An answer that says yes but is no message of this call.
    #[error("{call}: the answer cannot be understood: {reason}")]
    Malformed {
        /// The call.
        call: &'static str,
        /// Why not.
        reason: String,
    },
    /// An answer beyond the limit.
    #[error("{call}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// The call.
        call: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
}

/// A message with what stands in front of it; nothing when there is none.
fn told(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl Error {
    /// An error without an answer. The URL goes out of the cause, since the base is known and the path is `call`.
    pub(crate) fn transport(call: &'static str, source: reqwest::Error) -> Self {
        Self::Transport { call, acted: acted_without_answer(&source), source: source.without_url() }
    }

    /// Whether the call may have had its effect all the same.
    pub fn acted(&self) -> Acted {
        match self {
            Self::Transport { acted, .. } => *acted,
            Self::Rejected { status, .. } if *status >= 500 || *status == 408 => Acted::Maybe,
            Self::Malformed { .. } | Self::TooLarge { .. } => Acted::Maybe,
            Self::Rejected { .. }
            | Self::BaseUrl { .. }
            | Self::CaFile { .. }
            | Self::CaFileEmpty
            | Self::Client { .. }
            | Self::Header { .. } => Acted::No,
        }
    }

    /// What a person can do about it, where something is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::BaseUrl { .. } => Some("write it like https://forge.example"),
            Self::CaFile { .. } | Self::CaFileEmpty => Some("it must be in PEM form, with BEGIN CERTIFICATE lines"),
            Self::Client { .. }
            | Self::Header { .. }
            | Self::Transport { .. }
            | Self::Rejected { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. } => None,
        }
    }

    /// Whether Forgejo itself said that these credentials are unknown: the registration is gone. A 401 that does not
    /// come as a Connect error, as from a proxy, is something else.
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Rejected { status: 401, code: Code::Unauthenticated, .. })
    }

    /// Whether the task belongs to another runner (protocol 2.11).
    pub fn is_task_of_another(&self) -> bool {
        matches!(self, Self::Rejected { code: Code::Internal, message, .. }
            if message.contains(crate::wire::INVALID_RUNNER_FOR_TASK))
    }

    /// Whether the thing exists already: for `UpdateLog`, the log is archived.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Rejected { code: Code::AlreadyExists, .. })
    }

    /// Whether the call was broken off because its deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Transport { source, .. } if source.is_timeout())
    }
}

/// Whether a request without an answer can have had an effect. Only what failed before the connection stood is sure.
pub fn acted_without_answer(error: &reqwest::Error) -> Acted {
    if error.is_connect() || error.is_dns() || error.is_builder() { Acted::No } else { Acted::Maybe }
}

/// A forge's message as it may be kept and logged: at most 512 characters, on one line.
pub fn bounded_message(text: &str) -> String {
    let trimmed = text.trim();
    let mut kept: String = trimmed.chars().take(MESSAGE_LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if trimmed.chars().nth(MESSAGE_LIMIT).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// The pause that an answer asks for in `Retry-After`, as seconds or as a date seen from `now`; at most an hour.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => RETRY_AFTER_LIMIT,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or(Duration::ZERO),
    };
    Some(pause.min(RETRY_AFTER_LIMIT))
}

#[cfg(test)]
mod tests {
    use super::{Code, Error, bounded_message, retry_after};
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
    use std::time::{Duration, SystemTime};

    fn pause(text: &str) -> Option<Duration> {
        // 2026-11-23 22:00:00 UTC.
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(498_742);
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]), now)
    }

    #[test]
    fn a_pause_is_read_in_both_forms_and_bounded() {
        assert_eq!(pause("17"), Some(Duration::from_secs(17)));
        assert_eq!(pause("Mon, 23 Nov 2026 22:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(pause("Mon, 23 Nov 2026 21:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(pause("86400"), Some(Duration::from_hours(1)));
        assert_eq!(pause("99999999999999999999999"), Some(Duration::from_hours(1)));
        assert_eq!(pause("Tue, 24 Nov 2026 22:00:00 GMT"), Some(Duration::from_hours(1)));
        assert_eq!(pause("soon"), None);
        assert_eq!(pause("-1"), None);
    }

    #[test]
    fn a_refusal_without_a_message_ends_with_its_code() {
        let refused = |message: &str| Error::Rejected {
            call: "Declare",
            status: 401,
            code: Code::Unauthenticated,
            message: message.to_owned(),
            retry_after: None,
        };
        assert_eq!(refused("").to_string(), "Declare: refused with status 401, unauthenticated");
        assert_eq!(refused("why").to_string(), "Declare: refused with status 401, unauthenticated: why");
    }

    #[test]
    fn a_kept_message_is_short_and_on_one_line() {
        assert_eq!(bounded_message(" a\nb\r\u{1b}[31m "), "a b  [31m");
        let long = bounded_message(&"é".repeat(2_000));
        assert_eq!(long.chars().count(), 512);
        assert!(long.ends_with('…'));
    }
}
