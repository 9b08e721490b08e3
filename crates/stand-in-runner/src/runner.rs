//! The runner's life, from its flags to its exit code (protocol 3.6).

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use runner_rpc::connect::Code;
use runner_rpc::messages::{DeclareRequest, Task};
use runner_rpc::{CallLimits, RunnerClient, transport};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::args::{Connection, OneJob};
use crate::console::{chain, say};
use crate::contexts::word;
use crate::delivery::{Delivery, Pace};
use crate::error::Error;
use crate::job::{RUNNER_LIMIT, perform};
use crate::poll::{Polled, poll};
use crate::report::Report;
use crate::signals::{Signals, quit};
use crate::stop::{Stop, Stopper};

/// What the runner calls itself towards the forge.
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "+stand-in");
const USER_AGENT: &str = concat!("stand-in-runner/", env!("CARGO_PKG_VERSION"));
/// Deadline of a call: the real runner's `fetch_timeout` of newer versions (protocol 3.6).
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Deadline of connecting, within that of the call.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The job was done, or the runner was told to stop.
const DONE: u8 = 0;
/// Bad flags, or the forge did not accept the runner.
const FAILED: u8 = 1;
/// There was no task. SIGQUIT ends with the same code, as a panic of the real runner does.
const NO_TASK: u8 = 2;

/// Takes one job, runs it and tells how the process should exit: 0 job done or told to stop, 1 not accepted, 2 no task.
/// Blocks the thread; needs no runtime around it and must not be called within one.
pub fn run(flags: &OneJob) -> ExitCode {
    run_at(flags, Pace::default())
}

/// As [`run`], at another pace of reporting.
pub fn run_at(flags: &OneJob, pace: Pace) -> ExitCode {
    let code = start(flags, pace).unwrap_or_else(|error| {
        say(chain(&error));
        FAILED
    });
    ExitCode::from(code)
}

fn start(flags: &OneJob, pace: Pace) -> Result<u8, Error> {
    let connection = flags.check()?;
    let http = transport::http_client(&connection.url, USER_AGENT, None, CONNECT_DEADLINE)
        .map_err(|source| Error::Client { source })?;
    let limits = CallLimits { deadline: CALL_DEADLINE, ..CallLimits::default() };
    let client = RunnerClient::new(http, connection.url.clone(), limits);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::SetUp { what: "the runtime", source })?;
    let code = runtime.block_on(Box::pin(until_quit(client, connection, pace)));
    // A name look-up that hangs must not hold up the exit.
    runtime.shutdown_background();
    code
}

async fn until_quit(client: RunnerClient, connection: Connection, pace: Pace) -> Result<u8, Error> {
    let no_signals = |source| Error::SetUp { what: "the handling of signals", source };
    let signals = Signals::take_over().map_err(no_signals)?;
    let quit = quit().map_err(no_signals)?;
    tokio::select! {
        code = one_job(client, connection, signals, pace) => code,
        () = quit => Ok(NO_TASK),
    }
}

async fn one_job(client: RunnerClient, connection: Connection, mut signals: Signals, pace: Pace) -> Result<u8, Error> {
    declare(&client, &connection, &mut signals).await?;
    match poll(&client, &connection, &mut signals).await {
        Polled::Task(task) => work(client, &connection, &task, &mut signals, pace).await,
        Polled::Nothing => return Ok(NO_TASK),
        Polled::Stopped => {}
    }
    Ok(DONE)
}

/// Tells the forge the names of our labels. Without it no job fits; a forge that does not know the call is tolerated.
async fn declare(client: &RunnerClient, connection: &Connection, signals: &mut Signals) -> Result<(), Error> {
    let labels = connection.labels.iter().map(|label| label.name.clone()).collect();
    let request = DeclareRequest { version: VERSION.to_owned(), labels };
    let answer = tokio::select! {
        biased;
        signal = signals.next() => return Err(Error::StoppedAtDeclare { signal }),
        answer = client.declare(&connection.credentials, &request) => answer,
    };
    match answer {
        Ok(answer) => say(format_args!("declared as {}", answer.runner.unwrap_or_default().name)),
        Err(runner_rpc::Error::Rejected { code: Code::Unimplemented, .. }) => say("the forge does not know Declare"),
        Err(source) => return Err(Error::Declare { source }),
    }
    Ok(())
}

/// Runs the job of a task while its report goes to the forge.
async fn work(client: RunnerClient, connection: &Connection, task: &Task, signals: &mut Signals, pace: Pace) {
    say(format_args!("task {} begins", task.id));
    let report = Arc::new(Report::new(task.id));
    let delivery = Delivery { client, credentials: connection.credentials.clone(), report: Arc::clone(&report), pace };
    let stopper = Stopper::new();
    let (ended, job_ended) = oneshot::channel();
    let keeping_up = tokio::spawn(delivery.clone().keep_up(stopper.clone(), job_ended));

    let mut job = Box::pin(perform(task, connection, &report, stopper.halt()));
    let mut limit = Box::pin(sleep(RUNNER_LIMIT));
    let mut over = false;
    let outcome = loop {
        tokio::select! {
            outcome = &mut job => break outcome,
            _ = signals.next() => stopper.stop(Stop::Signal),
            () = &mut limit, if !over => {
                over = true;
                stopper.stop(Stop::RunnerLimit);
            }
        }
    };
    say(format_args!("task {} ended: {}", task.id, word(outcome)));
    // Both fail only if the delivery has panicked; its last turn is still worth a try.
    let _ = ended.send(());
    let _ = keeping_up.await;
    // Only now, so that no result overtakes the last log rows: with the result an ephemeral runner is deleted.
    report.end(outcome, &format!("The job has ended: {}", word(outcome)));
    delivery.conclude().await;
}
