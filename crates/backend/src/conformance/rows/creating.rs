//! Making machines.

use std::time::Duration;

use planner::seen::MachineState;

use crate::Backend as _;
use crate::conformance::ground::{Ground, ensure, request};
use crate::conformance::{Behaviour, Harness};

/// Moments at which a call is abandoned: before its first step, and ever later.
pub(super) const MOMENTS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(4),
    Duration::from_millis(16),
    Duration::from_millis(64),
    Duration::from_millis(256),
];

pub(super) async fn twice<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.create(&ground.name(), Behaviour::Live).await?;
    daemon.create(&ground.name(), Behaviour::Live).await?;
    daemon.until_state(&ground.name(), |state| state == MachineState::Ready).await?;
    daemon.start(&ground.name(), Behaviour::Live).await?;
    // A living one is the same machine, whatever it does.
    daemon.create(&ground.name(), Behaviour::Live).await?;
    let seen = daemon.until_state(&ground.name(), |state| state == MachineState::Running).await?;
    ensure(seen.binding.is_some(), || format!("the binding was lost: {seen:?}"))
}

pub(super) async fn at_once<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    let name = ground.name();
    let both = tokio::join!(daemon.create(&name, Behaviour::Live), daemon.create(&name, Behaviour::Live));
    both.0.and(both.1)?;
    daemon.until_state(&name, |state| state == MachineState::Ready).await?;
    let rows = daemon.list().await?.rows.len();
    ensure(rows == 1, || format!("{rows} machines"))
}

pub(super) async fn tags_kept<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.create(&ground.name(), Behaviour::Live).await?;
    let tags = request(&ground.name(), Behaviour::Live).tags;
    for daemon in [daemon, ground.daemon().await] {
        let seen = daemon.until_state(&ground.name(), |_| true).await?;
        ensure(seen.tags == tags && seen.binding.is_none(), || format!("listed as {seen:?}"))?;
    }
    Ok(())
}

pub(super) async fn unanswered<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        // As the planner does: what was given up may still be under way, and a name is never used again.
        let name = ground.name_of(&round.to_string());
        let daemon = ground.daemon().await;
        // Whether it was in time is of no matter.
        let _ = tokio::time::timeout(moment, daemon.backend.create(request(&name, Behaviour::Live))).await;
        drop(daemon);
        let daemon = ground.daemon().await;
        // One that an earlier daemon made may be refused, but then it is listed.
        let created = daemon.create(&name, Behaviour::Live).await;
        let is_listed = daemon.seen(&name).await.map_err(|why| format!("{why} after {moment:?}"))?.is_some();
        ensure(is_listed || created.is_err(), || format!("a created machine is not listed after {moment:?}"))?;
        daemon.remove(&name, Duration::ZERO).await?;
        // Should the abandoned call come to its effect after that, the end of the row finds it.
    }
    Ok(())
}

pub(super) async fn used_up<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Exit(0)).await?;
    daemon.ended(&ground.name()).await?;
    for daemon in [&daemon, &ground.daemon().await] {
        let again = daemon.create(&ground.name(), Behaviour::Exit(0)).await;
        ensure(again.is_err(), || "the name was used again".to_owned())?;
    }
    daemon.ended(&ground.name()).await.map(drop)
}
