//! `forgescale gc`: removes what is left behind, by hand.
//!
//! ```text
//! another deployment? ─► clean up after it, beside whatever runs
//! our own ─► is the state directory free? ─► clean up, as a daemon that launches nothing
//!                └► a daemon has it ─► it cleans up anyway: have it look at once, and tell
//! ```

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use daemon::config::{self, Config, Surroundings};
use daemon::control::{Left, Reply, Request};
use daemon::{Collect, Collected, Collection, Daemon, LockError, StartError, StateDirectory, Waiting};
use planner::report::short;
use tokio::sync::watch;

use super::asking::{asked, unexpected};
use super::explain::plain;
use super::run::{not_started, obey_signals, on_runtime, supervisor};
use crate::arguments::{Gc, Place};
use crate::failure::Failure;

/// What the program ends with when something is left that should be gone.
const LEFT: u8 = 1;

/// The pause between two looks at what is waited for: what takes no longer is not worth a line.
const LOOK: Duration = Duration::from_secs(1);

/// After so long it is told again that the same is waited for.
const AGAIN: Duration = Duration::from_secs(5);

/// Cleans up and says what came of it.
pub(super) fn run(arguments: &Gc, out: &mut impl Write) -> Result<(), Failure> {
    let config = Config::load(&arguments.config, &Surroundings::of_process())?;
    let of_another = arguments.deployment.as_ref().filter(|name| name.as_str() != config.deployment.as_str());
    let how = Collect { dry_run: arguments.dry_run, another: of_another.is_some(), force: arguments.force };
    if arguments.force && of_another.is_none() {
        return Err(Failure::usage(anyhow!("--force is for another deployment"))
            .hint("name it with --deployment; of our own, all that may go goes anyway"));
    }
    match of_another {
        Some(deployment) => {
            let deployment = config::deployment(deployment)
                .map_err(|problem| Failure::usage(anyhow!(problem.reason)).hint(problem.hint))?;
            let (mut config, supervisor) = (config, supervisor()?);
            let collected = collected(|| Daemon::collect_for(&deployment, &mut config, &supervisor, how))?;
            print(deployment.as_str(), &collected, out)
        }
        None => match StateDirectory::try_lock(&config.state_directory) {
            Ok(directory) => {
                let supervisor = supervisor()?;
                let collected = collected(|| Daemon::collect_in(directory, &config, &supervisor, how))?;
                print(config.deployment.as_str(), &collected, out)
            }
            Err(LockError::Taken { .. }) => ask(arguments, out),
            Err(error) => Err(not_started(error.into())),
        },
    }
}

/// Waits for what comes of a cleaning; a signal ends it early.
fn collected(start: impl FnOnce() -> Result<Collection, StartError>) -> Result<Collected, Failure> {
    let mut ended = None;
    on_runtime(async {
        let Collection { daemon, collected, waiting } = start().map_err(not_started)?;
        let signals = tokio::spawn(obey_signals(daemon.control(), false));
        let telling = tokio::spawn(tell(waiting));
        let well = daemon.ended().await;
        signals.abort();
        telling.abort();
        ended = collected.await.ok().filter(|_| well);
        Ok(())
    })?;
    ended.ok_or_else(|| {
        Failure::not_done(anyhow!("it was ended before it was done")).hint("run it again: nothing is half done")
    })
}

/// Tells on standard error what is waited for: when that changes, and now and then.
async fn tell(waiting: watch::Receiver<Waiting>) {
    let begun = Instant::now();
    let mut told = (Waiting::default(), begun);
    loop {
        tokio::time::sleep(LOOK).await;
        let now = waiting.borrow().clone();
        if now.is_empty() || (now.is_about_the_same(&told.0) && told.1.elapsed() < AGAIN) {
            continue;
        }
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr(), "waiting for {}: {}", short(begun.elapsed()), plain(&now.to_string()));
        told = (now, Instant::now());
    }
}

/// A daemon is there and cleans up by itself.
fn ask(arguments: &Gc, out: &mut impl Write) -> Result<(), Failure> {
    let place = Place { config: Some(arguments.config.clone()), state_directory: None };
    let Reply::Cleaning(left) = asked(&place, &Request::Gc { list: !arguments.dry_run })? else {
        return Err(unexpected());
    };
    let looked = if arguments.dry_run { "" } else { "; it has looked at everything just now" };
    writeln!(out, "the daemon is running and cleans up by itself{looked}")?;
    told(&left, "being cleaned up", out)?;
    if left == Left::default() {
        writeln!(out, "there is nothing to clean up")?;
    }
    let is_all_well = left.unseen.is_empty() && left.set_aside.is_empty();
    if is_all_well { Ok(()) } else { Err(Failure::Told { status: LEFT }) }
}

fn print(deployment: &str, collected: &Collected, out: &mut impl Write) -> Result<(), Failure> {
    let Collected { removed, would_go, alive, left, running, finished } = collected;
    writeln!(out, "deployment {deployment}")?;
    list("removed", removed, out)?;
    list("would be removed, or stopped and removed", would_go, out)?;
    list("left alone, since it may be in use (--force takes it)", alive, out)?;
    match running {
        0 => {}
        1 => writeln!(out, "1 machine runs its job and is left alone")?,
        _ => writeln!(out, "{running} machines run their jobs and are left alone")?,
    }
    if *finished {
        if removed.is_empty() && would_go.is_empty() && alive.is_empty() && *running == 0 {
            writeln!(out, "there is nothing to clean up")?;
        }
        return Ok(());
    }
    told(left, "left", out)?;
    writeln!(out, "not all could be seen or removed in time: run it again once that is mended")?;
    Err(Failure::Told { status: LEFT })
}

fn list(title: &str, lines: &[String], out: &mut impl Write) -> std::io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}:")?;
    lines.iter().try_for_each(|line| writeln!(out, "  {}", plain(line)))
}

/// What is there, with the reason for each.
fn told(left: &Left, what: &str, out: &mut impl Write) -> std::io::Result<()> {
    let Left { set_aside, unseen, more, .. } = left;
    list(what, &left.lines(), out)?;
    list("needs a human", &set_aside.iter().map(ToString::to_string).collect::<Vec<_>>(), out)?;
    list("could not be looked at", unseen, out)?;
    if *more > 0 {
        writeln!(out, "and {more} more: see `forgescale explain all`")?;
    }
    Ok(())
}
