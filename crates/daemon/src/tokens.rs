//! The token of a scope, read again when its file changes: rotated tokens need no restart.
//!
//! ```text
//! file ─► other text? ─► asks the forge whom the new token stands for, and what it may do there
//!                              ├──► the same scope, and all that is needed: used from the next call on
//!                              ├──► the same scope, and less: used if the one in use is refused
//!                              └──► another: never used; said with every failure
//! ```
//!
//! Promises: a token is never swapped for one that makes the scope mean something else (a `user` scope is whoever the
//! token belongs to, and somebody else's queue would answer as an empty list); a token that works is not given up for one
//! that does less. Tokens of environment variables cannot change and are never looked at again. (The token that the daemon
//! is started with is compared with nothing here: the planner compares what the forge says of it with its machines.)
//!
//! Deliberately absent: watching the file. A look is one small read, and mounted secrets change in ways that watchers miss.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forgejo::{Client, ErrorClass, Lack, Scope};
use planner::ids::ScopeKey;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::config;
use crate::forges::ScopeClient;
use crate::{at_repositories, chain};

/// How often the file is looked at while the token in use works.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often while it is refused: somebody is perhaps about to write another.
const LOOK_EVERY_WHILE_REFUSED: Duration = Duration::from_secs(1);

/// When a token that was judged is judged again: its rights may have changed.
const JUDGED_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The id that the forge has for a scope, or had when our machines were made for it, as far as the planner knows. Clones
/// are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownId(Arc<Mutex<Option<i64>>>);

impl KnownId {
    pub(crate) fn get(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, id: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }
}

/// Where a scope's token comes from, and which one is in use.
#[derive(Debug, Clone)]
pub(crate) struct TokenSource {
    /// The file; nothing for a token that cannot change.
    pub(crate) file: Option<PathBuf>,
    in_use: Arc<Mutex<SecretString>>,
}

impl TokenSource {
    /// A token with the file that it was read from, if it was one. Clones are about the same.
    pub(crate) fn new(file: Option<PathBuf>, token: SecretString) -> Self {
        Self { file, in_use: Arc::new(Mutex::new(token)) }
    }

    /// The token in use.
    pub(crate) fn in_use(&self) -> SecretString {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another one is in use from now on.
    pub(crate) fn replace(&self, token: SecretString) {
        *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
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
    source: TokenSource,
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
    /// Whether it does something, so that it is better than one that is refused.
    works: bool,
    why: String,
}

/// What the forge says of a token.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is good for all that is needed.
    Good,
    /// With it the scope is another one: not to be used, whatever happens.
    Another(String),
    /// It works less than a good one, but no worse than one that is refused.
    Lacking(String),
    /// The forge does not know it.
    Unknown(String),
    /// The forge did not say.
    Unasked(String),
}

impl Tokens {
    pub(crate) fn new(source: &TokenSource) -> Self {
        Self { source: source.clone(), looked_at: Instant::now(), refused: false, judged: None }
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
        self.source.file.as_ref().map(|_| self.looked_at + every)
    }

    /// Why the token that is in the file now is not used.
    pub(crate) fn doubt(&self) -> Option<&str> {
        self.judged.as_ref().map(|judged| judged.why.as_str())
    }

    /// Looks at the file, and at the forge when the file holds another token than before.
    pub(crate) async fn look(&mut self, scope: &ScopeKey, of: &ScopeClient) -> Look {
        let client = &of.client;
        self.looked_at = Instant::now();
        let Some(file) = self.source.file.clone() else { return Look::Same };
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
        if same(&token, &self.source.in_use()) {
            self.judged = None;
            return Look::Same;
        }
        if let Some(judged) = self.judged.as_ref().filter(|judged| same(&token, &judged.token) && !judged.is_old()) {
            return if judged.works && self.refused { self.take_over(client, scope, token) } else { Look::Same };
        }
        let (why, works) = match judge(of, &token, Some(of)).await {
            Verdict::Good => return self.take_over(client, scope, token),
            Verdict::Lacking(_) if self.refused => return self.take_over(client, scope, token),
            Verdict::Lacking(why) => (why, true),
            Verdict::Another(why) | Verdict::Unknown(why) | Verdict::Unasked(why) => (why, false),
        };
        tracing::warn!(%scope, why, "the new token in the file is not used");
        let why = format!("a new token is not used: {why}");
        self.judged = Some(Judged { token, at: Instant::now(), works, why });
        Look::Same
    }

    fn take_over(&mut self, client: &Client, scope: &ScopeKey, token: SecretString) -> Look {
        if client.set_token(&token).is_err() {
            return Look::Same;
        }
        // Only a token with a file is ever looked at again.
        let file = self.source.file.as_ref().map(|file| file.display());
        tracing::info!(%scope, file = file.map(tracing::field::display), "another token is used from now on");
        self.source.replace(token);
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

/// Asks the forge whom a token stands for, and what it may do there. It is compared with what the scope is `before` it is
/// used, if it was one.
pub(crate) async fn judge(of: &ScopeClient, token: &SecretString, before: Option<&ScopeClient>) -> Verdict {
    let client = match of.client.with_token(token) {
        Ok(client) => client,
        Err(error) => return Verdict::Unasked(chain(&error)),
    };
    // The instance is the same whoever asks.
    if of.scope != Scope::Instance {
        match client.scope_id(&of.scope).await {
            Ok(Some(id)) => {
                let known = match known(before).await {
                    Ok(known) => known,
                    Err(error) => {
                        return Verdict::Unasked(format!("nobody can tell whose it is now: {}", chain(&error)));
                    }
                };
                if let Some(known) = known.filter(|known| *known != id) {
                    let scope = &of.scope;
                    return Verdict::Another(format!("with it, {scope} is another one (id {id} instead of {known})"));
                }
            }
            Ok(None) => {}
            Err(error) if matches!(error.class(), ErrorClass::Forbidden { .. } | ErrorClass::NotFound) => {
                return Verdict::Lacking(chain(&error));
            }
            // What is asked for next says it of the token.
            Err(error) if error.class() == ErrorClass::Auth => {}
            Err(error) => return Verdict::Unasked(chain(&error)),
        }
    }
    let lacks = match client.rights(&of.scope).await {
        Ok(rights) => of.lacks(&rights),
        Err(error) => return Verdict::Unasked(chain(&error)),
    };
    if lacks.contains(&Lack::KnownToken) {
        return Verdict::Unknown("the forge does not know it".to_owned());
    }
    if let Some(lack) = lacks.iter().find_map(said_of_token) {
        return Verdict::Lacking(lack);
    }
    if of.at_repository { judge_at_repositories(&client, &of.scope).await } else { Verdict::Good }
}

/// Where runners are registered at repositories, the right to read the scope is not all that is needed.
async fn judge_at_repositories(client: &Client, scope: &Scope) -> Verdict {
    let own = match at_repositories::own(client, scope).await {
        Ok(own) => own,
        Err(error) if matches!(error.class(), ErrorClass::Forbidden { .. } | ErrorClass::NotFound) => {
            return Verdict::Lacking(format!("its repositories cannot be listed: {}", chain(&error)));
        }
        Err(error) => return Verdict::Unasked(chain(&error)),
    };
    match at_repositories::tried(client, own).await {
        Ok(tried) => match tried.and_then(|tried| tried.lacks.iter().find_map(said_of_token)) {
            Some(lack) => Verdict::Lacking(lack),
            None => Verdict::Good,
        },
        Err(error) => Verdict::Unasked(chain(&error)),
    }
}

/// The id that a new token is compared with: before the planner knows one, that of the token in use. Nothing when that
/// one is refused; an error when the forge does not say.
async fn known(of: Option<&ScopeClient>) -> Result<Option<i64>, forgejo::Error> {
    let Some(of) = of else { return Ok(None) };
    if let Some(known) = of.id.get() {
        return Ok(Some(known));
    }
    match of.client.scope_id(&of.scope).await {
        Err(error)
            if matches!(error.class(), ErrorClass::Auth | ErrorClass::Forbidden { .. } | ErrorClass::NotFound) =>
        {
            Ok(None)
        }
        asked => asked,
    }
}

/// What a known token lacks, in words; nothing for what is amiss with the scope whatever the token.
fn said_of_token(lack: &Lack) -> Option<String> {
    match lack {
        Lack::TokenScope { needed, .. } => Some(format!("it lacks {needed}")),
        Lack::Ownership => Some("its user does not own the scope".to_owned()),
        Lack::Visibility => Some("it cannot see the scope".to_owned()),
        Lack::KnownToken | Lack::ActionsUnit | Lack::Name { .. } => None,
    }
}

/// Whether the token in use is refused, so that one that does less is better: false where the forge does not say.
pub(crate) async fn is_refused(of: &ScopeClient) -> bool {
    let rights = of.client.rights(&of.scope).await;
    rights.is_ok_and(|rights| {
        rights.lacks.iter().any(|lack| match lack {
            Lack::TokenScope { reads, .. } => !reads,
            Lack::KnownToken | Lack::Ownership | Lack::Visibility => true,
            Lack::ActionsUnit | Lack::Name { .. } => false,
        })
    })
}

pub(crate) fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use emulator::{Effect, FaultRule, Matcher, RouteKind};
    use forge_model::{Category, TokenScope, TokenSpec};

    use super::*;
    use crate::stage::Stage;

    impl Stage {
        fn token_of_dana(&self, scopes: &[TokenScope]) -> SecretString {
            let made = self.emulator.with_forge(|forge, _| forge.create_token(self.dana, TokenSpec::new(scopes)));
            made.unwrap().into()
        }
    }

    fn organization() -> Scope {
        Scope::Organization("acme".to_owned())
    }

    const READS: TokenScope = TokenScope::Read(Category::Organization);

    #[tokio::test]
    async fn where_runners_are_registered_at_repositories_a_token_must_be_able_to_write_there() {
        let stage = Stage::new(organization()).await;
        let reads = stage.token_of_dana(&[READS]);
        assert!(matches!(judge(&stage.of, &reads, Some(&stage.of)).await, Verdict::Lacking(_)));
        let writes = stage.token_of_dana(&[READS, TokenScope::Write(Category::Repository)]);
        assert!(matches!(judge(&stage.of, &writes, Some(&stage.of)).await, Verdict::Good));
    }

    #[tokio::test]
    async fn a_token_that_the_forge_does_not_know_is_never_used() {
        for scope in [Scope::Instance, organization(), Scope::User] {
            let stage = Stage::new(scope).await;
            let verdict = judge(&stage.of, &"mistyped".to_owned().into(), Some(&stage.of)).await;
            assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
        }
    }

    #[tokio::test]
    async fn a_token_is_not_used_while_nobody_can_tell_whose_the_scope_is_now() {
        let stage = Stage::new(Scope::User).await;
        let eves = stage.emulator.with_forge(|forge, _| {
            let eve = forge.create_user("eve", false);
            forge.create_token(eve, TokenSpec::new(&[TokenScope::All])).unwrap()
        });
        // The new token is asked about first.
        let asked = AtomicUsize::new(0);
        let of_the_old_one =
            Matcher::when(move |kind, _, _| kind == RouteKind::ScopeId && asked.fetch_add(1, Ordering::Relaxed) > 0);
        stage.emulator.faults().add(FaultRule::always(of_the_old_one, Effect::status(500)));
        assert!(matches!(judge(&stage.of, &eves.into(), Some(&stage.of)).await, Verdict::Unasked(_)));
    }
}
