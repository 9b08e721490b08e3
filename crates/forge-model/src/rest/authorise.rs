//! Who may ask what (protocol 1.1).

use super::refusal::Refusal;
use crate::forge::Forge;
use crate::ids::{OwnerId, RepoId};
use crate::owners::{AccessToken, Category, Found, Owner, Repository};
use crate::runner::Area;

/// Where a request goes, with names as the caller wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `/admin`.
    Instance,
    /// `/orgs/{name}`.
    Organization(String),
    /// `/repos/{owner}/{name}`.
    Repository {
        /// User or organization.
        owner: String,
        /// Repository.
        name: String,
    },
    /// `/user`: whoever the token belongs to.
    User,
}

impl Scope {
    const fn category(&self) -> Category {
        match self {
            Self::Instance => Category::Admin,
            Self::Organization(_) => Category::Organization,
            Self::Repository { .. } => Category::Repository,
            Self::User => Category::User,
        }
    }
}

/// What the method needs: GET reads, everything else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// GET.
    Read,
    /// POST, PUT, PATCH, DELETE.
    Write,
}

impl Access {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Forge {
    /// Checks token, token scope and rights for Actions routes of a scope, in the order of the real forge, and resolves
    /// the scope.
    pub fn authorise(&self, token: Option<&str>, scope: &Scope, access: Access) -> Result<Area, Refusal> {
        let token = self.access_token(token)?;
        check_scope(token, access, scope.category())?;
        match scope {
            Scope::Instance => self.instance_area(token),
            Scope::Organization(name) => self.organization_area(token, name),
            Scope::Repository { owner, name } => self.repository_area(token, owner, name),
            Scope::User => token.map(|token| Area::Owner(token.user)).ok_or(Refusal::TokenRequired),
        }
    }

    /// Checks a token where one is optional, as `/version` does.
    pub fn check_token(&self, token: Option<&str>) -> Result<(), Refusal> {
        self.access_token(token).map(|_| ())
    }

    /// Whoever the token belongs to: `GET /user`.
    pub fn who(&self, token: Option<&str>) -> Result<&Owner, Refusal> {
        let token = self.access_token(token)?;
        check_scope(token, Access::Read, Category::User)?;
        let token = token.ok_or(Refusal::TokenRequired)?;
        self.directory.owners.get(&token.user).ok_or(Refusal::TargetNotFound)
    }

    /// An organization as anybody may see it: `GET /orgs/{name}`.
    pub fn organization(&self, token: Option<&str>, name: &str) -> Result<&Owner, Refusal> {
        check_scope(self.access_token(token)?, Access::Read, Category::Organization)?;
        self.organization_named(name)
    }

    /// A repository that the token may see: `GET /repos/{owner}/{name}`.
    pub fn visible_repository(&self, token: Option<&str>, owner: &str, name: &str) -> Result<&Repository, Refusal> {
        let token = self.access_token(token)?;
        check_scope(token, Access::Read, Category::Repository)?;
        self.repository_at(token, owner, name)
    }

    /// A repository that the token may see: `GET /repositories/{id}`.
    pub fn repository_by_id(&self, token: Option<&str>, id: RepoId) -> Result<&Repository, Refusal> {
        let token = self.access_token(token)?;
        check_scope(token, Access::Read, Category::Repository)?;
        let repository = self.directory.repositories.get(&id).ok_or(Refusal::TargetNotFound)?;
        self.check_visible(token, repository)
    }

    fn access_token(&self, token: Option<&str>) -> Result<Option<&AccessToken>, Refusal> {
        let Some(text) = token else { return Ok(None) };
        self.directory.tokens.get(text).map(Some).ok_or_else(|| Refusal::UnknownToken { token: text.to_owned() })
    }

    fn instance_area(&self, token: Option<&AccessToken>) -> Result<Area, Refusal> {
        let token = token.ok_or(Refusal::TokenRequired)?;
        if !self.directory.is_site_admin(token.user) {
            return Err(Refusal::NotSiteAdmin);
        }
        Ok(Area::Instance)
    }

    fn organization_area(&self, token: Option<&AccessToken>, name: &str) -> Result<Area, Refusal> {
        let organization = self.organization_named(name)?.id;
        let token = token.ok_or(Refusal::TokenRequired)?;
        if !self.directory.owns(token.user, organization) {
            return Err(Refusal::NotOrganizationOwner);
        }
        Ok(Area::Owner(organization))
    }

    fn organization_named(&self, name: &str) -> Result<&Owner, Refusal> {
        self.directory
            .owner_named(name)
            .filter(|owner| owner.is_organization())
            .ok_or_else(|| Refusal::NoOrganization { name: name.to_owned() })
    }

    fn repository_area(&self, token: Option<&AccessToken>, owner: &str, name: &str) -> Result<Area, Refusal> {
        let repository = self.repository_at(token, owner, name)?;
        let token = token.ok_or(Refusal::TokenRequired)?;
        if !repository.actions_enabled {
            return Err(Refusal::TargetNotFound);
        }
        let covered = token.repositories.as_ref().is_none_or(|only| only.contains(&repository.id));
        if !covered || !self.directory.owns_repository(token.user, repository) {
            return Err(Refusal::NotRepositoryOwner);
        }
        Ok(Area::Repository(repository.id))
    }

    fn repository_at(&self, token: Option<&AccessToken>, owner: &str, name: &str) -> Result<&Repository, Refusal> {
        let owner_id: OwnerId = self
            .directory
            .owner_named(owner)
            .map(|owner| owner.id)
            .ok_or_else(|| Refusal::NoOwner { name: owner.to_owned() })?;
        match self.directory.repository_named(owner_id, name) {
            None => Err(Refusal::TargetNotFound),
            Some(Found::Moved(repository)) => {
                Err(Refusal::Moved { owner: repository.owner, repository: repository.id })
            }
            Some(Found::Here(repository)) => self.check_visible(token, repository),
        }
    }

    fn check_visible<'a>(
        &self,
        token: Option<&AccessToken>,
        repository: &'a Repository,
    ) -> Result<&'a Repository, Refusal> {
        let restricted = token.is_some_and(|token| {
            token.public_only || token.repositories.as_ref().is_some_and(|only| !only.contains(&repository.id))
        });
        let hidden = repository.private && restricted;
        if hidden || !self.directory.sees(token.map(|token| token.user), repository) {
            return Err(Refusal::TargetNotFound);
        }
        Ok(repository)
    }
}

fn check_scope(token: Option<&AccessToken>, access: Access, category: Category) -> Result<(), Refusal> {
    let Some(token) = token else { return Ok(()) };
    let allowed = match access {
        Access::Read => token.allows_reading(category),
        Access::Write => token.allows_writing(category),
    };
    if allowed { Ok(()) } else { Err(Refusal::MissingScope { access, category }) }
}
