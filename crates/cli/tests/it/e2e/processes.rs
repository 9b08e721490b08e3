//! The process table, as far as it concerns the machines of one deployment.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A process of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) id: i32,
    /// Its command line, with spaces between the arguments.
    pub(crate) command: String,
}

impl Process {
    pub(crate) fn kill(&self) {
        signal(self.id, Signal::KILL);
    }

    pub(crate) fn is_supervisor(&self) -> bool {
        self.command.contains(" supervise ")
    }
}

/// Sends a signal to a process, which may have ended meanwhile.
pub(crate) fn signal(id: i32, signal: Signal) {
    if let Some(id) = Pid::from_raw(id) {
        let _ = kill_process(id, signal);
    }
}

/// Every process that carries the marker of a machine of exactly this deployment.
pub(crate) fn of_deployment(deployment: &str) -> Vec<Process> {
    let marker = format!("{}={deployment}/", backend_host::MARKER);
    all()
        .filter_map(|(id, folder)| {
            let environment = fs::read(folder.join("environ")).ok()?;
            let is_ours = environment.split(|&byte| byte == 0).any(|pair| pair.starts_with(marker.as_bytes()));
            is_ours.then(|| Process { id, command: command(&folder) })
        })
        .collect()
}

/// Kills every process of this deployment's machines. Whatever one starts while others are killed is found by the next
/// look.
pub(crate) fn end_all(deployment: &str) {
    super::world::wait(|| {
        let left = of_deployment(deployment);
        left.iter().for_each(Process::kill);
        left.is_empty()
    });
}

/// The control groups that the records of machines name, in the directory of all backends.
pub(crate) fn groups(machines: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let records = below(machines).flat_map(|backend| below(&backend).collect::<Vec<_>>());
    let read = |machine: PathBuf| {
        let record: Value = serde_json::from_slice(&fs::read(machine.join("machine.json")).ok()?).ok()?;
        record["control_group"].as_str().map(PathBuf::from)
    };
    records.filter_map(read).collect()
}

/// Removes the groups of machines that nobody else will come back to, once their processes have ended.
pub(crate) fn remove_groups(groups: &[PathBuf]) {
    for group in groups {
        super::world::wait(|| fs::remove_dir(group).is_ok() || !group.exists());
        // The last one takes the group of its deployment along.
        let _ = group.parent().map(fs::remove_dir);
    }
}

/// Every process, with its folder below `/proc`.
pub(crate) fn all() -> impl Iterator<Item = (i32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn command(folder: &std::path::Path) -> String {
    let command = fs::read(folder.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).replace('\0', " ")
}
