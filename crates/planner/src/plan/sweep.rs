//! Sweeps: registrations of ours that belong to no assignment.

use super::context::Context;
use super::{Plan, budget::Budget, scopes};
use crate::action::Action;
use crate::ids::{ForgeId, JobKey, RunnerId};
use crate::report::{RunnerReason, RunnerReport};
use crate::sabotage::{self, Sabotage};
use crate::seen::{JobState, MachineState};
use crate::state::{MachineFact, Registration, Stray};

/// Deletes registrations of ours that belong to no assignment, once nothing can come of them.
pub(super) fn strays(context: &Context<'_>, budget: &mut Budget<'_>, plan: &mut Plan) {
    for ((forge, id), stray) in &context.state.journal.strays {
        let kept = why_kept(context, forge, stray);
        if kept.is_none() {
            let action = Action::Sweep { scope: stray.scope.clone(), id: *id };
            let due = context.now >= stray.retry_at
                && scopes::why_held(context, &stray.scope.watched()).is_none()
                && !being_swept(context, &action);
            if due && budget.take(&action.lane()) {
                plan.actions.push(action);
            }
        }
        plan.report.runners.push(reported(*id, stray, kept.unwrap_or(RunnerReason::Deleting)));
    }
}

fn being_swept(context: &Context<'_>, action: &Action) -> bool {
    context.state.journal.in_flight.values().any(|flight| flight.action == *action)
}

/// Why a stray is not deleted yet; `None` when nothing can come of it any more.
fn why_kept(context: &Context<'_>, forge: &ForgeId, stray: &Stray) -> Option<RunnerReason> {
    if sabotage::is(Sabotage::SweepAtOnce) {
        return None;
    }
    if may_be_answered_yet(context, forge, stray) || sabotage::is(Sabotage::NeverSweep) {
        return Some(RunnerReason::AwaitingPolls);
    }
    let settled = stray.first_seen.plus(context.settle(forge));
    if context.now < settled {
        return Some(RunnerReason::Settling { remaining: settled.since(context.now) });
    }
    if !context.state.seen.nowhere_bound(context.policy, &stray.uuid, stray.first_seen) {
        return Some(RunnerReason::MachinesNotListed);
    }
    if !stray.declared {
        // It never contacted the forge, so that it holds no job; and no machine has its token.
        return (!stray.seen.twice()).then_some(RunnerReason::AwaitingPolls);
    }
    match stray.job {
        _ if stray.job_missing.twice() => None,
        JobState::Waiting if stray.job_waiting.twice() => None,
        JobState::Running { .. } => Some(RunnerReason::JobRunning),
        JobState::Waiting | JobState::Unknown => Some(RunnerReason::AwaitingPolls),
    }
}

/// A register call of ours that is not answered yet, or a machine that is still being read, may explain it.
fn may_be_answered_yet(context: &Context<'_>, forge: &ForgeId, stray: &Stray) -> bool {
    let job = JobKey { forge: forge.clone(), handle: stray.identity.handle.clone() };
    context.state.journal.assignments_of(&job).any(|(key, assignment)| {
        key.attempt == stray.identity.attempt
            && (assignment.registration == Registration::Asked
                || matches!(
                    (&assignment.registration, assignment.machine),
                    (Registration::None, MachineFact::Exists { state: MachineState::Creating })
                ))
    })
}

fn reported(id: RunnerId, stray: &Stray, reason: RunnerReason) -> RunnerReport {
    RunnerReport {
        scope: stray.scope.clone(),
        id,
        handle: stray.identity.handle.clone(),
        attempt: stray.identity.attempt,
        reason,
    }
}
