//! The verdict: how each attempt ended, whether that is how it should have, and what is left.

use std::collections::BTreeMap;
use std::time::Duration;

use emulator::Emulator;
use forge_model::{AttemptRecord, Forge, Status};

use super::Curtain;
use super::counters::Counters;
use super::workload::Expectation;

/// One line of the table.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) job: String,
    pub(super) waited: Option<Duration>,
    pub(super) ran: Option<Duration>,
    pub(super) result: &'static str,
    pub(super) why: String,
}

/// What came of it all.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) lines: Vec<Line>,
    pub(super) complaints: Vec<String>,
}

impl Verdict {
    pub(super) fn of(
        emulator: &Emulator,
        expectations: &[Expectation],
        reasons: &BTreeMap<String, String>,
        curtain: Curtain,
        counters: &Counters,
    ) -> Self {
        let mut complaints = match curtain {
            Curtain::Done => Vec::new(),
            Curtain::TooLate => vec!["it took too long".to_owned()],
            Curtain::Interrupted => vec!["it was interrupted".to_owned()],
        };
        let lines = emulator.with_forge(|forge, now| {
            let attempts = forge.books().attempts();
            if curtain != Curtain::Interrupted && attempts.len() != expectations.len() {
                complaints.push(format!("{} attempts instead of {}", attempts.len(), expectations.len()));
            }
            if curtain != Curtain::Interrupted {
                complaints.extend(expectations.iter().filter_map(|expected| complaint(forge, expected)));
            }
            attempts.iter().map(|attempt| line(forge, attempt, now, reasons)).collect()
        });
        let left = [
            (counters.leaked_runners, "registrations are left"),
            (counters.leaked_machines, "machines have left something behind"),
            (counters.double_launches, "jobs had two runners at once"),
        ];
        complaints.extend(left.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        Self { lines, complaints }
    }
}

/// What is wrong with an attempt, if anything.
fn complaint(forge: &Forge, expected: &Expectation) -> Option<String> {
    let found = forge.books().attempts().iter().find(|attempt| {
        attempt.name == expected.job
            && attempt.attempt == expected.attempt
            && repository(forge, attempt) == expected.repository
    });
    let name = format!("{} {} (attempt {})", expected.repository, expected.job, expected.attempt);
    match found {
        None => Some(format!("{name} never came")),
        Some(attempt) if attempt.status != expected.status => {
            Some(format!("{name} is {} instead of {}", attempt.status.word(), expected.status.word()))
        }
        Some(_) => None,
    }
}

fn repository(forge: &Forge, attempt: &AttemptRecord) -> String {
    let Some(repository) = forge.repository(attempt.repo) else { return String::new() };
    let owner = forge.owner(repository.owner).map_or("", |owner| owner.name.as_str());
    format!("{owner}/{}", repository.name)
}

fn line(forge: &Forge, attempt: &AttemptRecord, now: forge_model::Moment, reasons: &BTreeMap<String, String>) -> Line {
    let until = |end: Option<forge_model::Moment>| end.unwrap_or(now);
    let again = if attempt.attempt > 1 { format!(" #{}", attempt.attempt) } else { String::new() };
    Line {
        job: format!("{} {}{again}", repository(forge, attempt), attempt.name),
        waited: attempt.waiting_at.map(|at| until(attempt.started_at.or(attempt.ended_at)).since(at)),
        ran: attempt.started_at.map(|at| until(attempt.ended_at).since(at)),
        result: attempt.status.word(),
        why: why(forge, attempt, reasons),
    }
}

/// Why an attempt waited, or why it failed: the last line of its log that tells how a step ended, else the last one.
fn why(forge: &Forge, attempt: &AttemptRecord, reasons: &BTreeMap<String, String>) -> String {
    if attempt.status == Status::Failure {
        let task = forge.books().hand_outs().iter().find(|hand_out| hand_out.handle == attempt.handle);
        return task
            .and_then(|hand_out| {
                let log = forge.task_log(hand_out.task);
                log.iter().rev().find(|row| row.contains("exit")).or_else(|| log.last())
            })
            .cloned()
            .unwrap_or_default();
    }
    let waited = reasons.get(attempt.handle.as_str()).cloned().unwrap_or_default();
    match attempt.status {
        Status::Cancelled if attempt.started_at.is_some() => {
            "cancelled while it ran: its machine was stopped".to_owned()
        }
        Status::Cancelled => format!("cancelled while it waited: {waited}"),
        _ => waited,
    }
}
