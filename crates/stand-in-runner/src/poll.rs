//! Asks the forge for a task (protocol 3.4 and 3.6).
//!
//! Promise: the request key stays the same until a fetch succeeded, so a task whose answer was lost is handed out again.

use runner_rpc::messages::{FetchSingleTaskRequest, FetchTaskRequest, Task};
use runner_rpc::{Error, RunnerClient};
use tokio::time::sleep;
use uuid::Uuid;

use crate::args::Connection;
use crate::console::{chain, say};
use crate::signals::Signals;

/// What came of asking.
pub(crate) enum Polled {
    /// A task.
    Task(Box<Task>),
    /// None, and the runner was not told to wait.
    Nothing,
    /// A signal came first.
    Stopped,
}

/// Asks once, or with `--wait` until there is a task or a signal, whatever the forge answers.
pub(crate) async fn poll(client: &RunnerClient, connection: &Connection, signals: &mut Signals) -> Polled {
    let mut request_key = Uuid::new_v4();
    loop {
        let answer = tokio::select! {
            biased;
            signal = signals.next() => return stopped(signal),
            answer = fetch(client, connection, request_key) => answer,
        };
        match answer {
            Ok(Some(task)) => return Polled::Task(Box::new(task)),
            Ok(None) => request_key = Uuid::new_v4(),
            Err(error) => say(chain(&error)),
        }
        if !connection.wait {
            say("no task received");
            return Polled::Nothing;
        }
        tokio::select! {
            biased;
            signal = signals.next() => return stopped(signal),
            () = sleep(connection.fetch_interval) => {}
        }
    }
}

fn stopped(signal: &str) -> Polled {
    say(format_args!("{signal}: no longer waiting for a task"));
    Polled::Stopped
}

/// One request. The version 0 makes the forge look for tasks every time.
async fn fetch(client: &RunnerClient, connection: &Connection, key: Uuid) -> Result<Option<Task>, Error> {
    let (who, key) = (&connection.credentials, key.to_string());
    if let Some(handle) = &connection.handle {
        let request = FetchSingleTaskRequest { tasks_version: 0, handle: Some(handle.clone()) };
        return Ok(client.fetch_single_task(who, Some(&key), &request).await?.task);
    }
    let request = FetchTaskRequest { tasks_version: 0, task_capacity: Some(1) };
    Ok(client.fetch_task(who, Some(&key), &request).await?.task)
}
