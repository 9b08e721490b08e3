//! One thing that was looked at, and how it is.

use serde::Serialize;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warning,
    /// It does not work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, as `scope org:acme of https://forge.example`.
    pub subject: String,
    /// How it is.
    pub verdict: Verdict,
    /// A sentence about it.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Ok, message: message.into(), hint: None }
    }

    pub(super) fn warning(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, ..Self::ok(subject, message) }
    }

    pub(super) fn error(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Error, ..Self::ok(subject, message) }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        self.hint_if_any(Some(hint))
    }

    pub(super) fn hint_if_any(self, hint: Option<impl Into<String>>) -> Self {
        Self { hint: hint.map(Into::into), ..self }
    }
}
