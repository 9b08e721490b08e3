//! Reasons for what has an assignment, read off its facts.

use super::context::Context;
use super::{reach, scopes};
use crate::ids::AssignmentKey;
use crate::report::{LaunchStep, MachineReason, Reason};
use crate::seen::{JobSeen, JobState, MachineState};
use crate::state::{Assignment, MachineFact, Registration, Start};
use crate::time::Tick;

/// Why the job of an assignment is where its row in the list says.
pub(super) fn job(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, row: &JobSeen) -> Reason {
    let machine = assignment.machine_name.clone();
    if let Some(death) = assignment.death {
        return if assignment.runs() && assignment.track.running.twice_after(death.at) {
            Reason::ResultMissing { machine }
        } else if assignment.runs() {
            Reason::ProcessEnded { machine }
        } else {
            Reason::EarlierTry { attempt: key.attempt }
        };
    }
    // A list from before the machine was found says nothing of the assignment yet, but enough for people.
    if assignment.runs() || is_found(assignment) && matches!(row.state, JobState::Running { .. }) {
        return if matches!(assignment.whose, Some((_, false))) {
            Reason::RunsElsewhere
        } else {
            Reason::Running { machine, ran: assignment.run.total() }
        };
    }
    if assignment.ending.is_some() {
        return Reason::Releasing { machine };
    }
    if assignment.contacted.is_some() {
        let limit = context.clocks(&assignment.pool).claim;
        return Reason::Claiming { machine, waited: assignment.claim.total(), limit };
    }
    let step = step(assignment);
    if assignment.start == Start::No
        && assignment.machine == (MachineFact::Exists { state: MachineState::Ready })
        && let Some(lacks) = reach::lacks(context, &assignment.backend)
    {
        return lacks;
    }
    if step == LaunchStep::Registering
        && assignment.registration == Registration::None
        && let Some(held) = scopes::why_held(context, &assignment.scope.watched())
    {
        return held;
    }
    Reason::Launching { pool: assignment.pool.clone(), machine, attempt: key.attempt, step }
}

/// Why the machine of an assignment is there while nothing is to be done with it.
pub(super) fn machine(assignment: &Assignment) -> MachineReason {
    if assignment.has_vanished() {
        MachineReason::Vanished
    } else if assignment.runs() {
        MachineReason::Running
    } else if is_found(assignment) {
        MachineReason::Found
    } else if assignment.contacted.is_some() {
        MachineReason::Claiming
    } else {
        MachineReason::Launching { step: step(assignment) }
    }
}

/// Whether its machine was found and its job has not been listed since.
fn is_found(assignment: &Assignment) -> bool {
    assignment.adopted && assignment.track.listed_at == Tick::default()
}

/// Which step of its launch an assignment is at.
fn step(assignment: &Assignment) -> LaunchStep {
    match (assignment.start, &assignment.registration, assignment.machine) {
        (Start::Done, ..) => LaunchStep::Booting,
        (Start::Asked | Start::Lost { .. }, ..) | (Start::No, Registration::Known(_), _) => LaunchStep::Starting,
        (Start::No, _, MachineFact::Asked | MachineFact::Lost { .. }) => LaunchStep::Creating,
        (Start::No, ..) => LaunchStep::Registering,
    }
}
