//! From a job that waits to the call that starts its runner, on a backend that does nothing.
//!
//! The jobs of a round are pushed at once, a known part of the interval after a poll; the rounds' parts are spread evenly
//! over the interval, so that few rounds suffice for a median that is not luck.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backend_modelled::ModelledBackend;
use daemon::Daemon;

use crate::figure::{Figure, milliseconds, percentile};
use crate::stage::{self, INTERVAL, LABEL, Machines, Setting, Stage, no_runner, wait_until};

/// The default of `parallel_creates` is for processes; a backend that does nothing does as much as one likes.
const PARALLEL_CREATES: usize = 256;

/// Jobs at once, and rounds.
const LOADS: [(usize, u32); 3] = [(1, 20), (100, 8), (1000, 8)];

/// When each start call was issued, by handle.
type Starts = Arc<Mutex<BTreeMap<String, Instant>>>;

/// Both percentiles for each load, or for one of them.
pub(crate) async fn measure(only: Option<usize>) -> anyhow::Result<Vec<Figure>> {
    let median_goal = INTERVAL / 2 + Duration::from_millis(50);
    let late_goal = INTERVAL + Duration::from_millis(500);
    let mut figures = Vec::new();
    for (jobs, rounds) in LOADS.into_iter().filter(|(jobs, _)| only.is_none_or(|only| only == *jobs)) {
        let mut latencies = Vec::new();
        let mut spreads = Vec::new();
        for round in 0..rounds {
            let (of_round, spread) = play(jobs, INTERVAL * (2 * round + 1) / (2 * rounds)).await?;
            latencies.extend(of_round);
            spreads.push(spread);
        }
        latencies.sort_unstable();
        spreads.sort_unstable();
        let what = format!("waiting → launch call, {jobs} at once, interval {} s", INTERVAL.as_secs());
        let (median, late) = (percentile(&latencies, 50), percentile(&latencies, 99));
        let goal = format!("≤ interval / 2 + 50 ms = {}", milliseconds(median_goal));
        figures.push(Figure::with_goal(format!("{what}: P50"), milliseconds(median), goal, median <= median_goal));
        let goal = format!("≤ interval + 500 ms = {}", milliseconds(late_goal));
        figures.push(Figure::with_goal(format!("{what}: P99"), milliseconds(late), goal, late <= late_goal));
        if jobs > 1 {
            let what = format!("first launch call → last of {jobs}, median of {rounds}");
            figures.push(Figure::plain(what, milliseconds(percentile(&spreads, 50))));
        }
    }
    Ok(figures)
}

/// One round on a stage of its own: the latency of each job, and the time from the first launch to the last.
async fn play(jobs: usize, after_poll: Duration) -> anyhow::Result<(Vec<Duration>, Duration)> {
    let runner = no_runner();
    let scopes = &[stage::ORGANIZATION];
    let setting = Setting {
        scopes,
        interval: INTERVAL,
        machines: Machines::Processes { runner: &runner, parallel_creates: PARALLEL_CREATES },
    };
    let stage = Stage::build(setting).await?;
    let starts = Starts::default();
    let noted = Arc::clone(&starts);
    let backend = ModelledBackend::new(move |_, launch| {
        let handle = launch.handle.as_str().to_owned();
        noted.lock().unwrap_or_else(PoisonError::into_inner).entry(handle).or_insert_with(Instant::now);
    });
    let daemon = Daemon::start_modelled(&stage.config()?, &backend)?;
    let mut reports = daemon.reports();
    reports.changed().await?;
    stage.next_poll().await?;
    tokio::time::sleep(after_poll).await;
    let pushed = Instant::now();
    let handles = stage.push(jobs, LABEL)?;
    let count = || starts.lock().unwrap_or_else(PoisonError::into_inner).len();
    wait_until("all launches", || count() == handles.len()).await?;
    daemon.control().stop();
    daemon.ended().await;
    let starts = starts.lock().unwrap_or_else(PoisonError::into_inner);
    let latencies: Vec<Duration> = starts.values().map(|at| at.duration_since(pushed)).collect();
    let first = latencies.iter().min().copied().unwrap_or_default();
    let last = latencies.iter().max().copied().unwrap_or_default();
    Ok((latencies, last.saturating_sub(first)))
}
