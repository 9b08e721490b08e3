//! The token of a scope, read again when its file changes: rotated tokens need no restart.
//!
//! ```text
//! file ─► other text? ─► asks the forge whom the new token stands for ─► the same scope: used from the next call on
//!                                                                   └──► another: never used; said with every failure
//! ```
//!
//! Promises: a token is never swapped for one that makes the scope mean something else (a `user` scope is whoever the
//! token belongs to, and somebody else's queue would answer as an empty list); a token that works is not given up for one
//! that does not. Tokens of environment variables cannot change and are never looked at again.
//!
//! Deliberately absent: watching the file. A look is one small read, and mounted secrets change in ways that watchers miss.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forgejo::{Client, ErrorClass, Scope};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::chain;
use crate::config;

/// How often the file is looked at while the token in use works.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often while it is refused: somebody is perhaps about to write another.
const LOOK_EVERY_WHILE_REFUSED: Duration = Duration::from_secs(1);

/// When a token that was judged is judged again: its rights may have changed.
const JUDGED_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The id that the forge has for a scope, once it was told. Clones are the same.
pub(crate) type KnownId = Arc<OnceLock<i64>>;

/// Where a scope's token comes from, and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct TokenSource {
    /// The file; nothing for a token that cannot change.
    pub(crate) file: Option<PathBuf>,
    /// The token that the daemon was started with.
    pub(crate) first: SecretString,
}

/// What a look at the file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The token in use stays.
    Same,
    /// Another one is used from the next call on.
    Replaced,
}

/// Keeps the token of one scope up to date.
#[derive(Debug)]
pub(crate) struct Tokens {
    file: Option<PathBuf>,
    in_use: SecretString,
    looked_at: Instant,
    /// Whether the forge refused the token in use.
    refused: bool,
    judged: Option<Judged>,
}

/// A token in the file that is not used.
#[derive(Debug)]
struct Judged {
    token: SecretString,
    at: Instant,
    why: String,
}

/// What the forge says of a token.
enum Verdict {
    Good,
    /// Not to be used, whatever happens.
    Another(String),
    /// It works less than a good one, but no worse than one that is refused.
    Lacking(String),
    /// Not to be used now.
    Bad(String),
}

impl Tokens {
    pub(crate) fn new(source: &TokenSource) -> Self {
        Self {
            file: source.file.clone(),
            in_use: source.first.clone(),
            looked_at: Instant::now(),
            refused: false,
            judged: None,
        }
    }

    /// Notes how the last call went: with a refused token the file is looked at more often.
    pub(crate) fn note(&mut self, failure: Option<&forgejo::Error>) {
        self.refused =
            failure.is_some_and(|error| matches!(error.class(), ErrorClass::Auth | ErrorClass::Forbidden { .. }));
    }

    /// Whether the token in use is refused, so that another one is worth a call at once.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// When the file is to be looked at next; never without a file.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let every = if self.refused { LOOK_EVERY_WHILE_REFUSED } else { LOOK_EVERY };
        self.file.as_ref().map(|_| self.looked_at + every)
    }

    /// Why the token that is in the file now is not used.
    pub(crate) fn doubt(&self) -> Option<&str> {
        self.judged.as_ref().map(|judged| judged.why.as_str())
    }

    /// Looks at the file, and at the forge when the file holds another token than before.
    pub(crate) async fn look(&mut self, client: &Client, scope: &Scope, known: &KnownId) -> Look {
        self.looked_at = Instant::now();
        let Some(file) = self.file.clone() else { return Look::Same };
        let read = tokio::task::spawn_blocking(move || config::read_again(&file)).await;
        let token = match read {
            Ok(Ok(token)) => token,
            Ok(Err(error)) => {
                // Perhaps it is being written just now.
                tracing::debug!(%scope, error, "the token could not be read again");
                return Look::Same;
            }
            Err(_) => return Look::Same,
        };
        if same(&token, &self.in_use) {
            self.judged = None;
            return Look::Same;
        }
        if self.judged.as_ref().is_some_and(|judged| same(&token, &judged.token) && !judged.is_old()) {
            return Look::Same;
        }
        let why = match judge(client, scope, known, &token).await {
            Verdict::Good => return self.take_over(client, scope, token),
            Verdict::Lacking(_) if self.refused => return self.take_over(client, scope, token),
            Verdict::Another(why) | Verdict::Lacking(why) | Verdict::Bad(why) => why,
        };
        tracing::warn!(%scope, why, "the new token in the file is not used");
        self.judged = Some(Judged { token, at: Instant::now(), why: format!("a new token is not used: {why}") });
        Look::Same
    }

    fn take_over(&mut self, client: &Client, scope: &Scope, token: SecretString) -> Look {
        if client.set_token(&token).is_err() {
            return Look::Same;
        }
        tracing::info!(%scope, "another token is used from now on");
        self.in_use = token;
        self.judged = None;
        self.refused = false;
        Look::Replaced
    }
}

impl Judged {
    fn is_old(&self) -> bool {
        self.at.elapsed() >= JUDGED_AGAIN_AFTER
    }
}

/// Asks the forge whom a token stands for. The instance is the same whoever asks.
async fn judge(client: &Client, scope: &Scope, known: &KnownId, token: &SecretString) -> Verdict {
    let asked = match client.with_token(token) {
        Ok(client) if *scope == Scope::Instance => client.greet().await.map(|_| None),
        Ok(client) => client.scope_id(scope).await,
        Err(error) => return Verdict::Bad(chain(&error)),
    };
    match (asked, known.get()) {
        (Ok(Some(id)), Some(known)) if id != *known => {
            Verdict::Another(format!("with it, {scope} is another one (id {id} instead of {known})"))
        }
        (Ok(_), _) => Verdict::Good,
        (Err(error), _) if matches!(error.class(), ErrorClass::Forbidden { .. } | ErrorClass::NotFound) => {
            Verdict::Lacking(chain(&error))
        }
        (Err(error), _) => Verdict::Bad(chain(&error)),
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}
