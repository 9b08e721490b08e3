//! What can go wrong, and which class it is for back-off.

use std::io;
use std::path::PathBuf;

use ::backend::BackendError;
use planner::error_class::{Acted, Concerns, ErrorClass};

/// An error of the host backend. Inside a [`BackendError`] it is the source, and says what stood in the way.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The settings name a directory that cannot become part of a command line.
    #[error("the directory {} is not UTF-8", directory.display())]
    DirectoryNotText {
        /// The directory.
        directory: PathBuf,
    },
    /// The deployment cannot become part of an environment variable.
    #[error("a deployment is not empty and holds no zero byte")]
    BadDeployment,
    /// The name cannot be that of a folder.
    #[error("a machine's name has 1 to 128 letters, digits, dots, dashes and underscores, the first not a dot")]
    BadName,
    /// A file or folder could not be worked with.
    #[error("{}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The processes could not be looked at or signalled.
    #[error("processes of the machine could not be examined or signalled")]
    Processes {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The supervisor's program could not be run.
    #[error("the supervisor {} could not be run", program.display())]
    Supervisor {
        /// The program.
        program: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Only root can start processes of another user.
    #[error("only root can run jobs as {user}, and this process is not root")]
    CannotSwitch {
        /// Who was asked for.
        user: String,
    },
    /// The user could not reach its own folders.
    #[error("{user} cannot enter {}, which is on the way to its machines", path.display())]
    Unreachable {
        /// Who.
        user: String,
        /// The folder that it may not pass through.
        path: PathBuf,
    },
    /// Every user has a machine, or what is left of one.
    #[error(
        "each of the {users} users has a machine already on this host, or processes or too many files that no machine is known to have"
    )]
    NoUserFree {
        /// How many there are.
        users: usize,
    },
    /// A machine's record cannot be read, and so neither can its user.
    #[error(
        "{} cannot be read, so no user is given out: its machine may have any; repair it, or remove it if nothing runs in it",
        folder.display()
    )]
    UserUnclear {
        /// The machine's folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Limits were asked for that cannot be set.
    #[error("memory, cpus or pids cannot be limited here: {reason}")]
    NoLimits {
        /// Why, for people.
        reason: String,
    },
    /// Containers of the machine's job could not be looked for or removed.
    #[error("containers of the machine could not be removed: {reason}")]
    Containers {
        /// In the words of the container program.
        reason: String,
    },
    /// A name can be used once.
    #[error("the name is used by a machine that has ended or is stopping")]
    AlreadyUsed,
    /// The folder is not ours.
    #[error("the name is used by a machine of another deployment")]
    OtherDeployment,
    /// There is no such machine, or none any more.
    #[error("there is no such machine, or it has ended")]
    NoMachine,
    /// The pipe for the launch was lost with the daemon that held it.
    #[error("the machine was made by an earlier daemon and can no longer take a launch")]
    NoPipe,
    /// A machine takes one launch.
    #[error("the machine was started for another job, try or runner")]
    OtherBinding,
    /// Without a handle the runner would take any job (protocol 3.6).
    #[error("the launch has no handle")]
    NoHandle,
    /// Labels and environment together are too much.
    #[error("the launch is larger than 64 KiB")]
    LaunchTooLarge,
    /// The launch could not be written as JSON.
    #[error("the launch could not be encoded")]
    LaunchEncoding {
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The supervisor ended before it had the whole launch.
    #[error("the supervisor ended before it had the launch")]
    LaunchNotTaken {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The supervisor says that there is no runner.
    #[error("the runner was not started: {reason}")]
    NotStarted {
        /// In the supervisor's words.
        reason: String,
    },
    /// The supervisor has the launch, or is about to, and has not said what came of it.
    #[error("the supervisor did not answer")]
    Silent,
    /// The work was cut short by the end of the runtime.
    #[error("the work was abandoned")]
    Abandoned,
}

impl HostError {
    /// What may help where only an operator can, for those errors that keep a backend from starting.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoLimits { .. } => Some(
                "a service needs Delegate=yes, and some hosts must boot with systemd.unified_cgroup_hierarchy=1; or take memory, cpus and pids out of the backend",
            ),
            Self::CannotSwitch { .. } => Some("run as root, or leave `user` and `users` out"),
            Self::Unreachable { .. } => {
                Some("let everybody pass through it (chmod a+x), or use another state_directory")
            }
            _ => None,
        }
    }

    /// As the trait wants it, with what was being done, to follow "could not".
    pub(crate) fn doing(self, doing: String) -> BackendError {
        BackendError {
            doing,
            class: self.class(),
            acted: self.acted(),
            concerns: Concerns::All,
            source: Some(Box::new(self)),
        }
    }

    fn class(&self) -> ErrorClass {
        match self {
            Self::DirectoryNotText { .. }
            | Self::BadDeployment
            | Self::BadName
            | Self::AlreadyUsed
            | Self::OtherDeployment
            | Self::OtherBinding
            | Self::NoHandle
            | Self::LaunchTooLarge
            | Self::LaunchEncoding { .. }
            | Self::CannotSwitch { .. }
            | Self::Unreachable { .. }
            | Self::NoLimits { .. }
            | Self::NotStarted { .. } => ErrorClass::Permanent,
            Self::NoUserFree { .. } => ErrorClass::Capacity,
            Self::NoMachine | Self::NoPipe => ErrorClass::NotFound,
            Self::Supervisor { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorClass::Permanent,
            Self::File { source, .. } | Self::Processes { source } | Self::Supervisor { source, .. } => {
                class_of(source)
            }
            Self::LaunchNotTaken { .. }
            | Self::UserUnclear { .. }
            | Self::Silent
            | Self::Abandoned
            | Self::Containers { .. } => ErrorClass::Transient,
        }
    }

    fn acted(&self) -> Acted {
        match self {
            Self::File { .. } | Self::Processes { .. } | Self::Containers { .. } | Self::Silent | Self::Abandoned => {
                Acted::Maybe
            }
            Self::DirectoryNotText { .. }
            | Self::BadDeployment
            | Self::BadName
            | Self::Supervisor { .. }
            | Self::CannotSwitch { .. }
            | Self::Unreachable { .. }
            | Self::NoUserFree { .. }
            | Self::UserUnclear { .. }
            | Self::NoLimits { .. }
            | Self::AlreadyUsed
            | Self::OtherDeployment
            | Self::NoMachine
            | Self::NoPipe
            | Self::OtherBinding
            | Self::NoHandle
            | Self::LaunchTooLarge
            | Self::LaunchEncoding { .. }
            | Self::LaunchNotTaken { .. }
            | Self::NotStarted { .. } => Acted::No,
        }
    }
}

/// The class of an error of the operating system: what is full or used up may have room again.
fn class_of(error: &io::Error) -> ErrorClass {
    use io::ErrorKind;
    match error.kind() {
        // WouldBlock is what fork says at the limit of processes.
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::OutOfMemory | ErrorKind::WouldBlock => {
            ErrorClass::Capacity
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorClass::Permanent,
        _ => ErrorClass::Transient,
    }
}

/// Names the file that an error is about.
pub(crate) trait At<T> {
    fn at(self, path: &std::path::Path) -> Result<T, HostError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, path: &std::path::Path) -> Result<T, HostError> {
        self.map_err(|source| HostError::File { path: path.to_owned(), source: source.into() })
    }
}
