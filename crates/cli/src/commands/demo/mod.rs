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

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use daemon::{Daemon, Options};

use super::run::{not_started, runtime, supervisor};
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
    /// Ctrl-C.
    Interrupted,
}

/// Plays the demo.
pub(super) fn run(arguments: &Demo, out: &mut impl Write) -> Result<(), Failure> {
    runtime()?.block_on(play(arguments, out))
}

async fn play(arguments: &Demo, out: &mut impl Write) -> Result<(), Failure> {
    let begun = Instant::now();
    let stage = Stage::build(arguments.keep).await?;
    let options = Options { supervisor: supervisor()?, once: false };
    let daemon = Daemon::start(&stage.config, &options).map_err(not_started)?;
    let control = daemon.control();
    let mut progress = Progress::new(daemon.reports(), begun);
    progress.say(&stage.introduction());
    let mut director = Director::new(workload::scenes(&stage, arguments.jobs));

    let curtain = tokio::select! {
        () = director.direct(&stage, &mut progress) => Curtain::Done,
        () = tokio::time::sleep(LIMIT) => Curtain::TooLate,
        _ = tokio::signal::ctrl_c() => Curtain::Interrupted,
    };
    let reasons = progress.into_reasons();
    control.stop();
    daemon.ended().await;

    let leaked_machines = processes::machines(&stage);
    clearing::clear_machines(&stage).await;
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
