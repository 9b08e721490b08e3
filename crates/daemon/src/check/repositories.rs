//! A scope whose runners are registered at its repositories: whether that can be done.

use forgejo::Job;

use super::finding::Finding;
use super::scope::lacking;
use crate::at_repositories::{self, Tried};
use crate::chain;
use crate::forges::ScopeClient;

/// What the token may do at the repositories of a scope: those with jobs first.
pub(super) async fn check(subject: &str, of: &ScopeClient, jobs: &[Job]) -> Vec<Finding> {
    let own = match at_repositories::own(&of.client, &of.scope).await {
        Ok(own) => own,
        Err(error) => {
            let message = format!("its repositories cannot be listed: {}", chain(&error));
            return vec![Finding::error(subject, message).hint("the daemon looks there for what it has left behind")];
        }
    };
    match at_repositories::tried(&of.client, jobs.iter().map(|job| job.repo_id).chain(own)).await {
        Ok(Some(tried)) => findings(subject, of, &tried),
        Ok(None) => {
            let message =
                "no repository with Actions was found to try: whether runners can be registered there is not known";
            let hint = "the token needs write:repository beside the right to read the scope";
            vec![Finding::warning(subject, message).hint(hint)]
        }
        Err(error) => {
            let message = format!("the forge did not say what the token may do at its repositories: {}", chain(&error));
            vec![Finding::error(subject, message).hint("try again; look into the forge's own log")]
        }
    }
}

fn findings(subject: &str, of: &ScopeClient, tried: &Tried) -> Vec<Finding> {
    let scope = tried.repository.as_ref().unwrap_or(&of.scope);
    let subject = match &tried.repository {
        Some(repository) => format!("{subject}, its repository {}", repository.to_string().trim_start_matches("repo:")),
        None => subject.to_owned(),
    };
    if tried.lacks.is_empty() {
        return vec![Finding::ok(subject, "runners can be registered there")];
    }
    tried.lacks.iter().map(|lack| lacking(&subject, scope, lack)).collect()
}
