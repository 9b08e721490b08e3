//! What is forgotten, so that the books do not grow for ever (invariant 13).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{ForgeId, Handle, JobKey};
use crate::sabotage::{self, Sabotage};
use crate::state::{State, SuspectKey};
use crate::time::Tick;

/// How long a handle that is listed no more is remembered: an outage or a broken listing of this length loses no back-off.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Forgets what is known of repositories within scopes in which nothing of ours may be registered any more.
fn forget_repositories(state: &mut State, now: Tick) {
    let journal = &mut state.journal;
    journal.scope_rests.retain(|place, rest| place.repository().is_none() || now.since(rest.until) < REMEMBERED);
    state.seen.scopes.retain(|place, seen| {
        place.repository().is_none()
            || seen.runners_begun_at.is_some_and(|begun_at| now.since(begun_at) < REMEMBERED)
            || journal.may_have_runners(place)
    });
}

/// Forgets handles and suspicions that nothing refers to any more.
pub(super) fn tidy(state: &mut State, now: Tick) {
    if sabotage::is(Sabotage::RememberAll) {
        return;
    }
    forget_repositories(state, now);
    let journal = &mut state.journal;
    let refused = journal.refused.values().filter_map(|refused| refused.job.as_ref());
    let used: BTreeSet<&JobKey> = journal.assignments.keys().map(|key| &key.job).chain(refused).collect();
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
    let mut alive: BTreeMap<SuspectKey, BTreeSet<&Handle>> = BTreeMap::new();
    let mut unsure: BTreeSet<&ForgeId> = BTreeSet::new();
    for (scope, seen) in &state.seen.scopes {
        if !seen.complete && scope.repository().is_none() {
            unsure.insert(&scope.forge);
        }
        for job in seen.jobs.values() {
            alive.entry(SuspectKey::of(&scope.forge, job)).or_default().insert(&job.handle);
        }
    }
    journal.suspicions.retain(|key, suspicion| {
        if unsure.contains(&key.forge) {
            return true;
        }
        let handles = alive.get(key);
        suspicion.probed.retain(|handle, _| handles.is_some_and(|handles| handles.contains(handle)));
        handles.is_some()
    });
}
