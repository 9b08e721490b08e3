//! Whose machines are listed, and what stands in the way.

use std::time::Duration;

use planner::seen::MachineState;

use crate::Destroyed;
use crate::conformance::ground::{Ground, ensure};
use crate::conformance::{Behaviour, Harness};

pub(super) async fn other_deployment<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let (ours, theirs) = (ground.daemon().await, ground.other_daemon().await);
    let shared = ground.name_of("shared");
    ours.run(&ground.name(), Behaviour::Live).await?;
    ours.create(&shared, Behaviour::Live).await?;
    let seen = theirs.list().await?;
    ensure(seen.complete && seen.rows.is_empty(), || format!("the other deployment sees {seen:?}"))?;
    for name in [&ground.name(), &shared] {
        let answer = theirs.destroy(name, Duration::ZERO).await?;
        ensure(answer == Destroyed::Gone, || format!("the answer to the other deployment is {answer:?}"))?;
        let started = theirs.start(name, Behaviour::Live).await;
        ensure(started.is_err(), || "the other deployment has started our machine".to_owned())?;
        let logs = theirs.logs(name).await;
        ensure(!matches!(&logs, Ok(lines) if !lines.is_empty()), || "the other deployment reads our log".to_owned())?;
    }
    // Refused, or a machine of its own: never ours.
    if theirs.create(&shared, Behaviour::Live).await.is_ok() {
        theirs.remove(&shared, Duration::ZERO).await?;
    }
    ours.until_state(&ground.name(), |state| state == MachineState::Running).await?;
    ours.until_state(&shared, |state| state == MachineState::Ready).await.map(drop)
}

pub(super) async fn partial<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.create(&ground.name(), Behaviour::Live).await?;
    ground.spoil().await;
    let spoilt = daemon.list().await;
    ground.unspoil().await;
    let spoilt = spoilt?;
    ensure(!spoilt.complete, || "the list is said to be complete".to_owned())?;
    ensure(spoilt.rows.iter().any(|row| row.name == ground.name()), || "the other machine is hidden".to_owned())?;
    let whole = daemon.list().await?;
    ensure(whole.complete && whole.rows.len() == 1, || format!("afterwards it is {whole:?}"))
}
