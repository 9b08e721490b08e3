//! Machines that are made without a job.

use planner::ids::{MachineName, RunnerUuid, Try};
use planner::seen::{Exit, MachineState};

use super::creating::MOMENTS;
use crate::Backend as _;
use crate::Launch;
use crate::conformance::ground::{Daemon, Ground, STOP, ensure, said, until, warm_launch, warm_request};
use crate::conformance::{Behaviour, Harness};

/// The token of the second launch.
const OTHER_TOKEN: &str = "4n0therc0nf0rmance4n0therc0nf0rmance4no9";

/// Another job's launch on the same machine.
fn other_launch(behaviour: Behaviour) -> Launch {
    let uuid = RunnerUuid::new("0d4f7c0e-0000-4000-8000-5a5a5a5a5a5a");
    Launch { uuid, attempt: Try(3), token: OTHER_TOKEN.into(), ..warm_launch(behaviour) }
}

/// Binds another job to a machine and sees it end as that one's runner does.
async fn serves_another<B: crate::Backend>(daemon: &Daemon<B>, name: &MachineName) -> Result<(), String> {
    let other = other_launch(Behaviour::Exit(7));
    said(daemon.backend.start(name, other.clone()).await)?;
    let exit = daemon.ended(name).await?;
    ensure(exit == Exit::Code(7), || format!("the second runner ended with 7 and is listed as {exit:?}"))?;
    let seen = daemon.seen(name).await?;
    let is_bound = seen.as_ref().is_some_and(|seen| seen.binding == Some(other.binding()));
    ensure(is_bound, || format!("listed as {seen:?}"))
}

pub(super) async fn idle<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    daemon.keep_warm(&ground.name()).await?;
    // The same name again is the same machine.
    daemon.keep_warm(&ground.name()).await?;
    for daemon in [&daemon, &ground.daemon().await] {
        let seen = daemon.until_state(&ground.name(), |state| state == MachineState::Ready).await?;
        let is_it = seen.tags == warm_request(&ground.name()).tags && seen.binding.is_none();
        ensure(is_it, || format!("listed as {seen:?}"))?;
        let rows = daemon.list().await?.rows.len();
        ensure(rows == 1, || format!("{rows} machines"))?;
    }
    Ok(())
}

pub(super) async fn bound<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    for code in [0, 7] {
        let name = ground.name_of(&format!("exit-{code}"));
        daemon.keep_warm(&name).await?;
        daemon.bind(&name, Behaviour::Exit(code)).await?;
        let seen = daemon.seen(&name).await?;
        let binding = Some(warm_launch(Behaviour::Exit(code)).binding());
        ensure(seen.as_ref().is_some_and(|seen| seen.binding == binding), || format!("at once it is {seen:?}"))?;
        let exit = daemon.ended(&name).await?;
        ensure(exit == Exit::Code(code.into()), || format!("{code} is listed as {exit:?}"))?;
    }
    let name = ground.name_of("live");
    daemon.keep_warm(&name).await?;
    daemon.bind(&name, Behaviour::Live).await?;
    let again = daemon.backend.start(&name, other_launch(Behaviour::Live)).await;
    ensure(again.is_err(), || "a second launch was taken".to_owned())?;
    let seen = ground.daemon().await.until_state(&name, |state| state == MachineState::Running).await?;
    ensure(seen.binding == Some(warm_launch(Behaviour::Live).binding()), || format!("listed as {seen:?}"))
}

pub(super) async fn released<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    let name = ground.name();
    daemon.keep_warm(&name).await?;
    for behaviour in [Behaviour::Live, Behaviour::Stubborn] {
        daemon.bind(&name, behaviour).await?;
        daemon.until_state(&name, |state| state == MachineState::Running).await?;
        daemon.release(&name).await?;
        let seen = daemon.until_state(&name, |state| state == MachineState::Ready).await?;
        ensure(seen.binding.is_none(), || format!("it is bound still: {seen:?}"))?;
        // Again, it changes nothing.
        daemon.release(&name).await?;
    }
    serves_another(&daemon, &name).await
}

pub(super) async fn not_released<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    let (ended, of_a_job, none) = (ground.name_of("ended"), ground.name_of("cold"), ground.name_of("none"));
    daemon.keep_warm(&ended).await?;
    daemon.bind(&ended, Behaviour::Exit(3)).await?;
    daemon.ended(&ended).await?;
    daemon.run(&of_a_job, Behaviour::Live).await?;
    for name in [&ended, &of_a_job, &none] {
        ensure(daemon.release(name).await.is_err(), || format!("{name} was taken back"))?;
    }
    let exit = daemon.ended(&ended).await?;
    ensure(exit == Exit::Code(3), || format!("its end is listed as {exit:?}"))?;
    daemon.until_state(&of_a_job, |state| state == MachineState::Running).await.map(drop)
}

pub(super) async fn create_unanswered<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let name = ground.name_of(&round.to_string());
        let daemon = ground.daemon().await;
        let _ = tokio::time::timeout(moment, daemon.backend.create(warm_request(&name))).await;
        drop(daemon);
        let daemon = ground.daemon().await;
        if daemon.backend.create(warm_request(&name)).await.is_ok() {
            daemon.until_state(&name, |state| state == MachineState::Ready).await?;
            serves_another(&daemon, &name).await.map_err(|why| format!("{why} after {moment:?}"))?;
        }
        daemon.remove(&name, STOP).await?;
    }
    Ok(())
}

pub(super) async fn bind_unanswered<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let expected = Some(warm_launch(Behaviour::Live).binding());
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let name = ground.name_of(&round.to_string());
        let daemon = ground.daemon().await;
        daemon.keep_warm(&name).await?;
        let _ = tokio::time::timeout(moment, daemon.backend.start(&name, warm_launch(Behaviour::Live))).await;
        drop(daemon);
        let daemon = ground.daemon().await;
        let is_decided = |state| !matches!(state, MachineState::Creating | MachineState::Stopping);
        let seen = daemon.until_state(&name, is_decided).await?;
        let fits = match seen.state {
            MachineState::Ready => seen.binding.is_none(),
            MachineState::Running | MachineState::Ended { exit: Exit::NeverStarted } => seen.binding == expected,
            MachineState::Creating | MachineState::Stopping | MachineState::Orphaned | MachineState::Ended { .. } => {
                false
            }
        };
        ensure(fits, || format!("after {moment:?} it is listed as {seen:?}"))?;
        daemon.remove(&name, STOP).await?;
    }
    Ok(())
}

pub(super) async fn release_unanswered<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let expected = Some(warm_launch(Behaviour::Live).binding());
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let name = ground.name_of(&round.to_string());
        let daemon = ground.daemon().await;
        daemon.keep_warm(&name).await?;
        daemon.bind(&name, Behaviour::Live).await?;
        daemon.until_state(&name, |state| state == MachineState::Running).await?;
        let _ = tokio::time::timeout(moment, daemon.backend.release(&name)).await;
        drop(daemon);
        let daemon = ground.daemon().await;
        let is_decided = |state| matches!(state, MachineState::Ready | MachineState::Running);
        let seen = daemon.until_state(&name, is_decided).await?;
        let fits = if seen.state == MachineState::Ready { seen.binding.is_none() } else { seen.binding == expected };
        ensure(fits, || format!("after {moment:?} it is listed as {seen:?}"))?;
        // What was given up may still be under way. Whatever has come of it, this brings it to its end.
        daemon.release(&name).await?;
        daemon.until_state(&name, |state| state == MachineState::Ready).await?;
        serves_another(&daemon, &name).await.map_err(|why| format!("{why} after {moment:?}"))?;
        daemon.remove(&name, STOP).await?;
    }
    Ok(())
}

pub(super) async fn destroyed<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    for is_bound in [false, true] {
        let name = ground.name_of(if is_bound { "bound" } else { "idle" });
        daemon.keep_warm(&name).await?;
        if is_bound {
            daemon.bind(&name, Behaviour::Live).await?;
        }
        daemon.remove(&name, STOP).await?;
        let started = daemon.backend.start(&name, other_launch(Behaviour::Live)).await;
        ensure(started.is_err(), || "it was started on nothing".to_owned())?;
    }
    Ok(())
}

pub(super) async fn restarted<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let name = ground.name();
    ground.daemon().await.keep_warm(&name).await?;
    let daemon = ground.daemon().await;
    daemon.until_state(&name, |state| state == MachineState::Ready).await?;
    daemon.bind(&name, Behaviour::Live).await?;
    daemon.until_state(&name, |state| state == MachineState::Running).await?;
    drop(daemon);
    let daemon = ground.daemon().await;
    let expected = Some(warm_launch(Behaviour::Live).binding());
    // Several times: whatever it does to be sure of it must leave a runner that has its launch alone.
    for _ in 0..5 {
        let seen = daemon.until_state(&name, |state| state == MachineState::Running).await?;
        ensure(seen.binding == expected, || format!("listed as {seen:?}"))?;
    }
    daemon.release(&name).await?;
    drop(daemon);
    let daemon = ground.daemon().await;
    daemon.until_state(&name, |state| state == MachineState::Ready).await?;
    serves_another(&daemon, &name).await
}

pub(super) async fn token_nowhere<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let daemon = ground.daemon().await;
    let name = ground.name();
    daemon.keep_warm(&name).await?;
    daemon.bind(&name, Behaviour::Live).await?;
    daemon.until_state(&name, |state| state == MachineState::Running).await?;
    ground.token_is_nowhere().await?;
    daemon.release(&name).await?;
    ground.token_is_nowhere().await?;
    said(daemon.backend.start(&name, other_launch(Behaviour::Live)).await)?;
    daemon.until_state(&name, |state| state == MachineState::Running).await?;
    ground.token_is_nowhere().await?;
    until("the second runner has ended", async || Ok(daemon.destroy(&name, STOP).await? == crate::Destroyed::Gone))
        .await
}
