//! What a report shows that shall go or cannot.

use planner::report::{Alert, MachineReason, Report};

use crate::control::Left;

/// Most things that are named; the rest is counted.
const MOST: usize = 500;

/// All that is not simply at work.
pub(crate) fn told(report: &Report) -> Left {
    let works = |reason: &MachineReason| {
        matches!(reason, MachineReason::Running | MachineReason::Launching { .. } | MachineReason::Claiming)
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
