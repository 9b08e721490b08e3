//! Opening a database: pragmas, soundness, version, and what happens to a file that is broken.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::error::StoreError;
use crate::schema;

/// How long a write waits for a reader of another process.
const BUSY: Duration = Duration::from_secs(5);

/// How many broken files are kept for a look; then the last one is replaced.
const MOST_ASIDE: u32 = 9;

/// What is kept beside a database in WAL mode.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// The files of the database at `path`, whichever of them are there.
pub fn files(path: &Path) -> [PathBuf; 3] {
    COMPANIONS.map(|suffix| beside(path, suffix))
}

/// The path with something put at its end.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens the database at `path`, ready for use. A broken one is moved aside first, which is logged as an error.
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    match prepare(path) {
        Err(StoreError::Open { source, .. }) if is_broken(&source) => {
            let aside = move_aside(path).map_err(|source| StoreError::MoveAside { path: path.to_owned(), source })?;
            tracing::error!(
                store = %path.display(),
                moved_to = %aside.display(),
                error = %source,
                "the store is corrupt: its history and back-off memory are lost, a fresh one is begun"
            );
            prepare(path)
        }
        other => other,
    }
}

fn prepare(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::Open { path: path.to_owned(), source };
    only_for_us(path);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let found = schema::version(&connection).map_err(failed)?;
    if found > schema::KNOWN {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::KNOWN });
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    // A power cut may lose the last commits, never the file.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    check(&connection).map_err(failed)?;
    schema::migrate(&mut connection, found).map_err(failed)?;
    Ok(connection)
}

/// Keeps the file, and with it what is put beside it, from other users: they may have to pass through its folder. Where that
/// fails, opening it says why.
fn only_for_us(path: &Path) {
    let _ = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
}

/// Reads through the whole file once: it is small (see the limit on the history), and later is too late.
fn check(connection: &Connection) -> rusqlite::Result<()> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(said)))
}

/// Whether an error says that the file is no sound database (as opposed to: busy, full, not permitted).
fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Renames the database and its companions to `NAME.corrupt-N…`, and says what the database is called now.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let with = |suffix: &str| beside(path, suffix);
    let free = (1..MOST_ASIDE).find(|number| !with(&format!(".corrupt-{number}")).exists());
    let aside = format!(".corrupt-{}", free.unwrap_or(MOST_ASIDE));
    for companion in COMPANIONS {
        match fs::rename(with(companion), with(&format!("{aside}{companion}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(with(&aside))
}
