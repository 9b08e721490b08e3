//! The error model of the Connect protocol: codes, their HTTP statuses and the JSON error body (protocol 3.1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error code of Connect. Open: a code that this list lacks is kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Code {
    /// The caller gave up.
    Canceled,
    /// No better code is known.
    Unknown,
    /// The request is wrong.
    InvalidArgument,
    /// The deadline passed.
    DeadlineExceeded,
    /// The thing asked for does not exist.
    NotFound,
    /// The thing exists already; `UpdateLog` after archiving.
    AlreadyExists,
    /// The caller may not do this.
    PermissionDenied,
    /// A limit is reached.
    ResourceExhausted,
    /// The state does not allow it now.
    FailedPrecondition,
    /// Another call got in the way.
    Aborted,
    /// Outside of the valid range.
    OutOfRange,
    /// The procedure is unknown.
    Unimplemented,
    /// Everything else that goes wrong in Forgejo, `invalid runner for task` included.
    Internal,
    /// Cannot be served right now; mostly from proxies.
    Unavailable,
    /// Data is lost.
    DataLoss,
    /// The credentials are unknown: wrong token, or the registration was deleted.
    Unauthenticated,
    /// A code that Connect did not define when this was written.
    Other(String),
}

/// Each defined code with its name and HTTP status, from the Connect specification's table.
const TABLE: [(Code, &str, u16); 16] = [
    (Code::Canceled, "canceled", 499),
    (Code::Unknown, "unknown", 500),
    (Code::InvalidArgument, "invalid_argument", 400),
    (Code::DeadlineExceeded, "deadline_exceeded", 504),
    (Code::NotFound, "not_found", 404),
    (Code::AlreadyExists, "already_exists", 409),
    (Code::PermissionDenied, "permission_denied", 403),
    (Code::ResourceExhausted, "resource_exhausted", 429),
    (Code::FailedPrecondition, "failed_precondition", 400),
    (Code::Aborted, "aborted", 409),
    (Code::OutOfRange, "out_of_range", 400),
    (Code::Unimplemented, "unimplemented", 501),
    (Code::Internal, "internal", 500),
    (Code::Unavailable, "unavailable", 503),
    (Code::DataLoss, "data_loss", 500),
    (Code::Unauthenticated, "unauthenticated", 401),
];

impl Code {
    /// The name on the wire, like `invalid_argument`.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            defined => TABLE.iter().find(|(code, ..)| code == defined).map_or("unknown", |(_, name, _)| name),
        }
    }

    /// The code of a name; never fails.
    pub fn from_name(name: &str) -> Self {
        TABLE
            .iter()
            .find(|(_, known, _)| *known == name)
            .map_or_else(|| Self::Other(name.to_owned()), |(code, ..)| code.clone())
    }

    /// The HTTP status that a server answers with; 500 for a code that is not defined.
    pub fn http_status(&self) -> u16 {
        TABLE.iter().find(|(code, ..)| code == self).map_or(500, |(.., status)| *status)
    }

    /// The code that an HTTP status stands for when the answer has no Connect error body, as a proxy's answer.
    /// The specification gives fewer codes here than the way back would: a 404 means that no such procedure is served.
    pub fn from_http_status(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

impl From<String> for Code {
    fn from(name: String) -> Self {
        Self::from_name(&name)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.name().to_owned()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The JSON body of every Connect error. Unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What kind of error.
    pub code: Code,
    /// What went wrong, for people.
    #[serde(default)]
    pub message: String,
}

impl ErrorBody {
    /// An error body with this code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, ErrorBody, TABLE};

    #[test]
    fn every_code_keeps_its_name() {
        for (code, name, status) in TABLE {
            assert_eq!(code.name(), name);
            assert_eq!(Code::from_name(name), code);
            assert_eq!(code.http_status(), status);
        }
    }

    #[test]
    fn a_new_code_is_kept_as_text() {
        let body: ErrorBody = serde_json::from_str(r#"{"code":"tired","details":[]}"#).unwrap();
        assert_eq!(body, ErrorBody::new(Code::Other("tired".into()), ""));
        assert_eq!(serde_json::to_string(&body).unwrap(), r#"{"code":"tired","message":""}"#);
    }

    #[test]
    fn a_status_without_a_body_still_has_a_code() {
        assert_eq!(Code::from_http_status(401), Code::Unauthenticated);
        assert_eq!(Code::from_http_status(404), Code::Unimplemented);
        assert_eq!(Code::from_http_status(503), Code::Unavailable);
        assert_eq!(Code::from_http_status(418), Code::Unknown);
    }
}
