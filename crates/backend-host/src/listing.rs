//! Listing the machines.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use ::backend::Machines;
use planner::ids::MachineName;
use planner::seen::{MachineSeen, MachineState};

use crate::backend::Host;
use crate::create::supervisor_ended;
use crate::error::{At as _, HostError};
use crate::folder::{self, Folder, Found};
use crate::held::Phase;
use crate::kept::{self, Bound, Kept, Machine};
use crate::process::{self, Process};
use crate::promises;
use crate::records::MachineRecord;
use crate::remains;
use crate::removal;

/// Every machine of our deployment.
pub(crate) async fn list(host: &Arc<Host>) -> Result<Machines, HostError> {
    let (machines, living) = host.blocking(|host| read_all(host)).await?;
    for (name, supervisor) in living {
        watch(host, &name, supervisor);
    }
    Ok(machines)
}

type Living = Vec<(MachineName, Process)>;

fn read_all(host: &Host) -> Result<(Machines, Living), HostError> {
    let (deployment, directory) = (&host.settings.deployment, &host.settings.directory);
    let boot = process::boot().map_err(|source| HostError::Processes { source })?;
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(directory).at(directory)? {
        let entry = entry.at(directory)?;
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if let Some(owner) = leftover(&entry.file_name()) {
            unreadable.extend(clean_up(host, &entry.path(), owner));
            continue;
        }
        let folder = Folder::new(entry.path());
        match kept::read(&folder, deployment, &boot) {
            Kept::Missing | Kept::Foreign => {}
            Kept::Unreadable(error) => unreadable.push((entry.path(), error)),
            Kept::Ours(machine) => found.push((folder, *machine)),
        }
    }
    let silent = silent(host, &found)?;
    let mut rows = Vec::with_capacity(found.len());
    let mut living = Living::new();
    for (folder, mut machine) in found {
        let marker = host.marker(&machine.record.name);
        let creating = host.update(&machine.record.name, |held| matches!(held.phase, Phase::Creating));
        if machine.supervisor.is_none() && machine.exit.is_none() && !creating && !silent.contains(&marker) {
            // Its supervisor may have come or gone since it was read, and written more before it went.
            match kept::read(&folder, deployment, &boot) {
                Kept::Ours(again) => machine = *again,
                Kept::Missing | Kept::Foreign | Kept::Unreadable(_) => continue,
            }
        }
        living.extend(machine.supervisor.map(|supervisor| (machine.record.name.clone(), supervisor)));
        let state = state(host, &machine, creating, silent.contains(&marker));
        let binding = machine.started();
        rows.push(MachineSeen { name: machine.record.name, tags: machine.record.tags, binding, state });
    }
    host.held().retain(|_, held| !held.is_idle());
    let complete = unreadable.is_empty();
    warn_once(host, unreadable);
    Ok((Machines { complete, rows }, living))
}

/// The markers of machines without a supervisor and without an end, of which a process is left all the same. One walk
/// through the processes for all of them, begun after it was known that their supervisors are gone.
fn silent(host: &Host, found: &[(Folder, Machine)]) -> Result<BTreeSet<String>, HostError> {
    let without = found.iter().filter(|(_, machine)| machine.supervisor.is_none() && machine.exit.is_none());
    let records: Vec<&MachineRecord> = without.map(|(_, machine)| &machine.record).collect();
    remains::of(host, &records).map_err(|source| HostError::Processes { source })
}

fn state(host: &Host, machine: &Machine, creating: bool, process_left: bool) -> MachineState {
    let (open, asked) = host.update(&machine.record.name, |held| {
        (matches!(held.phase, Phase::Open(_) | Phase::HandedOver), held.asked_to_end.is_some())
    });
    let bound = machine.bound != Bound::No;
    match machine.supervisor {
        Some(_) if machine.stopping || asked || machine.exit.is_some() => MachineState::Stopping,
        Some(_) if bound => MachineState::Running,
        Some(_) if open => MachineState::Ready,
        // Made by an earlier daemon, whose pipe is closed: it will end by itself in a moment.
        Some(_) => MachineState::Creating,
        None if machine.exit.is_some() => MachineState::Ended { exit: machine.exit() },
        None if creating => MachineState::Creating,
        // The runner died with its supervisor, but something that it started did not.
        None if process_left && bound => MachineState::Orphaned,
        // The supervisor itself, before its first word.
        None if process_left => MachineState::Creating,
        None => MachineState::Ended { exit: machine.exit() },
    }
}

/// A folder that is not a machine: one that was being made, or one that was being removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftover {
    New { by: Process },
    Gone,
}

fn leftover(name: &OsStr) -> Option<Leftover> {
    let name = name.to_str()?;
    if name.starts_with(folder::GONE_PREFIX) {
        return Some(Leftover::Gone);
    }
    let mut parts = name.strip_prefix(folder::NEW_PREFIX)?.splitn(3, '.');
    let by = Process { id: parts.next()?.parse().ok()?, started: parts.next()?.parse().ok()? };
    Some(Leftover::New { by })
}

/// Removes a leftover of a crash: small files of ours and no process. One that belongs to somebody is not touched.
fn clean_up(host: &Host, path: &Path, leftover: Leftover) -> Option<(PathBuf, std::io::Error)> {
    if let Leftover::New { by } = leftover
        && by.is_alive()
    {
        return None;
    }
    match Folder::new(path.to_owned()).read::<MachineRecord>(folder::MACHINE) {
        Found::Good(record) if record.deployment != host.settings.deployment => None,
        Found::Good(_) | Found::Missing | Found::Bad(_) => match removal::remove_leftover(path) {
            Ok(_) => None,
            Err(error) => Some((path.to_owned(), std::io::Error::other(error))),
        },
    }
}

/// Warns about each unreadable folder when it becomes one.
fn warn_once(host: &Host, unreadable: Vec<(PathBuf, std::io::Error)>) {
    let mut known = host.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
    for (path, error) in &unreadable {
        if !known.contains(path) {
            tracing::warn!(
                folder = %path.display(), %error,
                "a machine's folder cannot be read, so no listing is complete: repair it, or remove it if nothing runs in it"
            );
        }
    }
    *known = unreadable.into_iter().map(|(path, _)| path).collect();
}

/// Waits for the end of a supervisor that this process did not start, once.
fn watch(host: &Arc<Host>, name: &MachineName, supervisor: Process) {
    if host.update(name, |held| std::mem::replace(&mut held.watched, true)) {
        return;
    }
    match supervisor.open().and_then(|handle| handle.map(promises::awaitable).transpose()) {
        Ok(Some(handle)) => {
            let (host, name) = (Arc::downgrade(host), name.clone());
            tokio::spawn(async move {
                let ended = handle.readable().await.map(|_| ());
                if let (Ok(()), Some(host)) = (ended, host.upgrade()) {
                    supervisor_ended(&host, &name);
                }
            });
        }
        Ok(None) => supervisor_ended(host, name),
        Err(error) => {
            tracing::warn!(machine = %name, %error, "the end of a supervisor will only be seen by listing");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Leftover, leftover};
    use crate::process::Process;

    #[test]
    fn a_leftover_tells_who_made_it() {
        let by = Process { id: 12, started: 3456 };
        assert_eq!(leftover(OsStr::new(".new-12.3456.fs-a.b")), Some(Leftover::New { by }));
        assert_eq!(leftover(OsStr::new(".gone-fs-a")), Some(Leftover::Gone));
        for other in [".new-fs-a", ".new-12.x.fs-a", "fs-a", ".hidden"] {
            assert_eq!(leftover(OsStr::new(other)), None, "{other}");
        }
    }
}
