//! What is remembered beyond the process, in a small file. A loss of it costs room on the engine's disk alone.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is in a file of at most so many bytes; nothing where there is none. Blocks.
pub(crate) fn load<T: DeserializeOwned>(file: &Path, most_bytes: u64) -> io::Result<Option<T>> {
    let bytes = match std::fs::metadata(file) {
        Ok(metadata) if metadata.len() > most_bytes => return Err(io::Error::other("it is too large to be ours")),
        Ok(_) => std::fs::read(file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other)
}

/// Writes it down in one step. Blocks.
pub(crate) fn save<T: Serialize>(file: &Path, record: &T) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut next = PathBuf::from(file);
    next.as_mut_os_string().push(".next");
    let mut options = std::fs::OpenOptions::new();
    let mut open = options.write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    serde_json::to_writer(&mut open, record).map_err(io::Error::other)?;
    std::fs::rename(&next, file)
}
