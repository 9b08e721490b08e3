//! What is written on things of ours, so that they are found by it and by nothing else.

use std::collections::HashMap;

use planner::ids::{DeploymentId, MachineName};
use planner::seen::MachineTags;

/// Whose it is. Every container, network and volume of ours has it.
const DEPLOYMENT: &str = "forgescale.deployment";

/// What it is for.
const ROLE: &str = "forgescale.role";

/// The machine's name: the container's own changes.
const NAME: &str = "forgescale.name";

/// For whoever looks for a pool's containers by hand.
const POOL: &str = "forgescale.pool";

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
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Filler => "filler",
            Self::Runner => "runner",
            Self::Network => "network",
        }
    }
}

/// The labels of a thing.
pub(crate) fn of(deployment: &DeploymentId, role: Role) -> HashMap<String, String> {
    let pairs = [(DEPLOYMENT, deployment.as_str()), (ROLE, role.word())];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The labels of a machine's container; none if the tags cannot be written.
pub(crate) fn of_machine(
    deployment: &DeploymentId,
    name: &MachineName,
    tags: &MachineTags,
) -> Option<HashMap<String, String>> {
    let mut labels = of(deployment, Role::Machine);
    labels.insert(NAME.to_owned(), name.as_str().to_owned());
    labels.insert(POOL.to_owned(), tags.pool.as_str().to_owned());
    labels.insert(TAGS.to_owned(), serde_json::to_string(tags).ok()?);
    Some(labels)
}

/// What a machine was made with, by its labels.
pub(crate) fn read(labels: &HashMap<String, String>) -> Option<(MachineName, MachineTags)> {
    Some((MachineName::new(labels.get(NAME)?), serde_json::from_str(labels.get(TAGS)?).ok()?))
}

/// A filter for the engine's lists: everything of a deployment, or all with one role, or the machine of one name.
pub(crate) fn filter(
    deployment: &DeploymentId,
    role: Option<Role>,
    name: Option<&MachineName>,
) -> HashMap<String, Vec<String>> {
    let mut wanted = vec![format!("{DEPLOYMENT}={deployment}")];
    wanted.extend(role.map(|role| format!("{ROLE}={}", role.word())));
    wanted.extend(name.map(|name| format!("{NAME}={name}")));
    HashMap::from([("label".to_owned(), wanted)])
}

#[cfg(test)]
mod tests {
    use planner::ids::{ForgeId, Handle, PoolId, ScopeId, ScopeKey, Try};

    use super::*;

    #[test]
    fn what_a_machine_was_made_with_is_read_back_from_its_labels() {
        let scope = ScopeKey { forge: ForgeId::new("http://f:1"), scope: ScopeId::new("repo:a/\"b\"#1") };
        let (handle, attempt) = (Handle::new("h/1=ü"), Try(3));
        let tags = MachineTags { pool: PoolId::new("p"), scope, handle, attempt, scope_id: Some(-1) };
        let name = MachineName::new("fs-1");
        let mut labels = of_machine(&DeploymentId::new("d"), &name, &tags).unwrap();
        assert_eq!(read(&labels), Some((name, tags)));
        labels.insert(TAGS.to_owned(), "{".to_owned());
        assert_eq!(read(&labels), None);
    }
}
