//! Handing launches over.

use planner::ids::{RunnerUuid, Try};
use planner::seen::{Exit, MachineState};

use super::creating::MOMENTS;
use crate::Backend as _;
use crate::conformance::ground::{Ground, STOP, ensure, launch};
use crate::conformance::{Behaviour, Harness};

pub(super) async fn binding_seen<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Live).await?;
    // At once, not sooner or later: it is written together with the start.
    let seen = daemon.seen(&ground.name()).await?.ok_or_else(|| "it is not listed".to_owned())?;
    let expected = Some(launch(Behaviour::Live).binding());
    ensure(seen.binding == expected, || format!("listed as {seen:?}"))?;
    let seen = ground.daemon().await.until_state(&ground.name(), |state| state == MachineState::Running).await?;
    ensure(seen.binding == expected, || format!("another daemon sees {seen:?}"))
}

pub(super) async fn one_launch<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Live).await?;
    let mut other = launch(Behaviour::Live);
    other.uuid = RunnerUuid::new("0d4f7c0e-0000-4000-8000-5a5a5a5a5a5a");
    other.attempt = Try(2);
    for daemon in [&daemon, &ground.daemon().await] {
        let again = daemon.backend.start(&ground.name(), other.clone()).await;
        ensure(again.is_err(), || "a second launch was taken".to_owned())?;
    }
    let seen = daemon.until_state(&ground.name(), |state| state == MachineState::Running).await?;
    ensure(seen.binding == Some(launch(Behaviour::Live).binding()), || format!("listed as {seen:?}"))
}

pub(super) async fn without_machine<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    let started = daemon.start(&ground.name(), Behaviour::Live).await;
    ensure(started.is_err(), || "it was started on nothing".to_owned())?;
    let rows = daemon.list().await?.rows;
    ensure(rows.is_empty(), || format!("it made {rows:?}"))
}

pub(super) async fn unanswered<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let expected = Some(launch(Behaviour::Live).binding());
    for moment in MOMENTS {
        let daemon = ground.daemon().await;
        daemon.create(&ground.name(), Behaviour::Live).await?;
        daemon.until_state(&ground.name(), |state| state == MachineState::Ready).await?;
        // Whether it was in time is of no matter.
        let _ = tokio::time::timeout(moment, daemon.backend.start(&ground.name(), launch(Behaviour::Live))).await;
        drop(daemon);
        let daemon = ground.daemon().await;
        // What came of it is soon known: it is bound and runs or has ended, or nothing was begun.
        let is_decided = |state| !matches!(state, MachineState::Creating | MachineState::Stopping);
        let seen = daemon.until_state(&ground.name(), is_decided).await?;
        let fits = match seen.state {
            MachineState::Ready => seen.binding.is_none(),
            MachineState::Ended { exit: Exit::NeverStarted } => seen.binding.is_none() || seen.binding == expected,
            MachineState::Running | MachineState::Orphaned | MachineState::Ended { .. } => seen.binding == expected,
            MachineState::Creating | MachineState::Stopping => false,
        };
        ensure(fits, || format!("after {moment:?} it is listed as {seen:?}"))?;
        daemon.remove(&ground.name(), STOP).await?;
    }
    Ok(())
}

pub(super) async fn token_nowhere<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Live).await?;
    daemon.until_state(&ground.name(), |state| state == MachineState::Running).await?;
    ground.token_is_nowhere().await?;
    daemon.destroy(&ground.name(), STOP).await?;
    ground.token_is_nowhere().await
}
