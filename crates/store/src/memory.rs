//! Memory: named values that are loaded at the start and saved as they change.

use rusqlite::{Connection, params};

/// More values than this are never kept: those that were saved longest ago go first.
pub(crate) const MOST_MEMORY_ROWS: u32 = 100_000;

/// One remembered value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryRow {
    /// Its name.
    pub key: String,
    /// The value, JSON by custom; the store does not look into it.
    pub value: String,
}

/// One change of the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryChange {
    /// The name.
    pub key: String,
    /// The new value; nothing to forget it.
    pub value: Option<String>,
}

/// All values, by name.
pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Vec<MemoryRow>> {
    let mut statement = connection.prepare("SELECT key, value FROM memory ORDER BY key")?;
    let rows = statement.query_map([], |row| Ok(MemoryRow { key: row.get(0)?, value: row.get(1)? }))?;
    rows.collect()
}

/// Applies one change.
pub(crate) fn apply(connection: &Connection, change: &MemoryChange) -> rusqlite::Result<()> {
    match &change.value {
        // Replacing gives the row a new, higher rowid: that is what `prune` goes by.
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO memory (key, value) VALUES (?1, ?2)")?
            .execute(params![change.key, value])?,
        None => connection.prepare_cached("DELETE FROM memory WHERE key = ?1")?.execute([&change.key])?,
    };
    Ok(())
}

/// Keeps the newest rows.
pub(crate) fn prune(connection: &Connection, keep: u32) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM memory WHERE rowid <= (SELECT rowid FROM memory ORDER BY rowid DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([keep])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn what_was_saved_longest_ago_goes_first() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        for key in ["a", "b", "c", "a"] {
            apply(&connection, &MemoryChange { key: key.to_owned(), value: Some("1".to_owned()) }).unwrap();
        }
        let keys = || load(&connection).unwrap().into_iter().map(|row| row.key).collect::<String>();
        prune(&connection, 3).unwrap();
        assert_eq!(keys(), "abc");
        prune(&connection, 2).unwrap();
        assert_eq!(keys(), "ac");
    }
}
