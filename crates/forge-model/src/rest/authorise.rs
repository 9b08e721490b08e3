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

/// Who asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The access token, or a job's own token.
    pub token: Option<&'a str>,
    /// User name and password, where they could be meant; looked at before the token.
    pub password: Option<(&'a str, &'a str)>,
    /// The user that a site administrator wants to be (protocol 1.1).
    pub sudo: Option<&'a str>,
}

impl<'a> From<Option<&'a str>> for Caller<'a> {
    fn from(token: Option<&'a str>) -> Self {
        Self { token, ..Self::default() }
    }
}

impl<'a> From<Option<&'a String>> for Caller<'a> {
    fn from(token: Option<&'a String>) -> Self {
        token.map(String::as_str).into()
    }
}

/// The forge's own user, as whom jobs act: it owns nothing.
const ACTIONS_USER: OwnerId = OwnerId(-2);

impl Forge {
    /// Checks token, token scope and rights for Actions routes of a scope, in the order of the real forge, and resolves
    /// the scope.
    pub fn authorise<'a>(&self, caller: impl Into<Caller<'a>>, scope: &Scope, access: Access) -> Result<Area, Refusal> {
        let token = self.access_token(caller.into())?;
        let token = token.as_ref();
        check_scope(token, access, scope.category())?;
        match scope {
            Scope::Instance => self.instance_area(token),
            Scope::Organization(name) => self.organization_area(token, name),
            Scope::Repository { owner, name } => self.repository_area(token, owner, name),
            Scope::User => token.map(|token| Area::Owner(token.user)).ok_or(Refusal::TokenRequired),
        }
    }

    /// Checks a token where one is optional, as `/version` does.
    pub fn check_token<'a>(&self, caller: impl Into<Caller<'a>>) -> Result<(), Refusal> {
        self.access_token(caller.into()).map(|_| ())
    }

    /// Whoever the token belongs to: `GET /user`.
    pub fn who<'a>(&self, caller: impl Into<Caller<'a>>) -> Result<&Owner, Refusal> {
        let token = self.access_token(caller.into())?;
        check_scope(token.as_ref(), Access::Read, Category::User)?;
        let token = token.ok_or(Refusal::TokenRequired)?;
        self.directory.owners.get(&token.user).ok_or(Refusal::TargetNotFound)
    }

    /// An organization as anybody may see it: `GET /orgs/{name}`.
    pub fn organization<'a>(&self, caller: impl Into<Caller<'a>>, name: &str) -> Result<&Owner, Refusal> {
        check_scope(self.access_token(caller.into())?.as_ref(), Access::Read, Category::Organization)?;
        self.organization_named(name)
    }

    /// A repository that the token may see: `GET /repos/{owner}/{name}`.
    pub fn visible_repository<'a>(
        &self,
        caller: impl Into<Caller<'a>>,
        owner: &str,
        name: &str,
    ) -> Result<&Repository, Refusal> {
        let token = self.access_token(caller.into())?;
        check_scope(token.as_ref(), Access::Read, Category::Repository)?;
        self.repository_at(token.as_ref(), owner, name)
    }

    /// A repository that the token may see: `GET /repositories/{id}`.
    pub fn repository_by_id<'a>(&self, caller: impl Into<Caller<'a>>, id: RepoId) -> Result<&Repository, Refusal> {
        let token = self.access_token(caller.into())?;
        check_scope(token.as_ref(), Access::Read, Category::Repository)?;
        let repository = self.directory.repositories.get(&id).ok_or(Refusal::TargetNotFound)?;
        self.check_visible(token.as_ref(), repository)
    }

    /// A repository that the caller may push to.
    pub fn writable_repository<'a>(
        &self,
        caller: impl Into<Caller<'a>>,
        owner: &str,
        name: &str,
    ) -> Result<RepoId, Refusal> {
        let (token, repository) = self.repository_to_change(caller.into(), Access::Write, owner, name)?;
        if !token.covers(repository.id) || !self.directory.writes(token.user, repository) {
            return Err(Refusal::MayNotWrite);
        }
        Ok(repository.id)
    }

    /// The area whose webhooks the caller may see or change. Unlike with runners, a repository's collaborators with
    /// admin permission may.
    pub fn hook_area<'a>(&self, caller: impl Into<Caller<'a>>, scope: &Scope, access: Access) -> Result<Area, Refusal> {
        let Scope::Repository { owner, name } = scope else { return self.authorise(caller, scope, access) };
        let (token, repository) = self.repository_to_change(caller.into(), access, owner, name)?;
        if !token.covers(repository.id) || !self.directory.writes(token.user, repository) {
            return Err(Refusal::NotHookAdmin);
        }
        Ok(Area::Repository(repository.id))
    }

    /// Whoever asks, if anybody.
    pub fn user_of<'a>(&self, caller: impl Into<Caller<'a>>) -> Result<Option<OwnerId>, Refusal> {
        Ok(self.access_token(caller.into())?.map(|token| token.user))
    }

    /// Whether a user may push to a repository.
    pub fn may_write(&self, user: OwnerId, repository: &Repository) -> bool {
        self.directory.writes(user, repository)
    }

    /// Whether a user administers the whole forge.
    pub fn is_site_admin(&self, user: OwnerId) -> bool {
        self.directory.is_site_admin(user)
    }

    /// Whether a site administrator asks, who is shown the text of internal errors.
    pub fn asks_as_site_admin<'a>(&self, caller: impl Into<Caller<'a>>) -> bool {
        matches!(self.user_of(caller), Ok(Some(user)) if self.directory.is_site_admin(user))
    }

    /// A user signed in with a password: what making an access token takes.
    pub fn signed_in<'a>(&self, caller: impl Into<Caller<'a>>) -> Option<OwnerId> {
        let (name, password) = caller.into().password?;
        let user = self.directory.owner_named(name)?.id;
        (self.directory.passwords.get(&user)? == password).then_some(user)
    }

    fn repository_to_change(
        &self,
        caller: Caller<'_>,
        access: Access,
        owner: &str,
        name: &str,
    ) -> Result<(AccessToken, &Repository), Refusal> {
        let token = self.access_token(caller)?;
        check_scope(token.as_ref(), access, Category::Repository)?;
        let repository = self.repository_at(token.as_ref(), owner, name)?;
        Ok((token.ok_or(Refusal::TokenRequired)?, repository))
    }

    fn access_token(&self, caller: Caller<'_>) -> Result<Option<AccessToken>, Refusal> {
        let token = match (self.signed_in(caller), caller.token) {
            (Some(user), _) => Some(AccessToken::of_person(user)),
            (None, Some(text)) => Some(self.token_of_text(text)?),
            (None, None) => None,
        };
        match (token, caller.sudo) {
            (Some(token), Some(name)) => self.act_as(token, name).map(Some),
            (token, _) => Ok(token),
        }
    }

    fn token_of_text(&self, text: &str) -> Result<AccessToken, Refusal> {
        if let Some(token) = self.directory.tokens.get(text) {
            return Ok(token.clone());
        }
        let of_job = self.queue.tasks.iter().filter_map(|id| self.tasks.get(id)).any(|task| task.token == text);
        if of_job {
            return Ok(AccessToken::of_person(ACTIONS_USER));
        }
        Err(Refusal::UnknownToken { token: text.to_owned() })
    }

    /// The token keeps its scopes; only whose it is changes.
    fn act_as(&self, token: AccessToken, name: &str) -> Result<AccessToken, Refusal> {
        if !self.directory.is_site_admin(token.user) {
            return Err(Refusal::NotSudoAdmin);
        }
        let user = self.directory.owner_named(name).ok_or(Refusal::TargetNotFound)?.id;
        Ok(AccessToken { user, ..token })
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
        if !token.covers(repository.id) || !self.directory.owns_repository(token.user, repository) {
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
        let restricted = token.is_some_and(|token| token.public_only || !token.covers(repository.id));
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
