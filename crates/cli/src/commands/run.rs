//! `forgescale run`: the daemon, with signals.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use backend_host::Program;
use daemon::config::{Config, ConfigError, Surroundings};
use daemon::{Control, Daemon, Options, StartError, StateDirectory, chain};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Run;
use crate::failure::{Failure, Located};

/// Runs until a signal says otherwise.
pub(super) fn run(arguments: &Run) -> Result<(), Failure> {
    let config = Config::load(&arguments.config, &Surroundings::of_process())?;
    warn(&arguments.config, &config);
    let deployment = config.deployment.clone();
    let options = Options { supervisor: supervisor()?, once: arguments.once, file: Some(arguments.config.clone()) };
    on_runtime(async {
        let daemon = if arguments.follow {
            let Some(directory) = turn(&config).await? else { return Ok(()) };
            Daemon::start_in(directory, &as_it_is_now(&arguments.config, config), &options)
        } else {
            Daemon::start(&config, &options)
        };
        let daemon = daemon.map_err(not_started)?;
        tracing::info!(deployment = %deployment, "started");
        let signals = tokio::spawn(obey_signals(daemon.control(), arguments.drain));
        let well = daemon.ended().await;
        signals.abort();
        tracing::info!("stopped");
        if well {
            Ok(())
        } else {
            Err(Failure::not_done(anyhow!("a task of the daemon died: please report this defect")))
        }
    })
}

/// Waits until the state directory is free; nothing when a signal came first.
async fn turn(config: &Config) -> Result<Option<StateDirectory>, Failure> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    // Caught so that it ends nothing: the configuration is read again anyway when the turn comes.
    let (Ok(mut terminate), Ok(mut interrupt), Ok(_hangup)) = signals else {
        return Err(Failure::not_done(anyhow!("signals cannot be caught: nothing could end the waiting")));
    };
    let end = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    daemon::follow(&config.state_directory, end).await.map_err(|error| not_started(error.into()))
}

/// The configuration may have changed while this daemon waited. One that cannot be used is no reason to leave the jobs
/// alone.
fn as_it_is_now(file: &Path, read_at_start: Config) -> Config {
    match Config::load(file, &Surroundings::of_process()) {
        Ok(now) if now.state_directory == read_at_start.state_directory => now,
        Ok(_) => {
            tracing::error!(
                "state_directory was changed while this daemon waited: it goes on with the old configuration"
            );
            read_at_start
        }
        Err(error) => {
            tell_unusable(&error);
            read_at_start
        }
    }
}

/// One line for each mistake, with its place in the file.
fn tell_unusable(error: &ConfigError) {
    const SAID: &str = "the configuration was changed while this daemon waited, and cannot be used: the old one is";
    match error {
        ConfigError::Problems { file, problems } if !problems.is_empty() => {
            for problem in problems {
                tracing::error!(error = problem.located(file), hint = problem.hint, "{SAID}");
            }
        }
        _ => tracing::error!(error = chain(error), "{SAID}"),
    }
}

/// Runs something on a runtime of its own, and does not wait for what it leaves behind: a name look-up that hangs must
/// not hold up the exit, and what else is cut short is what a kill would cut short, too.
pub(super) fn on_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = built.context("cannot start the runtime").map_err(Failure::not_done)?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// This program and the hidden command that looks after one machine.
pub(super) fn supervisor() -> Result<Program, Failure> {
    let path = std::env::current_exe().context("cannot find this program's own file").map_err(Failure::not_done)?;
    Ok(Program { path, arguments: vec!["supervise".to_owned()] })
}

fn warn(file: &Path, config: &Config) {
    for problem in &config.warnings {
        // Nobody may be there to read it.
        let _ = write!(io::stderr(), "warning: {}", Located { file, problem });
    }
}

/// Why the daemon did not start, with what may help.
pub(super) fn not_started(error: StartError) -> Failure {
    let hint = error.hint();
    let failure = match (&error, hint) {
        // The configuration asks for what cannot be: `check` says the same, with the same status.
        (StartError::Forge(_) | StartError::Backend { .. }, Some(_)) => Failure::usage(error),
        _ => Failure::not_done(error),
    };
    hint.into_iter().fold(failure, Failure::hint)
}

/// SIGTERM or SIGINT: stop at once and leave jobs running; with `drain` the first one waits for them. SIGHUP: read the
/// configuration again.
pub(super) async fn obey_signals(control: Control, drain: bool) {
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tracing::error!("signals cannot be caught: they end this process without a word");
        return;
    };
    let mut drains = drain;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {
                let control = control.clone();
                tokio::spawn(async move { control.reload().await });
                continue;
            }
        }
        if drains {
            tracing::info!("draining: nothing more is launched; the next signal stops at once");
            control.drain();
            drains = false;
        } else {
            tracing::info!("stopping: running jobs go on, and the next start finds them");
            control.stop();
        }
    }
}
