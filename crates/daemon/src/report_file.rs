//! `report.json` in the state directory: the last report, for commands in other processes.
//!
//! Promises: a reader sees one whole report, never half of one; no file of any size makes a reader take more memory than
//! a limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use planner::ids::{DeploymentId, ForgeId};
use planner::report::Report;
use serde::{Deserialize, Serialize};

/// The file's name in the state directory.
pub const NAME: &str = "report.json";

/// The form that this version writes and reads.
pub const VERSION: u32 = 1;

/// The largest report that is read, in bytes: some hundred thousand jobs.
const LARGEST: u64 = 64 << 20;

/// A report with what a reader needs to judge and name what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFile {
    /// The form of the file: [`VERSION`].
    pub version: u32,
    /// When it was written: milliseconds since 1970, by the wall clock.
    pub written_at_ms: u64,
    /// The process that wrote it.
    pub pid: u32,
    /// Whose it is.
    pub deployment: DeploymentId,
    /// Names of repositories, as far as they are known.
    pub repositories: Vec<RepositoryName>,
    /// The report itself.
    pub report: Report,
}

/// What the forge says of the name of a repository. Of one that is not here it has not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RepositoryName {
    /// Its forge.
    pub forge: ForgeId,
    /// Its id there.
    pub id: i64,
    /// Its name, `owner/name`; nothing where the forge does not tell it to our token.
    pub name: Option<String>,
}

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportFileError {
    /// There is no report.
    #[error("there is no report at {}", path.display())]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("cannot write the report {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file could not be read.
    #[error("cannot read the report {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is larger than any report.
    #[error("{} is larger than any report", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// The file is no report of this version.
    #[error("{} is no report that this version can read", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl ReportFile {
    /// Writes it into `directory`, replacing the last one in one step. Blocks.
    ///
    /// It is not flushed to the disk: after a crash of the whole machine an old or empty report tells nothing anyway.
    pub fn write(&self, directory: &Path) -> Result<(), ReportFileError> {
        let path = directory.join(NAME);
        let failed = |source| ReportFileError::Write { path: path.clone(), source };
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        // One name for all writers, of whom the lock of the directory allows one: a crash leaves one file, not many.
        let beside = directory.join(format!(".{NAME}.new"));
        write_for_us(&beside, text.as_ref()).and_then(|()| fs::rename(&beside, &path)).map_err(failed)
    }

    /// Reads the one in `directory`. Blocks.
    pub fn read(directory: &Path) -> Result<Self, ReportFileError> {
        let path = directory.join(NAME);
        let mut text = Vec::new();
        match File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text)) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(ReportFileError::Absent { path }),
            Err(source) => return Err(ReportFileError::Read { path, source }),
            Ok(length) if length as u64 > LARGEST => return Err(ReportFileError::TooLarge { path }),
            Ok(_) => {}
        }
        let form = |source| ReportFileError::Form { path: path.clone(), source };
        let file: Self = serde_json::from_slice(&text).map_err(form)?;
        if file.version == VERSION {
            return Ok(file);
        }
        Err(form(serde::de::Error::custom(format_args!("its version is {}, not {VERSION}", file.version))))
    }

    /// How long ago it was written, in milliseconds, by a wall clock that shows `now_ms`.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.written_at_ms)
    }

    /// Whether the process that wrote it is still there (or another one has got its number since).
    pub fn writer_lives(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        // A refusal says that there is a process.
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    }
}

/// Writes a file that only our own user can read: the state directory may have to be passed through by others.
fn write_for_us(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn report() -> ReportFile {
        ReportFile {
            version: VERSION,
            written_at_ms: 1_000,
            pid: std::process::id(),
            deployment: DeploymentId::new("ci"),
            repositories: vec![RepositoryName {
                forge: ForgeId::new("http://f"),
                id: 7,
                name: Some("acme/web".to_owned()),
            }],
            report: Report::default(),
        }
    }

    #[test]
    fn a_report_is_read_as_it_was_written_and_leaves_nothing_beside_it() {
        let place = TempDir::new().unwrap();
        let written = report();
        written.write(place.path()).unwrap();
        written.write(place.path()).unwrap();
        assert_eq!(ReportFile::read(place.path()).unwrap(), written);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        assert!(written.writer_lives());
        assert_eq!((written.age_ms(3_500), written.age_ms(0)), (2_500, 0));
    }

    #[test]
    fn what_is_no_report_is_refused_by_kind() {
        let place = TempDir::new().unwrap();
        let read = || ReportFile::read(place.path()).unwrap_err();
        assert!(matches!(read(), ReportFileError::Absent { .. }));
        fs::write(place.path().join(NAME), "{").unwrap();
        assert!(matches!(read(), ReportFileError::Form { .. }));
        ReportFile { version: 2, ..report() }.write(place.path()).unwrap();
        assert!(matches!(read(), ReportFileError::Form { .. }));
        fs::remove_file(place.path().join(NAME)).unwrap();
        fs::create_dir(place.path().join(NAME)).unwrap();
        assert!(matches!(read(), ReportFileError::Read { .. }));
    }

    #[test]
    fn a_process_that_is_gone_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!ReportFile { pid, ..report() }.writer_lives());
    }
}
