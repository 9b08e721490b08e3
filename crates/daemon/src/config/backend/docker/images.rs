//! The images that a backend of containers may make machines of.

use std::collections::{BTreeMap, BTreeSet};

use backend_docker::Mode;
use planner::ids::BackendId;

use super::DockerSettings;
use crate::config::{BackendKind, Config, Pool};

impl Config {
    /// The images that each backend of containers is to have before jobs come: those of pools that may have machines.
    pub(crate) fn images(&self) -> BTreeMap<BackendId, BTreeSet<String>> {
        let of = |(id, backend): (&BackendId, &crate::config::Backend)| {
            let BackendKind::Docker(docker) = &backend.kind else { return None };
            let pools = self.pools.iter().filter(|pool| pool.policy.backend == *id && pool.policy.max > 0);
            Some((id.clone(), docker.images(pools).into_iter().map(str::to_owned).collect()))
        };
        self.backends.iter().filter_map(of).collect()
    }
}

impl DockerSettings {
    /// Those that the labels of these pools name, and those that the backend itself does. A nested engine has those of its
    /// jobs to itself.
    pub(crate) fn images<'a>(&'a self, pools: impl Iterator<Item = &'a Pool>) -> BTreeSet<&'a str> {
        if let Mode::Nested { image, .. } = &self.mode {
            return [image.as_str()].into_iter().chain(self.image.as_deref()).collect();
        }
        let named = pools.flat_map(|pool| &pool.policy.labels).filter_map(|label| label.environment().image());
        named.chain(self.image.as_deref()).filter(|image| !image.is_empty()).collect()
    }
}
