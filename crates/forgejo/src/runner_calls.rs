//! What an autoscaler does with the credentials of a runner that it registered: fence it, ask whose a task is, end a
//! lost job (protocol 2.10 and 2.11).
//!
//! All three tell apart the answer "this registration is gone", which only Forgejo itself can give.

use std::time::SystemTime;

use prost_types::Timestamp;
use runner_rpc::messages::{DeclareRequest, LogRow, TaskState, UpdateLogRequest, UpdateTaskRequest};
use runner_rpc::outcome::Result as TaskResult;
use runner_rpc::{Credentials, Error as RpcError};

use crate::{Client, Error};

/// The one label of a fenced runner. No job asks for it, so no job fits.
pub const FENCE_LABEL: &str = "forgescale-fenced";
/// What is declared as the runner's version with it; the forge takes any.
const FENCE_VERSION: &str = "forgescale";
/// Longest reason that is written into a job's log, in characters.
const REASON_LIMIT: usize = 1_000;

/// How a fence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceAnswer {
    /// No job fits the runner from now on. A job that it has already goes on.
    Fenced,
    /// The registration is gone, which is as good.
    RegistrationGone,
}

/// Whose a task is, as seen by a runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskOwner {
    /// The runner's own.
    Ours {
        /// How many rows its log has.
        ack: i64,
    },
    /// Another runner's.
    Another,
    /// The registration is gone: no answer.
    RegistrationGone,
}

/// How the early end of a lost job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyEnd {
    /// The task has ended and the registration with it.
    Ended {
        /// The result that the forge has stored: failure, unless the task had ended before.
        stored: TaskResult,
    },
    /// The task is another runner's; nothing was changed.
    Another,
    /// The registration is gone, so the task has ended in another way.
    RegistrationGone,
}

impl Client {
    /// Closes the door to new jobs for a runner that is past its own Declare (before that, its own would undo this).
    pub async fn fence(&self, who: &Credentials) -> Result<FenceAnswer, Error> {
        let request = DeclareRequest { version: FENCE_VERSION.to_owned(), labels: vec![FENCE_LABEL.to_owned()] };
        match self.runners.declare(who, &request).await {
            Ok(_) => Ok(FenceAnswer::Fenced),
            Err(error) if error.is_unauthenticated() => Ok(FenceAnswer::RegistrationGone),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks whose a running task is. Changes nothing but the clock after which the forge gives a silent task up.
    pub async fn whose_task(&self, who: &Credentials, task_id: i64) -> Result<TaskOwner, Error> {
        let request = UpdateLogRequest { task_id, index: 0, rows: Vec::new(), no_more: false };
        match self.runners.update_log(who, &request).await {
            Ok(answer) => Ok(TaskOwner::Ours { ack: answer.ack_index }),
            Err(error) if error.is_unauthenticated() => Ok(TaskOwner::RegistrationGone),
            Err(error) if error.is_task_of_another() => Ok(TaskOwner::Another),
            Err(error) => Err(error.into()),
        }
    }

    /// Fails the task of a runner whose machine is certainly gone, with the reason as the last row of its log, instead
    /// of leaving it to the forge's clocks (10 to 15 minutes).
    pub async fn end_early(&self, who: &Credentials, task_id: i64, reason: &str) -> Result<EarlyEnd, Error> {
        match self.log_reason(who, task_id, reason).await {
            // A log that is archived takes no more rows, but the task can end all the same.
            Ok(()) => {}
            Err(error) if error.is_already_exists() => {}
            Err(error) => return early_end_of(error),
        }
        let stopped_at = Some(Timestamp::from(SystemTime::now()));
        let mut state = TaskState { id: task_id, stopped_at, ..TaskState::default() };
        state.set_result(TaskResult::Failure);
        let request = UpdateTaskRequest { state: Some(state), ..UpdateTaskRequest::default() };
        match self.runners.update_task(who, &request).await {
            Ok(answer) => {
                let stored = answer.state.map_or(TaskResult::Failure, |state| state.result());
                Ok(EarlyEnd::Ended { stored })
            }
            Err(error) => early_end_of(error),
        }
    }

    /// Writes the reason as the last row. A call without rows tells how many are there; a row at an index that is taken
    /// would be passed over without a word.
    async fn log_reason(&self, who: &Credentials, task_id: i64, reason: &str) -> Result<(), RpcError> {
        let content = reason.chars().take(REASON_LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let rows = vec![LogRow { time: Some(Timestamp::from(SystemTime::now())), content }];
        let ask = UpdateLogRequest { task_id, index: 0, rows: Vec::new(), no_more: false };
        let index = self.runners.update_log(who, &ask).await?.ack_index;
        self.runners.update_log(who, &UpdateLogRequest { index, rows, no_more: true, ..ask }).await.map(|_| ())
    }
}

fn early_end_of(error: RpcError) -> Result<EarlyEnd, Error> {
    if error.is_unauthenticated() {
        Ok(EarlyEnd::RegistrationGone)
    } else if error.is_task_of_another() {
        Ok(EarlyEnd::Another)
    } else {
        Err(error.into())
    }
}
