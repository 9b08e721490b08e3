//! The tables, and the steps from one version of them to the next.

use rusqlite::Connection;

/// What makes version N + 1 out of version N, in order. Steps are only ever added.
const STEPS: [&str; 1] = ["
    CREATE TABLE memory (
        key TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    );
    CREATE TABLE history (
        id INTEGER PRIMARY KEY,
        forge TEXT NOT NULL,
        scope TEXT NOT NULL,
        repository INTEGER NOT NULL,
        handle TEXT NOT NULL,
        job TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        pool TEXT NOT NULL,
        machine TEXT NOT NULL,
        outcome TEXT NOT NULL,
        waited_ms INTEGER,
        booted_ms INTEGER,
        ran_ms INTEGER,
        ended_at_ms INTEGER NOT NULL
    );
    CREATE INDEX history_ended ON history (ended_at_ms);
    CREATE INDEX history_handle ON history (handle);
"];

/// The version that this program reads and writes.
#[expect(clippy::cast_possible_wrap, reason = "a handful of steps")]
pub(crate) const KNOWN: i64 = STEPS.len() as i64;

/// The version of a database; 0 for an empty one.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a database of version `from` to [`KNOWN`]; all or nothing.
pub(crate) fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(from).unwrap_or_default();
    if done >= STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", KNOWN)?;
    transaction.commit()
}
