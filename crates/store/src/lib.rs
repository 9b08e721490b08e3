//! Memory that outlives the process: back-off and history in `SQLite`.
//!
//! ```text
//! owner task ─► Store ─(bounded channel)─► writer thread ─► one transaction for all that waits ─► NAME (WAL)
//!                 └ full: dropped and counted                    other processes ─► history(NAME, …)
//! ```
//!
//! Promises:
//! - Saving never blocks and never fails the caller: what is kept here is comfort, not truth (design section 2). A change
//!   that finds the channel full is dropped and counted; the next save of the same key makes up for it.
//! - A file that is no sound database is moved aside and a fresh one is begun; one of a newer version is left alone.
//! - Everything is bounded: the channel, the memory, the history, the log lines about a disk that is full.
//!
//! Deliberately absent: any decision, any secret, and any meaning of the memory's keys and values.
#![forbid(unsafe_code)]

mod error;
mod history;
mod memory;
mod open;
mod schema;
mod store;
mod writer;

pub use error::StoreError;
pub use history::{HistoryFilter, HistoryRow, MOST_HISTORY_ROWS, history};
pub use memory::{MemoryChange, MemoryRow};
pub use open::files;
pub use store::{Loaded, Store};
