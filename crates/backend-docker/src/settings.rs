//! What the Docker backend is told once.

use std::path::PathBuf;

use planner::ids::DeploymentId;

use crate::engine::Endpoint;

/// Settings of a [`DockerBackend`](crate::DockerBackend).
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// Where the engine is.
    pub endpoint: Endpoint,
    /// Whose machines these are. It becomes part of names: letters, digits, dots, dashes and underscores.
    pub deployment: DeploymentId,
    /// The runner, put into every machine: a static program, which speaks the command line of `forgejo-runner` (protocol
    /// 3.6).
    pub runner: Program,
    /// For jobs whose first label names no image.
    pub image: Option<String>,
    /// When images are pulled.
    pub pull: Pull,
    /// What machines are connected to.
    pub network: Network,
    /// What a machine may use at most.
    pub limits: Limits,
    /// Capabilities beyond [`CAPABILITIES_KEPT`](crate::CAPABILITIES_KEPT).
    pub more_capabilities: Vec<String>,
    /// Whether nothing but `/tmp`, in memory, can be written to.
    pub read_only: bool,
    /// Another runtime of the engine, such as `runsc`.
    pub runtime: Option<String>,
    /// The engine's user namespace mode, such as `host`.
    pub user_namespace: Option<String>,
    /// Who runs in the container, instead of the image's own user.
    pub user: Option<String>,
    /// Devices of the host, by path.
    pub devices: Vec<String>,
    /// Graphics processors.
    pub gpus: Option<Gpus>,
    /// More environment of runners and jobs.
    pub environment: Vec<(String, String)>,
}

/// A program on this host, and its first arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Arguments before those that are appended.
    pub arguments: Vec<String>,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// When they are not there.
    #[default]
    Missing,
    /// Once in the life of a daemon, and when they are not there.
    Always,
    /// Never: somebody else sees to it.
    Never,
}

/// What machines are connected to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Network {
    /// A bridge for this deployment alone, made when it is needed, in which containers do not reach each other.
    #[default]
    Own,
    /// One that is there, by name; also `none`, and `host` for none of the isolation.
    Named(String),
}

/// What a machine may use at most; what is not given is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes of memory, swap included.
    pub memory: Option<u64>,
    /// Thousandths of a processor.
    pub milli_cpus: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// Limits of single processes.
    pub ulimits: Vec<Ulimit>,
}

/// A limit of single processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// Its name, such as `nofile`.
    pub name: String,
    /// What a process has.
    pub soft: i64,
    /// How far it can raise that.
    pub hard: i64,
}

/// Graphics processors of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gpus {
    /// Each that there is.
    All,
    /// So many.
    Count(u16),
}
