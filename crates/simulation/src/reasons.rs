//! The words of reasons and alerts, so that a long run can say which of them it has seen.

use planner::report::{Alert, LaunchStep, MachineReason, Reason, Report, RunnerReason};

/// Every word there is.
pub(crate) const WORDS: [&str; 74] = [
    "job: no labels",
    "job: no handle",
    "job: no pool",
    "job: pool full",
    "job: backend full",
    "job: deployment full",
    "job: repository full",
    "job: backing off",
    "job: parked",
    "job: pool backing off",
    "job: held back",
    "job: suspect",
    "job: forge unreachable",
    "job: token lacks scope",
    "job: scope refused",
    "job: not listed yet",
    "job: earlier try",
    "job: draining",
    "job: unreadable",
    "job: next in line",
    "job: creating",
    "job: registering",
    "job: starting",
    "job: booting",
    "job: claiming",
    "job: releasing",
    "job: running",
    "job: process ended",
    "job: result missing",
    "job: runs elsewhere",
    "machine: creating",
    "machine: registering",
    "machine: starting",
    "machine: booting",
    "machine: claiming",
    "machine: running",
    "machine: grace",
    "machine: held",
    "machine: fencing",
    "machine: asking whose",
    "machine: stopping",
    "machine: removing",
    "machine: awaiting polls",
    "machine: vanished",
    "runner: machines not listed",
    "runner: settling",
    "runner: job running",
    "runner: awaiting polls",
    "runner: deleting",
    "alert: job parked",
    "alert: kills held",
    "alert: incomplete listing",
    "alert: scope changed",
    "alert: token lacks scope",
    "alert: overlap",
    "alert: machine not removed",
    "alert: token unknown",
    "job: token unknown",
    "alert: pool fails",
    "alert: runner not removed",
    "machine: scope in doubt",
    "machine: found",
    "job: environment backing off",
    "alert: environment fails",
    "job: making room",
    "machine: warm creating",
    "machine: warm",
    "machine: warm in doubt",
    "machine: warm leaving",
    "alert: warm fails",
    "machine: releasing",
    "job: backend away",
    "job: backend backing off",
    "alert: backend away",
];

/// The place of a job's reason in [`WORDS`].
pub(crate) fn of_job(reason: &Reason) -> usize {
    match reason {
        Reason::NoLabels => 0,
        Reason::NoHandle => 1,
        Reason::NoPool { .. } => 2,
        Reason::PoolFull { .. } => 3,
        Reason::BackendFull { .. } => 4,
        Reason::DeploymentFull { .. } => 5,
        Reason::RepositoryFull { .. } => 6,
        Reason::BackingOff { .. } => 7,
        Reason::Parked { .. } => 8,
        Reason::PoolBackingOff { .. } => 9,
        Reason::HeldBack { .. } => 10,
        Reason::Suspect { .. } => 11,
        Reason::ForgeUnreachable { .. } => 12,
        Reason::TokenLacksScope { .. } => 13,
        Reason::ScopeRefused { .. } => 14,
        Reason::NotListedYet { .. } => 15,
        Reason::EarlierTry { .. } => 16,
        Reason::Draining => 17,
        Reason::Unreadable => 18,
        Reason::NextInLine => 19,
        Reason::Launching { step, .. } => 20 + of_step(*step),
        Reason::Claiming { .. } => 24,
        Reason::Releasing { .. } => 25,
        Reason::Running { .. } => 26,
        Reason::ProcessEnded { .. } => 27,
        Reason::ResultMissing { .. } => 28,
        Reason::RunsElsewhere => 29,
        Reason::TokenUnknown { .. } => 57,
        Reason::EnvironmentBackingOff { .. } => 62,
        Reason::MakingRoom { .. } => 64,
        Reason::BackendAway { .. } => 71,
        Reason::BackendBackingOff { .. } => 72,
    }
}

fn of_step(step: LaunchStep) -> usize {
    match step {
        LaunchStep::Creating => 0,
        LaunchStep::Registering => 1,
        LaunchStep::Starting => 2,
        LaunchStep::Booting => 3,
    }
}

fn of_machine(reason: &MachineReason) -> usize {
    match reason {
        MachineReason::Launching { step } => 30 + of_step(*step),
        MachineReason::Claiming => 34,
        MachineReason::Running => 35,
        MachineReason::Grace { .. } => 36,
        MachineReason::Held { .. } => 37,
        MachineReason::Fencing => 38,
        MachineReason::AskingWhose => 39,
        MachineReason::Stopping => 40,
        MachineReason::Removing => 41,
        MachineReason::AwaitingPolls => 42,
        MachineReason::Vanished => 43,
        MachineReason::ScopeInDoubt { .. } => 60,
        MachineReason::Found => 61,
        MachineReason::Releasing => 70,
        MachineReason::WarmCreating => 65,
        MachineReason::Warm => 66,
        MachineReason::WarmInDoubt => 67,
        MachineReason::WarmLeaving { .. } => 68,
    }
}

fn of_runner(reason: &RunnerReason) -> usize {
    match reason {
        RunnerReason::MachinesNotListed => 44,
        RunnerReason::Settling { .. } => 45,
        RunnerReason::JobRunning => 46,
        RunnerReason::AwaitingPolls => 47,
        RunnerReason::Deleting => 48,
    }
}

fn of_alert(alert: &Alert) -> usize {
    match alert {
        Alert::JobParked { .. } => 49,
        Alert::KillsHeld { .. } => 50,
        Alert::IncompleteListing { .. } => 51,
        Alert::ScopeChanged { .. } => 52,
        Alert::TokenLacksScope { .. } => 53,
        Alert::Overlap { .. } => 54,
        Alert::MachineNotRemoved { .. } => 55,
        Alert::TokenUnknown { .. } => 56,
        Alert::PoolFails { .. } => 58,
        Alert::RunnerNotRemoved { .. } => 59,
        Alert::EnvironmentFails { .. } => 63,
        Alert::WarmFails { .. } => 69,
        Alert::BackendAway { .. } => 73,
    }
}

/// The places of all that a report says.
pub(crate) fn of_report(report: &Report) -> impl Iterator<Item = usize> {
    let jobs = report.jobs.iter().map(|job| of_job(&job.reason));
    let machines = report.machines.iter().map(|machine| of_machine(&machine.reason));
    let runners = report.runners.iter().map(|runner| of_runner(&runner.reason));
    jobs.chain(machines).chain(runners).chain(report.alerts.iter().map(of_alert))
}
