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
use crate::ended;
use crate::machines::{Found, Phase};
use crate::settings::WithUnstarted;

/// How many are settled in one listing, which is to be quick; the next one goes on.
pub(crate) const AT_A_TIME: usize = 4;

/// Machines whose containers were removed for it.
#[derive(Debug, Default)]
pub(crate) struct Unstarted {
    machines: Mutex<BTreeMap<MachineName, MachineSeen>>,
}

impl Unstarted {
    /// Whether a container is such a one, and ours to settle.
    pub(crate) fn is_one(docker: &Docker, found: &Found) -> bool {
        let is_unstarted = found.phase == Phase::Created && found.bound != Bound::No;
        let is_ours = docker.settings.unstarted == WithUnstarted::Settle && !docker.memory.has_handed_over(&found.name);
        is_unstarted && is_ours && docker.memory.exit(&found.id).is_none()
    }

    /// Removes the container, unless it has been started meanwhile; whether it is gone.
    pub(crate) async fn settle(&self, docker: &Docker, found: &Found) -> bool {
        // One that has run and ended since it was listed could be removed as well, and would be proof of nothing.
        let state = ended::inspected(docker, &found.id).await;
        if !state.is_ok_and(|state| state.is_some_and(|state| ended::is_created(&state))) {
            return false;
        }
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
