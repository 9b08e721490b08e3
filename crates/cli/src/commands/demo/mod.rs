//! `forgescale demo`: an emulated forge with some work, the daemon, the host backend: the very code of `run`.
//!
//! ```text
//! stage (directory, forge, config) ─► daemon ─► director (pushes, cancels, reruns) ─► verdict ─► cleared away
//! ```
//!
//! What it says at the end is taken from the forge's books and the process table, not from the daemon's own records.

mod clearing;
mod counters;
mod director;
mod processes;
mod progress;
mod stage;
mod table;
mod verdict;
mod workload;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use daemon::{Daemon, Options};
use tokio::signal::unix::{SignalKind, signal};

use super::run::{not_started, on_runtime, supervisor};
use crate::arguments::Demo;
use crate::failure::Failure;
use counters::Counters;
use director::Director;
use progress::Progress;
use stage::Stage;
use verdict::Verdict;

/// How long the work may take; it usually takes a third of it.
const LIMIT: Duration = Duration::from_secs(55);

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
    let stage = Stage::build(arguments.keep).await?;
    let options = Options { supervisor: supervisor()?, once: false };
    // From here on there is something to clear away.
    let interrupted = interruption().context("cannot catch signals").map_err(Failure::not_done)?;
    let daemon = Daemon::start(&stage.config, &options).map_err(not_started)?;
    let control = daemon.control();
    let mut progress = Progress::new(daemon.reports(), begun);
    progress.say(&stage.introduction());
    let mut director = Director::new(workload::scenes(&stage, arguments.jobs));

    let curtain = tokio::select! {
        () = director.direct(&stage, &mut progress) => Curtain::Done,
        () = tokio::time::sleep(LIMIT) => Curtain::TooLate,
        () = interrupted => Curtain::Interrupted,
    };
    if curtain == Curtain::Interrupted {
        progress.say("interrupted: stopping what runs, and clearing away");
    }
    let reasons = progress.into_reasons();
    control.stop();
    daemon.ended().await;

    // Interrupted jobs are still there, and nobody but us would end them: what counts is whether that works.
    let leaked_machines = if curtain == Curtain::Interrupted {
        clearing::clear_machines(&stage).await;
        processes::machines(&stage)
    } else {
        let leaked = processes::machines(&stage);
        clearing::clear_machines(&stage).await;
        leaked
    };
    let counters = Counters::read(&stage.emulator, leaked_machines);
    let verdict = Verdict::of(&stage.emulator, &workload::expectations(arguments.jobs), &reasons, curtain, &counters);
    if arguments.json {
        counters.print_json(out, &verdict.complaints, begun.elapsed())?;
    } else {
        table::print(out, &verdict)?;
        counters.print(out, begun.elapsed())?;
    }
    stage.strike().await?;
    match verdict.complaints.as_slice() {
        [] => Ok(()),
        complaints => Err(Failure::not_done(anyhow!("the demo did not end as it should: {}", complaints.join("; ")))),
    }
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
