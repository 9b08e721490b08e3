//! What machines are written down in a directory, whosever they are: for whoever looks at it from outside and changes
//! nothing.

use std::fs;
use std::path::Path;

use planner::ids::DeploymentId;
use planner::seen::MachineTags;

use crate::folder::{Folder, MACHINE};
use crate::records::MachineRecord;

/// Most folders that are looked at: far more machines than a host has.
const MOST: usize = 10_000;

/// A machine that is written down; whether it lives is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Whose it is.
    pub deployment: DeploymentId,
    /// The facts that it was made with.
    pub tags: MachineTags,
}

/// The machines in the directory of a backend, as far as they can be read. Blocks; nothing is changed.
pub fn recorded(directory: &Path) -> Vec<Recorded> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let records = entries.take(MOST).flatten().filter_map(|entry| {
        let folder = Folder::new(entry.path());
        folder.may_have_a_user().then(|| folder.read::<MachineRecord>(MACHINE).good()).flatten()
    });
    records.map(|record| Recorded { deployment: record.deployment, tags: record.tags }).collect()
}
