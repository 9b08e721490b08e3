//! The environment of a step: the runner's own, all of it, as the real runner hands it to jobs on `host` labels
//! (protocol 3.6), and what the forge tells of the job. Whoever starts the runner gives it a clean one, and finds its
//! processes by what they inherited.

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

/// What comes from the runner's own environment, and what a step cannot do without.
pub(crate) fn base(workspace: &Path) -> Vec<(String, String)> {
    let defaults = [("PATH", DEFAULT_PATH), ("HOME", &*workspace.to_string_lossy()), ("LANG", "C.UTF-8")]
        .map(|(name, default)| (name.to_owned(), default.to_owned()));
    // Later ones win. What is no text cannot be handed on as text.
    let own = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    defaults.into_iter().chain(own).collect()
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
    fn what_the_runner_has_is_handed_on_and_what_it_lacks_has_a_default() {
        let variables: std::collections::BTreeMap<String, String> = base(Path::new("/w")).into_iter().collect();
        // Cargo sets it for tests.
        assert_eq!(variables.get("CARGO_PKG_NAME").map(String::as_str), Some(env!("CARGO_PKG_NAME")));
        assert!(["PATH", "HOME", "LANG"].iter().all(|name| variables.contains_key(*name)), "{variables:?}");
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
