//! What the forge gets to know of the job: its log, the states of its steps, its outputs and its result.
//!
//! One report per job, shared by the job (which writes) and the delivery (which reads). Promise: everything in it is
//! masked and within its limits.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use runner_rpc::messages::{StepState, TaskState, UpdateLogRequest, UpdateTaskRequest};
use runner_rpc::outcome::Result as Outcome;
use tokio::sync::Notify;

use crate::log_buffer::LogBuffer;
use crate::mask::{MAX_VALUES, Mask};

/// Longest line in the log; the rest is cut off, which is said at its end.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;
/// What Forgejo stores of an output (protocol 3.4).
const MAX_OUTPUT_KEY_BYTES: usize = 255;
const MAX_OUTPUT_VALUE_BYTES: usize = 1024 * 1024;
/// What a job's step writes to hide a value from then on.
const ADD_MASK: &str = "::add-mask::";

/// The report of one job.
pub(crate) struct Report {
    task: i64,
    inner: Mutex<Inner>,
    filling: Notify,
}

struct Inner {
    log: LogBuffer,
    mask: Mask,
    state: TaskState,
    /// Index of the step that runs.
    step: Option<usize>,
    outputs: BTreeMap<String, String>,
}

impl Report {
    /// The report of a job that begins now.
    pub(crate) fn new(task: i64) -> Self {
        let state = TaskState { id: task, started_at: Some(SystemTime::now().into()), ..TaskState::default() };
        let inner =
            Inner { log: LogBuffer::default(), mask: Mask::default(), state, step: None, outputs: BTreeMap::new() };
        Self { task, inner: Mutex::new(inner), filling: Notify::new() }
    }

    /// The task's id.
    pub(crate) fn task(&self) -> i64 {
        self.task
    }

    /// Hides this value in all lines from now on.
    pub(crate) fn hide(&self, value: &str) {
        let mut inner = self.lock();
        if !inner.mask.add(value) {
            inner.push(format!("[a value is not hidden: there are {MAX_VALUES} values already]"));
        }
    }

    /// Adds lines of the runner's own.
    pub(crate) fn say(&self, text: &str) {
        for line in text.lines() {
            self.output_line(line.as_bytes(), line.len() > MAX_LINE_BYTES);
        }
    }

    /// Adds one line of a step's output. `cut` tells that more of it follows, which is left out.
    pub(crate) fn output_line(&self, line: &[u8], cut: bool) {
        let line = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE_BYTES)]);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        if let Some(value) = line.strip_prefix(ADD_MASK) {
            self.hide(value.trim());
        }
        let mut inner = self.lock();
        let line = if cut {
            let kept = inner.mask.apply_to_cut(line);
            format!("{kept} [cut here: a line of the log has at most {MAX_LINE_BYTES} bytes]")
        } else {
            inner.mask.apply(line)
        };
        inner.push(line);
        if inner.log.is_filling() {
            self.filling.notify_one();
        }
    }

    /// Waits until there is so much log that it should be sent at once.
    pub(crate) async fn filling(&self) {
        self.filling.notified().await;
    }

    /// Announces the job's steps.
    pub(crate) fn set_steps(&self, count: usize) {
        let step = |index| StepState { id: i64::try_from(index).unwrap_or(i64::MAX), ..StepState::default() };
        self.lock().state.steps = (0..count).map(step).collect();
    }

    /// A step begins: the rows from here on are its own.
    pub(crate) fn begin_step(&self, index: usize) {
        let mut inner = self.lock();
        let number = inner.log.next_number();
        if let Some(step) = inner.state.steps.get_mut(index) {
            step.started_at = Some(SystemTime::now().into());
            step.log_index = number;
        }
        inner.step = Some(index);
    }

    /// A step ended, or is not run at all.
    pub(crate) fn end_step(&self, index: usize, outcome: Outcome) {
        let mut inner = self.lock();
        let number = inner.log.next_number();
        if let Some(step) = inner.state.steps.get_mut(index) {
            let now = Some(SystemTime::now().into());
            if step.started_at.is_none() {
                step.started_at = now;
                step.log_index = number;
            }
            step.stopped_at = now;
            step.set_result(outcome);
        }
        inner.step = None;
    }

    /// Adds an output of the job. One that the forge would not store is left out, which is said in the log.
    pub(crate) fn set_output(&self, name: &str, value: String) {
        if name.len() > MAX_OUTPUT_KEY_BYTES || value.len() > MAX_OUTPUT_VALUE_BYTES {
            let kept: String = name.chars().take(50).collect();
            self.say(&format!(
                "The output {kept:?} is left out: its name has more than 255 bytes or its value more than 1 MiB"
            ));
            return;
        }
        self.lock().outputs.insert(name.to_owned(), value);
    }

    /// The job has ended: sets its result, also for steps without one, and closes the log with this line.
    pub(crate) fn end(&self, outcome: Outcome, line: &str) {
        let mut inner = self.lock();
        let line = inner.mask.apply(line);
        inner.log.push_last(line);
        let now = Some(SystemTime::now().into());
        for step in inner.state.steps.iter_mut().filter(|step| step.result() == Outcome::Unspecified) {
            step.set_result(if step.started_at.is_some() { outcome } else { Outcome::Skipped });
            step.stopped_at = now;
        }
        inner.state.stopped_at = now;
        inner.state.set_result(outcome);
    }

    /// The log rows to send next, if any. The last rows of an ended job are marked as such.
    pub(crate) fn next_log(&self) -> Option<UpdateLogRequest> {
        let inner = self.lock();
        if inner.log.is_empty() {
            return None;
        }
        let (index, rows, all) = inner.log.batch();
        let no_more = all && inner.state.result() != Outcome::Unspecified;
        Some(UpdateLogRequest { task_id: self.task, index, rows, no_more })
    }

    /// The forge has stored this many rows.
    pub(crate) fn acknowledge_log(&self, stored: i64) {
        self.lock().log.acknowledge(stored);
    }

    /// State and outputs to send next. While the job runs its result is unspecified: a sign of life.
    pub(crate) fn next_state(&self) -> UpdateTaskRequest {
        let inner = self.lock();
        let outputs: HashMap<String, String> = inner.outputs.clone().into_iter().collect();
        UpdateTaskRequest { state: Some(inner.state.clone()), outputs }
    }

    /// The forge has stored these outputs.
    pub(crate) fn acknowledge_outputs(&self, keys: &[String]) {
        self.lock().outputs.retain(|key, _| !keys.contains(key));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; if it did, the report would still be whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Adds a masked line. Late output of processes that outlive the job has no place any more.
    fn push(&mut self, line: String) {
        if self.state.result() != Outcome::Unspecified {
            return;
        }
        let added = self.log.push(line);
        if let Some(step) = self.step.and_then(|index| self.state.steps.get_mut(index)) {
            step.log_length += added;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runner_rpc::outcome::Result as Outcome;

    use super::{MAX_LINE_BYTES, Report};

    fn contents(report: &Report) -> Vec<String> {
        report.next_log().map(|log| log.rows.into_iter().map(|row| row.content).collect()).unwrap_or_default()
    }

    #[test]
    fn rows_belong_to_the_step_that_runs() {
        let report = Report::new(7);
        report.set_steps(2);
        report.say("before");
        report.begin_step(0);
        report.say("one\ntwo");
        report.end_step(0, Outcome::Success);
        report.end_step(1, Outcome::Skipped);
        report.end(Outcome::Success, "after");
        report.say("too late");
        let state = report.next_state().state.unwrap();
        assert_eq!((state.id, state.result()), (7, Outcome::Success));
        assert_eq!((state.steps[0].log_index, state.steps[0].log_length), (1, 2));
        assert_eq!(
            (state.steps[1].log_index, state.steps[1].log_length, state.steps[1].result()),
            (3, 0, Outcome::Skipped)
        );
        assert_eq!(contents(&report), ["before", "one", "two", "after"]);
        assert!(report.next_log().unwrap().no_more);
        report.acknowledge_log(4);
        assert!(report.next_log().is_none());
    }

    #[test]
    fn values_are_hidden_also_those_that_a_step_adds() {
        let report = Report::new(1);
        report.hide("geheim");
        report.output_line(b"the geheim word\r", false);
        report.output_line(b"::add-mask::hush", false);
        report.output_line(b"hush \xff", false);
        assert_eq!(contents(&report), ["the *** word", "::add-mask::***", "*** \u{fffd}"]);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let report = Report::new(1);
        report.output_line(&vec![b'x'; MAX_LINE_BYTES], true);
        let line = &contents(&report)[0];
        assert!(line.starts_with("xxx") && line.ends_with("has at most 65536 bytes]"), "{}", &line[line.len() - 80..]);
    }

    #[tokio::test]
    async fn much_log_asks_to_be_sent_at_once() {
        let report = Report::new(1);
        report.say("a line");
        let asks = async |report: &Report| tokio::time::timeout(Duration::ZERO, report.filling()).await.is_ok();
        assert!(!asks(&report).await);
        for _ in 0..1000 {
            report.say("a line");
        }
        assert!(asks(&report).await);
    }

    #[test]
    fn outputs_are_sent_until_acknowledged() {
        let report = Report::new(1);
        report.set_output("tag", "v1".to_owned());
        report.set_output(&"k".repeat(256), String::new());
        assert_eq!(report.next_state().outputs.into_iter().collect::<Vec<_>>(), [("tag".to_owned(), "v1".to_owned())]);
        assert!(contents(&report)[0].contains("is left out"));
        report.acknowledge_outputs(&["tag".to_owned()]);
        assert!(report.next_state().outputs.is_empty());
    }
}
