//! `forgescale demo`: an emulated forge with some work, the daemon, machines of this host or of an engine: the very code of
//! `run`.
//!
//! ```text
//! stage (directory, forge, config) ─► daemon ─► director (pushes, cancels, reruns) ─► verdict ─► cleared away
//! ```
//!
//! What it says at the end is taken from the forge's books and the process table, or the engine, not from the daemon's own records.

mod clearing;
mod counters;
mod director;
mod earlier;
mod engine;
mod processes;
mod progress;
mod runner;
mod stage;
mod table;
mod verdict;
mod workload;

use std::io::{self, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use backend_host::Program;
use daemon::{Daemon, Options};
use tokio::signal::unix::{SignalKind, signal};

use super::run::{not_started, on_runtime, supervisor};
use crate::arguments::Demo;
use crate::failure::Failure;
use counters::Counters;
use director::Director;
use engine::Engine;
use progress::Progress;
use runner::Runner;
use stage::Stage;
use verdict::Verdict;

/// How long the work may take; it usually takes a third of it.
const LIMIT: Duration = Duration::from_secs(55);

/// The same where machines are containers: an engine starts few at once, and the runner is put into it first.
const LIMIT_OF_CONTAINERS: Duration = Duration::from_secs(110);

/// How long an interrupted demo may take to cancel its jobs and to be rid of their machines: it usually takes a quarter.
const CALL_OFF: Duration = Duration::from_secs(20);

/// How long a machine may live, in seconds, if nobody is there any more to end it: longer than any demo.
const LONGEST: &str = "90";

/// How the work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curtain {
    /// All of it is over.
    Done,
    /// It took too long.
    TooLate,
    /// Ctrl-C, or another signal that would end us.
    Interrupted,
}

/// Plays the demo.
pub(super) fn run(arguments: &Demo, out: &mut impl Write) -> Result<(), Failure> {
    on_runtime(play(arguments, out))
}

async fn play(arguments: &Demo, out: &mut impl Write) -> Result<(), Failure> {
    let begun = Instant::now();
    // From here on there is something to clear away.
    let interrupted = interruption().context("cannot catch signals").map_err(Failure::not_done)?;
    let mut interrupted = pin!(interrupted);
    earlier::clear(|text| progress::say(begun, text)).await;
    let engine = Engine::asked_for(arguments)?;
    let runner = match &engine {
        None => Runner::of_this_host().await?,
        Some(engine) => {
            tokio::select! {
                prepared = engine.prepare(|text| progress::say(begun, text)) => prepared?,
                () = &mut interrupted => return Err(Failure::not_done(anyhow!("the demo was interrupted before it began"))),
            }
            Runner::of_containers(arguments.runner.as_deref()).await?
        }
    };
    let limit = if engine.is_some() { LIMIT_OF_CONTAINERS } else { LIMIT };
    let stage = Stage::build(arguments.keep, engine, runner).await?;
    let options = Options { supervisor: short_lived(supervisor()?), once: false, file: None };
    let daemon = Daemon::start(&stage.config, &options).map_err(not_started)?;
    let control = daemon.control();
    let mut progress = Progress::new(daemon.reports(), begun);
    progress.say(&stage.introduction());
    let mut director = Director::new(workload::scenes(&stage, arguments.jobs));

    let curtain = tokio::select! {
        () = director.direct(&stage, &mut progress) => Curtain::Done,
        () = tokio::time::sleep(limit) => Curtain::TooLate,
        () = &mut interrupted => Curtain::Interrupted,
    };
    if curtain == Curtain::Interrupted {
        let most = CALL_OFF.as_secs();
        progress.say(&format!("interrupted: cancelling what there is, and clearing away, in {most} s at most"));
        // What is not done by then is counted, and told.
        let _ = tokio::time::timeout(CALL_OFF, director::call_off(&stage, &mut progress)).await;
    }
    let reasons = progress.into_reasons();
    control.stop();
    daemon.ended().await;

    let left = stage.left().await;
    let cleared = stage.clear_machines().await;
    let leaked_machines = match left {
        Ok(left) => left,
        Err(error) => {
            stage.strike(cleared).await?;
            return Err(error);
        }
    };
    let counters = Counters::read(&stage.emulator, leaked_machines);
    let verdict = Verdict::of(&stage.emulator, &workload::expectations(arguments.jobs), &reasons, curtain, &counters);
    if arguments.json {
        counters.print_json(out, &verdict.complaints, begun.elapsed())?;
    } else {
        table::print(out, &verdict)?;
        counters.print(out, begun.elapsed())?;
    }
    stage.strike(cleared).await?;
    match verdict.complaints.as_slice() {
        [] => Ok(()),
        complaints => Err(Failure::not_done(anyhow!("the demo did not end as it should: {}", complaints.join("; ")))),
    }
}

/// The same supervisor, whose machines end by themselves: those of a daemon outlive it on purpose, but a demo that is killed
/// is not to leave runners that ask a dead forge for ever.
fn short_lived(mut supervisor: Program) -> Program {
    supervisor.arguments.push(format!("--longest={LONGEST}"));
    supervisor
}

/// Ends at the first signal that asks for an end. They are caught from the call on and for the rest of the process's life,
/// so that a second one does not cut the clearing short.
fn interruption() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
