//! Machines without a job: how many of which image each pool keeps, which of them go, and why.
//!
//! ```text
//! too few ─► one more, where no job wants its room      outdated, dead, not wanted any more ─► removed
//! too old ─► another first, then the old one goes; the old one first, where there is no room for both
//! a job lacks the room that one takes ─► removed: spare machines yield to demand (invariant 14)
//! ```
//!
//! Jobs come first in everything: they are launched before anything of this is looked at, with the same count of room.

mod images;
mod names;
mod spares;
mod stock;

use super::Plan;
use super::budget::Budget;
use super::context::Context;
use super::room::Room;
use crate::action::{Action, Leaving};
use crate::ids::{BackendId, MachineName};
use crate::policy::PoolPolicy;
use crate::report::{MachineReason, MachineReport};
use crate::seen::{MachineState, WarmTags};
use crate::state::{MachineFact, WarmMachine};

pub(super) use spares::Spares;
use stock::Stock;

/// Which machine.
type Key = (BackendId, MachineName);

/// Keeps as many as are wanted, with what jobs have left of the room.
pub(super) fn keep<'a>(
    context: &Context<'a>,
    spares: &mut Spares<'a>,
    room: &mut Room,
    budget: &mut Budget<'_>,
    plan: &mut Plan,
) {
    for (key, of) in &context.state.journal.warm {
        if let Some(why) = why_it_goes(context, key, of) {
            spares.goes(key, why);
        }
    }
    for stock in Stock::all(context, spares, plan) {
        stock.balance(context, spares, room, budget, plan);
    }
    for (key, of) in &context.state.journal.warm {
        let reason = next_of(context, key, of, spares, budget, plan);
        plan.report.machines.push(MachineReport {
            name: key.1.clone(),
            backend: key.0.clone(),
            pool: of.tags.pool.clone(),
            handle: None,
            attempt: None,
            reason,
        });
    }
}

/// How many machines without a job a pool shall keep just now.
pub(super) fn wanted(context: &Context<'_>, pool: &PoolPolicy) -> u32 {
    let by_the_hour = context.state.journal.warm_counts.get(&pool.id).copied();
    if context.policy.draining { 0 } else { by_the_hour.unwrap_or(pool.warm.count).min(pool.max) }
}

/// What a machine for a job with this image carries in a pool that keeps machines without one, unless such machines could
/// not be made lately.
pub(super) fn tags(context: &Context<'_>, pool: &PoolPolicy, image: Option<&str>) -> Option<WarmTags> {
    (wanted(context, pool) > 0 && !kind_rests(context, pool, image)).then(|| like(pool, image))
}

/// What machines without a job carry that a pool makes now.
fn like(pool: &PoolPolicy, image: Option<&str>) -> WarmTags {
    WarmTags { pool: pool.id.clone(), image: image.map(str::to_owned), made_of: pool.warm.made_of.clone() }
}

/// Whether machines without a job could not be made from an image lately.
fn kind_rests(context: &Context<'_>, pool: &PoolPolicy, image: Option<&str>) -> bool {
    let rests = &context.state.journal.warm_rests;
    // Asked for each job, and mostly nothing rests: then no name is copied for it.
    !rests.is_empty()
        && rests.get(&(pool.id.clone(), image.map(str::to_owned))).is_some_and(|rest| rest.until > context.now)
}

/// Why one can be of no use any more, whatever is wanted.
fn why_it_goes(context: &Context<'_>, key: &Key, of: &WarmMachine) -> Option<Leaving> {
    match of.machine {
        MachineFact::Asked | MachineFact::Lost { .. } | MachineFact::Gone => return None,
        MachineFact::Ended | MachineFact::Exists { state: MachineState::Orphaned | MachineState::Ended { .. } } => {
            return Some(Leaving::Ended);
        }
        // A runner is bound to it of which nobody knows where it is registered: it goes on.
        MachineFact::Exists { .. } if of.is_bound => return None,
        MachineFact::Exists { .. } if of.absent.twice() => return Some(Leaving::Vanished),
        // It is being made, or an earlier life was just taking it back: for as long as that may take.
        MachineFact::Exists { state: MachineState::Creating | MachineState::Stopping | MachineState::Running } => {
            let patience = context.clocks(&of.tags.pool).boot.max(context.policy.limits.backend_deadline);
            return (context.now.since(of.since.max(of.touched)) > patience).then_some(Leaving::NeverReady);
        }
        MachineFact::Exists { state: MachineState::Ready } => {}
    }
    let is_current = context.policy.pool(&of.tags.pool).is_some_and(|pool| of.is_current(&key.0, pool));
    (!is_current).then_some(Leaving::Outdated)
}

/// Tells one to go that shall, again where that was in vain. Returns why it is there.
fn next_of(
    context: &Context<'_>,
    key: &Key,
    of: &WarmMachine,
    spares: &Spares<'_>,
    budget: &mut Budget<'_>,
    plan: &mut Plan,
) -> MachineReason {
    let Some(why) = of.leaving.or_else(|| spares.why_it_goes(key)) else {
        return match of.machine {
            MachineFact::Asked
            | MachineFact::Lost { .. }
            | MachineFact::Gone
            | MachineFact::Exists { state: MachineState::Creating } => MachineReason::WarmCreating,
            MachineFact::Exists { .. } if of.is_bound => MachineReason::Found,
            MachineFact::Exists { .. } | MachineFact::Ended if of.is_ready() => MachineReason::Warm,
            MachineFact::Exists { .. } | MachineFact::Ended => MachineReason::WarmInDoubt,
        };
    };
    let limits = &context.policy.limits;
    let patience = context.clocks(&of.tags.pool).stop + limits.settle;
    let is_going = of.stop_accepted.is_some_and(|accepted_at| context.now < accepted_at.plus(patience));
    let is_made = !matches!(of.machine, MachineFact::Asked | MachineFact::Lost { .. });
    let due = is_made && of.busy.is_none() && context.now >= of.retry_at && !is_going && !of.is_in_doubt();
    let action = Action::DestroyWarm { backend: key.0.clone(), machine: key.1.clone(), why };
    if due && budget.take(&action.lane()) {
        plan.actions.push(action);
    }
    MachineReason::WarmLeaving { why }
}
