//! A machine's folder: where things are, and how small files are read and written.
//!
//! ```text
//! DIRECTORY/NAME/                0700, or 0711 where its runner is another user; everything in it 0600 or 0700
//!   machine.json  supervisor.json  binding.json  stop.json  stopping.json  exit.json
//!   config.yaml                  for the runner: no cache server but the one that is set, and the label of containers
//!   runner.log  runner.log.1     its output, bounded
//!   supervisor.log               what the supervisor could not do
//!   home/  work/  tmp/           HOME, working directory and TMPDIR of the runner; these and config.yaml are its user's
//! ```
//!
//! A job may do as it likes in here, so reading never follows a link, never blocks on a pipe and has a limit.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use planner::ids::{DeploymentId, MachineName};
use rustix::fs::{Mode, OFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The environment variable that every process of a machine carries: `DEPLOYMENT/MACHINE`.
pub const MARKER: &str = "FORGESCALE_MACHINE";

pub(crate) const MACHINE: &str = "machine.json";
pub(crate) const SUPERVISOR: &str = "supervisor.json";
pub(crate) const BINDING: &str = "binding.json";
pub(crate) const STOP: &str = "stop.json";
pub(crate) const STOPPING: &str = "stopping.json";
pub(crate) const EXIT: &str = "exit.json";
pub(crate) const CONFIG: &str = "config.yaml";
pub(crate) const LOG: &str = "runner.log";
pub(crate) const OLDER_LOG: &str = "runner.log.1";
pub(crate) const SUPERVISOR_LOG: &str = "supervisor.log";
pub(crate) const HOME: &str = "home";
pub(crate) const WORK: &str = "work";
pub(crate) const TEMPORARY: &str = "tmp";

/// Begins the name of a folder that is not a machine yet.
pub(crate) const NEW_PREFIX: &str = ".new-";
/// Begins the name of a folder that is no machine any more.
pub(crate) const GONE_PREFIX: &str = ".gone-";

/// The largest small file that is read: ours are below 2 KiB.
const SMALL_FILE_LIMIT: u64 = 64 << 10;

/// The longest name of a machine: file systems end at 255, and prefixes are put before it.
const NAME_LIMIT: usize = 128;

/// A small file, as found.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// There is none.
    Missing,
    /// There is something, but it cannot be read as what it should be.
    Bad(io::Error),
    /// Read.
    Good(T),
}

impl<T> Found<T> {
    /// The content, if it could be read.
    pub(crate) fn good(self) -> Option<T> {
        match self {
            Self::Good(content) => Some(content),
            Self::Missing | Self::Bad(_) => None,
        }
    }
}

/// The folder of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The folder of a machine; `None` if no machine can have this name.
    pub(crate) fn of(directory: &Path, name: &MachineName) -> Option<Self> {
        is_usable(name.as_str()).then(|| Self::new(directory.join(name.as_str())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether a machine in here may have processes, as far as its name and kind say: not one that is still being made or
    /// that is being removed, and no file.
    pub(crate) fn may_have_a_user(&self) -> bool {
        let hidden = self.path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && self.path.is_dir()
    }

    /// Reads a small JSON file.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Found<T> {
        match read_small(&self.file(name)) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(content) => Found::Good(content),
                Err(error) => Found::Bad(error.into()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Missing,
            Err(error) => Found::Bad(error),
        }
    }

    /// Writes a small JSON file so that it is there completely or not at all, after a loss of power too.
    pub(crate) fn write<T: Serialize>(&self, name: &str, content: &T) -> io::Result<()> {
        let bytes = serde_json::to_vec(content)?;
        let temporary = self.file(&format!(".{name}.new"));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create_file(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.file(name))?;
        sync_directory(&self.path)
    }
}

/// Whether a machine can have this name: a plain file name that is not hidden, since hidden ones are ours.
fn is_usable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= NAME_LIMIT && !name.starts_with('.') && name.bytes().all(plain)
}

/// The marker's value for one machine. Names have no slash, so that it can mean one machine only.
pub(crate) fn marker(deployment: &DeploymentId, name: &MachineName) -> String {
    format!("{deployment}/{name}")
}

/// Makes a new file that only we can read.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Opens a regular file for reading, without following a link or waiting for the other end of a pipe.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Makes what was renamed in a directory last.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(path)?.take(SMALL_FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SMALL_FILE_LIMIT { Err(io::Error::other("larger than 64 KiB")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use planner::ids::MachineName;

    use super::{Folder, Found};

    #[test]
    fn a_name_that_could_leave_the_directory_has_no_folder() {
        for name in ["", ".", "..", "../x", "a/b", ".new-a", "a\0b", "a b", &"x".repeat(129)] {
            assert_eq!(Folder::of(Path::new("/machines"), &MachineName::new(name)), None, "{name:?}");
        }
        assert!(Folder::of(Path::new("/machines"), &MachineName::new("fs-0a1b.2_c")).is_some());
    }

    #[test]
    fn a_link_or_a_pipe_in_place_of_a_record_is_bad_and_does_not_block() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().to_owned());
        folder.write("real.json", &7).unwrap();
        assert!(matches!(folder.read::<u8>("real.json"), Found::Good(7)));
        std::os::unix::fs::symlink(folder.file("real.json"), folder.file("link.json")).unwrap();
        assert!(matches!(folder.read::<u8>("link.json"), Found::Bad(_)));
        let made = std::process::Command::new("mkfifo").arg(folder.file("pipe.json")).status().unwrap();
        assert!(made.success());
        assert!(matches!(folder.read::<u8>("pipe.json"), Found::Bad(_)));
        assert!(matches!(folder.read::<u8>("none.json"), Found::Missing));
    }
}
