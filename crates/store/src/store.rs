//! The store as the daemon holds it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::error::StoreError;
use crate::history::HistoryRow;
use crate::memory::{self, MemoryChange, MemoryRow};
use crate::open;
use crate::writer::{Command, Writer};

/// How many commands may wait: more than a disk that works ever lets pile up.
const CAPACITY: usize = 1024;

/// What was remembered when the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// All remembered values, by name.
    pub memory: Vec<MemoryRow>,
}

/// An open store. Dropping it writes what still waits.
#[derive(Debug)]
pub struct Store {
    sender: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
    dropped: AtomicU64,
}

impl Store {
    /// Opens or begins the database at `path` and reads the memory. Blocks.
    pub fn open(path: &Path) -> Result<(Self, Loaded), StoreError> {
        let connection = open::open(path)?;
        let memory = memory::load(&connection).map_err(|source| StoreError::Read { path: path.to_owned(), source })?;
        let (sender, commands) = sync_channel(CAPACITY);
        let writer = Writer::new(path.to_owned(), connection);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(&commands))
            .map_err(StoreError::Thread)?;
        let store = Self { sender: Some(sender), thread: Some(thread), dropped: AtomicU64::new(0) };
        Ok((store, Loaded { memory }))
    }

    /// Changes the memory. Never blocks; false when the changes were dropped, see [`Store::dropped`].
    pub fn remember(&self, changes: Vec<MemoryChange>) -> bool {
        changes.is_empty() || self.send(Command::Remember(changes))
    }

    /// Adds to the history. Never blocks; see [`Store::dropped`].
    pub fn record(&self, row: HistoryRow) {
        self.send(Command::Record(Box::new(row)));
    }

    /// How many calls were dropped because too many waited already (or the thread has died).
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes what still waits, and ends. Blocks.
    pub fn close(self) {
        drop(self);
    }

    fn send(&self, command: Command) -> bool {
        let sent = self.sender.as_ref().is_some_and(|sender| sender.try_send(command).is_ok());
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Without a sender the thread ends as soon as nothing waits any more.
        drop(self.sender.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the store has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_channel_drops_and_counts_and_does_not_block() {
        // Nobody takes anything out of this channel.
        let (sender, commands) = sync_channel(2);
        let store = Store { sender: Some(sender), thread: None, dropped: AtomicU64::new(0) };
        let change = |key: &str| vec![MemoryChange { key: key.to_owned(), value: None }];
        for key in ["a", "b", "c", "d"] {
            store.remember(change(key));
        }
        store.remember(Vec::new());
        assert_eq!(store.dropped(), 2);
        let Ok(Command::Remember(kept)) = commands.recv() else { panic!("nothing was sent") };
        assert_eq!(kept, change("a"));
        store.remember(change("e"));
        assert_eq!(store.dropped(), 2);
    }
}
