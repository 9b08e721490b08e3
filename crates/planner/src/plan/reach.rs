//! Backends that are not within reach: nothing new is made there, and nothing is begun on what waits there.
//!
//! ```text
//! listed ─► a listing failed ─► another: away ─► one good listing ─► listed
//!    └─► no connection for a call: rests, ever longer ─► tried again
//! ```
//!
//! What is there stays as it is: that nobody lists it proves nothing (invariant 5).

use super::context::Context;
use crate::ids::BackendId;
use crate::report::Reason;
use crate::sabotage::{self, Sabotage};

/// Why nothing new is asked of a backend.
pub(super) fn lacks(context: &Context<'_>, backend: &BackendId) -> Option<Reason> {
    away(context, backend).or_else(|| rests(context, backend))
}

fn away(context: &Context<'_>, backend: &BackendId) -> Option<Reason> {
    if sabotage::is(Sabotage::AskAway) {
        return None;
    }
    let away = context.state.seen.backends.get(backend)?.away()?;
    Some(Reason::BackendAway {
        backend: backend.clone(),
        away: context.now.since(away.since),
        last_error: away.last_failure.message.clone(),
    })
}

fn rests(context: &Context<'_>, backend: &BackendId) -> Option<Reason> {
    let rest = context.state.journal.backend_rests.get(backend).filter(|rest| rest.until > context.now)?;
    let remaining = rest.until.since(context.now);
    Some(Reason::BackendBackingOff { backend: backend.clone(), remaining, last_error: rest.last.message.clone() })
}
