//! Changing, moving and deleting repositories.

use std::collections::BTreeMap;

use super::ScriptError;
use crate::books::RegistrationEnd;
use crate::forge::Forge;
use crate::ids::{JobId, OwnerId, RepoId, RunId, RunnerId, TaskId};
use crate::moment::Moment;
use crate::runner::Area;

impl Forge {
    /// Switches a repository's Actions unit.
    pub fn set_actions_enabled(&mut self, repository: RepoId, enabled: bool) -> Result<(), ScriptError> {
        self.repository_mut(repository)?.actions_enabled = enabled;
        Ok(())
    }

    /// Archives a repository, or wakes it.
    pub fn set_archived(&mut self, repository: RepoId, archived: bool) -> Result<(), ScriptError> {
        self.repository_mut(repository)?.archived = archived;
        Ok(())
    }

    /// Sets what a repository's git data take on disk, in KiB.
    pub fn set_size(&mut self, repository: RepoId, size: i64) -> Result<(), ScriptError> {
        self.repository_mut(repository)?.size = size;
        Ok(())
    }

    /// Renames a repository; the old name redirects.
    pub fn rename_repository(&mut self, id: RepoId, name: &str) -> Result<(), ScriptError> {
        let owner = self.repository_mut(id)?.owner;
        self.directory.move_repository(id, owner, name);
        Ok(())
    }

    /// Gives a repository to another owner; its old path redirects. Its jobs keep the old owner in the lists.
    pub fn transfer_repository(&mut self, id: RepoId, owner: OwnerId) -> Result<(), ScriptError> {
        if !self.directory.owners.contains_key(&owner) {
            return Err(ScriptError::NoOwner(owner));
        }
        let name = self.repository_mut(id)?.name.clone();
        self.directory.move_repository(id, owner, &name);
        Ok(())
    }

    /// Sets what jobs of a repository get as secrets and variables.
    pub fn set_secrets_and_variables(
        &mut self,
        repository: RepoId,
        secrets: BTreeMap<String, String>,
        variables: BTreeMap<String, String>,
    ) -> Result<(), ScriptError> {
        self.repository_mut(repository)?;
        self.secrets.insert(repository, secrets);
        self.variables.insert(repository, variables);
        Ok(())
    }

    /// Deletes a repository with its runs, its runners, and other scopes' ephemeral runners that worked for it
    /// (protocol 2.8).
    pub fn delete_repository(&mut self, now: Moment, id: RepoId) -> Result<(), ScriptError> {
        self.directory.remove_repository(id).ok_or(ScriptError::NoRepository(id))?;
        let jobs: Vec<JobId> = self.jobs.values().filter(|job| job.repo == id).map(|job| job.id).collect();
        for job in &jobs {
            self.cancel(now, *job);
        }
        self.forget_jobs(now, &jobs);
        let runs: Vec<RunId> = self.runs.values().filter(|run| run.repo == id).map(|run| run.id).collect();
        for run in runs {
            self.runs.remove(&run);
        }
        self.queue.groups.retain(|(repo, _), _| *repo != id);
        self.sweep_area(now, Area::Repository(id));
        Ok(())
    }

    /// Drops ended jobs with their tasks, and the ephemeral runners that worked for them.
    pub(crate) fn forget_jobs(&mut self, now: Moment, jobs: &[JobId]) {
        for job in jobs {
            if let Some(job) = self.jobs.remove(job) {
                self.queue.by_handle.remove(&job.handle);
            }
        }
        let tasks: Vec<(TaskId, RunnerId)> =
            self.tasks.values().filter(|task| jobs.contains(&task.job)).map(|task| (task.id, task.runner)).collect();
        for (task, runner) in tasks {
            self.tasks.remove(&task);
            if self.runners.get(&runner).is_some_and(|runner| runner.ephemeral) {
                self.unregister(runner, RegistrationEnd::Swept(now));
            }
        }
        self.recoverable.values_mut().for_each(|tasks| tasks.retain(|task| self.tasks.contains_key(task)));
    }

    pub(super) fn repository_mut(&mut self, id: RepoId) -> Result<&mut crate::owners::Repository, ScriptError> {
        self.directory.repositories.get_mut(&id).ok_or(ScriptError::NoRepository(id))
    }
}
