//! Making and deleting users, organizations, teams and access tokens.

use super::ScriptError;
use crate::books::RegistrationEnd;
use crate::forge::Forge;
use crate::ids::{OwnerId, RepoId};
use crate::moment::Moment;
use crate::owners::{AccessToken, OwnerKind, TokenSpec};
use crate::runner::Area;

impl Forge {
    /// Makes a person.
    pub fn create_user(&mut self, name: &str, site_admin: bool) -> OwnerId {
        self.directory.add_owner(name, OwnerKind::User { site_admin })
    }

    /// Makes an organization with these members of its Owners team.
    pub fn create_organization(&mut self, name: &str, owners: &[OwnerId]) -> OwnerId {
        self.directory.add_owner(name, OwnerKind::Organization { owners: owners.iter().copied().collect() })
    }

    /// Makes a repository with its Actions unit on.
    pub fn create_repository(&mut self, owner: OwnerId, name: &str, private: bool) -> Result<RepoId, ScriptError> {
        if !self.directory.owners.contains_key(&owner) {
            return Err(ScriptError::NoOwner(owner));
        }
        Ok(self.directory.add_repository(owner, name, private))
    }

    /// Makes a team with admin permission on some repositories of an organization.
    pub fn create_team(&mut self, members: &[OwnerId], repositories: &[RepoId]) -> Result<(), ScriptError> {
        for id in repositories {
            self.repository_mut(*id)?.team_admins.extend(members);
        }
        Ok(())
    }

    /// Makes somebody a collaborator with admin permission.
    pub fn add_collaborator(&mut self, repository: RepoId, user: OwnerId) -> Result<(), ScriptError> {
        self.repository_mut(repository)?.collaborators.insert(user);
        Ok(())
    }

    /// Makes an access token and returns its secret.
    pub fn create_token(&mut self, user: OwnerId, spec: TokenSpec) -> Result<String, ScriptError> {
        if !self.directory.owners.contains_key(&user) {
            return Err(ScriptError::NoOwner(user));
        }
        self.last_token += 1;
        let text = spec.text.unwrap_or_else(|| self.ids.secret());
        let TokenSpec { scopes, public_only, repositories, .. } = spec;
        self.directory.tokens.insert(text.clone(), AccessToken { user, scopes, public_only, repositories });
        Ok(text)
    }

    /// Lets a user sign in with a password, too: the only way to make access tokens through REST.
    pub fn set_password(&mut self, user: OwnerId, password: &str) -> Result<(), ScriptError> {
        if !self.directory.owners.contains_key(&user) {
            return Err(ScriptError::NoOwner(user));
        }
        self.directory.passwords.insert(user, password.to_owned());
        Ok(())
    }

    /// Revokes an access token.
    pub fn revoke_token(&mut self, text: &str) {
        self.directory.tokens.remove(text);
    }

    /// Deletes a user or an organization with its repositories, runners and access tokens (protocol 2.8).
    pub fn delete_owner(&mut self, now: Moment, id: OwnerId) -> Result<(), ScriptError> {
        if !self.directory.owners.contains_key(&id) {
            return Err(ScriptError::NoOwner(id));
        }
        let owned = self.directory.repositories.values().filter(|repository| repository.owner == id);
        for repository in owned.map(|repository| repository.id).collect::<Vec<_>>() {
            self.delete_repository(now, repository)?;
        }
        self.sweep_area(now, Area::Owner(id));
        self.directory.remove_owner(id);
        Ok(())
    }

    /// Removes every registration of an area whose owner or repository is gone.
    pub(crate) fn sweep_area(&mut self, now: Moment, area: Area) {
        let runners: Vec<_> = self.runners.values().filter(|row| row.area == area).map(|row| row.id).collect();
        for runner in runners {
            self.unregister(runner, RegistrationEnd::Swept(now));
        }
    }
}
