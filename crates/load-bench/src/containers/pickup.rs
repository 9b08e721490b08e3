//! From a listed job to a running one, in a container that is made for it and in one that waits, beside `docker run` of the
//! same image.
//!
//! Ours ends when the forge has handed out the last of the jobs; `docker run` ends when the last program has ended. Rounds of
//! both alternate, so that a machine whose speed drifts slows both.

use std::time::Duration;

use crate::containers::Ground;
use crate::figure::{Figure, milliseconds, percentile};
use crate::pickup::all_running;
use crate::stage::LABEL;

/// Short, since the wait for a poll does not count here.
const INTERVAL: Duration = Duration::from_millis(500);

/// Jobs at once, and rounds.
const LOADS: [(usize, usize); 2] = [(1, 15), (8, 7)];

/// With and without machines that wait.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (jobs, rounds) in LOADS {
        for is_warm in [false, true] {
            figures.extend(compare(jobs, rounds, is_warm).await?);
        }
    }
    Ok(figures)
}

async fn compare(jobs: usize, rounds: usize, is_warm: bool) -> anyhow::Result<Vec<Figure>> {
    let waiting = if is_warm { u32::try_from(jobs)? } else { 0 };
    let ground = Ground::new(INTERVAL, &format!("max = {}\nwarm = {waiting}", 2 * jobs)).await?;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // Nothing is made or cleared away while either is measured.
        ground.ready(waiting).await?;
        let by_itself = ground.engine.run(jobs).await?;
        let launched = launch(&ground, jobs).await?;
        // The first round warms up.
        if round > 0 {
            ours.push(launched);
            floor.push(by_itself);
        }
    }
    let runner = ground.runner;
    ground.end().await?;
    ours.sort_unstable();
    floor.sort_unstable();
    let (goal, kind) = if is_warm { (0.5, "waiting containers") } else { (1.5, "a container each") };
    let times = percentile(&ours, 50).as_secs_f64() / percentile(&floor, 50).as_secs_f64();
    let measured = format!(
        "{times:.2} times `docker run` ({} beside {}; P99 {} beside {})",
        milliseconds(percentile(&ours, 50)),
        milliseconds(percentile(&floor, 50)),
        milliseconds(percentile(&ours, 99)),
        milliseconds(percentile(&floor, 99)),
    );
    let what = format!("listed → running, {jobs} at once, {runner}, Docker, {kind}");
    Ok(vec![Figure::with_goal(what, measured, format!("≤ {goal} times"), times <= goal)])
}

async fn launch(ground: &Ground, jobs: usize) -> anyhow::Result<Duration> {
    let handles = ground.stage.push(jobs, LABEL)?;
    ground.stage.next_poll().await?;
    let begun = ground.stage.emulator.clock().now();
    Ok(all_running(&ground.stage, &handles).await?.since(begun))
}
