//! Runs that a forge lets run one after the other only, which no list tells: how soon each begins when its turn has come, and
//! what machines are held for in vain.

use std::collections::BTreeMap;
use std::time::Duration;

use forge_model::{Handle, Moment};

use crate::containers::Ground;
use crate::containers::engine::EngineEvent;
use crate::figure::{Figure, milliseconds, percentile};
use crate::pickup::all_ended;
use crate::stage::{INTERVAL, LABEL, Stage};

/// Runs in one group, with machines that wait.
const RUNS: usize = 30;

/// How many machines wait.
const WARM: u32 = 3;

/// Runs in one group, with a machine made for each.
const FEW: usize = 5;

/// The limit of the pool.
const MAX: u32 = 4;

/// How long one of these is held up, in all, at the most.
const HELD: Duration = Duration::from_secs(20);

/// Both.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = many().await?;
    figures.extend(few().await?);
    Ok(figures)
}

/// Waits after each turn, and containers.
async fn many() -> anyhow::Result<Vec<Figure>> {
    let ground = Ground::new(INTERVAL, &format!("max = {}\nwarm = {WARM}", 2 * WARM)).await?;
    ground.ready(WARM).await?;
    let handles = ground.stage.push_queued(RUNS, LABEL, "true")?;
    all_ended(&ground.stage, &handles).await?;
    let mut waits = waits(&ground.stage, &handles);
    waits.sort_unstable();
    ground.ready(WARM).await?;
    let runner = ground.runner;
    let created = count(&ground.end().await?, "create");
    let what = format!("{RUNS} runs in one group, warm = {WARM}, {runner}, Docker");
    let (median, longest) = (percentile(&waits, 50), percentile(&waits, 100));
    let measured = format!("P50 {}, longest {}", milliseconds(median), milliseconds(longest));
    let most = RUNS + usize::try_from(WARM)?;
    Ok(vec![
        Figure::plain(format!("{what}: wait after each one's turn"), measured),
        Figure::with_goal(
            format!("{what}: containers made"),
            created.to_string(),
            format!("≤ {RUNS} + {WARM}"),
            created <= most,
        ),
    ])
}

/// Machine-seconds in vain.
async fn few() -> anyhow::Result<Vec<Figure>> {
    let ground = Ground::new(INTERVAL, &format!("max = {MAX}")).await?;
    let handles = ground.stage.push_queued(FEW, LABEL, "sleep 1")?;
    all_ended(&ground.stage, &handles).await?;
    ground.ready(0).await?;
    let runner = ground.runner;
    let ran: Duration = turns(&ground.stage, &handles).iter().map(|(from, to)| to.saturating_sub(*from)).sum();
    let events = ground.end().await?;
    let held = lived(&events).saturating_sub(ran);
    let what =
        format!("{FEW} runs of `sleep 1` in one group at max {MAX}, {runner}, Docker: machine-seconds beside the jobs");
    let measured = format!("{:.1} s in {} containers", held.as_secs_f64(), count(&events, "create"));
    Ok(vec![Figure::with_goal(what, measured, format!("≤ {} s", HELD.as_secs()), held <= HELD)])
}

/// When each job ran, in the order in which they did.
fn turns(stage: &Stage, handles: &[Handle]) -> Vec<(Duration, Duration)> {
    let mut turns: Vec<(Duration, Duration)> = stage.emulator.with_forge(|forge, _| {
        let attempts = handles.iter().filter_map(|handle| forge.books().attempt(handle));
        let since_start = |moment: Moment| moment.since(Moment::default());
        attempts.filter_map(|of| Some((since_start(of.started_at?), since_start(of.ended_at?)))).collect()
    });
    turns.sort_unstable();
    turns
}

/// How long each began after the one before it had ended.
fn waits(stage: &Stage, handles: &[Handle]) -> Vec<Duration> {
    turns(stage, handles).windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].1)).collect()
}

fn count(events: &[EngineEvent], action: &str) -> usize {
    events.iter().filter(|event| event.action == action).count()
}

/// For how long all containers ran together.
fn lived(events: &[EngineEvent]) -> Duration {
    let mut started: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut lived = Duration::ZERO;
    for event in events {
        match event.action.as_str() {
            "start" => {
                started.insert(&event.container, event.at);
            }
            "die" => {
                let of = started.remove(event.container.as_str());
                lived += of.map_or(Duration::ZERO, |at| event.at.saturating_sub(at));
            }
            _ => {}
        }
    }
    lived
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_lives_from_its_start_to_its_death_each_time() {
        let event = |action: &str, container: &str, seconds| EngineEvent {
            action: action.to_owned(),
            container: container.to_owned(),
            at: Duration::from_secs(seconds),
        };
        let events = [
            event("create", "a", 0),
            event("start", "a", 1),
            event("start", "b", 2),
            event("die", "a", 4),
            event("start", "a", 5),
            event("die", "b", 6),
            event("die", "a", 7),
            event("destroy", "a", 9),
        ];
        assert_eq!((lived(&events), count(&events, "start")), (Duration::from_secs(3 + 4 + 2), 3));
    }
}
