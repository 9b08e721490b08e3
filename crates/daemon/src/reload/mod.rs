//! Reload: the configuration is read again, and used without touching running jobs.
//!
//! ```text
//! file ─► Config ─► set aside what needs a restart ─► Parts ─► other tokens: what does the forge say of them?
//!           │                                          │            │       └─► owner: would something be left alone?
//!           └► mistakes                                │            │              │        └─► used from now on
//!                └────────────► refused, nothing has changed ◄──────┴──────────────┘
//! ```
//!
//! Promises: all mistakes are told at once; either all of it is used or nothing; backends that are configured as before
//! stay what they are; one of containers that is configured otherwise knows what the one before it has begun; what was made
//! on the disk for one that is refused goes again.

mod settings;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend_host::Program;
use planner::change::Stranded;
use planner::ids::{BackendId, DeploymentId};
use planner::report::counted;

use crate::chain;
use crate::config::{self, Config, ConfigError, Problem, Surroundings};
use crate::control::{Reloaded, Said};
use crate::forges::Forges;
use crate::machines::{Backend, ForWhat};
use crate::parts::{self, Parts};
use settings::{Differences, Settings};

/// What to tell where there is nothing else to advise.
const AS_BEFORE: &str = "mend it and reload again; the daemon goes on with what it has read before";

/// The configuration in use, as far as the next one is compared with it.
#[derive(Debug, Clone)]
pub(crate) struct InUse {
    file: PathBuf,
    supervisor: Program,
    /// Where backends have their folders.
    machines: PathBuf,
    deployment: DeploymentId,
    state_directory: PathBuf,
    runtime_directory: Option<PathBuf>,
    settings: Settings,
    backends: BTreeMap<BackendId, (config::Backend, Backend)>,
    forges: Arc<Forges>,
}

/// A configuration that can be used.
#[derive(Debug)]
pub(crate) struct Next {
    /// What is in use then.
    pub(crate) in_use: InUse,
    /// What follows from it.
    pub(crate) parts: Parts,
    /// What is different.
    pub(crate) reloaded: Reloaded,
}

impl InUse {
    /// What a daemon was started with.
    pub(crate) fn new(file: &Path, supervisor: &Program, machines: &Path, config: &Config, parts: &Parts) -> Self {
        Self {
            file: file.to_owned(),
            supervisor: supervisor.clone(),
            machines: machines.to_owned(),
            deployment: config.deployment.clone(),
            state_directory: config.state_directory.clone(),
            runtime_directory: config.runtime_directory.clone(),
            settings: settings(config),
            backends: both(config, &parts.backends),
            forges: Arc::clone(&parts.forges),
        }
    }

    /// Reads the file again; all that is wrong with it otherwise. Blocks for files.
    pub(crate) fn read_again(&self) -> Result<Next, Vec<Said>> {
        let mut config = Config::load(&self.file, &Surroundings::of_process()).map_err(|error| mistakes(&error))?;
        let warnings = config.warnings.iter().map(|problem| said(&self.file, problem)).collect();
        let Differences { restart, others: changed } = self.settings.differences(&settings(&config));
        config.deployment.clone_from(&self.deployment);
        config.state_directory.clone_from(&self.state_directory);
        config.runtime_directory.clone_from(&self.runtime_directory);
        let known = |id: &BackendId, configured: &config::Backend| {
            let (before, backend) = self.backends.get(id)?;
            // With another runner in the same place it is another one, too.
            if before.kind == configured.kind && before.made_of == configured.made_of {
                return Some(backend.clone());
            }
            backend.replaced(id, configured, &self.deployment)
        };
        let backends = parts::backends(&config, &self.machines, &self.supervisor, ForWhat::Serving, known)
            .map_err(|error| vec![Said { text: chain(&error), hint: AS_BEFORE.to_owned() }])?;
        let parts = Parts::new(&config, backends)
            .map_err(|error| vec![Said { text: chain(&error), hint: AS_BEFORE.to_owned() }])?;
        let in_use = Self::new(&self.file, &self.supervisor, &self.machines, &config, &parts);
        let settings = in_use.settings.with_kept(&self.settings);
        let reloaded = Reloaded { changed, restart, draining: Vec::new(), warnings };
        Ok(Next { in_use: Self { settings, ..in_use }, parts, reloaded })
    }

    /// Asks forges about the tokens of the next configuration that are not in use already. One that must not be used is
    /// a reason to refuse, or the one in use stays: see [`tokens`].
    pub(crate) async fn judge_tokens(&self, next: &mut Next) -> Result<(), Vec<Said>> {
        let judged = tokens::judged(&self.forges, &next.parts.forges).await?;
        next.reloaded.changed.extend(judged.replaced);
        next.reloaded.warnings.extend(judged.warnings);
        Ok(())
    }
}

fn settings(config: &Config) -> Settings {
    Settings::new(&config.settings, config.pools.iter().map(|pool| pool.policy.id.as_str()))
}

fn both(config: &Config, backends: &BTreeMap<BackendId, Backend>) -> BTreeMap<BackendId, (config::Backend, Backend)> {
    let made = |(id, configured): (&BackendId, &config::Backend)| {
        backends.get(id).map(|backend| (id.clone(), (configured.clone(), backend.clone())))
    };
    config.backends.iter().filter_map(made).collect()
}

fn mistakes(error: &ConfigError) -> Vec<Said> {
    match error {
        ConfigError::Problems { file, problems } if !problems.is_empty() => {
            problems.iter().map(|problem| said(file, problem)).collect()
        }
        _ => vec![Said { text: chain(error), hint: AS_BEFORE.to_owned() }],
    }
}

fn said(file: &Path, problem: &Problem) -> Said {
    Said { text: problem.located(file), hint: problem.hint.clone() }
}

/// Why a configuration cannot be used now, for people.
pub(crate) fn stranded(what: &Stranded) -> Said {
    let (text, hint) = match what {
        Stranded::Scope { scope, assignments, runners } => (
            format!(
                "{scope} cannot be removed yet: {}",
                there(&[(*assignments, "assignment"), (*runners, "stray runner")])
            ),
            "keep it, and set the max of its pools to 0; once `forgescale explain all` shows nothing there, remove it",
        ),
        Stranded::Backend { backend, machines } => (
            format!("backend {backend} cannot be removed yet: {}", there(&[(*machines, "machine")])),
            "keep it, and remove its pools; once `forgescale explain all` shows no machine there, remove it",
        ),
    };
    Said { text, hint: hint.to_owned() }
}

/// `1 assignment of ours is there`, `2 assignments and 1 stray runner of ours are there`.
fn there(counts: &[(u32, &str)]) -> String {
    let all: u32 = counts.iter().map(|(count, _)| count).sum();
    let named = counts.iter().filter(|(count, _)| *count > 0);
    let named: Vec<_> = named.map(|(count, what)| counted(*count as usize, what)).collect();
    format!("{} of ours {} there", named.join(" and "), if all == 1 { "is" } else { "are" })
}
