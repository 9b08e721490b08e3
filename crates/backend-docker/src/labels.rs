//! What is written on things of ours, so that they are found by it and by nothing else.

use std::collections::HashMap;

use ::backend::Cache;
use planner::ids::{BackendId, DeploymentId, MachineName, PoolId};
use planner::seen::MachineTags;

use crate::binding::encode;

/// Whose it is. Every container, network and volume of ours has it.
const DEPLOYMENT: &str = "forgescale.deployment";

/// Which of the deployment's backends it belongs to: several may share an engine.
const BACKEND: &str = "forgescale.backend";

/// What it is for.
const ROLE: &str = "forgescale.role";

/// The machine's name: the container's own changes.
const NAME: &str = "forgescale.name";

/// For whoever looks for a pool's containers and caches by hand.
pub(crate) const POOL: &str = "forgescale.pool";

/// Where a cache is in its machines.
pub(crate) const PATH: &str = "forgescale.path";

/// Whose alone a cache is.
pub(crate) const REPOSITORY: &str = "forgescale.repository";

/// On a machine's container whose runner has an engine of its own.
pub(crate) const NESTED: &str = "forgescale.nested";

/// What every listing gives back.
const TAGS: &str = "forgescale.tags";

/// What a thing of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A container in which a job runs.
    Machine,
    /// A container through which the runner's volume is filled; it never runs.
    Filler,
    /// The volume with the runner.
    Runner,
    /// The network of all machines.
    Network,
    /// The network of one machine.
    MachineNetwork,
    /// The container with the engine of one machine.
    NestedEngine,
    /// The volume with that engine's socket.
    NestedSocket,
    /// A volume that outlives the machines which have it.
    Cache,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Filler => "filler",
            Self::Runner => "runner",
            Self::Network => "network",
            Self::MachineNetwork => "machine-network",
            Self::NestedEngine => "nested-engine",
            Self::NestedSocket => "nested-socket",
            Self::Cache => "cache",
        }
    }
}

/// Whose things are looked at and made: those of one backend of one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whose {
    pub(crate) deployment: DeploymentId,
    pub(crate) backend: BackendId,
}

impl Whose {
    /// Begins the names of things that the engine knows by name. No two backends have the same, whatever they are called.
    pub(crate) fn prefix(&self) -> String {
        format!("forgescale-{}.{}", encode(self.deployment.as_str()), encode(self.backend.as_str()))
    }
}

/// The labels of a thing.
pub(crate) fn of(whose: &Whose, role: Role) -> HashMap<String, String> {
    let pairs = [(DEPLOYMENT, whose.deployment.as_str()), (BACKEND, whose.backend.as_str()), (ROLE, role.word())];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The labels of a machine's container; none if the tags cannot be written.
pub(crate) fn of_machine(whose: &Whose, name: &MachineName, tags: &MachineTags) -> Option<HashMap<String, String>> {
    of_one(whose, Role::Machine, name, tags)
}

/// The labels of a thing of one machine; none if the tags cannot be written.
pub(crate) fn of_one(
    whose: &Whose,
    role: Role,
    name: &MachineName,
    tags: &MachineTags,
) -> Option<HashMap<String, String>> {
    let mut labels = of(whose, role);
    labels.insert(NAME.to_owned(), name.as_str().to_owned());
    labels.insert(POOL.to_owned(), tags.pool().as_str().to_owned());
    labels.insert(TAGS.to_owned(), serde_json::to_string(tags).ok()?);
    Some(labels)
}

/// The labels of a cache of a pool.
pub(crate) fn of_cache(whose: &Whose, pool: &PoolId, cache: &Cache) -> HashMap<String, String> {
    let mut labels = of(whose, Role::Cache);
    labels.insert(POOL.to_owned(), pool.as_str().to_owned());
    labels.insert(PATH.to_owned(), cache.path.clone());
    labels.extend(cache.repository.iter().map(|of| (REPOSITORY.to_owned(), of.to_string())));
    labels
}

/// What a machine was made with, by its labels.
pub(crate) fn read(labels: &HashMap<String, String>) -> Option<(MachineName, MachineTags)> {
    Some((MachineName::new(labels.get(NAME)?), serde_json::from_str(labels.get(TAGS)?).ok()?))
}

/// Whether labels are those of a thing of ours with this role.
pub(crate) fn are_ours(whose: &Whose, role: Role, labels: &HashMap<String, String>) -> bool {
    of(whose, role).iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// A filter for the engine's lists: all of ours with one role, or the machine of one name. It spares the engine and us
/// work, and is believed in nothing: of volumes Podman 4.3 lists all that have *any* of the labels. Whatever is listed is
/// looked at with [`are_ours`].
pub(crate) fn filter(whose: &Whose, role: Role, name: Option<&MachineName>) -> HashMap<String, Vec<String>> {
    let mut wanted: Vec<_> = of(whose, role).iter().map(|(key, value)| format!("{key}={value}")).collect();
    wanted.extend(name.map(|name| format!("{NAME}={name}")));
    HashMap::from([("label".to_owned(), wanted)])
}

#[cfg(test)]
mod tests {
    use planner::ids::{ForgeId, Handle, ScopeId, ScopeKey, Try};
    use planner::seen::JobTags;

    use super::*;

    fn whose(deployment: &str, backend: &str) -> Whose {
        Whose { deployment: DeploymentId::new(deployment), backend: BackendId::new(backend) }
    }

    #[test]
    fn no_two_backends_share_a_name_or_a_label() {
        assert_eq!(whose("prod", "docker").prefix(), "forgescale-prod.docker");
        assert_ne!(whose("a.b", "c").prefix(), whose("a", "b.c").prefix());
        let labels = of(&whose("d", "b"), Role::Machine);
        let are = |deployment, backend, role| are_ours(&whose(deployment, backend), role, &labels);
        assert!(are("d", "b", Role::Machine));
        assert!(!are("d", "c", Role::Machine) && !are("e", "b", Role::Machine) && !are("d", "b", Role::Filler));
    }

    #[test]
    fn what_a_machine_was_made_with_is_read_back_from_its_labels() {
        let scope = ScopeKey { forge: ForgeId::new("http://f:1"), scope: ScopeId::new("repo:a/\"b\"#1") };
        let (handle, attempt) = (Handle::new("h/1=ü"), Try(3));
        let tags = JobTags { pool: PoolId::new("p"), scope, handle, attempt, scope_id: Some(-1) }.into();
        let name = MachineName::new("fs-1");
        let mut labels = of_machine(&whose("d", "b"), &name, &tags).unwrap();
        assert_eq!(read(&labels), Some((name, tags)));
        labels.insert(TAGS.to_owned(), "{".to_owned());
        assert_eq!(read(&labels), None);
    }
}
