//! One scope: what its token may do there, and whether its jobs can be listed.

use forgejo::{Lack, Rights, Scope};
use planner::ids::ScopeKey;

use super::finding::Finding;
use super::machines::Machines;
use super::repositories;
use crate::chain;
use crate::forges::ScopeClient;

/// Rights and jobs of one scope.
pub(super) async fn check(key: &ScopeKey, of: &ScopeClient, machines: &Machines) -> Vec<Finding> {
    let subject = format!("scope {} of {}", key.scope, key.forge);
    let (rights, jobs) = tokio::join!(of.client.rights(&of.scope), of.client.list_jobs(&of.scope));
    let rights = match rights {
        Ok(rights) => rights,
        Err(error) => {
            let message = format!("the forge did not say what the token may do: {}", chain(&error));
            return vec![Finding::error(subject, message).hint("try again; look into the forge's own log")];
        }
    };
    let lacks = of.lacks(&rights);
    if !lacks.is_empty() {
        return lacks.iter().map(|lack| lacking(&subject, &of.scope, lack)).collect();
    }
    let mut repositories = Vec::new();
    if let (true, Ok(jobs)) = (of.at_repository, &jobs) {
        repositories = repositories::check(&subject, of, &jobs.rows).await;
    }
    let mut findings = vec![match jobs {
        Ok(jobs) => {
            let message = format!(
                "the token may {}; {} jobs wait or run",
                if of.at_repository { "read" } else { "read and write" },
                jobs.rows.len() + jobs.bad_rows.len()
            );
            match jobs.problem {
                None => Finding::ok(&subject, message),
                Some(problem) => {
                    Finding::warning(&subject, format!("{message}, but the list is incomplete: {problem}"))
                        .hint("as long as that is so, nothing is concluded from a job that is missing")
                }
            }
        }
        Err(error) => Finding::error(&subject, format!("its jobs cannot be listed: {}", chain(&error)))
            .hint("look into the forge's own log"),
    }];
    findings.extend(machines.same_scope(&subject, key, of).await);
    findings.extend(archived(&subject, &rights));
    findings.extend(repositories);
    findings
}

fn archived(subject: &str, rights: &Rights) -> Option<Finding> {
    let message = "the repository is archived: jobs that are there are served, and nobody can push new ones";
    rights.archived.then(|| Finding::warning(subject, message).hint("take it out of scopes if that is to stay so"))
}

/// The token scope that serving a scope needs (protocol 1.1).
fn needed(scope: &Scope) -> &'static str {
    match scope {
        Scope::Instance => "write:admin",
        Scope::Organization(_) => "write:organization",
        Scope::Repository { .. } => "write:repository",
        Scope::User => "write:user",
    }
}

/// The finding that something is lacking.
pub(super) fn lacking(subject: &str, scope: &Scope, lack: &Lack) -> Finding {
    let error = |message: String| Finding::error(subject, message);
    match lack {
        Lack::KnownToken => error("the forge does not know the token".to_owned()).hint(format!(
            "it may be mistyped, expired, deleted or another forge's: make one with {} (Settings, Applications)",
            needed(scope)
        )),
        Lack::TokenScope { needed, reads } => {
            let message = if *reads {
                format!("the token may only read here: it lacks {needed}")
            } else {
                format!("the token lacks {needed}")
            };
            error(message).hint(format!("make a token with {needed} (Settings, Applications)"))
        }
        Lack::Ownership => ownership(subject, scope),
        Lack::Visibility => visibility(subject, scope),
        Lack::ActionsUnit => error("Actions are switched off in the repository".to_owned())
            .hint("switch them on (Settings, Units), or take the repository out of scopes"),
        Lack::Name { now } => error(format!("it was renamed or transferred and is {now} now"))
            .hint(format!("write \"{now}\" instead: runners cannot be registered by the old name")),
    }
}

fn ownership(subject: &str, scope: &Scope) -> Finding {
    let (message, hint) = match scope {
        Scope::Instance => (
            "the token's user is no site administrator".to_owned(),
            "use a token of one, or watch organizations, repositories or a user instead".to_owned(),
        ),
        Scope::Organization(name) => (
            format!("the token's user does not own the organization {name}"),
            format!(
                "use a token of a member of the team Owners of {name}; other teams are not enough, whatever they may"
            ),
        ),
        Scope::Repository { owner, name } => (
            format!("the token's user does not own {owner}/{name}, or the token is for other repositories only"),
            format!(
                "use a token of {owner}, or of an owner or a team with admin permission if that is an organization; \
                 a collaborator is not enough, even with admin permission"
            ),
        ),
        Scope::User => ("the token has no user".to_owned(), "use an access token of a user".to_owned()),
    };
    Finding::error(subject, message).hint(hint)
}

fn visibility(subject: &str, scope: &Scope) -> Finding {
    let (message, hint) = match scope {
        Scope::Organization(name) => (
            format!("there is no organization {name} that the token's user can see"),
            "look for a slip; for the repositories of a user, use a token of that user and write \"user\"".to_owned(),
        ),
        Scope::Repository { owner, name } => (
            format!("there is no repository {owner}/{name} that the token can see"),
            "look for a slip; a private one needs a token of somebody who may see it, and not one for public \
             repositories only"
                .to_owned(),
        ),
        Scope::Instance | Scope::User => {
            ("the forge has no such place".to_owned(), "is the url that of a Forgejo, with its sub-path?".to_owned())
        }
    };
    Finding::error(subject, message).hint(hint)
}
