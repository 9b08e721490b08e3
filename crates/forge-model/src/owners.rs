//! Users, organizations, teams, repositories and access tokens.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{OwnerId, RepoId};

/// What an owner of repositories is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerKind {
    /// A person; site administrators may do everything.
    User {
        /// Whether the person administers the whole forge.
        site_admin: bool,
    },
    /// An organization.
    Organization {
        /// Members of its Owners team.
        owners: BTreeSet<OwnerId>,
    },
}

/// A user or an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Number; users and organizations share one sequence.
    pub id: OwnerId,
    /// Login or organization name.
    pub name: String,
    /// User or organization.
    pub kind: OwnerKind,
}

impl Owner {
    pub(crate) const fn is_organization(&self) -> bool {
        matches!(self.kind, OwnerKind::Organization { .. })
    }
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Number.
    pub id: RepoId,
    /// Current owner.
    pub owner: OwnerId,
    /// Name within the owner.
    pub name: String,
    /// Hidden from everybody without rights on it.
    pub private: bool,
    /// Archived repositories still list and hand out jobs (protocol 1.1).
    pub archived: bool,
    /// What its git data take on disk, in KiB; only shown.
    pub size: i64,
    /// Whether the Actions unit is on.
    pub actions_enabled: bool,
    /// Collaborators with admin permission: they see it, and are *not* owners (protocol 1.1).
    pub collaborators: BTreeSet<OwnerId>,
    /// Members of teams with admin permission on it: these do count as owners (protocol 1.1).
    pub team_admins: BTreeSet<OwnerId>,
}

/// Category of a REST path; with the method it decides which token scope is needed (protocol 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// `/admin`.
    Admin,
    /// `/orgs`.
    Organization,
    /// `/repos`, `/repositories`.
    Repository,
    /// `/user`.
    User,
    /// Needed by none of the modelled paths; repository-specific tokens may carry it.
    Issue,
    /// Needed by none of the modelled paths.
    Misc,
}

impl Category {
    /// The word after `read:` or `write:`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Organization => "organization",
            Self::Repository => "repository",
            Self::User => "user",
            Self::Issue => "issue",
            Self::Misc => "misc",
        }
    }

    /// The category of a word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Admin, Self::Organization, Self::Repository, Self::User, Self::Issue, Self::Misc]
            .into_iter()
            .find(|category| category.word() == word)
    }
}

/// What an access token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenScope {
    /// Everything.
    All,
    /// Reading in a category.
    Read(Category),
    /// Reading and changing in a category.
    Write(Category),
}

/// An access token to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSpec {
    /// Its secret; `None` draws 40 hexadecimal digits.
    pub text: Option<String>,
    /// What it allows.
    pub scopes: Vec<TokenScope>,
    /// Sees public repositories only.
    pub public_only: bool,
    /// Repository-specific: these repositories only.
    pub repositories: Option<BTreeSet<RepoId>>,
}

impl TokenSpec {
    /// An ordinary token with these scopes and a drawn secret.
    pub fn new(scopes: &[TokenScope]) -> Self {
        Self { text: None, scopes: scopes.to_vec(), public_only: false, repositories: None }
    }

    /// The same token with a chosen secret.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }
}

/// An access token of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Whose it is.
    pub user: OwnerId,
    /// What it allows.
    pub scopes: Vec<TokenScope>,
    /// Sees public repositories only.
    pub public_only: bool,
    /// Repository-specific: these repositories only.
    pub repositories: Option<BTreeSet<RepoId>>,
}

impl AccessToken {
    /// What a person may who signed in with a password, or the forge's own user with a job's token: everything that
    /// the person may.
    pub(crate) fn of_person(user: OwnerId) -> Self {
        Self { user, scopes: vec![TokenScope::All], public_only: false, repositories: None }
    }

    /// Whether it is not restricted to other repositories.
    pub(crate) fn covers(&self, repository: RepoId) -> bool {
        self.repositories.as_ref().is_none_or(|only| only.contains(&repository))
    }

    pub(crate) fn allows_reading(&self, category: Category) -> bool {
        self.allows_writing(category) || self.scopes.contains(&TokenScope::Read(category))
    }

    pub(crate) fn allows_writing(&self, category: Category) -> bool {
        self.scopes.iter().any(|scope| matches!(scope, TokenScope::All) || *scope == TokenScope::Write(category))
    }
}

/// Everybody and everything that has a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) owners: BTreeMap<OwnerId, Owner>,
    pub(crate) repositories: BTreeMap<RepoId, Repository>,
    pub(crate) tokens: BTreeMap<String, AccessToken>,
    pub(crate) passwords: BTreeMap<OwnerId, String>,
    owner_names: BTreeMap<String, OwnerId>,
    repository_names: BTreeMap<(OwnerId, String), RepoId>,
    redirects: BTreeMap<(OwnerId, String), RepoId>,
    last_owner: i64,
    last_repository: i64,
}

/// Where a repository's path leads.
pub(crate) enum Found<'a> {
    Here(&'a Repository),
    /// It was renamed or transferred, and lives here now.
    Moved(&'a Repository),
}

impl Directory {
    pub(crate) fn add_owner(&mut self, name: &str, kind: OwnerKind) -> OwnerId {
        self.last_owner += 1;
        let id = OwnerId(self.last_owner);
        self.owner_names.insert(name.to_lowercase(), id);
        self.owners.insert(id, Owner { id, name: name.to_owned(), kind });
        id
    }

    pub(crate) fn add_repository(&mut self, owner: OwnerId, name: &str, private: bool) -> RepoId {
        self.last_repository += 1;
        let id = RepoId(self.last_repository);
        self.repository_names.insert((owner, name.to_lowercase()), id);
        self.redirects.remove(&(owner, name.to_lowercase()));
        self.repositories.insert(
            id,
            Repository {
                id,
                owner,
                name: name.to_owned(),
                private,
                archived: false,
                size: 0,
                actions_enabled: true,
                collaborators: BTreeSet::new(),
                team_admins: BTreeSet::new(),
            },
        );
        id
    }

    /// Gives a repository another place; the old one redirects.
    pub(crate) fn move_repository(&mut self, id: RepoId, owner: OwnerId, name: &str) {
        let Some(repository) = self.repositories.get_mut(&id) else { return };
        let old = (repository.owner, repository.name.to_lowercase());
        name.clone_into(&mut repository.name);
        repository.owner = owner;
        self.repository_names.remove(&old);
        self.redirects.insert(old, id);
        self.repository_names.insert((owner, name.to_lowercase()), id);
    }

    pub(crate) fn remove_repository(&mut self, id: RepoId) -> Option<Repository> {
        let repository = self.repositories.remove(&id)?;
        self.repository_names.remove(&(repository.owner, repository.name.to_lowercase()));
        self.redirects.retain(|_, target| *target != id);
        Some(repository)
    }

    /// Takes an owner and its access tokens out; its repositories are gone already.
    pub(crate) fn remove_owner(&mut self, id: OwnerId) {
        if let Some(owner) = self.owners.remove(&id) {
            self.owner_names.remove(&owner.name.to_lowercase());
        }
        self.redirects.retain(|(owner, _), _| *owner != id);
        self.tokens.retain(|_, token| token.user != id);
        self.passwords.remove(&id);
    }

    pub(crate) fn owner_named(&self, name: &str) -> Option<&Owner> {
        self.owner_names.get(&name.to_lowercase()).and_then(|id| self.owners.get(id))
    }

    pub(crate) fn repository_named(&self, owner: OwnerId, name: &str) -> Option<Found<'_>> {
        let key = (owner, name.to_lowercase());
        if let Some(repository) = self.repository_names.get(&key).and_then(|id| self.repositories.get(id)) {
            return Some(Found::Here(repository));
        }
        self.redirects.get(&key).and_then(|id| self.repositories.get(id)).map(Found::Moved)
    }

    pub(crate) fn is_site_admin(&self, user: OwnerId) -> bool {
        matches!(self.owners.get(&user).map(|owner| &owner.kind), Some(OwnerKind::User { site_admin: true }))
    }

    /// Whether the user owns the owner: is it, or sits in its Owners team. Site administrators own everybody.
    pub(crate) fn owns(&self, user: OwnerId, owner: OwnerId) -> bool {
        self.is_site_admin(user) || self.is_theirs(user, owner)
    }

    /// Whether the user is the owner, or sits in its Owners team.
    fn is_theirs(&self, user: OwnerId, owner: OwnerId) -> bool {
        match self.owners.get(&owner).map(|owner| &owner.kind) {
            Some(OwnerKind::Organization { owners }) => owners.contains(&user),
            Some(OwnerKind::User { .. }) | None => user == owner,
        }
    }

    pub(crate) fn owns_repository(&self, user: OwnerId, repository: &Repository) -> bool {
        self.owns(user, repository.owner) || repository.team_admins.contains(&user)
    }

    /// Whether the user may push to the repository.
    pub(crate) fn writes(&self, user: OwnerId, repository: &Repository) -> bool {
        self.owns_repository(user, repository) || repository.collaborators.contains(&user)
    }

    /// Whether the user owns the repository, alone or with others, or was let into it by name.
    pub(crate) fn works_on(&self, user: OwnerId, repository: &Repository) -> bool {
        self.is_theirs(user, repository.owner)
            || repository.team_admins.contains(&user)
            || repository.collaborators.contains(&user)
    }

    pub(crate) fn sees(&self, user: Option<OwnerId>, repository: &Repository) -> bool {
        !repository.private || user.is_some_and(|user| self.writes(user, repository))
    }
}
