//! Starting the runner and staying with it to its end.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Write as _};
use std::os::unix::fs::fchown;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use planner::seen::Exit;
use rustix::process::{Pid, Signal, WaitStatus};
use secrecy::{ExposeSecret as _, SecretString};

use super::log::Output;
use super::signals::Signals;
use super::sweep::{self, Pace};
use super::talk::Daemon;
use super::{Doing as _, SupervisorError, end_without_runner, wait};
use crate::acknowledgement::Acknowledgement;
use crate::control_group::ControlGroup;
use crate::folder::{self, Folder};
use crate::launch_frame::LaunchIn;
use crate::promises;
use crate::records::{BindingRecord, ExitRecord, StopRecord, StoppingRecord};
use crate::user::User;

/// Serves one launch to the end of the machine.
pub(super) fn serve(
    folder: &Folder,
    launch: LaunchIn,
    longest: Option<Duration>,
    signals: &mut Signals,
    daemon: &mut Daemon,
) -> Result<(), SupervisorError> {
    let end_by = longest.and_then(|longest| Instant::now().checked_add(longest));
    let stop_grace = Duration::from_millis(launch.stop_grace_ms);
    let group = launch.control_group.clone().map(ControlGroup::new);
    let (runner, mut output) = match start(folder, launch) {
        Ok(started) => started,
        Err(reason) => {
            end_without_runner(folder, &reason)?;
            daemon.say(&Acknowledgement::NotStarted { reason });
            return Ok(());
        }
    };
    daemon.say(&Acknowledgement::Started);

    let (status, pace) = watch(folder, runner, (stop_grace, end_by), signals, &mut output).doing("watch the runner")?;
    let swept =
        sweep::all(runner, group.as_ref(), pace, signals, &mut output).doing("end what the runner left behind")?;
    output.finish();
    let exit = status.or(swept.runner).map_or(Exit::Unknown, exit_of);
    let record = ExitRecord { exit, ended_ms: ::backend::wall_ms(), strays: swept.strays, reason: None };
    folder.write(folder::EXIT, &record).doing("write exit.json")
}

/// Writes the binding, then starts the runner and hands it its token. An error says why there is no runner.
fn start(folder: &Folder, launch: LaunchIn) -> Result<(Pid, Output), String> {
    let (user, containers) = (launch.user, launch.containers);
    let binding = BindingRecord { binding: launch.binding, started_ms: ::backend::wall_ms(), containers };
    folder.write(folder::BINDING, &binding).map_err(|error| format!("could not write binding.json: {error}"))?;
    let pipe = || pipe_of(user.as_ref()).map_err(|error| format!("could not make a pipe: {error}"));
    let ((reader, writer), (token_reader, token_writer)) = (pipe()?, pipe()?);
    let output = Output::new(reader, folder, launch.log_limit)
        .map_err(|error| format!("could not prepare the runner's output: {error}"))?;
    let second_writer = writer.try_clone().map_err(|error| format!("could not make a pipe: {error}"))?;

    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment)
        .current_dir(folder.file(folder::WORK))
        .stdin(token_reader)
        .stdout(writer)
        .stderr(second_writer)
        // A job that signals its own process group must not reach its supervisor.
        .process_group(0);
    let group = launch.control_group.map(|path| ControlGroup::new(path).members()).transpose();
    let group = group.map_err(|error| format!("could not open its control group: {error}"))?;
    promises::begins_life(&mut command, user.as_ref(), group);
    let child = command.spawn().map_err(|error| format!("could not run {}: {error}", launch.program.display()))?;
    // With its copies of the pipes' other ends, so that ends can be seen.
    drop(command);
    hand_over(token_writer, &launch.token);
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("the runner has no process id")?;
    Ok((id, output))
}

/// Writes the token and closes the pipe. It fits the pipe's buffer. A runner that has closed it will say so itself.
fn hand_over(mut pipe: PipeWriter, token: &SecretString) {
    match pipe.write_all(token.expose_secret().as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "supervisor: could not hand the token over: {error}");
        }
        _ => {}
    }
}

/// A pipe that the runner may also open by name (`/dev/stdin`): for that it has to be its own.
fn pipe_of(user: Option<&User>) -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    if let Some(user) = user {
        fchown(&reader, Some(user.uid), Some(user.gid))?;
    }
    Ok((reader, writer))
}

/// Stays until the runner has ended or everything is to be killed.
fn watch(
    folder: &Folder,
    runner: Pid,
    (stop_grace, end_by): (Duration, Option<Instant>),
    signals: &mut Signals,
    output: &mut Output,
) -> io::Result<(Option<WaitStatus>, Pace)> {
    let mut kill_at: Option<Instant> = None;
    loop {
        if let Some(status) = wait::reap(runner)?.runner {
            return Ok((Some(status), Pace::Gentle));
        }
        let left = kill_at.into_iter().chain(end_by).min().map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok((None, Pace::AtOnce));
        }
        let [stops, children] = signals.sources();
        let sources: Vec<_> = [stops, children].into_iter().chain(output.source()).collect();
        wait::readable(&sources, left)?;
        output.turn();
        match (signals.take_stops(), kill_at) {
            (0, _) => {}
            (1, None) => {
                let asked = folder.read::<StopRecord>(folder::STOP).good();
                let stop = asked.map_or(stop_grace, |asked| Duration::from_millis(asked.stop_ms));
                kill_at = Instant::now().checked_add(stop);
                ask_to_end(folder, runner)?;
            }
            _ => return Ok((None, Pace::AtOnce)),
        }
    }
}

fn ask_to_end(folder: &Folder, runner: Pid) -> io::Result<()> {
    // The runner is our child and not reaped, so its id is still its own.
    rustix::process::kill_process(runner, Signal::TERM)?;
    if let Err(error) = folder.write(folder::STOPPING, &StoppingRecord { asked_ms: ::backend::wall_ms() }) {
        // Only the listing misses it.
        let _ = writeln!(io::stderr(), "supervisor: could not write stopping.json: {error}");
    }
    Ok(())
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}
