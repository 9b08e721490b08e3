//! The tokens of a configuration that is reloaded: the forge is asked about each that is not in use already, as it is when
//! the file of a token changes ([`crate::tokens`]).
//!
//! ```text
//! good ─► used
//! refused by the forge, may less, or the scope is another one with it
//!   ├─ another key names it now, or the scope is new ─► the reload is refused: that is a mistake as others are
//!   └─ the same file holds another text ─► the one in use stays, with a warning; the file is looked at on
//! may less, and the one in use is refused ─► used, with a warning
//! the forge does not say ─► as if it were refused; but a new scope is taken, as at a start
//! ```
//!
//! Promise: a token that works is never given up for one that does less; a file that nobody meant to reload, or a forge
//! that is down, keeps nobody from changing something else.

use std::time::Duration;

use forgejo::Scope;
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use planner::ids::ScopeKey;
use tokio::time::{Instant, timeout_at};

use crate::control::Said;
use crate::forges::{Forges, ScopeClient};
use crate::tokens::{Verdict, is_refused, judge, same};

/// How long all of them may take: whoever asked for the reload waits.
const TOGETHER: Duration = Duration::from_secs(20);

/// How many are asked about at once.
const AT_ONCE: usize = 8;

/// What came of it where nothing is a reason to refuse.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Scopes for which another token is used from now on, and its file. It is never said which token.
    pub(super) replaced: Vec<String>,
    /// What is doubtful.
    pub(super) warnings: Vec<Said>,
}

/// What comes of one token.
enum Fate {
    Used,
    UsedWith(Said),
    Kept(Said),
    Refused(Said),
}

/// Judges all tokens of `next` that are not used `before`; those that must not be used are exchanged there for the ones
/// in use. The error is why nothing may be changed.
pub(super) async fn judged(before: &Forges, next: &Forges) -> Result<Judged, Vec<Said>> {
    let until = Instant::now() + TOGETHER;
    let fates = next.scopes().map(|(key, of)| judged_one(key, of, before.watched(key), until).boxed());
    let fates: Vec<_> = stream::iter(fates.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
    let (mut judged, mut refusals) = (Judged::default(), Vec::new());
    for (key, of, used, fate) in fates {
        match (fate, used) {
            (Fate::Used, used) => judged.replaced.extend(used.and_then(|used| replaced(key, used, of))),
            (Fate::UsedWith(said), used) => {
                judged.replaced.extend(used.and_then(|used| replaced(key, used, of)));
                judged.warnings.push(said);
            }
            (Fate::Refused(said), _) => refusals.push(said),
            (Fate::Kept(said), used) => {
                if let Some(used) = used {
                    keep(used, of);
                }
                judged.warnings.push(said);
            }
        }
    }
    if refusals.is_empty() { Ok(judged) } else { Err(refusals) }
}

type One<'a> = (&'a ScopeKey, &'a ScopeClient, Option<&'a ScopeClient>, Fate);

/// With what is used before, if that is another token.
async fn judged_one<'a>(
    key: &'a ScopeKey,
    of: &'a ScopeClient,
    used: Option<&'a ScopeClient>,
    until: Instant,
) -> One<'a> {
    let is_as_before =
        |used: &ScopeClient| same(&used.token.in_use(), &of.token.in_use()) && used.at_repository == of.at_repository;
    match used.filter(|used| is_as_before(used)) {
        Some(_) => (key, of, None, Fate::Used),
        None => (key, of, used, fate(key, of, used, until).await),
    }
}

async fn fate(key: &ScopeKey, of: &ScopeClient, used: Option<&ScopeClient>, until: Instant) -> Fate {
    let token = of.token.in_use();
    let asked = timeout_at(until, judge(of, &token, used)).await;
    let verdict = asked.unwrap_or_else(|_| Verdict::Unasked("the forge does not answer in time".to_owned()));
    let (why, does_something, was_asked) = match verdict {
        Verdict::Good => return Fate::Used,
        Verdict::Lacking(why) => (why, true, true),
        Verdict::Another(why) | Verdict::Unknown(why) => (why, false, true),
        Verdict::Unasked(why) => (why, false, false),
    };
    let hint = hint(of, was_asked);
    let said = |text: String| Said { text, hint: hint.to_owned() };
    match used {
        Some(used) if does_something && timeout_at(until, is_refused(used)).await.unwrap_or(false) => {
            Fate::UsedWith(said(format!("{key}: the new token is used, since the one before is refused: {why}")))
        }
        Some(used) if is_same_file(used, of) => {
            Fate::Kept(said(format!("{key}: the new token is not used, the one before stays in use: {why}")))
        }
        None if !was_asked => {
            Fate::UsedWith(said(format!("{key}: the forge could not be asked about its token: {why}")))
        }
        Some(used) if same(&used.token.in_use(), &token) => {
            Fate::Refused(said(format!("{key}: its token cannot be used with another register_at: {why}")))
        }
        Some(_) => Fate::Refused(said(format!("{key}: the new token cannot be used: {why}"))),
        None => Fate::Refused(said(format!("{key}: its token cannot be used there: {why}"))),
    }
}

fn hint(of: &ScopeClient, was_asked: bool) -> &'static str {
    match of.scope {
        _ if !was_asked => "reload again once the forge answers; the file of a token is looked at again by itself",
        Scope::User => {
            "`forgescale check` tells what a token may do; to serve another user, wait until nothing of this one is left \
             and restart the daemon"
        }
        Scope::Instance | Scope::Organization(_) | Scope::Repository { .. } => {
            "`forgescale check` tells what a token may do and what it lacks: mend that and reload again"
        }
    }
}

/// Whether both come from one file, whatever is in there now.
fn is_same_file(used: &ScopeClient, of: &ScopeClient) -> bool {
    used.token.file.is_some() && used.token.file == of.token.file && used.at_repository == of.at_repository
}

/// Nothing where the token is the one before, used in another way.
fn replaced(key: &ScopeKey, used: &ScopeClient, of: &ScopeClient) -> Option<String> {
    let file = of.token.file.as_ref().map(|file| format!(", from {}", file.display())).unwrap_or_default();
    (!same(&used.token.in_use(), &of.token.in_use())).then(|| format!("token of {key}: another one{file}"))
}

/// Has the next configuration go on with the token in use; its file is looked at on.
fn keep(used: &ScopeClient, of: &ScopeClient) {
    let token = used.token.in_use();
    // It was set as the header of a request before.
    if of.client.set_token(&token).is_ok() {
        of.token.replace(token);
    }
}
