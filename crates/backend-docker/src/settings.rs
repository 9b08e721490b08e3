//! What the Docker backend is told once.

use std::path::PathBuf;
use std::time::Duration;

use planner::ids::{BackendId, DeploymentId};

use crate::address::Address;
use crate::hardening::Hardening;
use crate::labels::Whose;

/// Settings of a [`DockerBackend`](crate::DockerBackend).
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// Where the engine is.
    pub address: Address,
    /// Whose machines these are. It becomes part of names: letters, digits, dots, dashes and underscores.
    pub deployment: DeploymentId,
    /// Which of the deployment's backends this is: none sees what belongs to another one.
    pub backend: BackendId,
    /// What comes of machines that an earlier daemon bound and did not start.
    pub unstarted: WithUnstarted,
    /// The runner, put into every machine: a static program, which speaks the command line of `forgejo-runner` (protocol
    /// 3.6).
    pub runner: Program,
    /// For jobs whose first label names no image.
    pub image: Option<String>,
    /// When images are pulled.
    pub pull: Pull,
    /// A file with credentials for registries, as `docker login` writes it.
    pub registry_auth: Option<PathBuf>,
    /// Bytes that the engine's disk is to have free: less is told in the log. None are never too little.
    pub disk_free: u64,
    /// After what time without a job that asks for it an image that we have pulled is removed, if ever.
    pub prune_images: Option<Duration>,
    /// Where it is remembered which images we have pulled; nowhere beyond this process if there is none.
    pub images_file: Option<PathBuf>,
    /// After what time a cache is removed, counted since a machine last had it.
    pub cache_max_age: Duration,
    /// Where it is remembered when machines were made with which cache; nowhere beyond this process if there is none.
    pub caches_file: Option<PathBuf>,
    /// What machines are connected to.
    pub network: Network,
    /// Where jobs run, and which engine they see.
    pub mode: Mode,
    /// What a machine may use at most.
    pub limits: Limits,
    /// Stronger walls, and ways through them.
    pub hardening: Hardening,
    /// Another runtime of the engine, such as `runsc`.
    pub runtime: Option<String>,
    /// More environment of runners and jobs.
    pub environment: Vec<(String, String)>,
}

impl DockerSettings {
    pub(crate) fn whose(&self) -> Whose {
        Whose { deployment: self.deployment.clone(), backend: self.backend.clone() }
    }
}

/// What comes of machines that an earlier daemon bound and did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithUnstarted {
    /// Their containers are removed, so that they are proven never to have run. For the one daemon of a deployment.
    Settle,
    /// They are listed as machines that are being made. For whoever only looks, and beside a daemon that may live.
    Leave,
}

/// A program on this host, and its first arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Arguments before those that are appended.
    pub arguments: Vec<String>,
}

/// The image of nested engines, unless another one is named.
pub const NESTED_IMAGE: &str = "docker:dind";

/// Where jobs run, and which engine they see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// In the machine's own container, without any engine.
    #[default]
    Direct,
    /// The same, with the socket of the engine itself: whoever has that owns the engine's host.
    Socket,
    /// In containers of an engine for this one machine, or beside it, as their labels say.
    Nested {
        /// The image of that engine.
        image: String,
        /// Whether it may do all that the engine's host may. Without that it starts under special runtimes alone.
        privileged: bool,
    },
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
    /// A bridge for this backend alone, made when it is needed, in which containers do not reach each other.
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
}
