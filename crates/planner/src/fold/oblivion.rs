//! What is forgotten, so that the books do not grow for ever (invariant 13).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ids::JobKey;
use crate::state::{State, SuspectKey};
use crate::time::Tick;

/// How long a handle that is listed no more is remembered: an outage or a broken listing of this length loses no back-off.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Forgets handles and suspicions that nothing refers to any more.
pub(super) fn tidy(state: &mut State, now: Tick) {
    let journal = &mut state.journal;
    let used: BTreeSet<&JobKey> = journal.assignments.keys().map(|key| &key.job).collect();
    let stray: BTreeSet<JobKey> = journal
        .strays
        .iter()
        .map(|((forge, _), stray)| JobKey { forge: forge.clone(), handle: stray.identity.handle.clone() })
        .collect();
    journal.handles.retain(|job, memory| {
        used.contains(job) || stray.contains(job) || now.since(memory.listed_at.max(memory.not_before)) < REMEMBERED
    });
    if journal.suspicions.is_empty() {
        return;
    }
    let mut alive: BTreeSet<SuspectKey> = BTreeSet::new();
    for (scope, seen) in &state.seen.scopes {
        if seen.complete {
            alive.extend(seen.jobs.values().map(|job| SuspectKey::of(&scope.forge, job)));
        } else {
            alive.extend(journal.suspicions.keys().filter(|key| key.forge == scope.forge).cloned());
        }
    }
    journal.suspicions.retain(|key, _| alive.contains(key));
}
