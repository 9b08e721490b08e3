//! The thread that owns the database.
//!
//! It takes what waits in the channel, up to a limit, and writes it in one transaction. A write that fails is logged, once
//! a minute at the most, and dropped: a full disk must not stop the daemon.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::history::{self, HistoryRow, MOST_HISTORY_ROWS};
use crate::memory::{self, MOST_MEMORY_ROWS, MemoryChange};

/// How many commands go into one transaction.
const MOST_AT_ONCE: usize = 256;

/// After how many written commands the tables are cut to their limits: seldom enough to cost nothing.
const PRUNE_EVERY: usize = 1000;

/// How often failures are logged.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Change the memory.
    Remember(Vec<MemoryChange>),
    /// Add to the history.
    Record(Box<HistoryRow>),
}

/// The owner of the connection.
pub(crate) struct Writer {
    path: PathBuf,
    connection: Connection,
    written: usize,
    failures: Failures,
}

impl Writer {
    pub(crate) fn new(path: PathBuf, connection: Connection) -> Self {
        // So that the first commands of each life prune: a daemon that is restarted often does so, too.
        Self { path, connection, written: PRUNE_EVERY, failures: Failures::default() }
    }

    /// Works until every sender is gone and the channel is empty.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(first) = commands.recv() {
            let mut batch = vec![first];
            batch.extend(commands.try_iter().take(MOST_AT_ONCE - 1));
            if let Err(error) = self.write(&batch) {
                self.failures.log(&self.path, &error, Instant::now());
            }
        }
    }

    fn write(&mut self, batch: &[Command]) -> rusqlite::Result<()> {
        self.written += batch.len();
        let transaction = self.connection.transaction()?;
        for command in batch {
            match command {
                Command::Remember(changes) => {
                    changes.iter().try_for_each(|change| memory::apply(&transaction, change))?;
                }
                Command::Record(row) => history::add(&transaction, row)?,
            }
        }
        if self.written >= PRUNE_EVERY {
            memory::prune(&transaction, MOST_MEMORY_ROWS)?;
            history::prune(&transaction, MOST_HISTORY_ROWS)?;
            self.written = 0;
        }
        transaction.commit()
    }
}

/// Failed writes, and when they were last spoken of.
#[derive(Debug, Default)]
struct Failures {
    unsaid: u64,
    logged_at: Option<Instant>,
}

impl Failures {
    /// Logs unless it did so less than a minute ago.
    fn log(&mut self, path: &std::path::Path, error: &rusqlite::Error, now: Instant) {
        self.unsaid += 1;
        if self.logged_at.is_some_and(|at| now.duration_since(at) < LOG_EVERY) {
            return;
        }
        tracing::error!(store = %path.display(), failures = self.unsaid, %error, "cannot save to the store; going on");
        *self = Self { unsaid: 0, logged_at: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_logged_once_a_minute() {
        let mut failures = Failures::default();
        let begin = Instant::now();
        let mut unsaid_after = |seconds| {
            let now = begin + Duration::from_secs(seconds);
            failures.log(std::path::Path::new("x"), &rusqlite::Error::InvalidQuery, now);
            failures.unsaid
        };
        assert_eq!([0, 1, 59, 60, 61].map(&mut unsaid_after), [0, 1, 2, 0, 1]);
    }
}
