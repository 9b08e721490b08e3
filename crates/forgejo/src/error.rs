//! Errors of a forge and what they mean to whoever decides what to do next.

use std::time::Duration;

use runner_rpc::Acted;

/// Forgejo's words before the scope that a token lacks. Its own tests compare them literally (protocol 1.1).
const LACKS_SCOPE: &str = "required scope(s): [";
/// How Forgejo says, with a 404, that a runner belongs to a wider scope (protocol 1.7).
const NOT_OURS_TO_DELETE: &str = "No permission to delete this runner";

/// What kind of trouble an error is. Decided here, from structured facts, and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Too many requests: pause.
    RateLimited {
        /// How long, if the answer says so; at most an hour.
        retry_after: Option<Duration>,
    },
    /// The token or the credentials are unknown.
    Auth,
    /// The token is known but may not do this.
    Forbidden {
        /// The token scope that was needed, as `write:repository`, when that is what is missing.
        needed_scope: Option<String>,
    },
    /// There is no such thing, or it cannot be seen.
    NotFound,
    /// The thing has another address now: renamed or transferred.
    Redirected,
    /// May go away by itself: trouble of the forge, of a proxy, of the network, or a missed deadline.
    Transient,
    /// Will not go away by itself.
    Permanent,
}

/// Errors of the calls to a forge. `call` names what was tried, like `list jobs`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token does not fit into a header. Its text is left out on purpose.
    #[error("the token of the forge holds characters that no header can carry")]
    Token,
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
    #[error("{call}: refused with status {status}{}", because(*status, message))]
    Rejected {
        /// The call.
        call: &'static str,
        /// HTTP status.
        status: u16,
        /// The forge's message, at most 512 characters; empty for 401 and for answers that are not the forge's.
        message: String,
        /// The pause that the answer asks for, at most an hour.
        retry_after: Option<Duration>,
    },
    /// A redirect that was not followed: of a call that changes something, to another host, or one too many.
    #[error("{call}: redirected with status {status} to {location}")]
    Redirected {
        /// The call.
        call: &'static str,
        /// HTTP status.
        status: u16,
        /// Where to, without query, at most 512 characters.
        location: String,
    },
    /// An answer that says yes but cannot be understood, like a login page.
    #[error("{call}: the answer cannot be understood: {reason}")]
    Malformed {
        /// The call.
        call: &'static str,
        /// Why not.
        reason: String,
        /// Whether the call changes something: then it may have done so.
        acted: Acted,
    },
    /// A call with a runner's credentials failed, or the transport could not be set up.
    #[error(transparent)]
    Rpc(#[from] runner_rpc::Error),
}

impl Error {
    /// An error without an answer. The URL goes out of the cause: `call` says enough.
    pub(crate) fn transport(call: &'static str, source: reqwest::Error) -> Self {
        let acted = runner_rpc::acted_without_answer(&source);
        Self::Transport { call, acted, source: source.without_url() }
    }

    /// What kind of trouble it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Token => ErrorClass::Permanent,
            Self::Transport { .. } | Self::Malformed { .. } => ErrorClass::Transient,
            Self::Redirected { .. } => ErrorClass::Redirected,
            Self::Rejected { status, message, retry_after, .. } => class_of_status(*status, message, *retry_after),
            Self::Rpc(error) => class_of_rpc(error),
        }
    }

    /// Whether the call may have had its effect all the same.
    pub fn acted(&self) -> Acted {
        match self {
            Self::Transport { acted, .. } | Self::Malformed { acted, .. } => *acted,
            Self::Rejected { status, .. } if *status >= 500 || *status == 408 => Acted::Maybe,
            Self::Token | Self::Redirected { .. } | Self::Rejected { .. } => Acted::No,
            Self::Rpc(error) => error.acted(),
        }
    }

    /// What a person can do about it, where something is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Token => Some("look for blanks and line ends in it"),
            Self::Redirected { .. } => Some("after a rename or transfer, write the new name into the configuration"),
            Self::Rejected { status: 401, .. } => Some("it may be mistyped, expired, deleted or another forge's"),
            Self::Rpc(error) => error.hint(),
            Self::Transport { .. } | Self::Rejected { .. } | Self::Malformed { .. } => None,
        }
    }

    /// The pause that the answer asks for, whatever its class; at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected { retry_after, .. } | Self::Rpc(runner_rpc::Error::Rejected { retry_after, .. }) => {
                *retry_after
            }
            _ => None,
        }
    }
}

fn because(status: u16, message: &str) -> String {
    match (status, message) {
        (401, _) => ": the forge does not know the token".to_owned(),
        (_, "") => String::new(),
        (_, message) => format!(": {message}"),
    }
}

fn class_of_status(status: u16, message: &str, retry_after: Option<Duration>) -> ErrorClass {
    match status {
        429 => ErrorClass::RateLimited { retry_after },
        401 => ErrorClass::Auth,
        403 => ErrorClass::Forbidden { needed_scope: needed_scope(message) },
        404 if message.starts_with(NOT_OURS_TO_DELETE) => ErrorClass::Forbidden { needed_scope: None },
        404 => ErrorClass::NotFound,
        300..=399 => ErrorClass::Redirected,
        // 408 and 425: the server or a proxy could not take the request at that moment.
        408 | 425 | 500.. => ErrorClass::Transient,
        _ => ErrorClass::Permanent,
    }
}

fn class_of_rpc(error: &runner_rpc::Error) -> ErrorClass {
    use runner_rpc::Error as Rpc;
    match error {
        Rpc::Rejected { status, message, retry_after, .. } => class_of_status(*status, message, *retry_after),
        Rpc::Transport { .. } | Rpc::Malformed { .. } | Rpc::TooLarge { .. } => ErrorClass::Transient,
        Rpc::BaseUrl { .. } | Rpc::CaFile { .. } | Rpc::CaFileEmpty | Rpc::Client { .. } | Rpc::Header { .. } => {
            ErrorClass::Permanent
        }
    }
}

fn needed_scope(message: &str) -> Option<String> {
    let (_, rest) = message.split_once(LACKS_SCOPE)?;
    let (scope, _) = rest.split_once(']')?;
    Some(scope.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorClass};
    use runner_rpc::Acted;

    fn rejected(status: u16, message: &str) -> Error {
        Error::Rejected { call: "list jobs", status, message: message.to_owned(), retry_after: None }
    }

    #[test]
    fn each_status_has_its_class_and_says_whether_it_can_have_acted() {
        use ErrorClass::{Auth, Forbidden, NotFound, Permanent, RateLimited, Redirected, Transient};
        let forbidden = Forbidden { needed_scope: None };
        for (status, class, acted) in [
            (304, Redirected, Acted::No),
            (400, Permanent, Acted::No),
            (401, Auth, Acted::No),
            (403, forbidden, Acted::No),
            (404, NotFound, Acted::No),
            (408, Transient, Acted::Maybe),
            (422, Permanent, Acted::No),
            (429, RateLimited { retry_after: None }, Acted::No),
            (500, Transient, Acted::Maybe),
            (502, Transient, Acted::Maybe),
        ] {
            let error = rejected(status, "");
            assert_eq!((error.class(), error.acted()), (class, acted), "{status}");
        }
    }

    #[test]
    fn the_scope_that_a_token_lacks_is_told() {
        let message = "token does not have at least one of required scope(s): [write:repository]";
        let needed_scope = Some("write:repository".to_owned());
        assert_eq!(rejected(403, message).class(), ErrorClass::Forbidden { needed_scope });
        let other = rejected(403, "Must be an organization owner");
        assert_eq!(other.class(), ErrorClass::Forbidden { needed_scope: None });
        assert_eq!(other.to_string(), "list jobs: refused with status 403: Must be an organization owner");
    }

    #[test]
    fn what_a_person_can_do_stands_beside_the_text_and_not_in_it() {
        let location = "https://forge.example/api/v1/repos/tools/site".to_owned();
        let errors = [
            Error::Token,
            rejected(401, ""),
            Error::Redirected { call: "list jobs", status: 301, location },
            Error::Rpc(runner_rpc::Error::BaseUrl { reason: "it has no host".to_owned() }),
            Error::Rpc(runner_rpc::Error::CaFileEmpty),
        ];
        for error in errors {
            let hint = error.hint().unwrap_or_default();
            assert!(!hint.is_empty() && !error.to_string().contains("hint"), "{error}");
        }
        assert_eq!(rejected(500, "").hint(), None);
    }
}
