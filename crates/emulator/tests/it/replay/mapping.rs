//! Which recorded identifier is which of ours.

use std::collections::BTreeMap;

/// What an identifier names; each kind has its own space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Runner,
    Job,
    Run,
    Task,
    Handle,
    Uuid,
    AccessToken,
}

/// A one-to-one mapping, filled as answers and the scenario bring new pairs.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    ours: BTreeMap<(Kind, String), String>,
    recorded: BTreeMap<(Kind, String), String>,
    /// Tokens that registrations answered, by our UUID.
    pub(crate) tokens: BTreeMap<String, String>,
    /// Access tokens that were made, by case.
    pub(crate) made_tokens: BTreeMap<String, String>,
}

impl Mapping {
    pub(crate) fn emulated(&self, kind: Kind, recorded: &str) -> Option<&str> {
        self.ours.get(&(kind, recorded.to_owned())).map(String::as_str)
    }

    /// Binds a pair, or checks that it is bound already; `false` if either side belongs to another.
    pub(crate) fn agrees(&mut self, kind: Kind, recorded: &str, ours: &str) -> bool {
        let forth = self.ours.entry((kind, recorded.to_owned())).or_insert_with(|| ours.to_owned());
        let back = self.recorded.entry((kind, ours.to_owned())).or_insert_with(|| recorded.to_owned());
        forth == ours && back == recorded
    }
}
