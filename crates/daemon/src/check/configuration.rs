//! The configuration file itself: its problems, or what is doubtful in it.

use std::path::Path;

use super::finding::Finding;
use crate::chain;
use crate::config::{Config, ConfigError, Problem};

/// A configuration that cannot be used, as findings; never empty. Nothing else can be looked at then.
pub fn unusable(error: &ConfigError) -> Vec<Finding> {
    match error {
        ConfigError::Unreadable { .. } => {
            let finding = Finding::error("configuration", chain(error));
            vec![finding.hint("`forgescale config init --output FILE` writes an example")]
        }
        ConfigError::Problems { file, problems } => problems
            .iter()
            .map(|problem| told(Finding::error(place(file, problem), sentence(problem)), problem))
            .collect(),
    }
}

/// A configuration that can be used.
pub(super) fn usable(file: &Path, config: &Config) -> Vec<Finding> {
    let (forges, pools, backends) = (config.forges.len(), config.pools.len(), config.backends.len());
    let read = format!("it can be used: forges: {forges}, pools: {pools}, backends: {backends}");
    let doubts =
        config.warnings.iter().map(|problem| told(Finding::warning(place(file, problem), sentence(problem)), problem));
    std::iter::once(Finding::ok(file.display().to_string(), read)).chain(doubts).collect()
}

fn place(file: &Path, problem: &Problem) -> String {
    format!("{}:{}:{}", file.display(), problem.line, problem.column)
}

fn sentence(problem: &Problem) -> String {
    if problem.key.is_empty() { problem.reason.clone() } else { format!("{}: {}", problem.key, problem.reason) }
}

fn told(finding: Finding, problem: &Problem) -> Finding {
    Finding { hint: problem.hint.clone(), ..finding }
}
