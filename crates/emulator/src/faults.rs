//! Faults by rule: what goes wrong between the forge and its caller.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::route::RouteKind;

/// What a fault does to a request or its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The forge does not act; this comes instead.
    Answer {
        /// HTTP status.
        status: u16,
        /// Header lines, `Content-Type` included.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// The forge does not act; the connection closes without an answer.
    DropRequest,
    /// The forge acts; the connection closes without an answer.
    DropAnswer,
    /// The forge acts after this long.
    DelayRequest(Duration),
    /// The forge acts; its answer comes after this long.
    DelayAnswer(Duration),
    /// The forge acts; half of the body comes, then the connection closes.
    CutBody,
    /// The forge acts; the body of its answer comes changed.
    Rewrite(Rewrite),
}

/// A change of a body. Two are the same only if one is a clone of the other.
#[derive(Clone)]
pub struct Rewrite(Arc<dyn Fn(String) -> String + Send + Sync>);

impl Rewrite {
    pub(crate) fn apply(&self, body: Vec<u8>) -> Vec<u8> {
        // Every body that is worth a change is text.
        String::from_utf8(body).map_or_else(std::string::FromUtf8Error::into_bytes, |text| (self.0)(text).into_bytes())
    }
}

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rewrite")
    }
}

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Rewrite {}

impl Effect {
    /// A status with Forgejo's error body, without acting.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json;charset=utf-8".to_owned())],
            body: "{\"message\":\"\",\"url\":\"\"}\n".to_owned(),
        }
    }

    /// The forge acts, and its answer's body is changed by this.
    pub fn rewrite(change: impl Fn(String) -> String + Send + Sync + 'static) -> Self {
        Self::Rewrite(Rewrite(Arc::new(change)))
    }

    /// A proxy's HTML page with this status, without acting.
    pub fn html(status: u16) -> Self {
        Self::Answer {
            status,
            headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
            body: format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"),
        }
    }
}

type Predicate = dyn Fn(RouteKind, &str, &str) -> bool + Send + Sync;

/// Which requests a rule is about.
#[derive(Clone)]
pub struct Matcher(Arc<Predicate>);

impl Matcher {
    /// Every request.
    pub fn any() -> Self {
        Self::when(|_, _, _| true)
    }

    /// Requests of one kind.
    pub fn kind(wanted: RouteKind) -> Self {
        Self::when(move |kind, _, _| kind == wanted)
    }

    /// Requests for which a predicate over kind, method and path (without query) holds.
    pub fn when(predicate: impl Fn(RouteKind, &str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self::target(move |kind, method, target| {
            predicate(kind, method, target.split_once('?').map_or(target, |(path, _)| path))
        })
    }

    /// Requests for which a predicate over kind, method and path with query holds.
    pub fn target(predicate: impl Fn(RouteKind, &str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(predicate))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Matcher")
    }
}

/// A rule: which requests, after how many, how often, and what happens to them.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// Which requests.
    pub matches: Matcher,
    /// How many matching requests pass unharmed first.
    pub skip: u32,
    /// How often it happens; `None` is always.
    pub times: Option<u32>,
    /// What happens.
    pub effect: Effect,
}

impl FaultRule {
    /// Happens to the next matching request only.
    pub const fn once(matches: Matcher, effect: Effect) -> Self {
        Self { matches, skip: 0, times: Some(1), effect }
    }

    /// Happens to every matching request until it is removed.
    pub const fn always(matches: Matcher, effect: Effect) -> Self {
        Self { matches, skip: 0, times: None, effect }
    }
}

/// Names a rule that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

/// The rules in force. Of several that match, the one added first acts.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Active>,
    last: u64,
}

#[derive(Debug)]
struct Active {
    id: FaultId,
    rule: FaultRule,
    fired: u32,
}

impl Faults {
    /// Puts a rule into force.
    pub fn add(&self, rule: FaultRule) -> FaultId {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last += 1;
        let id = FaultId(state.last);
        state.rules.push(Active { id, rule, fired: 0 });
        id
    }

    /// Removes a rule; says how often it acted.
    pub fn remove(&self, id: FaultId) -> u32 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fired = state.rules.iter().find(|active| active.id == id).map_or(0, |active| active.fired);
        state.rules.retain(|active| active.id != id);
        fired
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rules.clear();
    }

    /// How often a rule acted so far; a spent rule is still known.
    pub fn fired(&self, id: FaultId) -> u32 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rules.iter().find(|active| active.id == id).map_or(0, |active| active.fired)
    }

    pub(crate) fn next(&self, kind: RouteKind, method: &str, target: &str) -> Option<Effect> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for active in &mut state.rules {
            let spent = active.rule.times.is_some_and(|times| active.fired >= times);
            if spent || !(active.rule.matches.0)(kind, method, target) {
                continue;
            }
            if active.rule.skip > 0 {
                active.rule.skip -= 1;
                continue;
            }
            active.fired += 1;
            return Some(active.rule.effect.clone());
        }
        None
    }
}
