//! Making access tokens through REST (protocol 1.1): with a password only.

use std::collections::BTreeSet;

use super::refusal::Refusal;
use crate::forge::Forge;
use crate::ids::{OwnerId, RepoId};
use crate::owners::{Category, Found, TokenScope, TokenSpec};

/// An access token as it is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeToken {
    /// Number.
    pub id: i64,
    /// Its secret: 40 hexadecimal digits.
    pub text: String,
    /// Words of its scopes, sorted.
    pub scopes: Vec<String>,
    /// Its repositories, if it is repository-specific.
    pub repositories: Vec<RepoId>,
}

impl Forge {
    /// Makes a repository-specific access token, or an ordinary one if no repository is named.
    pub fn make_token(
        &mut self,
        user: OwnerId,
        words: &[String],
        repositories: &[(String, String)],
    ) -> Result<MadeToken, Refusal> {
        let invalid = |text: &str| Refusal::Invalid(text.to_owned());
        let public_only = words.iter().any(|word| word == "public-only");
        let scopes: Option<Vec<TokenScope>> =
            words.iter().filter(|word| *word != "public-only").map(|word| scope(word)).collect();
        let scopes = scopes.ok_or_else(|| invalid("invalid access token scope"))?;
        if !repositories.is_empty() {
            if public_only {
                return Err(invalid(
                    "Access tokens with specified repositories cannot be combined with the public-only scope.",
                ));
            }
            if !scopes.iter().all(|scope| fits_repositories(*scope)) {
                return Err(invalid(
                    "Access tokens with specified repositories can only be used with the read:issue, write:issue, \
                     read:repository, and write:repository scopes.",
                ));
            }
        }
        let repositories = repositories
            .iter()
            .map(|(owner, name)| self.repository_by_path(owner, name))
            .collect::<Result<Vec<RepoId>, Refusal>>()?;
        let only = (!repositories.is_empty()).then(|| repositories.iter().copied().collect::<BTreeSet<_>>());
        let spec = TokenSpec { public_only, repositories: only, ..TokenSpec::new(&scopes) };
        let text = self.create_token(user, spec).map_err(|_| Refusal::TargetNotFound)?;
        let mut scopes = words.to_vec();
        scopes.sort();
        Ok(MadeToken { id: self.last_token, text, scopes, repositories })
    }

    fn repository_by_path(&self, owner: &str, name: &str) -> Result<RepoId, Refusal> {
        let owner_id = self.directory.owner_named(owner).map(|owner| owner.id);
        match owner_id.and_then(|id| self.directory.repository_named(id, name)) {
            Some(Found::Here(repository)) => Ok(repository.id),
            Some(Found::Moved(_)) | None => Err(Refusal::Invalid(format!("repository {owner}/{name} does not exist"))),
        }
    }
}

fn scope(word: &str) -> Option<TokenScope> {
    match word.split_once(':') {
        None => (word == "all").then_some(TokenScope::All),
        Some(("read", category)) => Category::named(category).map(TokenScope::Read),
        Some(("write", category)) => Category::named(category).map(TokenScope::Write),
        Some(_) => None,
    }
}

const fn fits_repositories(scope: TokenScope) -> bool {
    matches!(
        scope,
        TokenScope::Read(Category::Issue | Category::Repository)
            | TokenScope::Write(Category::Issue | Category::Repository)
    )
}
