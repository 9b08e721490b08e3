//! Words for what the report holds as data.

use planner::report::Reason;
use planner::seen::JobState;

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
