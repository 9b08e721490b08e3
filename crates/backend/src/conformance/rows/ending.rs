//! Ends, wanted or not.

use std::time::Duration;

use planner::seen::{Exit, MachineState};

use super::creating::MOMENTS;
use crate::Destroyed;
use crate::conformance::ground::{Ground, STOP, ensure, until};
use crate::conformance::{Behaviour, Harness};

/// Far more than a screen.
const MOST_LINES: usize = 1000;

pub(super) async fn exit_codes<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    for code in [0, 1, 2, 7] {
        let name = ground.name_of(&format!("exit-{code}"));
        daemon.run(&name, Behaviour::Exit(code)).await?;
        let exit = daemon.ended(&name).await?;
        ensure(exit == Exit::Code(code.into()), || format!("{code} is listed as {exit:?}"))?;
        daemon.remove(&name, STOP).await?;
    }
    Ok(())
}

pub(super) async fn asked<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Live).await?;
    // Unless it were asked, this would not end before the row's deadline.
    daemon.remove(&ground.name(), Duration::from_hours(1)).await
}

pub(super) async fn killed<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Stubborn).await?;
    daemon.remove(&ground.name(), Duration::from_secs(1)).await
}

pub(super) async fn destroyed_twice<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Exit(0)).await?;
    daemon.ended(&ground.name()).await?;
    daemon.remove(&ground.name(), STOP).await?;
    for name in [ground.name(), ground.name_of("never-made")] {
        let answer = daemon.destroy(&name, STOP).await?;
        ensure(answer == Destroyed::Gone, || format!("the answer for {name} is {answer:?}"))?;
    }
    Ok(())
}

pub(super) async fn destroyed_while_creating<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    let name = ground.name();
    for moment in MOMENTS {
        let destroy = async {
            tokio::time::sleep(moment).await;
            daemon.destroy(&name, Duration::ZERO).await
        };
        // Either may come first, and the create may fail for it.
        let (_, destroyed) = tokio::join!(daemon.create(&name, Behaviour::Live), destroy);
        destroyed?;
        daemon.remove(&name, Duration::ZERO).await?;
    }
    Ok(())
}

pub(super) async fn destroyed_unstarted<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.create(&ground.name(), Behaviour::Live).await?;
    daemon.until_state(&ground.name(), |state| state == MachineState::Ready).await?;
    daemon.remove(&ground.name(), STOP).await
}

pub(super) async fn logs_bounded<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.run(&ground.name(), Behaviour::Speak).await?;
    daemon.until_state(&ground.name(), |state| matches!(state, MachineState::Ended { .. })).await?;
    let mut lines = Vec::new();
    until("the last line is in the log", async || {
        lines = daemon.logs(&ground.name()).await?;
        Ok(lines.last().is_some_and(|line| line.trim_end() == Behaviour::LINES.to_string()))
    })
    .await?;
    ensure(lines.len() <= MOST_LINES, || format!("{} lines", lines.len()))
}
