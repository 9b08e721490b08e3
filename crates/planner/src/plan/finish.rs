//! The machine is gone: what came of the job, and what is left of the registration?

use super::context::{Context, Presence};
use super::living::awaiting;
use super::{Next, last_words};
use crate::action::Action;
use crate::error_class::ErrorClass;
use crate::event::{EndReason, Outcome};
use crate::ids::AssignmentKey;
use crate::report::{MachineReason, short};
use crate::sabotage::{self, Sabotage};
use crate::seen::{Exit, JobState};
use crate::state::{Assignment, Ending, Registered};
use crate::time::Tick;

/// After how many vain deletions a registration is left to be swept: its job shall not wait for that.
const DELETIONS: u32 = 3;

/// After how many failed lists in a row a repository that is not found counts as gone.
const LISTS_OF_A_GONE_REPOSITORY: u32 = 3;

pub(super) fn next(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, end: &Ending) -> Next {
    let died_at = assignment.death.map_or(end.at, |death| death.at);
    if assignment.detached.is_some() {
        return Next::Forget(failed(context, assignment, end));
    }
    // Where nobody looks any more nothing can be learned, and nothing deleted.
    if context.policy.scope_of_place(&assignment.scope).is_none() {
        return Next::Forget(Outcome::EndedElsewhere);
    }
    if context.is_anothers(assignment) && !context.may_be_listed(key, assignment) {
        return Next::Forget(outcome_of_left(assignment, end));
    }
    if !assignment.may_have_started() {
        // Its credentials never left us, so that it cannot hold a job.
        let ended_elsewhere = matches!(end.reason, EndReason::LeftBeforeStart | EndReason::TakenElsewhere);
        let outcome = if ended_elsewhere { Outcome::EndedElsewhere } else { failed(context, assignment, end) };
        return without_registration(context, key, assignment, outcome);
    }
    if sabotage::is(Sabotage::DeleteBlindly) {
        return without_registration(context, key, assignment, outcome_of_left(assignment, end));
    }
    let since = if sabotage::is(Sabotage::BelieveEarly) { Tick::default() } else { died_at };
    match (context.presence(assignment), assignment.track.state) {
        (Presence::Left { .. }, _) if repository_is_gone(context, assignment) => {
            Next::Forget(outcome_of_left(assignment, end))
        }
        (Presence::Left { proven }, _) => left(key, assignment, end, died_at, proven),
        (Presence::Present, JobState::Waiting) if assignment.track.waiting.twice_after(since) => {
            let released = end.reason == EndReason::HeldBack;
            let outcome = if released { Outcome::Released } else { failed(context, assignment, end) };
            without_registration(context, key, assignment, outcome)
        }
        (Presence::Present, JobState::Running { .. }) if runs_after_death(assignment, end, died_at) => {
            lost(context, key, assignment, died_at)
        }
        _ => awaiting(),
    }
}

/// Whether polls begun after a death show the job running on. After an exit its result may just be on its way, so that there
/// must be two. A machine that its backend lists as ended or failed without one can have sent nothing for longer: one is
/// enough.
fn runs_after_death(assignment: &Assignment, end: &Ending, died_at: Tick) -> bool {
    let failed = end.reason == EndReason::ProcessEnded { exit: Exit::Unknown };
    let running = &assignment.track.running;
    running.twice_after(died_at) || failed && running.once_after(died_at)
}

/// Whether the forge has said several times in a row that there is no such repository, or no Actions unit in it: nothing
/// can be learned or deleted there. Should it come back with a registration of ours, a round through all repositories of
/// the scope finds that as a stray.
fn repository_is_gone(context: &Context<'_>, assignment: &Assignment) -> bool {
    assignment.scope.repository().is_some()
        && context.state.seen.scopes.get(&assignment.scope).is_some_and(|seen| {
            let last = seen.runners_last_failure.as_ref();
            seen.runners_failures >= LISTS_OF_A_GONE_REPOSITORY
                && last.is_some_and(|failure| failure.class == ErrorClass::NotFound)
        })
}

/// What came of a job that has left.
fn outcome_of_left(assignment: &Assignment, end: &Ending) -> Outcome {
    match end.reason {
        _ if assignment.ended_early => Outcome::Lost,
        EndReason::ProcessEnded { exit } => outcome_of_ended(assignment, end, exit),
        EndReason::Gone | EndReason::RunOver => Outcome::Completed,
        EndReason::LaunchFailed { .. }
        | EndReason::BootOver
        | EndReason::HeldBack
        | EndReason::LeftBeforeStart
        | EndReason::EndedElsewhere
        | EndReason::TakenElsewhere
        | EndReason::RegistrationRemoved
        | EndReason::MachineVanished
        | EndReason::NeverStarted => Outcome::EndedElsewhere,
    }
}

/// What came of a job that has left after its process had ended. A runner that got it and came to its end exits with 0, even
/// if the forge never took the result (protocol 3.6): then that went on listing the job as running.
fn outcome_of_ended(assignment: &Assignment, end: &Ending, exit: Exit) -> Outcome {
    let died_at = assignment.death.map_or(end.at, |death| death.at);
    if exit == Exit::Code(0) && !assignment.track.running.twice_after(died_at) {
        Outcome::Completed
    } else if assignment.track.running_since.is_some() {
        Outcome::Lost
    } else {
        Outcome::EndedElsewhere
    }
}

/// The job has left. Its end has removed the registration, unless it ended without us.
fn left(key: &AssignmentKey, assignment: &Assignment, end: &Ending, died_at: Tick, proven: bool) -> Next {
    match assignment.registration.known() {
        Some(registered) if !registered.gone && !registered.absent.once_after(died_at) => {
            if proven && registered.listed.once_after(died_at) {
                delete(key, assignment, registered, outcome_of_left(assignment, end))
            } else {
                awaiting()
            }
        }
        _ => Next::Forget(outcome_of_left(assignment, end)),
    }
}

/// The process is dead, the job is still listed as running: its result never arrived, or another runner has it.
fn lost(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, died_at: Tick) -> Next {
    let Some(registered) = assignment.registration.known().filter(|registered| !registered.gone) else {
        return if matches!(assignment.whose, Some((_, false))) {
            Next::Forget(Outcome::EndedElsewhere)
        } else {
            awaiting()
        };
    };
    let never_declared = assignment.contacted.is_none() && registered.undeclared.twice_after(died_at);
    if matches!(assignment.whose, Some((_, false))) || never_declared {
        return without_registration(context, key, assignment, Outcome::EndedElsewhere);
    }
    match assignment.task() {
        Some(task) if context.has_credentials(assignment) => {
            let said = format!("the machine {} died ({})", assignment.machine_name, how(assignment));
            let reason = if sabotage::is(Sabotage::EndSilently) { String::new() } else { said };
            let action = Action::EndEarly { key: key.clone(), runner: registered.uuid.clone(), task, reason };
            Next::Act(action, MachineReason::AwaitingPolls)
        }
        _ => awaiting(),
    }
}

/// Forgets once the registration is gone; deletes it if need be, and if its scope is not another one now.
fn without_registration(context: &Context<'_>, key: &AssignmentKey, assignment: &Assignment, outcome: Outcome) -> Next {
    match assignment.registration.known().filter(|_| !context.is_anothers(assignment)) {
        Some(registered) if !registered.gone && !registered.absent.twice() => {
            delete(key, assignment, registered, outcome)
        }
        _ => Next::Forget(outcome),
    }
}

/// A registration that cannot be deleted is left behind as a stray.
fn delete(key: &AssignmentKey, assignment: &Assignment, registered: &Registered, outcome: Outcome) -> Next {
    let Some(id) = registered.id else { return awaiting() };
    if assignment.failures >= DELETIONS {
        return Next::Forget(outcome);
    }
    let action = Action::DeleteRunner { key: key.clone(), scope: assignment.scope.clone(), id };
    Next::Act(action, MachineReason::AwaitingPolls)
}

/// The launch failed and the job waits on.
fn failed(context: &Context<'_>, assignment: &Assignment, end: &Ending) -> Outcome {
    let error = match &end.reason {
        EndReason::LaunchFailed { failure } => failure.message.clone(),
        EndReason::BootOver => {
            let boot = context.clocks(&assignment.pool).boot;
            format!("its runner did not contact the forge within {}", short(boot))
        }
        EndReason::ProcessEnded { .. } => format!("its runner ended without its job: {}", how(assignment)),
        EndReason::RegistrationRemoved => "somebody removed its registration".to_owned(),
        EndReason::MachineVanished => "its machine vanished".to_owned(),
        EndReason::NeverStarted => "its runner was never started before a restart of the daemon".to_owned(),
        EndReason::HeldBack
        | EndReason::LeftBeforeStart
        | EndReason::EndedElsewhere
        | EndReason::Gone
        | EndReason::TakenElsewhere
        | EndReason::RunOver => "its runner was taken back".to_owned(),
    };
    // A runner that gives up since the forge is away is no bad machine (protocol 3.6).
    let forge_was_away = assignment.forge_failed && assignment.death.is_some_and(|death| death.exit == Exit::Code(1));
    let charged = matches!(end.reason, EndReason::BootOver | EndReason::ProcessEnded { .. })
        && assignment.may_have_started()
        && assignment.keeps_its_job()
        && !forge_was_away;
    Outcome::LaunchFailed { error, charged }
}

/// How the process ended, with its last words.
fn how(assignment: &Assignment) -> String {
    let exit = match assignment.death.map(|death| death.exit) {
        Some(Exit::Code(code)) => format!("exit code {code}"),
        Some(Exit::Signal(signal)) => format!("killed by signal {signal}"),
        Some(Exit::NeverStarted) => "never started".to_owned(),
        Some(Exit::Unknown) | None => "nobody saw how it ended".to_owned(),
    };
    let last = assignment.log.iter().flatten().rev().find(|line| !line.trim().is_empty());
    last.map_or(exit.clone(), |line| format!("{exit}, {}", last_words::plain(line)))
}
