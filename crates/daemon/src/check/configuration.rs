//! The configuration file itself: its problems, and what is doubtful in it.

use std::path::Path;

use super::finding::Finding;
use crate::chain;
use crate::config::{ConfigError, Problem, Reading};

/// A configuration that cannot be read, as a finding. Nothing else can be looked at then.
pub(super) fn unreadable(error: &ConfigError) -> Finding {
    Finding::error("configuration", chain(error)).hint_if_any(error.hint())
}

/// What is to be said about the text. It is whole, or has mistakes, which come first.
pub(super) fn check(file: &Path, Reading { config, problems }: &Reading) -> Vec<Finding> {
    let mistakes =
        problems.iter().map(|problem| told(Finding::error(place(file, problem), sentence(problem)), problem));
    let mut findings: Vec<Finding> = mistakes.collect();
    let Some(config) = config else { return findings };
    if findings.is_empty() {
        let (forges, pools, backends) = (config.forges.len(), config.pools.len(), config.backends.len());
        let read = format!("it can be used: forges: {forges}, pools: {pools}, backends: {backends}");
        findings.push(Finding::ok(file.display().to_string(), read));
    }
    let warnings = config.warnings.iter();
    findings.extend(warnings.map(|problem| told(Finding::warning(place(file, problem), sentence(problem)), problem)));
    findings
}

fn place(file: &Path, problem: &Problem) -> String {
    format!("{}:{}:{}", file.display(), problem.line, problem.column)
}

fn sentence(problem: &Problem) -> String {
    if problem.key.is_empty() { problem.reason.clone() } else { format!("{}: {}", problem.key, problem.reason) }
}

fn told(finding: Finding, problem: &Problem) -> Finding {
    finding.hint(problem.hint.as_str())
}
