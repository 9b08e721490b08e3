//! What can go wrong with the store before it runs; afterwards nothing is fatal.

use std::io;
use std::path::PathBuf;

/// Why there is no store, or no answer from it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be opened or made ready.
    #[error("cannot open the store {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The database was written by a newer version of this program.
    #[error("the store {} has version {found}, and this program knows versions up to {known}: use a newer program, or move the file away", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A file that is no sound database could not be moved aside.
    #[error("the store {} is corrupt and cannot be moved aside", path.display())]
    MoveAside {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The writer thread could not be started.
    #[error("cannot start the thread of the store")]
    Thread(#[source] io::Error),
    /// A question to the database failed.
    #[error("cannot read the store {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}
