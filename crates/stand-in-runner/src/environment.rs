//! The environment of a step: a clean base, what the forge tells of the job, and nothing else of the runner's own.

use std::env;
use std::path::{Path, PathBuf};

use crate::contexts::Contexts;

/// Where programs are found when the runner itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Both names of every variable: jobs written for GitHub and for Forgejo find theirs.
pub(crate) const PREFIXES: [&str; 2] = ["GITHUB_", "FORGEJO_"];

/// Variables that repeat a text of the `github` context.
const FROM_CONTEXT: [(&str, &str); 18] = [
    ("ACTOR", "actor"),
    ("API_URL", "api_url"),
    ("BASE_REF", "base_ref"),
    ("EVENT_NAME", "event_name"),
    ("HEAD_REF", "head_ref"),
    ("JOB", "job"),
    ("REF", "ref"),
    ("REF_NAME", "ref_name"),
    ("REF_TYPE", "ref_type"),
    ("REPOSITORY", "repository"),
    ("REPOSITORY_OWNER", "repository_owner"),
    ("RUN_ATTEMPT", "run_attempt"),
    ("RUN_ID", "run_id"),
    ("RUN_NUMBER", "run_number"),
    ("SERVER_URL", "server_url"),
    ("SHA", "sha"),
    ("WORKFLOW", "workflow"),
    ("WORKSPACE", "workspace"),
];

/// The only variables that come from the runner's own environment.
pub(crate) fn base(workspace: &Path) -> Vec<(String, String)> {
    let own = |name: &str, default: &str| (name.to_owned(), env::var(name).unwrap_or_else(|_| default.to_owned()));
    vec![own("PATH", DEFAULT_PATH), own("HOME", &workspace.to_string_lossy()), own("LANG", "C.UTF-8")]
}

/// What the forge tells of the job.
pub(crate) fn of_job(contexts: &Contexts) -> Vec<(String, String)> {
    let mut variables = vec![("CI".to_owned(), "true".to_owned())];
    for prefix in PREFIXES {
        variables.push((format!("{prefix}ACTIONS"), "true".to_owned()));
        for (name, key) in FROM_CONTEXT {
            variables.push((format!("{prefix}{name}"), contexts.github_text(key).to_owned()));
        }
    }
    variables
}

/// Finds a program in a `PATH`.
pub(crate) fn find_program(name: &str, path: &str) -> Option<PathBuf> {
    env::split_paths(path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use runner_rpc::messages::Task;
    use serde_json::Value;

    use super::{base, find_program, of_job};
    use crate::contexts::Contexts;

    #[test]
    fn only_three_variables_come_from_the_runner() {
        let names: Vec<String> = base(Path::new("/w")).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PATH", "HOME", "LANG"]);
    }

    #[test]
    fn every_variable_of_the_job_has_both_names() {
        let contexts = Contexts::new(&Task::default(), "http://forge.example", "/w", Value::Null);
        let variables = of_job(&contexts);
        for expected in [("GITHUB_SERVER_URL", "http://forge.example"), ("FORGEJO_WORKSPACE", "/w"), ("CI", "true")] {
            let found = variables.iter().find(|(name, _)| name == expected.0).unwrap();
            assert_eq!(found.1, expected.1);
        }
    }

    #[test]
    fn programs_are_found_in_the_path() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("tool"), "").unwrap();
        let path = format!("/nowhere:{}", directory.path().display());
        assert_eq!(find_program("tool", &path), Some(directory.path().join("tool")));
        assert_eq!(find_program("other", &path), None);
    }
}
