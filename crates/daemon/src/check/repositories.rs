//! A scope whose runners are registered at its repositories: whether that can be done, tried with a few of them.

use std::collections::BTreeSet;

use forgejo::{Error, ErrorClass, Job, Lack, Scope};

use super::finding::Finding;
use super::scope::lacking;
use crate::chain;
use crate::forges::ScopeClient;

/// A repository without Actions says nothing: then another one is tried, up to so many.
const MOST_TRIED: usize = 10;

/// What the token may do at the repositories of a scope: those with jobs first.
pub(super) async fn check(subject: &str, of: &ScopeClient, jobs: &[Job]) -> Vec<Finding> {
    let own = match own(of).await {
        Ok(own) => own,
        Err(error) => {
            let message = format!("its repositories cannot be listed: {}", chain(&error));
            return vec![Finding::error(subject, message).hint("the daemon looks there for what it has left behind")];
        }
    };
    let mut seen = BTreeSet::new();
    let ids = jobs.iter().map(|job| job.repo_id).chain(own);
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

/// The first repositories of the scope, without those of others on which a user only works.
async fn own(of: &ScopeClient) -> Result<Vec<i64>, Error> {
    let owner = if of.scope == Scope::User { of.client.scope_id(&of.scope).await? } else { None };
    let listed = of.client.list_repositories(&of.scope, 1).await?;
    Ok(listed.iter().filter(|repository| repository.is_owned_by(owner)).map(|repository| repository.id).collect())
}

/// One repository; nothing when it has no Actions, or has just gone.
async fn tried(subject: &str, of: &ScopeClient, id: i64) -> Result<Option<Vec<Finding>>, Error> {
    let name = match of.client.repository(id).await {
        Ok(name) => name,
        Err(error) => {
            return match error.class() {
                ErrorClass::NotFound => Ok(None),
                ErrorClass::Forbidden { needed_scope: Some(_) } => {
                    let needed = Lack::TokenScope { needed: "write:repository".to_owned(), reads: false };
                    Ok(Some(vec![lacking(subject, &of.scope, &needed)]))
                }
                _ => Err(error),
            };
        }
    };
    let Ok(scope) = Scope::parse(&format!("repo:{name}")) else { return Ok(None) };
    let lacks = of.client.rights(&scope).await?.lacks;
    if matches!(lacks[..], [Lack::ActionsUnit | Lack::Visibility]) {
        return Ok(None);
    }
    let subject = format!("{subject}, its repository {name}");
    Ok(Some(if lacks.is_empty() {
        vec![Finding::ok(subject, "runners can be registered there")]
    } else {
        lacks.iter().map(|lack| lacking(&subject, &scope, lack)).collect()
    }))
}
