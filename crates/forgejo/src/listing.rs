//! What a list call brings: rows, rows that cannot be read, and whether absence from it means anything.

/// Longest reason that is kept of a bad row, in characters.
const REASON_LIMIT: usize = 200;
/// Most bad rows that are kept of one listing; more of them make it incomplete.
pub(crate) const BAD_ROW_LIMIT: usize = 1_000;

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Handle of the job, or id of the runner, when that much can be read.
    pub key: Option<String>,
    /// Why it cannot be read.
    pub reason: String,
}

impl BadRow {
    pub(crate) fn new(key: Option<String>, reason: &str) -> Self {
        Self { key, reason: reason.chars().take(REASON_LIMIT).collect() }
    }
}

/// The answer of a list call.
///
/// A row that is here exists. A row that is not here is absent only if the listing is complete and no bad row has its
/// key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// Rows in the forge's order.
    pub rows: Vec<T>,
    /// Rows that cannot be read. One with a key leaves the listing complete: only that row is unknown.
    pub bad_rows: Vec<BadRow>,
    /// Whether nothing is missing.
    pub complete: bool,
    /// The first reason why something is missing; `None` exactly when the listing is complete.
    pub problem: Option<String>,
}

impl<T> Listing<T> {
    pub(crate) fn empty() -> Self {
        Self { rows: Vec::new(), bad_rows: Vec::new(), complete: true, problem: None }
    }

    /// Notes that something is missing; the first reason stays.
    pub(crate) fn lacks(&mut self, problem: impl Into<String>) {
        self.complete = false;
        self.problem.get_or_insert_with(|| problem.into());
    }

    /// Takes in a row that was read or not.
    pub(crate) fn push(&mut self, row: Result<T, BadRow>) {
        match row {
            Ok(row) => self.rows.push(row),
            Err(bad) => {
                if bad.key.is_none() {
                    self.lacks(format!("a row without a readable key: {}", bad.reason));
                }
                if self.bad_rows.len() < BAD_ROW_LIMIT {
                    self.bad_rows.push(bad);
                } else {
                    self.lacks(format!("more than {BAD_ROW_LIMIT} rows cannot be read"));
                }
            }
        }
    }

    /// Lets go of the first rows when there are more than `limit`, as soon as they are `slack` more.
    pub(crate) fn keep_last(&mut self, limit: usize, slack: usize) {
        if self.rows.len() > limit + slack {
            self.rows.drain(..self.rows.len() - limit);
            self.lacks(format!("the list has more than {limit} rows"));
        }
    }

    /// Whether nothing came, neither good nor bad.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.bad_rows.is_empty()
    }
}
