//! Requests to the forge: for jobs that wait, run and succeed, and while nothing happens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backend_modelled::ModelledBackend;
use daemon::Daemon;
use emulator::{Calls, Emulator, RouteKind};
use planner::ids::MachineName;

use crate::figure::Figure;
use crate::played::Played;
use crate::stage::{LABEL, Machines, ORGANIZATION, Setting, Stage, no_runner, wait_until};

/// Short, so that many polls are seen; at the answer times of the emulated forge it is polite enough to be kept.
const INTERVAL: Duration = Duration::from_millis(500);

/// Jobs that are completed.
const JOBS: usize = 100;

/// How long they run: over several polls.
const RUN: Duration = Duration::from_secs(3);

/// Until nothing of the jobs is looked at any more: twice the default of `settle`.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// How many intervals long nothing happens.
const INTERVALS: u32 = 30;

/// How long that is.
const IDLE: Duration = INTERVAL.saturating_mul(INTERVALS);

/// The narrower scope lies in the wider one, as it may with an operator.
const SCOPES: [&str; 2] = [ORGANIZATION, "repo:acme/site-0"];

/// Calls per completed job, and per scope and interval.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let runner = no_runner();
    let stage = Stage::build(Setting {
        scopes: &SCOPES,
        interval: INTERVAL,
        machines: Machines::Processes { runner: &runner, parallel_creates: 64 },
    })
    .await?;
    let launched: Arc<Mutex<Vec<Played>>> = Arc::default();
    let noted = Arc::clone(&launched);
    let backend = ModelledBackend::new(move |machine, launch| {
        let played = Played::of(machine, launch);
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(played);
    });
    let daemon = Daemon::start_modelled(&stage.config()?, &backend)?;
    stage.next_poll().await?;

    let before = stage.emulator.calls();
    stage.push(JOBS, LABEL)?;
    let count = || launched.lock().unwrap_or_else(PoisonError::into_inner).len();
    wait_until("all launches", || count() == JOBS).await?;
    let runners = std::mem::take(&mut *launched.lock().unwrap_or_else(PoisonError::into_inner));
    let tasks = runners.iter().map(|runner| runner.take_job(&stage.emulator)).collect::<Result<Vec<_>, _>>()?;
    tokio::time::sleep(RUN).await;
    for (runner, task) in runners.iter().zip(tasks) {
        runner.succeed(&stage.emulator, task)?;
        backend.end(&MachineName::new(runner.machine.as_str()), 0);
    }
    let reports = daemon.reports();
    let is_over = || reports.borrow().machines.is_empty() && registrations(&stage.emulator) == 0;
    wait_until("the end of all assignments", is_over).await?;
    // What is still looked at for a while belongs to the jobs.
    tokio::time::sleep(AFTERWARDS).await;
    let completed = difference(&before, &stage.emulator.calls());

    let before = stage.emulator.calls();
    tokio::time::sleep(IDLE).await;
    let idle = difference(&before, &stage.emulator.calls());
    daemon.control().stop();
    daemon.ended().await;
    Ok(figures(&completed, &idle))
}

fn figures(completed: &[(RouteKind, u64)], idle: &[(RouteKind, u64)]) -> Vec<Figure> {
    let is_list = |kind: RouteKind| matches!(kind, RouteKind::ListJobs | RouteKind::ListRunners);
    let besides: u64 = completed.iter().filter(|(kind, _)| !is_list(*kind)).map(|(_, count)| count).sum();
    let per_job = ratio(besides, JOBS);
    let measured = format!("{per_job:.2}{}", kinds(completed, |kind| !is_list(kind)));
    let mut figures = vec![Figure::with_goal(
        format!("requests per completed job besides lists, {JOBS} jobs"),
        measured,
        "≤ 2",
        per_job <= 2.0,
    )];
    let intervals = SCOPES.len() * INTERVALS as usize;
    let polls = idle.iter().filter(|(kind, _)| *kind == RouteKind::ListJobs).map(|(_, count)| count).sum();
    let others: u64 = idle.iter().filter(|(kind, _)| *kind != RouteKind::ListJobs).map(|(_, count)| count).sum();
    let per_interval = ratio(polls, intervals);
    figures.push(Figure::with_goal(
        "idle: job lists per scope and interval (jitter: 5 %)",
        format!("{per_interval:.2}"),
        "1",
        per_interval <= 1.05,
    ));
    figures.push(Figure::with_goal(
        format!("idle: other requests within {} s (runners: every 10 min)", IDLE.as_secs()),
        format!("{others}{}", kinds(idle, |kind| kind != RouteKind::ListJobs)),
        "0",
        others == 0,
    ));
    figures
}

/// Counts of the kinds that are wanted, in brackets.
fn kinds(counts: &[(RouteKind, u64)], wanted: impl Fn(RouteKind) -> bool) -> String {
    let wanted = counts.iter().filter(|(kind, _)| wanted(*kind));
    let kinds: Vec<String> = wanted.map(|(kind, count)| format!("{count} {kind:?}")).collect();
    if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) }
}

#[allow(clippy::cast_precision_loss, reason = "counts of a short measurement")]
fn ratio(count: u64, of: usize) -> f64 {
    count as f64 / of as f64
}

/// REST requests between two counts, by kind.
fn difference(before: &Calls, after: &Calls) -> Vec<(RouteKind, u64)> {
    let rest = after.by_kind().filter(|(kind, _)| !kind.is_rpc());
    rest.map(|(kind, count)| (kind, count - before.of(kind))).filter(|(_, count)| *count > 0).collect()
}

fn registrations(emulator: &Emulator) -> usize {
    emulator.with_forge(|forge, _| forge.runners_now().len())
}
