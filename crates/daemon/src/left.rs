//! What a report shows that shall go or cannot, as data and as lines for people.

use planner::ids::{BackendId, Handle, MachineName, PoolId, RunnerId, ScopeKey, Try};
use planner::report::{Alert, MachineReason, MachineReport, Report, RunnerReport};

use crate::control::Left;

/// Most things that are named; the rest is counted.
const MOST: usize = 500;

/// All that is not simply at work.
pub(crate) fn told(report: &Report) -> Left {
    let works = |reason: &MachineReason| {
        let has_a_job = matches!(
            reason,
            MachineReason::Running | MachineReason::Launching { .. } | MachineReason::Claiming | MachineReason::Found
        );
        let waits_for_one =
            matches!(reason, MachineReason::Warm | MachineReason::WarmCreating | MachineReason::WarmInDoubt);
        has_a_job || waits_for_one
    };
    let mut machines: Vec<_> = report.machines.iter().filter(|machine| !works(&machine.reason)).cloned().collect();
    let mut runners = report.runners.clone();
    let mut set_aside: Vec<Alert> = report.alerts.iter().filter(|alert| needs_a_human(alert)).cloned().collect();
    let scopes = report.scopes.iter().filter(|scope| scope.failures > 0 || scope.listed_at.is_none());
    let mut unseen: Vec<String> = scopes
        .map(|scope| match &scope.last_error {
            Some(error) => format!("{}: {error}", scope.scope),
            None => format!("{}: not listed yet", scope.scope),
        })
        .collect();
    let all = machines.len() + runners.len() + set_aside.len() + unseen.len();
    machines.truncate(MOST);
    runners.truncate(MOST);
    set_aside.truncate(MOST);
    unseen.truncate(MOST);
    let named = machines.len() + runners.len() + set_aside.len() + unseen.len();
    let more = u32::try_from(all - named).unwrap_or(u32::MAX);
    Left { machines, runners, set_aside, unseen, more }
}

/// Whether an alert is about something that should be gone.
fn needs_a_human(alert: &Alert) -> bool {
    matches!(alert, Alert::KillsHeld { .. } | Alert::MachineNotRemoved { .. } | Alert::RunnerNotRemoved { .. })
}

/// A machine on a line.
pub(crate) fn machine(name: &MachineName, backend: &BackendId, pool: &PoolId, handle: &Handle, attempt: Try) -> String {
    format!("machine {name} on backend {backend} (pool {pool}) for {handle} try {}", attempt.0)
}

/// A machine without a job on a line.
pub(crate) fn spare(name: &MachineName, backend: &BackendId, pool: &PoolId) -> String {
    format!("machine {name} on backend {backend} (pool {pool}), without a job")
}

/// A registration on a line, with whose it is if that is known.
pub(crate) fn registration(scope: &ScopeKey, id: RunnerId, whose: Option<(&Handle, Try)>) -> String {
    let whose = whose.map(|(handle, attempt)| format!(" for {handle} try {}", attempt.0)).unwrap_or_default();
    format!("registration {} in {scope}{whose}", id.0)
}

/// A machine with the reason for its being there.
pub(crate) fn of_machine(of: &MachineReport) -> String {
    let name = match (&of.handle, of.attempt) {
        (Some(handle), Some(attempt)) => machine(&of.name, &of.backend, &of.pool, handle, attempt),
        _ => spare(&of.name, &of.backend, &of.pool),
    };
    format!("{name}: {}", of.reason)
}

/// A registration with the reason for its being there.
pub(crate) fn of_runner(of: &RunnerReport) -> String {
    format!("{}: {}", registration(&of.scope, of.id, Some((&of.handle, of.attempt))), of.reason)
}

impl Left {
    /// Machines and registrations, one line each.
    pub fn lines(&self) -> Vec<String> {
        self.machines.iter().map(of_machine).chain(self.runners.iter().map(of_runner)).collect()
    }
}
