//! History: one row for each assignment that ended, for people and statistics.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, named_params, params};

use crate::error::StoreError;

/// The newest rows that are kept.
pub const MOST_HISTORY_ROWS: u32 = 100_000;

/// Rows that ended longer than this before the newest one are dropped: 30 days.
const LONGEST_MS: i64 = 30 * 24 * 3600 * 1000;

/// How long a reader waits for the writer.
const BUSY: Duration = Duration::from_secs(2);

/// One assignment that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// The forge's URL.
    pub forge: String,
    /// The scope that the job was served in.
    pub scope: String,
    /// The repository's id.
    pub repository: i64,
    /// The job's handle.
    pub handle: String,
    /// The job's display name.
    pub job: String,
    /// The try, from 1.
    pub attempt: u32,
    /// The pool.
    pub pool: String,
    /// The machine.
    pub machine: String,
    /// How it ended, one word.
    pub outcome: String,
    /// From when the job was first seen waiting until its machine was asked for, in milliseconds.
    pub waited_ms: Option<u64>,
    /// From asking for the machine until its runner had contacted the forge, in milliseconds.
    pub booted_ms: Option<u64>,
    /// How long the job ran, in milliseconds.
    pub ran_ms: Option<u64>,
    /// When it ended: milliseconds since 1970.
    pub ended_at_ms: u64,
}

/// Which rows are wanted; everything that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Only of this forge.
    pub forge: Option<String>,
    /// Only of this repository.
    pub repository: Option<i64>,
    /// Only of this job.
    pub handle: Option<String>,
    /// Only of this pool.
    pub pool: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<String>,
    /// Only what ended at this time or later: milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// The newest `limit` rows that fit, newest first, from the database at `path`; any process may ask while another one
/// writes. Blocks.
pub fn history(path: &Path, limit: u32, filter: &HistoryFilter) -> Result<Vec<HistoryRow>, StoreError> {
    let failed = |source| StoreError::Read { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    select(&connection, limit.min(MOST_HISTORY_ROWS), filter).map_err(failed)
}

fn select(connection: &Connection, limit: u32, filter: &HistoryFilter) -> rusqlite::Result<Vec<HistoryRow>> {
    let mut statement = connection.prepare(
        "SELECT forge, scope, repository, handle, job, attempt, pool, machine, outcome, waited_ms, booted_ms, ran_ms,
             ended_at_ms
         FROM history
         WHERE (:forge IS NULL OR forge = :forge) AND (:repository IS NULL OR repository = :repository)
             AND (:handle IS NULL OR handle = :handle) AND (:pool IS NULL OR pool = :pool)
             AND (:outcome IS NULL OR outcome = :outcome) AND (:since IS NULL OR ended_at_ms >= :since)
         ORDER BY ended_at_ms DESC, id DESC LIMIT :limit",
    )?;
    let parameters = named_params! {
        ":forge": filter.forge, ":repository": filter.repository, ":handle": filter.handle, ":pool": filter.pool,
        ":outcome": filter.outcome, ":since": filter.since_ms.map(stored), ":limit": limit,
    };
    statement.query_map(parameters, read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    Ok(HistoryRow {
        forge: row.get(0)?,
        scope: row.get(1)?,
        repository: row.get(2)?,
        handle: row.get(3)?,
        job: row.get(4)?,
        attempt: row.get(5)?,
        pool: row.get(6)?,
        machine: row.get(7)?,
        outcome: row.get(8)?,
        waited_ms: row.get::<_, Option<i64>>(9)?.map(number),
        booted_ms: row.get::<_, Option<i64>>(10)?.map(number),
        ran_ms: row.get::<_, Option<i64>>(11)?.map(number),
        ended_at_ms: number(row.get(12)?),
    })
}

/// The database's integers have a sign: what does not fit is the largest.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What was stored, without a sign.
fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// Adds a row.
pub(crate) fn add(connection: &Connection, row: &HistoryRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO history (forge, scope, repository, handle, job, attempt, pool, machine, outcome, waited_ms,
                 booted_ms, ran_ms, ended_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            row.forge,
            row.scope,
            row.repository,
            row.handle,
            row.job,
            row.attempt,
            row.pool,
            row.machine,
            row.outcome,
            row.waited_ms.map(stored),
            row.booted_ms.map(stored),
            row.ran_ms.map(stored),
            stored(row.ended_at_ms),
        ])?;
    Ok(())
}

/// Drops what is too much or too old, seen from the newest row: no clock of today is asked, so that one which jumps
/// cannot wipe the history.
pub(crate) fn prune(connection: &Connection, keep: u32) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM history WHERE ended_at_ms < (SELECT max(ended_at_ms) FROM history) - ?1")?
        .execute([LONGEST_MS])?;
    connection
        .prepare_cached("DELETE FROM history WHERE id <= (SELECT id FROM history ORDER BY id DESC LIMIT 1 OFFSET ?1)")?
        .execute([keep])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn the_newest_rows_are_kept() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        for ended in 1..=5_u32 {
            let sql = "INSERT INTO history (forge, scope, repository, handle, job, attempt, pool, machine, outcome,
                ended_at_ms) VALUES ('', '', 1, ?1, '', 1, '', '', '', ?1)";
            connection.execute(sql, [ended]).unwrap();
        }
        prune(&connection, 2).unwrap();
        let rows = select(&connection, 10, &HistoryFilter::default()).unwrap();
        assert_eq!(rows.iter().map(|row| row.handle.as_str()).collect::<Vec<_>>(), ["5", "4"]);
    }
}
