//! An assignment that shall end: close the door, stop the machine, then see what is left ([`super::finish`]).
//!
//! ```text
//! ending ─► door closed ─► (hold, grace) ─► stopped ─► removed ─► registration gone ─► forgotten
//!    │             └─► a machine that was made without a job, and never had one: its runner is taken back ──┘
//!    │                                         └─► cannot be stopped: registration gone ─► detached ─► stopped later
//!    └─► the job runs on it after all, is listed again, or its runner came late: reinstated
//! ```

use std::time::Duration;

use super::context::{Context, Presence};
use super::living::{awaiting, is_out_of_sight, look_up};
use super::{Next, finish};
use crate::action::Action;
use crate::event::{EndReason, Outcome};
use crate::ids::AssignmentKey;
use crate::report::MachineReason;
use crate::sabotage::{self, Sabotage};
use crate::seen::{Exit, JobState};
use crate::state::{Assignment, Ending, Fence, MachineFact, Registered, Start};
use crate::time::Tick;

/// How long a process may take to end whose job is gone and whose grace is over: a real runner spends it on reports that
/// the forge refuses (protocol 3.6: some 51 s, deaf to signals), and nothing that it still does counts.
const STOP_OF_GONE: Duration = Duration::from_secs(10);

/// After how many vain removals a dead machine is set aside.
const REMOVALS: u32 = 3;

pub(super) fn next(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, end: &Ending) -> Next {
    if assignment.is_dead() {
        return remove(context, key, assignment, end);
    }
    if assignment.detached.is_some() {
        return stop(context, key, assignment, end);
    }
    if is_out_of_sight(context, key, assignment) {
        return Next::Forget(Outcome::EndedElsewhere);
    }
    if is_refuted(context, assignment, end) {
        return Next::Reinstate;
    }
    if let Some(next) = close_door(context, key, assignment, end) {
        return next;
    }
    let limits = &context.policy.limits;
    if let Some(hold) = assignment.hold.filter(|hold| !hold.over(limits.hold)) {
        return Next::Wait(MachineReason::Held { remaining: hold.remaining(limits.hold) });
    }
    let grace = context.clocks(&assignment.pool).grace;
    // A machine that is listed no more has no observed time, and nothing to finish that could be waited for.
    if has_grace(assignment, end) && !assignment.grace.over(grace) && !assignment.has_vanished() {
        return Next::Wait(MachineReason::Grace { remaining: assignment.grace.remaining(grace) });
    }
    give_up(context, key, assignment, end).unwrap_or_else(|| stop(context, key, assignment, end))
}

/// Whether what was seen since has refuted the reason for the end: a job that had left is listed again (a list was wrong,
/// or the forge was restored), or a runner came after its time while nothing was done to it yet.
fn is_refuted(context: &Context<'_>, assignment: &Assignment, end: &Ending) -> bool {
    match end.reason {
        EndReason::Gone | EndReason::EndedElsewhere => {
            matches!(context.presence(assignment), Presence::Present | Presence::Missing)
        }
        EndReason::BootOver => {
            assignment.contacted.is_some() && assignment.fence == Fence::Open && assignment.destroys == 0
        }
        EndReason::ProcessEnded { .. }
        | EndReason::LaunchFailed { .. }
        | EndReason::HeldBack
        | EndReason::LeftBeforeStart
        | EndReason::TakenElsewhere
        | EndReason::RunOver
        | EndReason::RegistrationRemoved
        | EndReason::MachineVanished
        | EndReason::NeverStarted => false,
    }
}

/// The process of a job that has left may be about to end by itself; but not one that is fenced and whose job was never
/// seen to run: it waits for what will not come.
fn has_grace(assignment: &Assignment, end: &Ending) -> bool {
    let waits_in_vain = assignment.fence != Fence::Open && assignment.track.running_since.is_none();
    if sabotage::is(Sabotage::NoGrace) {
        return false;
    }
    end.reason.begins_grace() && (end.reason == EndReason::Gone || !waits_in_vain)
}

/// Whether the runner might still be given its job, so that the door is closed before its machine is stopped.
fn may_be_offered(reason: &EndReason) -> bool {
    match reason {
        EndReason::HeldBack
        | EndReason::BootOver
        | EndReason::EndedElsewhere
        | EndReason::MachineVanished
        | EndReason::LaunchFailed { .. } => true,
        // Proven otherwise: another has the job, the forge knows the runner no more, or it never got its credentials.
        EndReason::TakenElsewhere
        | EndReason::Gone
        | EndReason::RegistrationRemoved
        | EndReason::LeftBeforeStart
        | EndReason::NeverStarted
        | EndReason::ProcessEnded { .. }
        // Or it holds its job; stopping it lets the runner report a failure.
        | EndReason::RunOver => false,
    }
}

/// What is needed before the machine may be stopped; `None` when nothing is.
fn close_door(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, end: &Ending) -> Option<Next> {
    let registered = assignment.registration.known()?;
    if !may_be_offered(&end.reason) || !assignment.may_have_started() || sabotage::is(Sabotage::NoFence) {
        return None;
    }
    if registered.gone {
        // No door is left, but its job may have ended on it just now: a fresh poll tells. One that runs is another's.
        return after_door(context, assignment, registered.touched, || None);
    }
    let is_unseen = assignment.contacted.is_none() && !sabotage::is(Sabotage::FenceEarly);
    let cannot_be_found = assignment.has_vanished() && context.is_anothers(assignment);
    if is_unseen && !cannot_be_found {
        return look_before_stop(key, assignment, registered, fresh_since(assignment, end));
    }
    if is_unseen || !context.has_credentials(assignment) {
        // The runner cannot be looked up, or cannot be fenced: a fresh poll, then the stop; a race of milliseconds remains.
        return after_door(context, assignment, fresh_since(assignment, end), || Some(Next::Reinstate));
    }
    let Fence::Closed { at } = assignment.fence else {
        let action = Action::Fence { key: key.clone(), runner: registered.uuid.clone() };
        return Some(Next::Act(action, MachineReason::Fencing));
    };
    if sabotage::is(Sabotage::NoSettle) {
        return None;
    }
    after_door(context, assignment, at.plus(context.settle(&key.job.forge)), || whose(key, assignment, registered, at))
}

/// From when on a look counts as fresh where no fence closes the door: the end was decided, and no stop was tried since.
fn fresh_since(assignment: &Assignment, end: &Ending) -> Tick {
    if assignment.destroys > 0 { end.at.max(assignment.machine_touched) } else { end.at }
}

/// A runner that has not contacted the forge would undo a fence by its own Declare (protocol 2.11): a fresh look at its
/// registration instead, and one after its job was first seen running, since it may have come just before that.
fn look_before_stop(
    key: &AssignmentKey,
    assignment: &Assignment,
    registered: &Registered,
    fresh: Tick,
) -> Option<Next> {
    let ran_since = assignment.track.running_since.unwrap_or_default();
    if assignment.looked_up.is_some_and(|(at, _)| at >= fresh && at > ran_since) {
        return None;
    }
    let fresh = fresh.max(ran_since);
    if registered.id.is_none() && registered.undeclared.once_after(fresh) || registered.absent.twice_after(fresh) {
        return None;
    }
    Some(look_up(key, assignment, registered).unwrap_or_else(awaiting))
}

/// After the door was closed a poll must show where the job stands. `None`: not on this runner.
fn after_door(
    context: &Context<'_>,
    assignment: &Assignment,
    moment: Tick,
    if_running: impl FnOnce() -> Option<Next>,
) -> Option<Next> {
    match (context.presence(assignment), assignment.track.state) {
        (Presence::Unwatched, _) => None,
        (Presence::Left { .. }, _) if context.lacked_after(assignment, moment) => None,
        (_, JobState::Waiting) if assignment.track.waiting.once_after(moment) => None,
        (_, JobState::Running { .. }) if assignment.track.running.once_after(moment) => if_running(),
        _ => Some(Next::Wait(MachineReason::Fencing)),
    }
}

/// The job runs although the door was closed: whose is it? `None`: another's.
fn whose(key: &AssignmentKey, assignment: &Assignment, registered: &Registered, fenced_at: Tick) -> Option<Next> {
    match (assignment.whose.filter(|(at, _)| *at > fenced_at), assignment.task()) {
        (Some((_, true)), _) => Some(Next::Reinstate),
        (Some((_, false)), _) | (None, None) => None,
        (None, Some(task)) => {
            let action = Action::AskWhose { key: key.clone(), runner: registered.uuid.clone(), task };
            Some(Next::Act(action, MachineReason::AskingWhose))
        }
    }
}

/// A machine that cannot be stopped, perhaps since its backend is away, shall not keep its job from another: once the
/// door is closed and polls agree that the job waits, the registration goes first (design section 5, "where that cannot be
/// proven"). `None`: not needed, or not yet.
fn give_up(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, end: &Ending) -> Option<Next> {
    let in_vain = assignment.destroys > 0 && assignment.failures > 0;
    let registered = assignment.registration.known().filter(|registered| !registered.gone)?;
    let closed_at = match assignment.fence {
        Fence::Closed { at } => at,
        Fence::Open => end.at,
    };
    let waits = assignment.track.state == JobState::Waiting && assignment.track.waiting.twice_after(closed_at);
    if !in_vain || (!waits && assignment.may_have_started()) {
        return None;
    }
    let action = Action::DeleteRunner { key: key.clone(), scope: assignment.scope.clone(), id: registered.id? };
    // Where nothing can be deleted, stopping is what can be tried again.
    context.means_ours(assignment, &action).then_some(Next::Act(action, MachineReason::Stopping))
}

/// Stops a machine that is not proven dead. One that was made without a job goes back to those without one, where no code
/// of a job ran on it; should taking its runner back fail, it is stopped like all others.
fn stop(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, end: &Ending) -> Next {
    if let MachineFact::Asked | MachineFact::Lost { .. } = assignment.machine {
        return Next::Wait(MachineReason::Stopping);
    }
    if assignment.is_unused() {
        return Next::HandBack;
    }
    if assignment.is_releasable() || sabotage::is(Sabotage::ReleaseUsed) && is_warm_and_started(assignment) {
        let action = Action::Release {
            key: key.clone(),
            backend: assignment.backend.clone(),
            machine: assignment.machine_name.clone(),
        };
        return Next::Act(action, MachineReason::Releasing);
    }
    destroy(context, key, assignment, end, MachineReason::Stopping)
}

fn is_warm_and_started(assignment: &Assignment) -> bool {
    assignment.warm.is_some() && assignment.destroys == 0 && assignment.start == Start::Done
}

/// Repeated when a backend accepted it and nothing came of it.
fn destroy(
    context: &Context<'_>,
    key: &AssignmentKey,
    assignment: &Assignment,
    end: &Ending,
    reason: MachineReason,
) -> Next {
    let stop = stop_time(context, assignment, end);
    let patience = stop + context.policy.limits.settle;
    if assignment.stop_accepted.is_some_and(|accepted_at| context.now < accepted_at.plus(patience)) {
        return Next::Wait(reason);
    }
    let action = Action::Destroy {
        key: key.clone(),
        backend: assignment.backend.clone(),
        machine: assignment.machine_name.clone(),
        stop,
    };
    Next::Act(action, reason)
}

/// How long the process may take to end after it was asked to.
fn stop_time(context: &Context<'_>, assignment: &Assignment, end: &Ending) -> Duration {
    let stop = context.clocks(&assignment.pool).stop;
    if end.reason == EndReason::Gone { stop.min(STOP_OF_GONE) } else { stop }
}

/// The process is dead: keep its last words where they tell something, then remove what is left.
fn remove(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, end: &Ending) -> Next {
    if sabotage::is(Sabotage::KeepMachines) && assignment.machine == MachineFact::Ended {
        return Next::Wait(MachineReason::Removing);
    }
    if assignment.machine == MachineFact::Gone {
        return finish::next(context, key, assignment, end);
    }
    if assignment.destroys >= REMOVALS && assignment.detached.is_none() {
        // Neither its job nor its registration shall wait for what is left of it.
        let next = finish::next(context, key, assignment, end);
        if let Next::Forget(outcome) = next {
            return Next::SetAside(outcome);
        }
        if matches!(next, Next::Act(..)) {
            return next;
        }
    }
    let died_well = assignment.death.is_some_and(|death| matches!(death.exit, Exit::Code(0) | Exit::NeverStarted));
    let has_last_words = matches!(end.reason, EndReason::ProcessEnded { .. } | EndReason::BootOver);
    if has_last_words && !died_well && assignment.track.running_since.is_none() && assignment.log.is_none() {
        let action = Action::ReadLog {
            key: key.clone(),
            backend: assignment.backend.clone(),
            machine: assignment.machine_name.clone(),
        };
        return Next::Act(action, MachineReason::Removing);
    }
    destroy(context, key, assignment, end, MachineReason::Removing)
}
