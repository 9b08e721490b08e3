//! One turn of the owner: plan, fold what was decided and begun, until nothing is left to decide.

use crate::action::Action;
use crate::check::{Violation, check};
use crate::event::{Decision, Event, Outcome};
use crate::fold::fold;
use crate::ids::{ActionId, AssignmentKey};
use crate::plan::plan;
use crate::policy::Policy;
use crate::report::Report;
use crate::sabotage::{self, Sabotage};
use crate::state::{Assignment, State};
use crate::time::Tick;

/// How often one turn plans again after decisions. A decision leads to another at most a few times (found, concluded,
/// forgotten, launched anew); more would be a circle, and the next event goes on anyway.
const ROUNDS: usize = 8;

/// What one turn came to.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// Calls to hand over now, already folded as started.
    pub actions: Vec<(ActionId, Action)>,
    /// What was decided, in order.
    pub decisions: Vec<Decision>,
    /// Assignments that are over, with their last facts.
    pub ended: Vec<Ended>,
    /// Actions that were dropped since they would have broken an invariant. Always a defect.
    pub violations: Vec<(Action, Violation)>,
    /// Actions that were planned and were not allowed.
    pub withheld: Vec<Action>,
    /// Why the rest is left alone.
    pub report: Report,
}

/// An assignment that is over. Its machine may be there still, where that cannot be removed.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Which.
    pub key: AssignmentKey,
    /// Its last facts.
    pub assignment: Assignment,
    /// What came of it.
    pub outcome: Outcome,
}

/// Plans and folds until nothing is left to decide.
pub fn step(policy: &Policy, state: &mut State, now: Tick) -> Turn {
    step_within(policy, state, now, |_, _| true)
}

/// The same, but of the actions only those that are allowed are begun; the others are told.
pub fn step_within(policy: &Policy, state: &mut State, now: Tick, allowed: impl Fn(&State, &Action) -> bool) -> Turn {
    let mut turn = Turn::default();
    fold(state, policy, &Event::Passed, now);
    for round in 1..=ROUNDS {
        let plan = plan(policy, state, now);
        // What is decided first may speak against what was planned beside it.
        let settled = plan.decisions.is_empty() || round == ROUNDS;
        for action in plan.actions.into_iter().filter(|_| settled) {
            if allowed(state, &action) {
                begin(policy, state, action, now, &mut turn);
            } else {
                turn.withheld.push(action);
            }
        }
        for decision in plan.decisions {
            note_end(state, &decision, &mut turn);
            fold(state, policy, &Event::Decided(decision.clone()), now);
            turn.decisions.push(decision);
        }
        turn.report = plan.report;
        if settled {
            break;
        }
    }
    turn
}

fn begin(policy: &Policy, state: &mut State, action: Action, now: Tick, turn: &mut Turn) {
    if let Err(violation) = check(policy, state, &action)
        && !sabotage::checker_is_blind()
    {
        turn.violations.push((action, violation));
        return;
    }
    let id = ActionId(state.journal.last_action + 1);
    fold(state, policy, &Event::Started { id, action: action.clone() }, now);
    if sabotage::is(Sabotage::PlanTwice) {
        turn.actions.push((ActionId(id.0 | 1 << 63), action.clone()));
    }
    turn.actions.push((id, action));
}

fn note_end(state: &State, decision: &Decision, turn: &mut Turn) {
    if let Decision::Forget { key, outcome } | Decision::SetAside { key, outcome } = decision
        && let Some(assignment) = state.journal.assignments.get(key).filter(|assignment| assignment.set_aside.is_none())
    {
        turn.ended.push(Ended { key: key.clone(), assignment: assignment.clone(), outcome: outcome.clone() });
    }
}
