//! What the host backend is told once.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use planner::ids::DeploymentId;

use crate::error::{At as _, HostError};
use crate::user::User;

/// Settings of a [`HostBackend`](crate::HostBackend).
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// Holds one folder per machine. Made if it is missing; must be UTF-8, as it becomes part of a command line.
    pub directory: PathBuf,
    /// Whose machines these are.
    pub deployment: DeploymentId,
    /// Runs [`supervise`](crate::supervise) on the folder that is appended as the last argument.
    pub supervisor: Program,
    /// Speaks the command line of `forgejo-runner` (protocol 3.6): `-c FILE one-job` and its flags are appended.
    pub runner: Program,
    /// Who runners and their jobs run as.
    pub run_as: RunAs,
    /// What a machine may use at most.
    pub limits: Limits,
    /// Where actions get their caches from.
    pub cache: Option<CacheServer>,
    /// `PATH` of the runner, and with it of every host job. The runner's program is looked up there as well.
    pub path: String,
    /// More environment of the runner, such as proxies. Later entries win, over what each machine has too; never over the
    /// [marker](crate::MARKER).
    pub environment: Vec<(String, String)>,
    /// How many bytes of a runner's output are kept.
    pub log_limit: u64,
}

/// A program and its first arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program: a path, or a name to look up.
    pub path: PathBuf,
    /// Arguments before those that are appended.
    pub arguments: Vec<String>,
}

/// Who runners and their jobs run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunAs {
    /// The user of the daemon: a job can do what the daemon can do.
    Daemon,
    /// One user for all: jobs are kept from the daemon, and not from each other.
    One(User),
    /// One of these for each machine, as long as it lives: jobs are kept from each other too. Whoever is named here is
    /// used for nothing else: what is left of it after a machine without supervisor is killed.
    OnePerMachine(Vec<User>),
}

impl RunAs {
    /// The other users that runners run as; none when that is the daemon's.
    pub fn users(&self) -> &[User] {
        match self {
            Self::Daemon => &[],
            Self::One(user) => std::slice::from_ref(user),
            Self::OnePerMachine(users) => users,
        }
    }
}

/// What a machine may use at most; nothing is limited by itself. Needs control groups of version 2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory. No swap is given beside it.
    pub memory_bytes: Option<u64>,
    /// Microseconds of processor time per 100 ms.
    pub cpu_quota_us: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

impl Limits {
    /// The period of [`Limits::cpu_quota_us`]: the kernel's default.
    pub const CPU_PERIOD_US: u64 = 100_000;

    /// The controllers that it takes, by the kernel's names.
    pub fn controllers(&self) -> Vec<&'static str> {
        let wanted = [
            ("memory", self.memory_bytes.is_some()),
            ("cpu", self.cpu_quota_us.is_some()),
            ("pids", self.pids.is_some()),
        ];
        wanted.into_iter().filter_map(|(name, wanted)| wanted.then_some(name)).collect()
    }

    /// Sets them for a group.
    pub(crate) fn set(&self, group: &Path) -> Result<(), HostError> {
        let set = |file: &str, value: String| {
            let path = group.join(file);
            // Never made: a file that is missing means that the controller is.
            let opened = fs::File::options().write(true).truncate(true).open(&path);
            opened.and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes())).at(&path)
        };
        if let Some(bytes) = self.memory_bytes {
            set("memory.max", bytes.to_string())?;
            match set("memory.swap.max", "0".to_owned()) {
                Err(HostError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                done => done?,
            }
        }
        if let Some(quota) = self.cpu_quota_us {
            set("cpu.max", format!("{quota} {}", Self::CPU_PERIOD_US))?;
        }
        self.pids.map_or(Ok(()), |number| set("pids.max", number.to_string()))
    }
}

/// An external cache server, which the runner is pointed at. Without one, jobs have no cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheServer {
    /// Its URL.
    pub url: String,
    /// The file with the secret that it shares with runners.
    pub secret_file: PathBuf,
}
