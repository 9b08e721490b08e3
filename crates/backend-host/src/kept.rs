//! One machine as its folder and the process table show it.
//!
//! The order of reading is what makes it right: first whether the supervisor lives, then what it wrote. So what is read
//! of a dead supervisor is final.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use planner::ids::{DeploymentId, MachineName};
use planner::seen::{Binding, Exit};

use crate::error::{At as _, HostError};
use crate::folder::{BINDING, EXIT, Folder, Found, MACHINE, STOPPING, SUPERVISOR};
use crate::process::{self, Process};
use crate::records::{BindingRecord, ExitRecord, MachineRecord, StoppingRecord, SupervisorRecord};

/// A folder, as found.
#[derive(Debug)]
pub(crate) enum Kept {
    /// There is none.
    Missing,
    /// It belongs to another deployment.
    Foreign,
    /// Nothing can be said about it.
    Unreadable(io::Error),
    /// Ours.
    Ours(Box<Machine>),
}

/// A machine of ours.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) record: MachineRecord,
    /// Its supervisor, if it lives.
    pub(crate) supervisor: Option<Process>,
    pub(crate) bound: Bound,
    pub(crate) stopping: bool,
    pub(crate) exit: Option<ExitRecord>,
    /// Whether its runner may have made containers.
    pub(crate) containers: bool,
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Nothing.
    No,
    /// This.
    To(Binding),
    /// Something, but the file cannot be read.
    Unreadable,
}

impl Machine {
    /// What was started and did start.
    pub(crate) fn started(&self) -> Option<Binding> {
        match (&self.bound, &self.exit) {
            (_, Some(ExitRecord { exit: Exit::NeverStarted, .. })) | (Bound::No | Bound::Unreadable, _) => None,
            (Bound::To(binding), _) => Some(binding.clone()),
        }
    }

    /// How a machine ended of which no process is left.
    pub(crate) fn exit(&self) -> Exit {
        match (&self.exit, &self.bound) {
            (Some(record), _) => record.exit,
            // The binding is written before the runner is started.
            (None, Bound::No) => Exit::NeverStarted,
            (None, Bound::To(_) | Bound::Unreadable) => Exit::Unknown,
        }
    }
}

/// The users of all machines in the directory but one, whosever and in whatever state they are. An error while one of the
/// records cannot be read: it may name any of them.
pub(crate) fn users(directory: &Path, but: Option<&MachineName>) -> Result<BTreeSet<u32>, HostError> {
    let mut users = BTreeSet::new();
    for entry in fs::read_dir(directory).at(directory)? {
        let folder = Folder::new(entry.at(directory)?.path());
        let record = match folder.read::<MachineRecord>(MACHINE) {
            Found::Good(record) => record,
            Found::Missing | Found::Bad(_) if !folder.may_have_a_user() => continue,
            Found::Missing => return Err(unclear(&folder, io::Error::other("no machine.json"))),
            Found::Bad(source) => return Err(unclear(&folder, source)),
        };
        users.extend(record.user.filter(|_| but != Some(&record.name)).map(|user| user.uid));
    }
    Ok(users)
}

fn unclear(folder: &Folder, source: io::Error) -> HostError {
    HostError::UserUnclear { folder: folder.path().to_owned(), source }
}

/// Reads one folder. `boot` is the boot that is running.
pub(crate) fn read(folder: &Folder, deployment: &DeploymentId, boot: &str) -> Kept {
    let record: MachineRecord = match folder.read(MACHINE) {
        Found::Good(record) => record,
        Found::Missing if !folder.path().exists() => return Kept::Missing,
        Found::Missing => return Kept::Unreadable(io::Error::other("no machine.json")),
        Found::Bad(error) => return Kept::Unreadable(error),
    };
    if record.deployment != *deployment {
        return Kept::Foreign;
    }
    if folder.path().file_name().and_then(|name| name.to_str()) != Some(record.name.as_str()) {
        return Kept::Unreadable(io::Error::other("machine.json names another machine"));
    }
    let supervisor = living_supervisor(folder, boot);
    let (bound, containers) = match folder.read::<BindingRecord>(BINDING) {
        Found::Good(record) => (Bound::To(record.binding), record.containers),
        Found::Missing => (Bound::No, false),
        Found::Bad(_) => (Bound::Unreadable, true),
    };
    let stopping = folder.read::<StoppingRecord>(STOPPING).good().is_some();
    let exit = folder.read::<ExitRecord>(EXIT).good();
    Kept::Ours(Box::new(Machine { record, supervisor, bound, stopping, exit, containers }))
}

/// Reads one folder, as far as the process table can be asked at all.
pub(crate) fn read_now(folder: &Folder, deployment: &DeploymentId) -> Result<Kept, HostError> {
    let boot = process::boot().map_err(|source| HostError::Processes { source })?;
    Ok(read(folder, deployment, &boot))
}

fn living_supervisor(folder: &Folder, boot: &str) -> Option<Process> {
    let record = folder.read::<SupervisorRecord>(SUPERVISOR).good()?;
    (record.boot == boot && record.process.is_alive()).then_some(record.process)
}
