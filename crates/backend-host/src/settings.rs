//! What the host backend is told once.

use std::path::PathBuf;

use planner::ids::DeploymentId;

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
    /// `PATH` of the runner, and with it of every host job. The runner's program is looked up there as well.
    pub path: String,
    /// More environment of the runner, such as proxies. Later entries win, over ours too.
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
