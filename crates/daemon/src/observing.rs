//! The tasks of all observers. They end and begin anew when what they watch has changed, or when all shall be listed at
//! once.

use std::collections::BTreeMap;

use planner::ids::BackendId;
use planner::policy::Policy;
use tokio::task::JoinSet;

use crate::forges::Forges;
use crate::machines::Backend;
use crate::observers::{self, Reporting};

/// One task for each scope and each backend.
#[derive(Debug)]
pub(crate) struct Observing {
    reporting: Reporting,
    tasks: JoinSet<()>,
}

impl Observing {
    /// Nothing is observed yet.
    pub(crate) fn new(reporting: Reporting) -> Self {
        Self { reporting, tasks: JoinSet::new() }
    }

    /// Ends the observers that there are, and begins others. A list that is being read then is never told: it may be one
    /// of a client that is used no more.
    pub(crate) fn begin(&mut self, policy: &Policy, forges: &Forges, backends: &BTreeMap<BackendId, Backend>) {
        self.tasks = JoinSet::new();
        for (key, scope) in forges.scopes() {
            self.tasks.spawn(observers::scope(key.clone(), scope.clone(), self.reporting.clone()));
        }
        for (id, backend) in backends {
            let Some(interval) = policy.backends.get(id).map(|backend| backend.interval) else { continue };
            self.tasks.spawn(observers::backend(id.clone(), backend.clone(), interval, self.reporting.clone()));
        }
    }

    /// Waits until one has died, which is a defect.
    pub(crate) async fn died(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if ended.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}
