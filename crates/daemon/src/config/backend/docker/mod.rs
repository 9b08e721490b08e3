//! The keys of a backend of the kind docker, or podman.

mod address;
mod hardening;
mod images;
mod made_of;
mod mode;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use backend_docker::{
    Address, Hardening, Limits, Mode, Network, PODMAN_SOCKET, Program, Pull, USUAL_SOCKET, WithUnstarted,
};
use planner::ids::{BackendId, DeploymentId};

pub(in crate::config) use hardening::is_inside;

use super::{environment, limits, runner};
use crate::config::Surroundings;
use crate::config::problem::Complaint;
use crate::config::read::{Section, Value, any};
use crate::config::shape::Shape;
use crate::config::size::Size;
use crate::config::value::{Readable, as_written, at_least, quoted};

/// Room for every build; a job that starts processes without end meets it before the host does.
const PIDS: u32 = 4096;

/// Room for a few more images.
const DISK_FREE: u64 = 5 << 30;

/// What a repository leaves that nobody has pushed to for two weeks is made anew when it is wanted again.
const CACHE_MAX_AGE: Duration = Duration::from_hours(14 * 24);

/// Images and caches that are removed sooner would be brought anew for every other job.
const LEAST_UNUSED: Duration = Duration::from_hours(1);

/// Microseconds of a quota for a thousandth of a processor.
const US_PER_THOUSANDTH: u64 = backend_host::Limits::CPU_PERIOD_US / 1000;

/// What a Docker backend needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// The command with which people speak to such an engine.
    pub command: &'static str,
    /// Where the engine is.
    pub address: Address,
    /// For jobs whose first label names none.
    pub image: Option<String>,
    /// When images are pulled.
    pub pull: Pull,
    /// A file with credentials for registries.
    pub registry_auth_file: Option<PathBuf>,
    /// Bytes that the engine's disk is to have free.
    pub disk_free: u64,
    /// After what time without a job an image that was pulled by us is removed.
    pub prune_images: Option<Duration>,
    /// After what time a cache is removed, counted since a machine last had it.
    pub cache_max_age: Duration,
    /// What machines are connected to.
    pub network: Network,
    /// The runner program that is put into every machine.
    pub runner: PathBuf,
    /// Its first arguments, before those of Forgejo Runner.
    pub runner_arguments: Vec<String>,
    /// Where jobs run, and which engine they see.
    pub mode: Mode,
    /// What a machine may use at most.
    pub limits: Limits,
    /// Stronger walls, and ways through them.
    pub hardening: Hardening,
    /// Another runtime of the engine.
    pub runtime: Option<String>,
    /// Further variables of runners and jobs.
    pub environment: BTreeMap<String, String>,
}

impl DockerSettings {
    /// What the backend is told. It remembers nothing beyond the process.
    pub(crate) fn settings(
        &self,
        deployment: &DeploymentId,
        backend: &BackendId,
        unstarted: WithUnstarted,
    ) -> backend_docker::DockerSettings {
        backend_docker::DockerSettings {
            address: self.address.clone(),
            deployment: deployment.clone(),
            backend: backend.clone(),
            unstarted,
            runner: Program { path: self.runner.clone(), arguments: self.runner_arguments.clone() },
            image: self.image.clone(),
            pull: self.pull,
            registry_auth: self.registry_auth_file.clone(),
            disk_free: self.disk_free,
            prune_images: self.prune_images,
            images_file: None,
            cache_max_age: self.cache_max_age,
            caches_file: None,
            network: self.network.clone(),
            mode: self.mode.clone(),
            limits: self.limits.clone(),
            hardening: self.hardening.clone(),
            runtime: self.runtime.clone(),
            environment: self.environment.clone().into_iter().collect(),
        }
    }
}

/// Whose engine it is, which says where it is unless the configuration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Docker,
    Podman,
}

impl Engine {
    fn command(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Podman has a socket for root, and one for each user in the user's runtime directory.
    fn usual_socket(self, surroundings: &Surroundings) -> PathBuf {
        let of_user = || surroundings.variable("XDG_RUNTIME_DIR").filter(|directory| directory.starts_with('/'));
        match self {
            Self::Docker => USUAL_SOCKET.into(),
            Self::Podman if surroundings.root => PODMAN_SOCKET.into(),
            Self::Podman => {
                of_user().map_or_else(|| PODMAN_SOCKET.into(), |it| PathBuf::from(it).join("podman/podman.sock"))
            }
        }
    }
}

/// The settings.
pub(super) fn read(section: &Section<'_>, engine: Engine, surroundings: &Surroundings) -> Option<DockerSettings> {
    let image = section.optional("image", |image: &String| as_written(image));
    let When(pull) = section.or("pull", When(Pull::Missing), |_| Ok(()));
    // Looked at when it is needed: whoever replaces it may be at it just now.
    let registry_auth_file = section.optional("registry_auth_file", any);
    let Size(disk_free) = section.or("disk_free", Size(DISK_FREE), any);
    let prune_images = section.optional("prune_images", at_least(LEAST_UNUSED));
    let cache_max_age = section.or("cache_max_age", CACHE_MAX_AGE, at_least(LEAST_UNUSED));
    let network = section.optional("network", |network: &String| as_written(network));
    let mode = mode::read(section);
    let address = address::read(section, engine.usual_socket(surroundings), &mode);
    let hardening = hardening::read(section);
    let wanted = limits::read(section);
    let limits = Limits {
        memory: wanted.memory_bytes,
        milli_cpus: wanted.cpu_quota_us.map(|us| u32::try_from(us.div_ceil(US_PER_THOUSANDTH)).unwrap_or(u32::MAX)),
        pids: Some(wanted.pids.and_then(|pids| u32::try_from(pids).ok()).unwrap_or(PIDS)),
    };
    let runtime = section.optional("runtime", |runtime: &String| as_written(runtime));
    let environment = environment::read(section, surroundings);
    let (runner, runner_arguments) = runner::read(section, &surroundings.path())?;
    let network = network.map_or(Network::Own, Network::Named);
    Some(DockerSettings {
        command: engine.command(),
        address,
        image,
        pull,
        registry_auth_file,
        disk_free,
        prune_images,
        cache_max_age,
        network,
        runner,
        runner_arguments,
        mode,
        limits,
        hardening,
        runtime,
        environment,
    })
}

/// When images are pulled.
struct When(Pull);

impl Readable for When {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        match String::read(value)?.as_str() {
            "missing" => Ok(Self(Pull::Missing)),
            "always" => Ok(Self(Pull::Always)),
            "never" => Ok(Self(Pull::Never)),
            other => Err(Complaint::new(format!("{} says not when to pull", quoted(other)))
                .hint("write \"missing\", \"always\" or \"never\"")),
        }
    }

    fn shown(&self) -> String {
        quoted(match self.0 {
            Pull::Missing => "missing",
            Pull::Always => "always",
            Pull::Never => "never",
        })
    }
}
