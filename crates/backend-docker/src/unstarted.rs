//! Machines that an earlier daemon bound and did not start.
//!
//! Whether its start is still on its way nobody can tell by looking. So the container is removed, unless it runs: the engine
//! does not start what it removes and does not remove what it is starting, so that afterwards there is proof that no runner
//! ever ran. The machine is then listed as ended until it is destroyed; should this daemon die before that, there is no
//! machine, which is as true.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bollard::query_parameters::RemoveContainerOptionsBuilder;
use planner::ids::MachineName;
use planner::seen::{Exit, MachineSeen, MachineState};

use crate::backend::Docker;
use crate::binding::Bound;
use crate::machines::{Found, Phase};

/// Machines whose containers were removed for it.
#[derive(Debug, Default)]
pub(crate) struct Unstarted {
    machines: Mutex<BTreeMap<MachineName, MachineSeen>>,
}

impl Unstarted {
    /// Whether a container is such a one.
    pub(crate) fn is_one(docker: &Docker, found: &Found) -> bool {
        found.phase == Phase::Created && found.bound != Bound::No && !docker.has_handed_over(&found.name)
    }

    /// Removes the container, unless it has been started meanwhile; whether it is gone.
    pub(crate) async fn settle(&self, docker: &Docker, found: &Found) -> bool {
        let Ok(client) = docker.engine.client().await else { return false };
        // Not by force: that would kill a runner.
        let options = RemoveContainerOptionsBuilder::default().force(false).v(true).build();
        match docker.engine.long_call("remove a container", client.remove_container(&found.id, Some(options))).await {
            Ok(()) => {}
            // Whoever removed it is removing the machine.
            Err(error) if error.status() == Some(404) => return true,
            Err(_) => return false,
        }
        let state = MachineState::Ended { exit: Exit::NeverStarted };
        let (name, binding) = (found.name.clone(), found.bound.clone().binding());
        let seen = MachineSeen { name: name.clone(), tags: found.tags.clone(), binding, state };
        self.machines().insert(name, seen);
        true
    }

    /// All of them.
    pub(crate) fn rows(&self) -> Vec<MachineSeen> {
        self.machines().values().cloned().collect()
    }

    /// Whether a machine is one of them.
    pub(crate) fn has(&self, name: &MachineName) -> bool {
        self.machines().contains_key(name)
    }

    /// It is destroyed.
    pub(crate) fn forget(&self, name: &MachineName) {
        self.machines().remove(name);
    }

    fn machines(&self) -> MutexGuard<'_, BTreeMap<MachineName, MachineSeen>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
