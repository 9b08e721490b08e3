//! What a token may do in a scope, found out without changing anything.
//!
//! ```text
//! DELETE of a runner that cannot exist ─► 404 about that runner: it may write, and so read
//!                                      └► 401, 403, 404 about the scope, 301: what is lacking
//! ```
//!
//! The forge checks token, token scope and ownership before it looks for the runner (protocol 1.1 and 1.7), so the one
//! call proves what registering needs.
//!
//! Deliberately absent: a registration for trying out. It would stay if this program were killed in between.

use serde::Deserialize;

use crate::{Client, Error, ErrorClass, Scope};

/// No database hands out this id.
const IMPOSSIBLE: i64 = i64::MAX;

/// Something without which a scope cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The forge does not know the token.
    KnownToken,
    /// The token was made without a token scope.
    TokenScope {
        /// The one that is needed, as `write:repository`.
        needed: String,
        /// Whether the token can read all the same.
        reads: bool,
    },
    /// The token's user does not own the scope: is no site admin, no member of the Owners team, not the repository's
    /// owner (a collaborator is none); or the token is a repository-specific one for other repositories.
    Ownership,
    /// There is no such organization or repository, or the token's user may not see it.
    Visibility,
    /// The repository's Actions unit is switched off.
    ActionsUnit,
    /// The repository was renamed or transferred.
    Name {
        /// Where it is now, as a scope if the forge says so in the usual way.
        now: String,
    },
}

/// How a token stands in a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// What is lacking; nothing when the scope can be served.
    pub lacks: Vec<Lack>,
    /// The repository is archived: its jobs are still handed out (protocol 1.1), but nobody can push new ones.
    pub archived: bool,
}

#[derive(Deserialize)]
struct RepositoryAnswer {
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    has_actions: bool,
}

impl Client {
    /// What the token may do in a scope. An error when the forge did not say; nothing is changed in any case.
    pub async fn rights(&self, scope: &Scope) -> Result<Rights, Error> {
        let lacks = match self.delete_runner(scope, IMPOSSIBLE).await {
            Ok(_) => Vec::new(),
            Err(error) => self.lacks(scope, error).await?,
        };
        let archived = match scope {
            Scope::Repository { .. } if lacks.is_empty() => self.repository_of(scope).await?.archived,
            _ => false,
        };
        Ok(Rights { lacks, archived })
    }

    async fn lacks(&self, scope: &Scope, error: Error) -> Result<Vec<Lack>, Error> {
        match error.class() {
            ErrorClass::Auth => Ok(vec![Lack::KnownToken]),
            ErrorClass::Forbidden { needed_scope: None } => Ok(vec![Lack::Ownership]),
            ErrorClass::Forbidden { needed_scope: Some(needed) } => self.lacks_beside(scope, needed).await,
            ErrorClass::NotFound => Ok(vec![self.hidden_or_off(scope).await?]),
            ErrorClass::Redirected => match &error {
                Error::Redirected { location, .. } => Ok(vec![Lack::Name { now: place(location) }]),
                _ => Err(error),
            },
            ErrorClass::RateLimited { .. } | ErrorClass::Transient | ErrorClass::Permanent => Err(error),
        }
    }

    /// A token scope is the first thing that the forge looks for: reading shows what else is lacking.
    async fn lacks_beside(&self, scope: &Scope, needed: String) -> Result<Vec<Lack>, Error> {
        let Err(error) = self.get_runner(scope, IMPOSSIBLE).await else {
            return Ok(vec![Lack::TokenScope { needed, reads: true }]);
        };
        let beside = match error.class() {
            ErrorClass::Forbidden { needed_scope: Some(_) } => None,
            ErrorClass::Forbidden { needed_scope: None } => Some(Lack::Ownership),
            ErrorClass::NotFound => Some(self.hidden_or_off(scope).await?),
            ErrorClass::Auth
            | ErrorClass::Redirected
            | ErrorClass::RateLimited { .. }
            | ErrorClass::Transient
            | ErrorClass::Permanent => return Err(error),
        };
        Ok(std::iter::once(Lack::TokenScope { needed, reads: false }).chain(beside).collect())
    }

    /// Tells apart what the forge answers alike: no such repository, and one without Actions. Trouble of the forge tells
    /// neither.
    async fn hidden_or_off(&self, scope: &Scope) -> Result<Lack, Error> {
        let of_repository = matches!(scope, Scope::Repository { .. });
        match self.repository_of(scope).await {
            Ok(repository) if of_repository && !repository.has_actions => Ok(Lack::ActionsUnit),
            Ok(_) => Ok(Lack::Visibility),
            Err(error) if error.class() == ErrorClass::NotFound => Ok(Lack::Visibility),
            Err(error) => Err(error),
        }
    }

    async fn repository_of(&self, scope: &Scope) -> Result<RepositoryAnswer, Error> {
        self.get_value("get repository", &scope.path_prefix()).await
    }
}

/// The repository in an address of its API, as a scope.
fn place(location: &str) -> String {
    let path = location.split_once("/api/v1/repos/").map(|(_, path)| path);
    let mut names = path.unwrap_or_default().split('/');
    match (names.next(), names.next()) {
        (Some(owner), Some(name)) if !owner.is_empty() && !name.is_empty() => format!("repo:{owner}/{name}"),
        _ => location.to_owned(),
    }
}
