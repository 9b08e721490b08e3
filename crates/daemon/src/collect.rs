//! Cleaning up by hand: a life of the daemon that launches nothing, and ends when nothing more can go.
//!
//! ```text
//! everything listed completely ─► sweeps and ends, as always ─► only running jobs are left ─► told
//!                                       └► it takes too long ─► told what is left
//! ```
//!
//! Promises: the rules are the planner's, so that no running job is touched. Of *another* deployment, which may have a
//! living daemon somewhere, nothing that shows life is touched unless that is forced: only machines whose process is
//! dead and registrations whose runner is offline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use planner::action::Action;
use planner::event::Decision;
use planner::ids::{AssignmentKey, RunnerId, ScopeKey};
use planner::policy::Policy;
use planner::report::MachineReason;
use planner::seen::JobState;
use planner::state::State;
use planner::step::Turn;
use tokio::sync::oneshot;

use crate::control::Left;
use crate::left;

/// How long all of it may take. Sweeps need a few polls and the settle time; what is slower than this waits for a forge or
/// a backend that does not answer.
const TOGETHER: Duration = Duration::from_mins(5);

/// How to clean up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collect {
    /// Change nothing: find out what would be done.
    pub dry_run: bool,
    /// The deployment is another than the configuration's, and may have a daemon of its own.
    pub another: bool,
    /// Of another deployment take what shows life, too.
    pub force: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// What was removed, one line each.
    pub removed: Vec<String>,
    /// What would have been done and was not, since it is a dry run or shows life.
    pub withheld: Vec<String>,
    /// What is left.
    pub left: Left,
    /// Machines whose jobs run on.
    pub running: u32,
    /// Whether all was seen, and nothing is left that could still go.
    pub finished: bool,
}

/// A cleaning that is under way.
#[derive(Debug)]
pub(crate) struct Collecting {
    how: Collect,
    until: Instant,
    removed: Vec<String>,
    sweeps: BTreeMap<(ScopeKey, RunnerId), String>,
    withheld: BTreeMap<Whose, String>,
    answer: oneshot::Sender<Collected>,
}

/// Whose action was withheld.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Assignment(AssignmentKey),
    Stray(ScopeKey, RunnerId),
}

impl Collecting {
    pub(crate) fn new(how: Collect, answer: oneshot::Sender<Collected>) -> Self {
        Self {
            how,
            until: Instant::now() + TOGETHER,
            removed: Vec::new(),
            sweeps: BTreeMap::new(),
            withheld: BTreeMap::new(),
            answer,
        }
    }

    /// Whether an action may be begun. Looks change nothing and always may.
    pub(crate) fn allows(&self, state: &State, action: &Action) -> bool {
        match action {
            Action::CheckScope { .. }
            | Action::LookUpRunner { .. }
            | Action::ReadLog { .. }
            | Action::AskWhose { .. } => true,
            _ if self.how.dry_run => false,
            _ if !self.how.another || self.how.force => true,
            Action::Sweep { scope, id } => {
                state.journal.strays.get(&(scope.forge.clone(), *id)).is_some_and(|stray| !stray.online)
            }
            _ => {
                let assignment = action.key().and_then(|key| state.journal.assignments.get(key));
                assignment.is_some_and(planner::state::Assignment::is_dead)
            }
        }
    }

    /// Takes note of what a turn did and did not.
    pub(crate) fn note(&mut self, state: &State, turn: &Turn) {
        for ended in &turn.ended {
            let (key, of) = (&ended.key, &ended.assignment);
            if state.journal.assignments.contains_key(key) {
                continue;
            }
            self.removed.push(format!("{}, with all of it", machine(key, of)));
            self.withheld.remove(&Whose::Assignment(key.clone()));
        }
        for (_, action) in &turn.actions {
            if let Action::Sweep { scope, id } = action {
                self.sweeps.insert((scope.clone(), *id), registration(state, scope, *id));
            }
        }
        for action in &turn.withheld {
            let (whose, text) = if let Action::Sweep { scope, id } = action {
                (Whose::Stray(scope.clone(), *id), registration(state, scope, *id))
            } else {
                let Some(key) = action.key() else { continue };
                let Some(of) = state.journal.assignments.get(key) else { continue };
                (Whose::Assignment(key.clone()), machine(key, of))
            };
            self.withheld.insert(whose, text);
        }
    }

    /// Whether it is over: nothing more can go, or it takes too long.
    pub(crate) fn is_over(&self, policy: &Policy, state: &State, turn: &Turn) -> bool {
        let held = if state.journal.kills_held() > 0 { policy.limits.hold } else { Duration::ZERO };
        self.is_finished(policy, state, turn) || Instant::now() >= self.until + held
    }

    fn is_finished(&self, policy: &Policy, state: &State, turn: &Turn) -> bool {
        // Forgetting is the last of an assignment; other decisions have something follow.
        let settled = turn.actions.is_empty()
            && turn.decisions.iter().all(|decision| matches!(decision, Decision::Forget { .. }));
        settled
            && state.journal.in_flight.is_empty()
            && state.seen.is_complete(policy)
            && self.waits_for_nothing(state, turn)
    }

    /// Whether all that is there runs its job, or is withheld.
    fn waits_for_nothing(&self, state: &State, turn: &Turn) -> bool {
        let running: BTreeSet<_> = turn
            .report
            .machines
            .iter()
            .filter(|machine| matches!(machine.reason, MachineReason::Running | MachineReason::Vanished))
            .map(|machine| &machine.name)
            .collect();
        let assignments = state.journal.assignments.iter().all(|(key, assignment)| {
            running.contains(&assignment.machine_name) || self.withheld.contains_key(&Whose::Assignment(key.clone()))
        });
        let strays = state.journal.strays.iter().all(|((_, id), stray)| {
            matches!(stray.job, JobState::Running { .. })
                || self.withheld.contains_key(&Whose::Stray(stray.scope.clone(), *id))
        });
        assignments && strays
    }

    /// Tells what came of it.
    pub(crate) fn tell(self, policy: &Policy, state: &State, turn: &Turn) {
        let finished = self.is_finished(policy, state, turn);
        let swept = self
            .sweeps
            .iter()
            .filter(|((scope, id), _)| !state.journal.strays.contains_key(&(scope.forge.clone(), *id)));
        let mut removed = self.removed.clone();
        removed.extend(swept.map(|(_, text)| text.clone()));
        let running = turn.report.machines.iter().filter(|machine| machine.reason == MachineReason::Running).count();
        let collected = Collected {
            removed,
            withheld: self.withheld.values().cloned().collect(),
            left: left::told(&turn.report),
            running: u32::try_from(running).unwrap_or(u32::MAX),
            finished,
        };
        // Whoever asked may have gone.
        let _ = self.answer.send(collected);
    }
}

fn machine(key: &AssignmentKey, of: &planner::state::Assignment) -> String {
    format!(
        "machine {} on backend {} (pool {}) for {} try {}",
        of.machine_name, of.backend, of.pool, key.job.handle, key.attempt.0
    )
}

fn registration(state: &State, scope: &ScopeKey, id: RunnerId) -> String {
    let stray = state.journal.strays.get(&(scope.forge.clone(), id));
    let whose = stray.map(|stray| format!(" for {} try {}", stray.identity.handle, stray.identity.attempt.0));
    format!("registration {} in {scope}{}", id.0, whose.unwrap_or_default())
}
