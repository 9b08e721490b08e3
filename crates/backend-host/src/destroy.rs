//! Ending and removing a machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::backend::Destroyed;
use planner::ids::MachineName;
use rustix::process::Signal;

use crate::backend::Host;
use crate::error::HostError;
use crate::folder::Folder;
use crate::held::Phase;
use crate::kept::{self, Kept, Machine};
use crate::marked;
use crate::process::Process;
use crate::removal;

/// One step towards its end.
pub(crate) async fn destroy(host: &Arc<Host>, name: &MachineName) -> Result<Destroyed, HostError> {
    // A name that no machine can have is unknown like any other.
    let Ok(folder) = host.folder(name) else { return Ok(Destroyed::Gone) };
    let _turn = host.turn(name).await;
    let asked = host.update(name, |held| held.asked_to_end);
    let step = host.blocking(move |host| step(host, &folder, asked)).await?;
    host.update(name, |held| {
        // A supervisor that waits for its launch ends when the pipe closes.
        held.phase = Phase::Unheld;
        held.watched &= step != Step::Gone;
        held.asked_to_end = match step {
            Step::Asked => Some(Instant::now()),
            Step::Waiting => asked,
            Step::Gone => None,
        };
    });
    host.changed();
    Ok(if step == Step::Gone { Destroyed::Gone } else { Destroyed::Accepted })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The supervisor was asked to end.
    Asked,
    /// Not yet gone.
    Waiting,
    /// Nothing is left.
    Gone,
}

fn step(host: &Host, folder: &Folder, asked: Option<Instant>) -> Result<Step, HostError> {
    let machine = match kept::read_now(folder, &host.settings.deployment)? {
        Kept::Ours(machine) => machine,
        Kept::Missing | Kept::Foreign => return Ok(Step::Gone),
        Kept::Unreadable(source) => return Err(HostError::File { path: folder.path().to_owned(), source }),
    };
    let processes = |source| HostError::Processes { source };
    if let Some(supervisor) = machine.supervisor {
        return ask(&machine, supervisor, asked).map_err(processes);
    }
    // After a regular end there is none, and this only makes sure. Otherwise nobody else would end them.
    if !marked::kill(&host.marker(&machine.record.name)).map_err(processes)? {
        return Ok(Step::Waiting);
    }
    let gone = removal::remove_machine(&host.settings.directory, folder, &machine.record.name)?;
    Ok(if gone { Step::Gone } else { Step::Waiting })
}

/// Asks once, and again only when the time that the runner was given is over: a second request means "kill now".
fn ask(machine: &Machine, supervisor: Process, asked: Option<Instant>) -> std::io::Result<Step> {
    if machine.exit.is_some() {
        return Ok(Step::Waiting);
    }
    let stop_grace = Duration::from_millis(machine.record.stop_grace_ms);
    match asked {
        // An earlier daemon has asked: give it the time anew.
        None if machine.stopping => Ok(Step::Asked),
        Some(at) if at.elapsed() < stop_grace => Ok(Step::Waiting),
        _ => {
            supervisor.signal(Signal::TERM)?;
            // A job can have stopped it.
            supervisor.signal(Signal::CONT)?;
            Ok(Step::Asked)
        }
    }
}
