//! A scope whose runners are registered at its repositories: whether that can be done, tried with a few of them.

use std::collections::BTreeSet;

use forgejo::{Error, Job, Lack, RepositoryName, Scope};

use super::finding::Finding;
use super::scope::lacking;
use crate::chain;
use crate::forges::ScopeClient;

/// A repository without Actions says nothing: then another one is tried, up to so many.
const MOST_TRIED: usize = 10;

/// What the token may do at the repositories of a scope: those with jobs first.
pub(super) async fn check(subject: &str, of: &ScopeClient, jobs: &[Job]) -> Vec<Finding> {
    let listed = match of.client.list_repositories(&of.scope, 1).await {
        Ok(listed) => listed,
        Err(error) => {
            let message = format!("its repositories cannot be listed: {}", chain(&error));
            return vec![Finding::error(subject, message).hint("the daemon looks there for what it has left behind")];
        }
    };
    let mut seen = BTreeSet::new();
    let ids = jobs.iter().map(|job| job.repo_id).chain(listed.iter().map(|repository| repository.id));
    for id in ids.filter(|id| seen.insert(*id)).take(MOST_TRIED) {
        match tried(subject, of, id).await {
            Ok(Some(findings)) => return findings,
            Ok(None) => {}
            Err(error) => {
                let message =
                    format!("the forge did not say what the token may do at its repositories: {}", chain(&error));
                return vec![Finding::error(subject, message).hint("try again; look into the forge's own log")];
            }
        }
    }
    let message = "no repository with Actions was found to try: whether runners can be registered there is not known";
    vec![Finding::warning(subject, message).hint("the token needs write:repository beside the right to read the scope")]
}

/// One repository; nothing when it has no Actions, or is among those of a user without being that user's own: a forge lists
/// there what the user works on, too.
async fn tried(subject: &str, of: &ScopeClient, id: i64) -> Result<Option<Vec<Finding>>, Error> {
    let RepositoryName::Known(name) = of.client.repository(id).await? else {
        let needed = Lack::TokenScope { needed: "write:repository".to_owned(), reads: false };
        return Ok(Some(vec![lacking(subject, &Scope::User, &needed)]));
    };
    let Ok(scope) = Scope::parse(&format!("repo:{name}")) else { return Ok(None) };
    let lacks = of.client.rights(&scope).await?.lacks;
    if lacks == [Lack::ActionsUnit] || (of.scope == Scope::User && lacks == [Lack::Ownership]) {
        return Ok(None);
    }
    let subject = format!("{subject}, its repository {name}");
    Ok(Some(if lacks.is_empty() {
        vec![Finding::ok(subject, "runners can be registered there")]
    } else {
        lacks.iter().map(|lack| lacking(&subject, &scope, lack)).collect()
    }))
}
