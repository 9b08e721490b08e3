//! Whom the forge means by a scope: the id that it has for it.
//!
//! A name or a token may come to mean something else: another user's token in the file of a `user` scope, an organization
//! that was deleted and whose name somebody took. Its lists are empty of ours, and nothing has ended.
//!
//! ```text
//! not answered ─► answered ─► ours: every machine that was made for it carries this id
//!                         └─► another: one carries another id, until none is left or the id is the old one again
//! ```
//!
//! Promises: each machine carries the id from its making on, so that a new life, even one that remembers nothing, knows
//! whose it is. Before the forge has answered with that id, nothing is registered, looked up or deleted for it, and a list
//! that lacks its job or its runner proves nothing. What a list shows is there all the same.

use crate::ids::ActionId;
use crate::time::Tick;

/// What the forge has said of a scope's id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The last answer to the token in use.
    pub answered: Option<Answered>,
    /// Lists that were begun until then may be of another: another token was used, or the answer was another.
    pub doubted_until: Option<Tick>,
    /// Calls up to this one may have been made with another token: their answers are of whomever that meant.
    pub void_until: Option<ActionId>,
    /// What the last failure to look it up said, until it is answered.
    pub last_failure: Option<String>,
    /// Failures to look it up since the last answer that was no surprise.
    pub failures: u32,
    /// When it is next worth a try.
    pub retry_at: Tick,
}

/// An answer of the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The id.
    pub id: i64,
    /// When it was asked for.
    pub asked_at: Tick,
}

/// Whose a list or an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The forge has not answered since the token in use is used.
    Unknown,
    /// Of the instance, which has no id: it means the same to every token.
    Everybodys,
    /// Of the scope with this id.
    Of(i64),
}

impl Whose {
    /// Whether it is known.
    pub fn is_known(self) -> bool {
        self != Self::Unknown
    }

    /// Whether it is of the scope that a machine was made for, by the id that the machine carries. One without an id is of
    /// whatever its scope's name means.
    pub fn is_of(self, scope_id: Option<i64>) -> bool {
        match self {
            Self::Unknown => false,
            Self::Everybodys => true,
            Self::Of(id) => scope_id.is_none_or(|made_for| made_for == id),
        }
    }

    /// The id, if there is one.
    pub fn id(self) -> Option<i64> {
        match self {
            Self::Unknown | Self::Everybodys => None,
            Self::Of(id) => Some(id),
        }
    }
}

impl Identity {
    /// Whose lists are that were begun then.
    pub(crate) fn of_lists_begun(&self, begun_at: Tick) -> Whose {
        if self.doubted_until.is_some_and(|until| begun_at <= until) { Whose::Unknown } else { self.now() }
    }

    /// Whose answers are now.
    pub(crate) fn now(&self) -> Whose {
        self.answered.map_or(Whose::Unknown, |answered| Whose::Of(answered.id))
    }

    /// Whether the answer to a call is of the token in use.
    pub(crate) fn is_asked_of(&self, call: ActionId) -> bool {
        self.void_until.is_none_or(|last| call > last)
    }

    /// Another token is used from now on, after this call: whom it means is yet to be asked.
    pub(crate) fn means_whoever(&mut self, last_call: ActionId, now: Tick) {
        *self = Self { doubted_until: Some(now), void_until: Some(last_call), retry_at: now, ..Self::default() };
    }
}
