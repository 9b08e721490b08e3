//! Words for what the report holds as data.

use planner::report::{Alert, Reason};
use planner::seen::JobState;

/// An alert as a sentence.
pub(in crate::commands) fn alert(alert: &Alert) -> String {
    match alert {
        Alert::JobParked { handle, failures, last_error, .. } => {
            format!("job {handle} is parked after {failures} failed launches: {last_error}")
        }
        Alert::KillsHeld { count } => {
            format!(
                "{count} jobs vanished at once: their processes are kept until the forge's lists have agreed for a while, or until `forgescale confirm`"
            )
        }
        Alert::IncompleteListing { of } => format!("a list could not be read to its end: {of}"),
        Alert::ScopeChanged { scope } => {
            format!("{scope} has another id than before: nothing is concluded from its lists")
        }
        Alert::Overlap { scope, runner, labels } => format!(
            "the runner {runner} in reach of {scope} is not ours and could take our jobs: it has the labels {}",
            labels.join(", ")
        ),
        Alert::TokenUnknown { scope, message } => format!("the token of {scope} is not valid: {message}"),
        Alert::TokenLacksScope { scope, message } => format!("the token lacks a right in {scope}: {message}"),
        Alert::PoolFails { pool, failures, last_error } => format!(
            "the last {failures} launches of pool {pool} failed, so that one at a time is tried, ever more seldom (`forgescale reload` tries at once): {last_error}"
        ),
        Alert::RunnerNotRemoved { scope, id, tries, last_error } => format!(
            "the registration {} in {scope} could not be deleted in {tries} tries; nothing waits for it: {last_error}",
            id.0
        ),
        Alert::MachineNotRemoved { machine, tries, last_error } => {
            format!("machine {machine} could not be removed in {tries} tries: {last_error}")
        }
    }
}

/// The kind of a reason in words, as in `pool full`: the name that it has in JSON.
pub(super) fn kind(reason: &Reason) -> String {
    let value = serde_json::to_value(reason).unwrap_or_default();
    value["reason"].as_str().unwrap_or("unknown").replace('_', " ")
}

/// Where a job stands.
pub(super) fn state(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running { .. } => "running",
        JobState::Unknown => "in a state that is not known",
    }
}

/// Foreign text (names of jobs, messages) on one line, and unable to play tricks on a terminal.
pub(in crate::commands) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
