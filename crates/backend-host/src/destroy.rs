//! Ending and removing a machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::backend::Destroyed;
use planner::ids::MachineName;
use planner::seen::Exit;
use rustix::process::Signal;

use crate::backend::Host;
use crate::containers;
use crate::error::HostError;
use crate::folder::{self, Folder};
use crate::held::Phase;
use crate::kept::{self, Kept, Machine};
use crate::process::Process;
use crate::records::{MachineRecord, StopRecord};
use crate::remains;
use crate::removal;

/// How many failures to remove containers keep a machine from going. Afterwards its place is worth more: Docker may have
/// been taken away for good.
const REMOVALS: u32 = 10;

/// One step towards its end. Its runner may take `stop` for it, from when it is first asked.
pub(crate) async fn destroy(host: &Arc<Host>, name: &MachineName, stop: Duration) -> Result<Destroyed, HostError> {
    // A name that no machine can have is unknown like any other.
    let Ok(folder) = host.folder(name) else { return Ok(Destroyed::Gone) };
    let _turn = host.turn(name).await;
    let asked = host.update(name, |held| held.asked_to_end);
    let looked = folder.clone();
    let came_to = match host.blocking(move |host| step(host, &looked, asked, stop)).await? {
        Step::Dead(machine) => {
            if machine.containers && !ended_by_itself(&machine) {
                remove_containers(host, &machine.record).await?;
            }
            host.blocking(move |host| remove(host, &folder, &machine)).await?
        }
        other => other,
    };
    host.update(name, |held| {
        // A supervisor that waits for its launch ends when the pipe closes.
        held.phase = Phase::Unheld;
        held.watched &= !matches!(came_to, Step::Gone);
        held.asked_to_end = match came_to {
            Step::Asked => Some(Instant::now()),
            Step::Waiting | Step::Dead(_) => asked,
            Step::Gone => None,
        };
        if matches!(came_to, Step::Gone) {
            held.failed_removals = 0;
        }
    });
    host.changed();
    Ok(if matches!(came_to, Step::Gone) { Destroyed::Gone } else { Destroyed::Accepted })
}

#[derive(Debug)]
enum Step {
    /// The supervisor was asked to end.
    Asked,
    /// Not yet gone.
    Waiting,
    /// No process is left, but files and more are.
    Dead(Box<Machine>),
    /// Nothing is left.
    Gone,
}

fn step(host: &Host, folder: &Folder, asked: Option<Instant>, stop: Duration) -> Result<Step, HostError> {
    let machine = match kept::read_now(folder, &host.settings.deployment)? {
        Kept::Ours(machine) => machine,
        Kept::Missing | Kept::Foreign => return Ok(Step::Gone),
        Kept::Unreadable(source) => return Err(HostError::File { path: folder.path().to_owned(), source }),
    };
    let processes = |source| HostError::Processes { source };
    if let Some(supervisor) = machine.supervisor {
        return ask(folder, &machine, supervisor, asked, stop).map_err(processes);
    }
    // After a regular end there is none, and this only makes sure. Otherwise nobody else would end them.
    if !remains::kill(host, &machine.record).map_err(processes)? {
        return Ok(Step::Waiting);
    }
    Ok(Step::Dead(Box::new(*machine)))
}

/// Removes what is left of a machine without processes.
fn remove(host: &Host, folder: &Folder, machine: &Machine) -> Result<Step, HostError> {
    if let Some(group) = host.control_group(&machine.record)
        && !group.remove()?
    {
        return Ok(Step::Waiting);
    }
    if !remains::clear_shared_places(host, &machine.record).map_err(|source| HostError::Processes { source })? {
        return Ok(Step::Waiting);
    }
    let gone = removal::remove_machine(&host.settings.directory, folder, &machine.record.name)?;
    Ok(if gone { Step::Gone } else { Step::Waiting })
}

/// A runner that ends as it should has removed its containers. (2 is also what a crash of it ends with.)
fn ended_by_itself(machine: &Machine) -> bool {
    matches!(machine.exit(), Exit::Code(0 | 1) | Exit::NeverStarted)
}

async fn remove_containers(host: &Host, record: &MachineRecord) -> Result<(), HostError> {
    let Err(error) = containers::remove(host, record).await else { return Ok(()) };
    let failed = host.update(&record.name, |held| {
        held.failed_removals += 1;
        held.failed_removals
    });
    if failed <= REMOVALS {
        return Err(error);
    }
    tracing::warn!(machine = %record.name, %error, "containers of a killed runner may be left: look for their label");
    Ok(())
}

/// Asks once, and again only when the time that the runner was given is over: a second request means "kill now".
fn ask(
    folder: &Folder,
    machine: &Machine,
    supervisor: Process,
    asked: Option<Instant>,
    stop: Duration,
) -> std::io::Result<Step> {
    if machine.exit.is_some() {
        return Ok(Step::Waiting);
    }
    match asked {
        // An earlier daemon has asked: give it the time anew.
        None if machine.stopping => Ok(Step::Asked),
        Some(at) if at.elapsed() < stop => Ok(Step::Waiting),
        _ => {
            let stop_ms = u64::try_from(stop.as_millis()).unwrap_or(u64::MAX);
            // Without it the supervisor takes the time that it was started with, and we ask again when ours is over.
            let _ = folder.write(folder::STOP, &StopRecord { stop_ms });
            supervisor.signal(Signal::TERM)?;
            // A job can have stopped it.
            supervisor.signal(Signal::CONT)?;
            Ok(Step::Asked)
        }
    }
}
