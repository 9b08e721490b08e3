//! Decides what happens next, and says for everything that it leaves alone why.
//!
//! [`plan`] is synchronous and total. It looks at each assignment ([`living`], [`ending`]), at registrations without one
//! ([`sweep`]), at waiting jobs without one ([`launch`]) and then at machines without a job ([`warm`]).

mod breakers;
mod budget;
mod context;
mod ending;
mod environments;
mod finish;
mod last_words;
mod launch;
mod living;
mod placing;
mod queue;
mod reach;
mod reasons;
mod report;
mod room;
mod scopes;
mod suspects;
mod sweep;
mod warm;

use crate::action::Action;
use crate::event::{Decision, EndReason, Outcome};
use crate::ids::AssignmentKey;
use crate::policy::Policy;
use crate::report::{MachineReason, Report};
use crate::state::{Assignment, State};
use crate::time::Tick;

use budget::Budget;
use context::Context;
pub(crate) use room::Room;
use warm::Spares;

/// What shall happen, and why the rest does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Changes of our own books; fold them, then plan again.
    pub decisions: Vec<Decision>,
    /// Calls to make.
    pub actions: Vec<Action>,
    /// One reason for each thing that is left alone.
    pub report: Report,
}

/// What an assignment needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it lives for a moment")]
enum Next {
    /// It shall end.
    Conclude(EndReason),
    /// Its job runs after all.
    Reinstate,
    /// Its machine goes back to those without a job as it is.
    HandBack,
    /// All of it is cleaned up.
    Forget(Outcome),
    /// All of it is cleaned up but its machine, which cannot be removed.
    SetAside(Outcome),
    /// A call.
    Act(Action, MachineReason),
    /// Nothing now.
    Wait(MachineReason),
}

/// Plans once.
pub fn plan(policy: &Policy, state: &State, now: Tick) -> Plan {
    let context = Context::new(policy, state, now);
    let mut budget = Budget::new(policy, state);
    let mut plan = Plan { report: Report { at: now, ..Report::default() }, ..Plan::default() };
    for (key, assignment) in &state.journal.assignments {
        let reason = next_of(&context, key, assignment, &mut budget, &mut plan);
        plan.report.machines.extend(reason.map(|reason| report::machine(key, assignment, reason)));
    }
    scopes::look(&context, &mut budget, &mut plan);
    sweep::strays(&context, &mut budget, &mut plan);
    let mut spares = Spares::new(&context);
    let mut room = launch::launch(&context, &mut spares, &mut budget, &mut plan);
    warm::keep(&context, &mut spares, &mut room, &mut budget, &mut plan);
    report::finish(&context, &mut plan);
    plan
}

/// Adds what one assignment needs next to the plan; returns why its machine is there, if it is.
fn next_of(
    context: &Context<'_>,
    key: &AssignmentKey,
    assignment: &Assignment,
    budget: &mut Budget,
    plan: &mut Plan,
) -> Option<MachineReason> {
    let next = match &assignment.ending {
        None => living::next(context, key, assignment),
        Some(end) => ending::next(context, key, assignment, end),
    };
    let reason = match next {
        Next::Wait(reason) => reason,
        Next::Act(action, _) if assignment.busy.is_none() && !context.means_ours(assignment, &action) => {
            scopes::in_doubt(context, &assignment.scope.watched())
        }
        Next::Act(action, reason) => {
            let due = assignment.busy.is_none() && context.now >= assignment.retry_at;
            if due && budget.take(&action.lane()) {
                plan.actions.push(action);
            }
            reason
        }
        // One thing at a time: while a call is under way its answer may change everything.
        Next::Conclude(_) | Next::Reinstate | Next::HandBack | Next::Forget(_) | Next::SetAside(_)
            if assignment.busy.is_some() =>
        {
            MachineReason::AwaitingPolls
        }
        Next::Conclude(reason) => {
            plan.decisions.push(Decision::Conclude { key: key.clone(), reason });
            MachineReason::AwaitingPolls
        }
        Next::Reinstate => {
            plan.decisions.push(Decision::Reinstate { key: key.clone() });
            MachineReason::Running
        }
        Next::HandBack => {
            plan.decisions.push(Decision::HandBack { key: key.clone() });
            MachineReason::Releasing
        }
        Next::SetAside(outcome) => {
            plan.decisions.push(Decision::SetAside { key: key.clone(), outcome });
            MachineReason::Removing
        }
        Next::Forget(outcome) => {
            plan.decisions.push(Decision::Forget { key: key.clone(), outcome });
            MachineReason::Removing
        }
    };
    assignment.occupies().then_some(reason)
}
