//! Why the REST API says no.

use std::fmt;

use super::authorise::Access;
use crate::ids::{OwnerId, RepoId, RunId, RunnerId};
use crate::owners::Category;

/// A refused request. `Display` gives the literal message of the answer's body where the forge has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401: no token.
    TokenRequired,
    /// 401: nobody has that token. The real body repeats it in clear (protocol 1.1).
    UnknownToken {
        /// The rejected token.
        token: String,
    },
    /// 403: the token lacks the scope.
    MissingScope {
        /// What was needed.
        access: Access,
        /// In which category.
        category: Category,
    },
    /// 403.
    NotSiteAdmin,
    /// 403.
    NotOrganizationOwner,
    /// 403.
    NotRepositoryOwner,
    /// 403: somebody who is no site administrator wants to be another user.
    NotSudoAdmin,
    /// 403: the repository may be seen, not pushed to.
    MayNotWrite,
    /// 403: somebody else's webhooks.
    NotHookAdmin,
    /// 404: no such run in the repository.
    NoRun {
        /// The number asked for.
        id: RunId,
    },
    /// 400: the request makes no sense, with the message.
    Invalid(String),
    /// 500, with a text that only site administrators are shown.
    Internal(String),
    /// 404 with the message of the "not found" helper.
    TargetNotFound,
    /// 404: no organization of that name.
    NoOrganization {
        /// The name.
        name: String,
    },
    /// 404: no owner of that name.
    NoOwner {
        /// The name.
        name: String,
    },
    /// 301: the repository lives elsewhere now.
    Moved {
        /// Its owner.
        owner: OwnerId,
        /// Itself.
        repository: RepoId,
    },
    /// 404: no such runner, or none that this scope may see.
    NoRunner {
        /// The number asked for.
        id: RunnerId,
    },
    /// 404: the runner is visible, but belongs to a superior scope.
    NotEditable,
    /// 422: a registration without a name.
    NameRequired,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenRequired => f.write_str("token is required"),
            Self::UnknownToken { token } => write!(f, "access token does not exist [sha: {token}]"),
            Self::MissingScope { access, category } => {
                let (access, category) = (access.word(), category.word());
                write!(f, "token does not have at least one of required scope(s): [{access}:{category}]")
            }
            Self::NotSiteAdmin => f.write_str("user should be the site admin"),
            Self::NotOrganizationOwner => f.write_str("Must be an organization owner"),
            Self::NotRepositoryOwner => f.write_str("user should be the owner of the repo"),
            Self::NotSudoAdmin => f.write_str("Only administrators allowed to sudo."),
            Self::MayNotWrite => f.write_str("user should have a permission to write to a repo"),
            Self::NotHookAdmin => {
                f.write_str("user should be an owner or a collaborator with admin write of a repository")
            }
            Self::NoRun { id } => write!(f, "run with id {id}: resource does not exist"),
            Self::Invalid(message) | Self::Internal(message) => f.write_str(message),
            Self::TargetNotFound => f.write_str("The target couldn't be found."),
            Self::NoOrganization { .. } => f.write_str("GetOrgByName"),
            Self::NoOwner { .. } => f.write_str("GetUserByName"),
            Self::Moved { .. } => f.write_str("Moved Permanently"),
            Self::NoRunner { id } => write!(f, "runner with ID {id}: resource does not exist"),
            Self::NotEditable => f.write_str("No permission to delete this runner"),
            Self::NameRequired => f.write_str("[Name]: Required"),
        }
    }
}

impl std::error::Error for Refusal {}
