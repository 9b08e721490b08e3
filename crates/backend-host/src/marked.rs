//! Finding the processes of a machine by the marker in their environment, for when its supervisor is gone.
//!
//! The supervisor knows its descendants. Without it, the marker that the runner was started with is what is left: each
//! child inherits it. A process that emptied its environment on purpose is not found so: its control group shows it, or a
//! user that is its machine's alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};

use rustix::process::Signal;

use crate::folder::MARKER;
use crate::process::{self, Process};

/// How much of an environment is searched. The kernel bounds it by a quarter of the stack limit: 2 MiB as a rule.
const ENVIRONMENT_LIMIT: u64 = 4 << 20;

/// How often a kill is repeated at once: processes fork while they are being killed, and each round finds fewer.
const KILL_ROUNDS: usize = 50;

/// The living processes that carry one of these markers, by marker.
pub(crate) fn find(markers: &BTreeSet<String>) -> io::Result<BTreeMap<String, Vec<Process>>> {
    let mut found = BTreeMap::<String, Vec<Process>>::new();
    if markers.is_empty() {
        return Ok(found);
    }
    // A process that forks and ends during the walk can slip through once, so emptiness must be seen twice.
    for _ in 0..2 {
        for process in process::all()?.into_iter().filter(|stat| stat.alive).map(|stat| stat.process) {
            if let Some(marker) = marker_of(process).filter(|marker| markers.contains(marker)) {
                let known = found.entry(marker).or_default();
                if !known.contains(&process) {
                    known.push(process);
                }
            }
        }
        if found.len() == markers.len() {
            break;
        }
    }
    Ok(found)
}

/// Kills every process that carries the marker. True if none was left at the end.
pub(crate) fn kill(marker: &str) -> io::Result<bool> {
    let markers = BTreeSet::from([marker.to_owned()]);
    for _ in 0..KILL_ROUNDS {
        let found = find(&markers)?;
        let Some(processes) = found.get(marker) else { return Ok(true) };
        for process in processes {
            // The id cannot have passed to another process unseen: the signal compares the start time first.
            process.signal(Signal::KILL)?;
        }
    }
    Ok(false)
}

/// The marker of one process, if it has one that we may read.
fn marker_of(process: Process) -> Option<String> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    if process.id == own {
        return None;
    }
    let mut environment = Vec::new();
    let file = File::open(format!("/proc/{}/environ", process.id)).ok()?;
    file.take(ENVIRONMENT_LIMIT).read_to_end(&mut environment).ok()?;
    let wanted = environment.split(|&byte| byte == 0).find_map(|entry| {
        let (name, value) = entry.split_at_checked(MARKER.len())?;
        (name == MARKER.as_bytes()).then(|| value.strip_prefix(b"=")).flatten()
    })?;
    String::from_utf8(wanted.to_vec()).ok()
}
