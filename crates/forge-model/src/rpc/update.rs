//! Reports from runners: state, outputs and log of a task (protocol 3.4).

use std::collections::BTreeMap;

use super::{Credentials, RpcRefusal, Sign};
use crate::forge::Forge;
use crate::ids::{RunnerId, TaskId};
use crate::moment::Moment;
use crate::status::Status;

/// Longest key of an output, in bytes; longer ones are ignored.
const OUTPUT_KEY_BYTES: usize = 255;
/// Longest value of an output, in bytes; longer ones are ignored.
const OUTPUT_VALUE_BYTES: usize = 1 << 20;

/// What a runner reports about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// Which task.
    pub task: TaskId,
    /// `None`: it still runs. A status that is not final counts as that, too.
    pub result: Option<Status>,
    /// Outputs to be stored, once each.
    pub outputs: BTreeMap<String, String>,
}

/// What the forge knows about the task afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUpdate {
    /// The stored result; `None` while it runs. May differ from what was reported: the job was cancelled, say.
    pub result: Option<Status>,
    /// Keys of all outputs stored so far.
    pub sent_outputs: Vec<String>,
}

impl Forge {
    /// `UpdateTask`: a heartbeat, or the end of the task. An ephemeral runner is deleted after the end.
    pub fn update_task(
        &mut self,
        now: Moment,
        credentials: Credentials<'_>,
        report: &TaskReport,
    ) -> Result<TaskUpdate, RpcRefusal> {
        let caller = self.caller(now, credentials, Sign::OfWork)?;
        let Some(task) = self.tasks.get_mut(&report.task) else {
            return Err(RpcRefusal::Internal("update task: resource does not exist"));
        };
        if task.runner != caller {
            return Err(RpcRefusal::Internal("update task: invalid runner for task"));
        }
        for (key, value) in &report.outputs {
            if key.len() <= OUTPUT_KEY_BYTES && value.len() <= OUTPUT_VALUE_BYTES {
                task.outputs.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let sent_outputs = task.outputs.keys().cloned().collect();
        let result = report.result.filter(|status| status.is_final());
        if task.status.is_final() {
            let known = task.status;
            // A final report counts up the version even when it comes too late, after a cancellation, say.
            if result.is_some() {
                self.bump_after_end(caller);
            }
            return Ok(TaskUpdate { result: Some(known), sent_outputs });
        }
        task.updated = now;
        if let Some(status) = result {
            self.finish(now, caller, report.task, status);
        }
        Ok(TaskUpdate { result, sent_outputs })
    }

    fn finish(&mut self, now: Moment, runner: RunnerId, task: TaskId, status: Status) {
        self.bump_after_end(runner);
        self.end_task(now, task, status);
    }

    /// With the concurrency queue, the end of a task may let other jobs start: the scope's version grows (protocol 3.4).
    fn bump_after_end(&mut self, runner: RunnerId) {
        let area = self.runners.get(&runner).map(|runner| runner.area);
        if let Some(area) = area.filter(|_| self.settings.concurrency_queue) {
            self.bump_area(area);
        }
    }

    /// `UpdateLog`: stores rows from `index` on and answers how many are stored. Rows that are there already are
    /// skipped; a gap, or no rows, stores nothing. `no_more` with new rows closes the log.
    pub fn update_log(
        &mut self,
        now: Moment,
        credentials: Credentials<'_>,
        task: TaskId,
        index: i64,
        rows: &[String],
        no_more: bool,
    ) -> Result<i64, RpcRefusal> {
        let limit = self.settings.log_rows_limit;
        let caller = self.caller(now, credentials, Sign::OfWork)?;
        let task = self.tasks.get_mut(&task).ok_or(RpcRefusal::Internal("resource does not exist"))?;
        if task.runner != caller {
            return Err(RpcRefusal::Internal("invalid runner for task"));
        }
        task.updated = now;
        let known = task.log_rows;
        let end = index.saturating_add(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        if rows.is_empty() || index > known || end <= known {
            return Ok(known);
        }
        if task.log_archived {
            return Err(RpcRefusal::LogArchived);
        }
        let seen = usize::try_from(known.saturating_sub(index)).unwrap_or(0);
        let room = limit.saturating_sub(task.log.len());
        task.log.extend(rows.iter().skip(seen).take(room).cloned());
        task.log_rows = end;
        task.log_archived = no_more;
        Ok(end)
    }
}
