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
    let begun = begun(&ground.stage, &handles);
    let events = ground.end().await?;
    let waited = waited(&events, &begun);
    let all = lives(&events);
    let lived: Duration = all.iter().map(Life::span).sum();
    let what = format!("{FEW} runs of `sleep 1` in one group at max {MAX}, {runner}, Docker: machine-seconds");
    let goal = format!("≤ {} s", HELD.as_secs());
    let seconds = |of: Duration| format!("{:.1} s", of.as_secs_f64());
    Ok(vec![
        Figure::with_goal(format!("{what} before their jobs"), seconds(waited), goal, waited <= HELD),
        Figure::plain(format!("{what} in all"), format!("{} in {} containers", seconds(lived), all.len())),
    ])
}

/// When each job began.
fn begun(stage: &Stage, handles: &[Handle]) -> Vec<(String, Duration)> {
    stage.emulator.with_forge(|forge, _| {
        let attempts = handles.iter().filter_map(|handle| forge.books().attempt(handle));
        attempts.filter_map(|of| Some((of.handle.to_string(), since_1970(of.started_at?)))).collect()
    })
}

fn since_1970(moment: Moment) -> Duration {
    moment.since(Moment::default())
}

/// When each job ran, in the order in which they did.
fn turns(stage: &Stage, handles: &[Handle]) -> Vec<(Duration, Duration)> {
    let mut turns: Vec<(Duration, Duration)> = stage.emulator.with_forge(|forge, _| {
        let attempts = handles.iter().filter_map(|handle| forge.books().attempt(handle));
        attempts.filter_map(|of| Some((since_1970(of.started_at?), since_1970(of.ended_at?)))).collect()
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

/// From a container's start to its death.
#[derive(Debug, PartialEq, Eq)]
struct Life<'e> {
    from: Duration,
    until: Duration,
    tags: &'e str,
}

impl Life<'_> {
    fn span(&self) -> Duration {
        self.until.saturating_sub(self.from)
    }
}

fn lives(events: &[EngineEvent]) -> Vec<Life<'_>> {
    let mut started: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut lives = Vec::new();
    for event in events {
        match event.action.as_str() {
            "start" => {
                started.insert(&event.container, event.at);
            }
            "die" => {
                let from = started.remove(event.container.as_str());
                lives.extend(from.map(|from| Life { from, until: event.at, tags: &event.tags }));
            }
            _ => {}
        }
    }
    lives
}

/// For how long all containers together waited for their jobs to begin, those in vain whose jobs began elsewhere.
fn waited(events: &[EngineEvent], begun: &[(String, Duration)]) -> Duration {
    let wait = |life: Life<'_>| {
        let is_in_it = |at: &Duration| (life.from..life.until).contains(at);
        let its = begun.iter().find(|(handle, _)| life.tags.contains(handle.as_str())).map(|(_, at)| *at);
        its.filter(is_in_it).unwrap_or(life.until).saturating_sub(life.from)
    };
    lives(events).into_iter().map(wait).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_waits_from_its_start_until_its_job_begins_and_in_vain_until_its_death() {
        let event = |action: &str, container: &str, seconds| EngineEvent {
            action: action.to_owned(),
            container: container.to_owned(),
            at: Duration::from_secs(seconds),
            tags: format!("{{\"handle\":\"of-{container}\"}}"),
        };
        let events = [
            event("create", "a", 0),
            event("start", "a", 1),
            event("start", "b", 2),
            event("die", "a", 4),
            event("start", "a", 5),
            event("die", "b", 7),
            event("die", "a", 8),
            event("destroy", "a", 9),
        ];
        let spans: Vec<u64> = lives(&events).iter().map(|life| life.span().as_secs()).collect();
        assert_eq!((spans, count(&events, "start")), (vec![3, 5, 3], 3));
        let begun = [("of-a".to_owned(), Duration::from_secs(6)), ("of-c".to_owned(), Duration::from_secs(3))];
        assert_eq!(waited(&events, &begun), Duration::from_secs(3 + 5 + 1), "b never began, and a in its second life");
    }
}
