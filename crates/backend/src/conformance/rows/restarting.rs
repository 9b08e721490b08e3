//! A restart of the daemon in every phase of a machine.

use std::time::Duration;

use planner::seen::{Exit, MachineState};

use crate::Backend as _;
use crate::conformance::ground::{Ground, STOP, ensure, launch};
use crate::conformance::{Behaviour, Harness};

pub(super) async fn created<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.create(&ground.name(), Behaviour::Live).await?;
    drop(daemon);
    let daemon = ground.daemon().await;
    let is_decided = |state| matches!(state, MachineState::Ready | MachineState::Ended { .. });
    let seen = daemon.until_state(&ground.name(), is_decided).await?;
    ensure(seen.binding.is_none(), || format!("it is bound: {seen:?}"))?;
    if seen.state == MachineState::Ready {
        daemon.start(&ground.name(), Behaviour::Live).await?;
        daemon.until_state(&ground.name(), |state| state == MachineState::Running).await?;
    } else {
        ensure(seen.state == MachineState::Ended { exit: Exit::NeverStarted }, || format!("listed as {seen:?}"))?;
        let started = daemon.backend.start(&ground.name(), launch(Behaviour::Live)).await;
        ensure(started.is_err(), || "one that has ended was started".to_owned())?;
    }
    daemon.remove(&ground.name(), STOP).await
}

pub(super) async fn running<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Live).await?;
    drop(daemon);
    let daemon = ground.daemon().await;
    let seen = daemon.until_state(&ground.name(), |state| state == MachineState::Running).await?;
    ensure(seen.binding == Some(launch(Behaviour::Live).binding()), || format!("listed as {seen:?}"))?;
    daemon.remove(&ground.name(), STOP).await
}

pub(super) async fn ended<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Exit(7)).await?;
    drop(daemon);
    let daemon = ground.daemon().await;
    let exit = daemon.ended(&ground.name()).await?;
    ensure(exit == Exit::Code(7), || format!("listed as {exit:?}"))?;
    let seen = daemon.seen(&ground.name()).await?;
    let bound = seen.as_ref().is_some_and(|seen| seen.binding == Some(launch(Behaviour::Exit(7)).binding()));
    ensure(bound, || format!("listed as {seen:?}"))?;
    daemon.remove(&ground.name(), STOP).await
}

pub(super) async fn stopping<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Stubborn).await?;
    daemon.destroy(&ground.name(), Duration::from_hours(1)).await?;
    let is_told = |state| matches!(state, MachineState::Stopping | MachineState::Running);
    daemon.until_state(&ground.name(), is_told).await?;
    drop(daemon);
    ground.daemon().await.remove(&ground.name(), Duration::from_secs(1)).await
}
