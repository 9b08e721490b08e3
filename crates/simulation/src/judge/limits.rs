//! Invariants 4, 9 and 13: limits of machines, lanes of their own, and no hot loops.

use std::rc::Rc;

use planner::action::{Action, Lane};
use planner::ids::{BackendId, MachineName};
use planner::report::Reason;
use planner::step::Turn;

use super::{Belief, Rule};
use crate::world::World;

/// How long after it was made by an earlier life the daemon cannot know a machine yet.
const UNKNOWN_MS: u64 = 90_000;
/// In which time calls about one thing are counted, and how many of a kind there may be.
const HOT_SPAN_MS: u64 = 20_000;
const HOT_CALLS: usize = 10;

impl World {
    /// What the checker has stopped, and what waits for a lane that is free.
    pub(crate) fn judge_turn(&mut self, turn: &Turn) {
        for (action, violation) in &turn.violations {
            let what = format!("the checker stopped {action:?}: {violation}");
            self.judge.breaks_invariant(Rule::Checker, violation.invariant, what);
        }
        self.judge_decisions(turn);
        self.judge_away(turn);
        self.judge_bindings();
        self.judge_size(turn);
        for job in turn.report.jobs.iter().filter(|job| job.reason == Reason::NextInLine) {
            let fitting = self.policy.pools.iter().filter(|pool| planner::label::fits(&job.runs_on, &pool.labels));
            let mut busy = fitting.map(|pool| self.is_busy(&pool.backend));
            if !busy.any(|busy| busy) {
                self.judge
                    .breaks(Rule::FreeLanes, format!("{} waits for a lane although its lanes are free", job.handle));
            }
        }
    }

    /// Whether the lane of launches at a backend is full.
    pub(super) fn is_busy(&self, backend: &BackendId) -> bool {
        let lane = Lane::BackendLaunch(backend.clone());
        let used = self.daemon.state.journal.in_flight.values().filter(|flight| flight.action.lane() == lane).count();
        self.policy.backends.get(backend).is_none_or(|policy| used >= policy.parallel_creates)
    }

    /// A call is begun: it must not be one of a hot loop, nor stop what is well.
    pub(crate) fn judge_begun(&mut self, action: &Action) {
        self.judge_stop_begun(action);
        self.judge_grace(action);
        if let Action::Create { key, .. } = action {
            self.judge_probe(key);
        }
        self.judge_deletion_begun(action);
        self.note_open(action);
        self.judge_stocking(action);
        self.judge_registered(action);
        let about = match action {
            Action::CheckScope { scope } => scope.to_string(),
            Action::Sweep { scope, id } => format!("runner {} of {scope}", id.0),
            Action::CreateWarm { machine, .. } | Action::DestroyWarm { machine, .. } => machine.to_string(),
            _ => action.key().map(ToString::to_string).unwrap_or_default(),
        };
        let since = self.now.saturating_sub(HOT_SPAN_MS);
        let begun = self.judge.begun.entry((about.clone(), action.word())).or_default();
        begun.retain(|at| *at >= since);
        let twice = begun.last() == Some(&self.now);
        begun.push(self.now);
        if twice {
            self.judge.breaks(Rule::CalledOnce, format!("{about}: {} was called twice at once", action.word()));
        } else if begun.len() > HOT_CALLS {
            let count = begun.len();
            self.judge.breaks(Rule::HotLoop, format!("{about}: {} was called {count} times in 20 s", action.word()));
        }
    }

    /// Invariant 4: machines that the daemon can know of never exceed a limit.
    pub(crate) fn judge_created(&mut self, life: u32, backend: &BackendId, name: &MachineName, belief: &Belief) {
        self.judge.created += 1;
        if !self.is_this_life(life) {
            self.judge.unknown.insert(name.clone(), self.now + UNKNOWN_MS);
        }
        // What was configured when the call was begun counts: after a reload the count only falls.
        let policy = belief.policy.clone().unwrap_or_else(|| Rc::clone(&self.policy));
        let known = |name: &MachineName| !self.is_unknown(name);
        let count = |of: &dyn Fn(&BackendId, &crate::backends::Machine) -> bool| {
            let machines = self.backends.iter().flat_map(|(id, model)| model.machines.iter().map(move |it| (id, it)));
            machines.filter(|(id, (name, machine))| known(name) && !machine.hidden && of(id, machine)).count()
        };
        let exceeds = |count: usize, max: Option<u32>| max.is_some_and(|max| count > max as usize);
        let pool = self.machine_at(backend, name).map(|it| it.tags.pool().clone());
        let pool_max = pool.as_ref().and_then(|pool| policy.pool(pool)).map(|pool| pool.max);
        let broken = if exceeds(count(&|_, machine| Some(machine.tags.pool()) == pool.as_ref()), pool_max) {
            Some((Rule::PoolMax, format!("pool {pool:?} has more machines than its max")))
        } else if exceeds(count(&|id, _| id == backend), policy.backends.get(backend).and_then(|it| it.max)) {
            Some((Rule::BackendMax, format!("backend {backend} has more machines than its max")))
        } else if exceeds(count(&|_, _| true), policy.max) {
            Some((Rule::DeploymentMax, "the deployment has more machines than its max".to_owned()))
        } else {
            None
        };
        if let Some((rule, what)) = broken {
            self.judge.breaks(rule, what);
        }
    }
}
