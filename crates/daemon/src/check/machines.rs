//! Machines that an earlier or running daemon has written down in the state directory: whose they are, and which scope
//! they were made for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use backend_host::recorded;
use forgejo::Scope;
use planner::ids::{DeploymentId, ScopeKey};

use super::finding::Finding;
use crate::chain;
use crate::config::Config;
use crate::daemon::MACHINES;
use crate::forges::ScopeClient;

/// What is written down.
#[derive(Debug, Default)]
pub(super) struct Machines {
    /// Deployments other than ours.
    pub(super) of_others: BTreeSet<DeploymentId>,
    /// The ids that the forge had for our watched scopes when machines were made for them.
    made_for: BTreeMap<ScopeKey, BTreeSet<i64>>,
}

impl Machines {
    /// Reads them. Blocks; nothing is changed.
    pub(super) fn of(config: &Config) -> Self {
        let mut machines = Self::default();
        if config.state_directory.as_os_str().is_empty() || config.deployment.as_str().is_empty() {
            return machines;
        }
        for folder in folders(&config.state_directory.join(MACHINES)) {
            for found in recorded(&folder) {
                if found.deployment != config.deployment {
                    machines.of_others.insert(found.deployment);
                } else if let Some((scope, id)) = found.tags.job().and_then(|of| Some((&of.scope, of.scope_id?))) {
                    machines.made_for.entry(scope.watched()).or_default().insert(id);
                }
            }
        }
        machines
    }

    /// Whether the scope is still the one that machines of ours were made for, as the token sees it.
    pub(super) async fn same_scope(&self, subject: &str, key: &ScopeKey, of: &ScopeClient) -> Option<Finding> {
        let made_for = self.made_for.get(key)?;
        let now = match of.client.scope_id(&of.scope).await {
            Ok(now) => now?,
            Err(error) => {
                let message =
                    format!("whether it is the one that there are machines for is not known: {}", chain(&error));
                return Some(
                    Finding::warning(subject, message).hint("try again: nothing is launched before it is known"),
                );
            }
        };
        let other = made_for.iter().find(|id| **id != now)?;
        let message = format!(
            "it has id {now} now, and there are machines that were made for it when it had id {other}: nothing is launched \
             before they have ended, and their jobs are looked for in vain"
        );
        let hint = match of.scope {
            Scope::User => "use a token of the former user again, or wait until these machines have ended",
            _ => {
                "is the name that of another now? wait until these machines have ended, or watch the former by its new name"
            }
        };
        Some(Finding::warning(subject, message).hint(hint))
    }
}

/// One for each backend, also of those that are configured no more.
fn folders(machines: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(machines).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
