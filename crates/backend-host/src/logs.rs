//! The last lines of a runner's output.

use std::collections::VecDeque;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use planner::ids::DeploymentId;

use crate::error::HostError;
use crate::folder::{self, Folder};
use crate::kept::{self, Kept};

/// How many lines are given: what fits a screen.
const LINES: usize = 50;

/// How much of each of the two files is looked at.
const TAIL_BYTES: u64 = 64 << 10;

/// How much of a line is given.
const LINE_CHARACTERS: usize = 1000;

/// The last lines, oldest first.
pub(crate) fn last_lines(folder: &Folder, deployment: &DeploymentId) -> Result<Vec<String>, HostError> {
    if let Kept::Missing | Kept::Foreign = kept::read_now(folder, deployment)? {
        return Err(HostError::NoMachine);
    }
    let mut bytes = tail(&folder.file(folder::OLDER_LOG))?;
    bytes.extend(tail(&folder.file(folder::LOG))?);
    let mut lines = VecDeque::with_capacity(LINES);
    for line in String::from_utf8_lossy(&bytes).lines() {
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(LINE_CHARACTERS).collect());
    }
    Ok(lines.into())
}

fn tail(path: &Path) -> Result<Vec<u8>, HostError> {
    match read_tail(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|source| HostError::File { path: path.to_owned(), source }),
    }
}

fn read_tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = folder::open_file(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
