//! Invariants 2 and 5: what we stop had no running job, and its time was over.

use std::time::Duration;

use forge_model::Status;
use planner::action::Action;
use planner::event::EndReason;
use planner::ids::{BackendId, MachineName, RunnerUuid};

use super::{Death, Excuse, Rule};
use crate::forge::Door;
use crate::world::{World, note};

/// Longest time between the evidence for a stop and the stop in which a job may still slip in: the slowest call, both ways.
const RACE_MS: u64 = 10_000;
/// How much of a pause the daemon's clocks may count: twice the longest interval between two looks.
const COUNTED_OF_PAUSE_MS: u64 = 11_000;
/// The daemon's clocks begin when a call is begun, and a listing may count as begun later than it was.
pub(super) const SLACK_MS: u64 = 6_000;
/// How long after its start a process may be unknown to a life that has not seen it start.
const UNSEEN_MS: u64 = 30_000;

impl World {
    /// Invariant 2: a process that we end does not have a running job. Called when it ends.
    pub(crate) fn judge_stopped(&mut self, backend: &BackendId, name: &MachineName) {
        let now = self.now;
        let clocks = |world: &Self, name: &MachineName| {
            let machine = world.machine_at(backend, name)?;
            world.first_policy.pool(machine.tags.pool()).map(|pool| pool.clocks)
        };
        let Some(clocks) = clocks(self, name) else { return };
        let Some(process) = self.machine(backend, name).and_then(|machine| machine.process.as_ref()) else { return };
        let (handle, uuid) = (process.handle.clone(), process.uuid.clone());
        let (belief, boots) = (process.stop.clone().unwrap_or_default(), process.boots);
        self.judge.deaths.insert(uuid.clone(), Death { at: now, ours: Some(belief.clone()) });
        let Some(hand_out) = self.held_by(&handle, &uuid) else { return };
        let since = hand_out.at.as_millis();
        let ran_long = u128::from(self.active_since(since)) >= clocks.run.as_millis();
        let grace = u64::try_from(clocks.stop.as_millis()).unwrap_or(0);
        // A machine that starts its runner twice opens its door again after the fence: no backend of ours may.
        let race = boots > 1
            || belief.race_is_known && since >= belief.evidence_at && now <= belief.evidence_at + RACE_MS + grace;
        if ran_long {
            self.judge.excuse(&handle, Excuse::RanLong);
        } else if race {
            note!(self, "    RACE: {name} is stopped just after {handle} was handed to it");
            self.judge.races += 1;
            self.judge.excuse(&handle, Excuse::Race);
        } else {
            let what = format!("{name} is stopped although {handle} runs on it since {since} ({belief:?})");
            self.judge.breaks(Rule::Stopped, what);
        }
    }

    /// Invariant 2: no job is failed whose process lives.
    pub(crate) fn judge_early_end(&mut self, runner: &RunnerUuid) {
        let Some(handle) = self.living(runner.as_str()) else { return };
        if self.held_by(&handle, runner.as_str()).is_some() {
            self.judge.breaks(Rule::EarlyEnd, format!("{handle} is failed although its process lives"));
        }
    }

    /// How long the time since a moment was, without pauses: clocks count but a little of each.
    pub(super) fn active_since(&self, since: u64) -> u64 {
        let overlap = |(from, until): &(u64, u64)| {
            let (from, until) = ((*from).max(since), (*until).min(self.now));
            until.saturating_sub(from).saturating_sub(COUNTED_OF_PAUSE_MS)
        };
        (self.now - since).saturating_sub(self.judge.pauses.iter().map(overlap).sum())
    }

    /// Invariant 2: a process whose job is gone is left its grace. Called when a stop is begun.
    pub(super) fn judge_grace(&mut self, action: &Action) {
        let Action::Destroy { key, backend, machine: name, .. } = action else { return };
        let ending = self.daemon.state.journal.assignments.get(key).and_then(|assignment| assignment.ending.as_ref());
        if ending.is_none_or(|end| end.reason != EndReason::Gone) {
            return;
        }
        let Some(machine) = self.machine_at(backend, name) else { return };
        let Some(process) = machine.process.as_ref().filter(|process| process.task.is_some() && process.boots == 1)
        else {
            return;
        };
        let Some(clocks) = self.first_policy.pool(machine.tags.pool()).map(|pool| pool.clocks) else { return };
        let handle = forge_model::Handle(process.handle.clone());
        let attempt = self.forge(&process.forge).model.books().attempt(&handle);
        let (Some(started), Some(ended)) =
            (attempt.and_then(|attempt| attempt.started_at), attempt.and_then(|attempt| attempt.ended_at))
        else {
            return;
        };
        let (started, ended) = (started.as_millis(), ended.as_millis());
        let ran_long = u128::from(self.now - started) >= clocks.run.as_millis();
        let early = u128::from(self.now - ended) < clocks.grace.as_millis();
        if early && !ran_long && !machine.stopping && !machine.hidden && !self.is_unknown(name) {
            let what = format!("{name} is stopped within the grace after the end of {}", process.handle);
            self.judge.breaks(Rule::Grace, what);
        }
    }

    /// Invariant 5: a runner that waits for its job is stopped only when its time is over, or for a reason that the world
    /// knows of. Called when the stop is begun.
    pub(super) fn judge_stop_begun(&mut self, action: &Action) {
        let (Action::Destroy { key, backend, machine: name, .. } | Action::Release { key, backend, machine: name }) =
            action
        else {
            return;
        };
        if self.judge.stumbled.contains(key) || self.is_unknown(name) {
            return;
        }
        let belief = self.belief(action);
        let Some(machine) = self.machine_at(backend, name) else { return };
        let Some(process) = machine.process.as_ref().filter(|process| process.boots == 1) else { return };
        let Some(clocks) = self.first_policy.pool(machine.tags.pool()).map(|pool| pool.clocks) else { return };
        let exists = matches!(self.forge(&process.forge).door(self.now, &process.uuid), Door::Open | Door::Undeclared);
        let waits = self.forge(&process.forge).status_of(&process.handle) == Some(Status::Waiting);
        let span = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).saturating_sub(SLACK_MS);
        let over = match process.declared_at {
            Some(declared_at) if self.now > declared_at + RACE_MS => {
                self.active_since(declared_at) >= span(clocks.claim)
            }
            // One that came just now may have come too late.
            Some(_) | None => self.active_since(machine.asked_at) >= span(clocks.boot),
        };
        let unseen = belief.adopted && self.now < process.since + UNSEEN_MS;
        if exists && waits && !over && !machine.hidden && !machine.stopping && !unseen {
            let what = format!("{name} is stopped although {} waits and its runner's time is not over", process.handle);
            self.judge.breaks(Rule::StopBegun, what);
        }
    }
}
