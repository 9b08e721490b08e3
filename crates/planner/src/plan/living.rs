//! An assignment on its way to the end of its job: what it needs next, and what ends it.

use super::context::{Context, Presence};
use super::{Next, reach, reasons};
use crate::action::{Action, next_ordinal};
use crate::error_class::{Acted, Concerns, ErrorClass, Failure};
use crate::event::{EndReason, Outcome};
use crate::identity::{RunnerIdentity, machine_name};
use crate::ids::{AssignmentKey, ForgeId};
use crate::report::{LaunchStep, MachineReason};
use crate::sabotage::{self, Sabotage};
use crate::seen::{BoundAt, JobState, MachineState};
use crate::state::{Assignment, Fence, MachineFact, Registered, Registration, Start, Stray};

/// How many starts one try may make: the second tells a hiccup from a rule.
const STARTS: u32 = 2;

pub(super) fn next(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment) -> Next {
    if let Some(death) = assignment.death {
        return Next::Conclude(match &assignment.last_failure {
            Some(failure) if !assignment.may_have_started() => EndReason::LaunchFailed { failure: failure.clone() },
            _ => EndReason::ProcessEnded { exit: death.exit },
        });
    }
    if !assignment.may_have_started() && context.is_anothers(assignment) {
        // Its credentials never left us, and its job will not be seen again.
        return Next::Conclude(EndReason::LeftBeforeStart);
    }
    if is_out_of_sight(context, key, assignment) {
        return Next::Forget(Outcome::EndedElsewhere);
    }
    match context.presence(assignment) {
        Presence::Left { .. } if !assignment.may_have_started() => Next::Conclude(EndReason::LeftBeforeStart),
        Presence::Left { proven: true } => left(key, assignment),
        Presence::Left { proven: false } | Presence::Missing | Presence::Unwatched => {
            Next::Wait(reasons::machine(assignment))
        }
        Presence::Present => match assignment.track.state {
            JobState::Running { .. } => running(context, key, assignment),
            JobState::Waiting => waiting(context, key, assignment),
            JobState::Unknown => Next::Wait(reasons::machine(assignment)),
        },
    }
}

/// Whether nothing of an assignment can be seen any more, and nothing lost: its machine is listed no more, its scope is
/// another one, and no other scope shows its job, which could be launched anew. As long as it is in the books nothing is
/// launched in its scope.
pub(super) fn is_out_of_sight(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment) -> bool {
    assignment.has_vanished() && context.is_anothers(assignment) && !context.may_be_listed(key, assignment)
}

/// The job has left and the process lives: the registration tells whether it was ours (protocol 2.9).
fn left(key: &AssignmentKey, assignment: &Assignment) -> Next {
    let Some(registered) = assignment.registration.known() else {
        return Next::Conclude(EndReason::EndedElsewhere);
    };
    let since = assignment.track.missing.values().filter_map(|missing| missing.since).max();
    match assignment.looked_up {
        _ if registered.gone || sabotage::is(Sabotage::GoneUnasked) => Next::Conclude(EndReason::Gone),
        Some((at, true)) if since.is_some_and(|since| at > since) => Next::Conclude(EndReason::EndedElsewhere),
        _ => look_up(key, assignment, registered)
            .unwrap_or_else(|| if registered.absent.twice() { Next::Conclude(EndReason::Gone) } else { awaiting() }),
    }
}

fn running(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment) -> Next {
    if !assignment.may_have_started() || matches!(assignment.whose, Some((_, false))) {
        return Next::Conclude(EndReason::TakenElsewhere);
    }
    if let (true, true, Some(task), Some(registered)) = (
        sabotage::is(Sabotage::EndWithoutProof),
        assignment.has_vanished(),
        assignment.task(),
        assignment.registration.known(),
    ) {
        let (runner, reason) = (registered.uuid.clone(), "it is not listed".to_owned());
        return Next::Act(Action::EndEarly { key: key.clone(), runner, task, reason }, MachineReason::Vanished);
    }
    if let Some(next) = doubt(context, key, assignment) {
        return next;
    }
    let run = context.clocks(&assignment.pool).run;
    if assignment.run.over(if sabotage::is(Sabotage::StopEarly) { run / 2 } else { run }) {
        return Next::Conclude(EndReason::RunOver);
    }
    Next::Wait(if assignment.has_vanished() { MachineReason::Vanished } else { MachineReason::Running })
}

/// A job runs, but perhaps not on our runner: that one never declared itself, or does nothing for long. The forge tells.
fn doubt(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment) -> Option<Next> {
    let registered = assignment.registration.known().filter(|registered| !registered.gone)?;
    let task = assignment.task()?;
    let since = assignment.track.running_since?;
    let undeclared = assignment.contacted.is_none() && registered.undeclared.twice_after(since);
    let idle = assignment.idle.over(context.policy.limits.idle_doubt);
    if assignment.whose.is_some() || !(undeclared || idle) {
        return None;
    }
    if idle && sabotage::is(Sabotage::IdleIsProof) {
        return Some(Next::Conclude(EndReason::TakenElsewhere));
    }
    if context.has_credentials(assignment) {
        let action = Action::AskWhose { key: key.clone(), runner: registered.uuid.clone(), task };
        return Some(Next::Act(action, MachineReason::AskingWhose));
    }
    undeclared.then_some(Next::Conclude(EndReason::TakenElsewhere))
}

fn waiting(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment) -> Next {
    let clocks = context.clocks(&assignment.pool);
    if assignment.has_vanished() {
        return Next::Conclude(EndReason::MachineVanished);
    }
    if assignment.contacted.is_none() && assignment.boot.over(clocks.boot) {
        return Next::Conclude(EndReason::BootOver);
    }
    match (assignment.machine, assignment.start) {
        (MachineFact::Asked | MachineFact::Lost { .. }, _)
        | (MachineFact::Exists { state: MachineState::Creating }, Start::No) => launching(LaunchStep::Creating),
        (_, Start::No) => register_or_start(context, key, assignment),
        (_, Start::Asked | Start::Lost { .. }) => launching(LaunchStep::Starting),
        (_, Start::Done) => started(key, assignment, clocks.claim),
    }
}

fn register_or_start(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment) -> Next {
    if !assignment.adopted && !is_still_served(context, assignment) {
        let message = "its pool is configured no more, or has its labels no more".to_owned();
        let failure = Failure { class: ErrorClass::Permanent, acted: Acted::No, concerns: Concerns::All, message };
        return Next::Conclude(EndReason::LaunchFailed { failure });
    }
    if !assignment.adopted && earlier_life_has_tried(context, key) {
        return launching(LaunchStep::Registering);
    }
    match &assignment.registration {
        Registration::None if assignment.adopted => Next::Conclude(EndReason::NeverStarted),
        Registration::None => register(context, key, assignment),
        Registration::Asked => launching(LaunchStep::Registering),
        Registration::Known(registered) if registered.gone => Next::Conclude(EndReason::RegistrationRemoved),
        Registration::Known(registered) => start(context, key, assignment, registered),
    }
}

/// Whether the pool that was chosen for a job would still be: the policy may have changed since.
fn is_still_served(context: &Context<'_>, assignment: &Assignment) -> bool {
    context
        .policy
        .pool(&assignment.pool)
        .is_some_and(|pool| assignment.job.as_ref().is_none_or(|job| crate::label::fits(&job.runs_on, &pool.labels)))
}

/// Whether a machine of an earlier life has turned up since the launch began, or a runner that has contacted the forge and
/// belongs to none: that ends first, or has the job.
fn earlier_life_has_tried(context: &Context<'_>, key: &AssignmentKey) -> bool {
    let journal = &context.state.journal;
    let is_of_the_job = |forge: &ForgeId, stray: &Stray| {
        *forge == key.job.forge && stray.declared && !stray.is_set_aside() && stray.identity.handle == key.job.handle
    };
    journal.assignments_of(&key.job).any(|(other, of)| other != key && of.keeps_its_job())
        || journal.strays.iter().any(|((forge, _), stray)| is_of_the_job(forge, stray))
}

fn register(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment) -> Next {
    if let Some(next) = given_up(assignment, context.policy.limits.register_calls) {
        return next;
    }
    if reach::lacks(context, &assignment.backend).is_some() {
        return launching(LaunchStep::Registering);
    }
    let identity = RunnerIdentity {
        pool: assignment.pool.clone(),
        handle: key.job.handle.clone(),
        attempt: key.attempt,
        ordinal: next_ordinal(assignment.ordinal),
    };
    let action = Action::Register {
        key: key.clone(),
        scope: assignment.scope.clone(),
        machine: machine_name(&context.policy.deployment, &key.job, key.attempt),
        identity,
    };
    Next::Act(action, MachineReason::Launching { step: LaunchStep::Registering })
}

fn start(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, registered: &Registered) -> Next {
    if let Some(next) = given_up(assignment, STARTS) {
        return next;
    }
    if reach::lacks(context, &assignment.backend).is_some() {
        return launching(LaunchStep::Starting);
    }
    let action = Action::Start {
        key: key.clone(),
        backend: assignment.backend.clone(),
        machine: assignment.machine_name.clone(),
        pool: assignment.pool.clone(),
        runner: registered.uuid.clone(),
        at: assignment.warm.as_ref().map(|_| at(assignment)),
    };
    Next::Act(action, MachineReason::Launching { step: LaunchStep::Starting })
}

/// Where its runner is registered: the binding says so on a machine whose tags cannot.
fn at(assignment: &Assignment) -> BoundAt {
    BoundAt { scope: assignment.scope.clone(), scope_id: assignment.scope_id }
}

/// A step is not tried again after a failure that will not get better, or after too many.
fn given_up(assignment: &Assignment, most: u32) -> Option<Next> {
    let failure = assignment.last_failure.as_ref().filter(|_| assignment.failures > 0)?;
    let hopeless = match failure.class {
        ErrorClass::Transient => assignment.failures >= most,
        ErrorClass::Capacity
        | ErrorClass::Quota
        | ErrorClass::RateLimited { .. }
        | ErrorClass::Auth
        | ErrorClass::Forbidden
        | ErrorClass::Permanent
        | ErrorClass::NotFound => true,
    };
    hopeless.then(|| Next::Conclude(EndReason::LaunchFailed { failure: failure.clone() }))
}

/// The runner was started and its job waits.
fn started(key: &AssignmentKey, assignment: &Assignment, claim: std::time::Duration) -> Next {
    let Some(registered) = assignment.registration.known() else { return launching(LaunchStep::Booting) };
    if registered.gone {
        return Next::Conclude(EndReason::RegistrationRemoved);
    }
    if registered.absent.twice()
        && let Some(next) = look_up(key, assignment, registered)
    {
        return next;
    }
    if assignment.contacted.is_none() {
        return launching(LaunchStep::Booting);
    }
    if sabotage::is(Sabotage::MergeClocks) && assignment.boot.total() + assignment.claim.total() > claim {
        return Next::Conclude(EndReason::HeldBack);
    }
    // A fenced runner gets nothing any more, however long it waits.
    if assignment.claim.over(claim) && !sabotage::is(Sabotage::NeverRelease) || assignment.fence != Fence::Open {
        return Next::Conclude(EndReason::HeldBack);
    }
    Next::Wait(MachineReason::Claiming)
}

/// Looks the registration up, where its id is known.
pub(super) fn look_up(key: &AssignmentKey, assignment: &Assignment, registered: &Registered) -> Option<Next> {
    let id = registered.id?;
    let action = Action::LookUpRunner { key: key.clone(), scope: assignment.scope.clone(), id };
    Some(Next::Act(action, MachineReason::AwaitingPolls))
}

pub(super) fn awaiting() -> Next {
    Next::Wait(MachineReason::AwaitingPolls)
}

fn launching(step: LaunchStep) -> Next {
    Next::Wait(MachineReason::Launching { step })
}
