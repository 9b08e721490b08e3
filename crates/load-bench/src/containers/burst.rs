//! More jobs than there may be machines, a fresh container for each: how soon an ended one makes room for the next.

use std::time::Duration;

use crate::containers::Ground;
use crate::figure::{Figure, milliseconds, percentile};
use crate::pickup::all_ended;
use crate::stage::{INTERVAL, LABEL};

/// Jobs, each of which sleeps for a second.
const JOBS: usize = 20;

/// Machines at once.
const MAX: usize = 4;

/// What a job takes by itself.
const JOB: Duration = Duration::from_secs(1);

/// How often `docker run` is measured.
const FLOORS: usize = 9;

/// The goal, in turns of a job and its `docker run`.
const TIMES: f64 = 1.6;

/// From the list that shows them to the end of the last.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let ground = Ground::new(INTERVAL, &format!("max = {MAX}")).await?;
    let mut floors = Vec::new();
    for _ in 0..FLOORS {
        floors.push(ground.engine.run(1).await?);
    }
    floors.sort_unstable();
    let floor = percentile(&floors, 50);
    let turns = u32::try_from(JOBS.div_ceil(MAX))?;
    let by_itself = (JOB + floor) * turns;
    let handles = ground.stage.push_scripts(JOBS, LABEL, "sleep 1")?;
    ground.stage.next_poll().await?;
    let begun = ground.stage.emulator.clock().now();
    let took = all_ended(&ground.stage, &handles).await?.since(begun);
    ground.ready(0).await?;
    let runner = ground.runner;
    let events = ground.end().await?;
    let created = events.iter().filter(|event| event.action == "create").count();
    let times = took.as_secs_f64() / by_itself.as_secs_f64();
    let what = format!("{JOBS} jobs of `sleep 1` at max {MAX}, {runner}, Docker, interval {} s", INTERVAL.as_secs());
    let measured = format!(
        "{:.1} s in {created} containers, {times:.2} × {turns} × (1 s + `docker run`, {})",
        took.as_secs_f64(),
        milliseconds(floor)
    );
    let is_met = times <= TIMES && created == JOBS;
    Ok(vec![Figure::with_goal(what, measured, format!("≤ {TIMES} ×, {JOBS} containers"), is_met)])
}
