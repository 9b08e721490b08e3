//! `[backend.NAME]`: what makes machines.

mod docker;
mod environment;
mod host;
mod limits;
mod runner;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use planner::ids::BackendId;

use super::Surroundings;
use super::pool::machines;
use super::problem::Complaint;
use super::read::{Section, Value};
use super::value::{at_least, name, quoted, up_to};

pub use docker::DockerSettings;
pub(super) use docker::is_inside;
pub use host::HostSettings;

/// The kinds of backend of this version.
const KINDS: [&str; 3] = ["host", "docker", "podman"];

/// How long a process of this host may take from its creation to its first contact with the forge (design section 5 gives
/// containers as long; a process is quicker).
const HOST_BOOT: Duration = Duration::from_mins(2);

/// The same for a container and the runner in it (design section 5).
const CONTAINER_BOOT: Duration = Duration::from_mins(2);

/// One backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Most machines on it at once, if limited.
    pub max: Option<u32>,
    /// How often its machines are listed.
    pub interval: Duration,
    /// How many creates and starts may be under way at once.
    pub parallel_creates: usize,
    /// What is particular to its kind.
    pub kind: BackendKind,
    /// A fingerprint of all that its machines without a job are made from, apart from their image: as it was when this was
    /// read.
    pub made_of: String,
}

impl Backend {
    /// The boot clock of its pools, unless they say otherwise.
    pub fn default_boot(&self) -> Duration {
        match self.kind {
            BackendKind::Host(_) => HOST_BOOT,
            BackendKind::Docker(_) => CONTAINER_BOOT,
        }
    }

    /// Whether it makes machines without a job, for jobs that come later.
    pub fn can_be_warm(&self) -> bool {
        match self.kind {
            BackendKind::Host(_) => backend_host::CAPABILITIES.warm,
            BackendKind::Docker(_) => backend_docker::CAPABILITIES.warm,
        }
    }
}

/// The kinds of backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendKind {
    /// Processes of this host.
    Host(Box<HostSettings>),
    /// Containers of an engine.
    Docker(Box<DockerSettings>),
}

/// All backends that are usable, and the names of all that are there.
pub(super) fn read<'a>(
    root: &Section<'a>,
    surroundings: &Surroundings,
) -> (BTreeMap<BackendId, Backend>, BTreeSet<&'a str>) {
    let Some(value) = root.get("backend") else {
        root.missing("backend", "[backend.here] with kind = \"host\"");
        return Default::default();
    };
    let entries = value.section().map(|section| section.entries()).unwrap_or_default();
    let mut backends = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (id, value) in entries {
        named.insert(id);
        if let Err(complaint) = name(id) {
            value.complain(complaint);
        }
        let backend = value.section().and_then(|section| backend(section, surroundings));
        if let Some(backend) = &backend {
            shared_users(&value, backend, &backends);
        }
        backends.extend(backend.map(|backend| (BackendId::new(id), backend)));
    }
    (backends, named)
}

/// A user for one machine at a time is that of one backend.
fn shared_users(value: &Value<'_>, backend: &Backend, others: &BTreeMap<BackendId, Backend>) {
    let BackendKind::Host(host) = &backend.kind else { return };
    for (other_id, other) in others {
        let BackendKind::Host(other) = &other.kind else { continue };
        if let Some(user) = user::shared(&host.run_as, &other.run_as) {
            let reason = format!("shares the user {} with backend {}", quoted(&user.name), quoted(other_id.as_str()));
            value.complain(Complaint::new(reason).hint("`users` keeps jobs apart only if they are used nowhere else"));
        }
    }
}

fn backend(section: Section<'_>, surroundings: &Surroundings) -> Option<Backend> {
    let kind: Option<String> = section.required("kind", "kind = \"host\"", |kind: &String| {
        if KINDS.contains(&kind.as_str()) {
            return Ok(());
        }
        let complaint = Complaint::new(format!("{} is no kind of backend of this version", quoted(kind)));
        Err(complaint.hint(format!("kinds: {}", KINDS.map(quoted).join(", "))))
    });
    // Which keys the rest may have depends on the kind.
    let engine = match kind?.as_str() {
        "docker" => Some(docker::Engine::Docker),
        "podman" => Some(docker::Engine::Podman),
        _ => None,
    };
    let usual = if engine.is_some() { backend_docker::CAPABILITIES } else { backend_host::CAPABILITIES };
    let max = section.optional("max", |number: &u32| machines(*number));
    let interval = section.or("interval", usual.list_interval, at_least(Duration::from_millis(100)));
    let parallel_creates = section.or("parallel_creates", usual.parallel_creates, up_to(256));
    let read = if let Some(engine) = engine {
        docker::read(&section, engine, surroundings).map(|docker| (BackendKind::Docker(Box::new(docker)), None))
    } else {
        host::read(&section, surroundings, max).map(|(host, room)| (BackendKind::Host(Box::new(host)), room))
    };
    section.close();
    let (kind, room) = read?;
    let max = max.or(room);
    let made_of = match &kind {
        // Each is made for its job.
        BackendKind::Host(_) => String::new(),
        BackendKind::Docker(docker) => docker.made_of(),
    };
    Some(Backend { max, interval, parallel_creates, kind, made_of })
}
