//! Suspects: after the release of one job, those alike are tried one at a time (design section 5).

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::launch::Wanted;
use crate::event::EndReason;
use crate::ids::Handle;
use crate::report::Reason;
use crate::sabotage::{self, Sabotage};
use crate::state::{Assignment, SuspectKey};
use crate::time::Tick;

/// For each suspected kind of jobs: whose turn it is.
pub(super) struct Suspects<'a> {
    turns: BTreeMap<&'a SuspectKey, Turn>,
}

/// Whose turn it is among jobs that are alike.
enum Turn {
    /// One is being tried.
    Probing(Handle),
    /// This one may be tried.
    Next(Handle),
    /// All rest.
    Resting,
}

/// Whether it is known that the job of a probe waits no more, whatever is left of the probe: its machine may have a grace.
fn is_over_elsewhere(assignment: &Assignment) -> bool {
    assignment.ending.as_ref().is_some_and(|end| match end.reason {
        EndReason::LeftBeforeStart | EndReason::EndedElsewhere | EndReason::Gone | EndReason::TakenElsewhere => true,
        EndReason::ProcessEnded { .. }
        | EndReason::LaunchFailed { .. }
        | EndReason::BootOver
        | EndReason::HeldBack
        | EndReason::RunOver
        | EndReason::RegistrationRemoved
        | EndReason::MachineVanished
        | EndReason::NeverStarted => false,
    })
}

impl<'a> Suspects<'a> {
    /// Looks at all suspicions; `wanted` are the waiting jobs without an assignment that may be tried.
    pub(super) fn new<'w>(context: &Context<'a>, wanted: impl Iterator<Item = &'w Wanted<'a>>) -> Self
    where
        'a: 'w,
    {
        let mut turns = BTreeMap::new();
        if context.state.journal.suspicions.is_empty() {
            return Self { turns };
        }
        let mut probes: BTreeMap<SuspectKey, BTreeSet<(i64, &Handle)>> = BTreeMap::new();
        for (key, assignment) in &context.state.journal.assignments {
            let is_probe = !assignment.runs() && assignment.keeps_its_job() && !is_over_elsewhere(assignment);
            if let Some(job) = assignment.job.as_ref().filter(|_| is_probe) {
                probes.entry(SuspectKey::of(&key.job.forge, job)).or_default().insert((job.id, &key.job.handle));
            }
        }
        let mut all: BTreeMap<SuspectKey, BTreeSet<(Tick, i64, &Handle)>> = BTreeMap::new();
        for job in wanted {
            let key = SuspectKey::of(&job.key.forge, job.row);
            let Some(suspicion) = context.state.journal.suspicions.get(&key) else { continue };
            // After somebody has left, age alone counts.
            let tried_at = suspicion.probed.get(&job.key.handle).filter(|_| !suspicion.somebody_left);
            all.entry(key).or_default().insert((tried_at.copied().unwrap_or_default(), job.row.id, &job.key.handle));
        }
        for (key, suspicion) in &context.state.journal.suspicions {
            let alike = all.remove(key).unwrap_or_default();
            let rested = suspicion.somebody_left || context.now >= suspicion.rest_until;
            let probe = probes.remove(key).and_then(|probes| probes.first().copied());
            let turn = match (probe, alike.first()) {
                // Who left has made way for the oldest: it does not wait until a younger one was tried in vain.
                (Some((id, _)), Some((_, first, handle))) if suspicion.somebody_left && *first < id => {
                    Turn::Next((*handle).clone())
                }
                (Some((_, probe)), _) => Turn::Probing(probe.clone()),
                (None, Some((.., handle))) if rested => Turn::Next((*handle).clone()),
                (None, _) => Turn::Resting,
            };
            turns.insert(key, turn);
        }
        Self { turns }
    }

    /// Whether a job is suspected at all.
    pub(super) fn has(&self, job: &Wanted<'_>) -> bool {
        !self.turns.is_empty() && self.turns.contains_key(&SuspectKey::of(&job.key.forge, job.row))
    }

    /// Why a suspected job is not tried now; `None` when it is its turn.
    pub(super) fn holds(&self, context: &Context<'_>, job: &Wanted<'_>) -> Option<Reason> {
        let key = SuspectKey::of(&job.key.forge, job.row);
        let turn = self.turns.get(&key).filter(|_| !sabotage::is(Sabotage::ProbeAll))?;
        let suspicion = context.state.journal.suspicions.get(&key)?;
        let remaining = suspicion.rest_until.since(context.now);
        let releases = suspicion.releases;
        match turn {
            Turn::Next(handle) if *handle == job.key.handle => None,
            Turn::Next(handle) | Turn::Probing(handle) => {
                Some(Reason::Suspect { probe: Some(handle.clone()), releases, remaining })
            }
            Turn::Resting if suspicion.probed.contains_key(&job.key.handle) => {
                Some(Reason::HeldBack { releases, remaining })
            }
            Turn::Resting => Some(Reason::Suspect { probe: None, releases, remaining }),
        }
    }

    /// Whether a suspect still yields to demand that is not suspected: for a while after its suspicion began.
    pub(super) fn yields(&self, context: &Context<'_>, job: &Wanted<'_>) -> bool {
        self.has(job)
            && context
                .state
                .journal
                .suspicions
                .get(&SuspectKey::of(&job.key.forge, job.row))
                .is_some_and(|suspicion| context.now.since(suspicion.since) < context.policy.limits.suspect_max)
    }
}
