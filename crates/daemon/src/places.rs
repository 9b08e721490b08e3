//! Calls for places: a watched scope, or a repository within one, which is called by the name that it has now.
//!
//! ```text
//! id ─► name, kept ─► call ─► shows something of the repository: it is so
//!            ▲            ├─► lacks it: so only if the id still has that name, else once more with the new one
//!            └────────────┴─► moved or not found: the name is forgotten
//! ```
//!
//! Promises: a repository may be renamed or transferred, and its old name taken by another. Nothing is registered in that
//! other one but in the moment between two calls, and what it lacks is not taken for lacking in ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forgejo::{Client, Deletion, Error, ErrorClass, Listing, Registration, Runner, Scope};
use planner::ids::{RunnerId, ScopeKey};

use crate::forges::ScopeClient;

/// How many names of repositories are kept for one scope.
const MOST_NAMES: usize = 20_000;

/// How often a call is made by names that turn out to be old ones.
const TRIES: usize = 2;

/// Names of repositories by id. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlaceNames(Arc<Mutex<BTreeMap<i64, Scope>>>);

impl PlaceNames {
    fn get(&self, id: i64) -> Option<Scope> {
        self.lock().get(&id).cloned()
    }

    fn keep(&self, id: i64, name: &Scope) {
        let mut names = self.lock();
        if names.len() >= MOST_NAMES {
            names.clear();
        }
        names.insert(id, name.clone());
    }

    fn forget(&self, id: i64) {
        self.lock().remove(&id);
    }

    /// Never locked across an await; a panic elsewhere leaves nothing half-done in it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Scope>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScopeClient {
    /// Registers a runner at a place, by the name that a repository has just now.
    pub(crate) async fn register(&self, place: &ScopeKey, name: &str, text: &str) -> Result<Registration, Error> {
        let at = match place.repository() {
            None => self.scope.clone(),
            Some(id) => self.name_now(id).await?,
        };
        self.client.register(&at, name, text).await
    }

    /// The runners of a place.
    pub(crate) async fn list_runners(&self, place: &ScopeKey) -> Result<Listing<Runner>, Error> {
        let call = |client: Client, at: Scope| async move { client.list_runners(&at).await };
        self.at(place, call, |listing, id| listing.rows.iter().any(|runner| runner.repo_id == id)).await
    }

    /// One runner of a place, if it is there.
    pub(crate) async fn get_runner(&self, place: &ScopeKey, runner: RunnerId) -> Result<Option<Runner>, Error> {
        let call = move |client: Client, at: Scope| async move { client.get_runner(&at, runner.0).await };
        self.at(place, call, |found, _| found.is_some()).await
    }

    /// Deletes a runner of a place.
    pub(crate) async fn delete_runner(&self, place: &ScopeKey, runner: RunnerId) -> Result<Deletion, Error> {
        let call = move |client: Client, at: Scope| async move { client.delete_runner(&at, runner.0).await };
        self.at(place, call, |deletion, _| *deletion == Deletion::Deleted).await
    }

    /// Calls the forge for a place. An answer that does not show by itself that it is about the place's repository, given by
    /// its id, counts only if that one still has the name by which it was called.
    async fn at<T, A: Future<Output = Result<T, Error>>>(
        &self,
        place: &ScopeKey,
        call: impl Fn(Client, Scope) -> A,
        shows: impl Fn(&T, i64) -> bool,
    ) -> Result<T, Error> {
        let by_name = |name: &Scope| call(self.client.clone(), name.clone());
        let Some(id) = place.repository() else { return by_name(&self.scope).await };
        for _ in 0..TRIES {
            let (name, is_fresh) = match self.names.get(id) {
                Some(kept) => (kept, false),
                None => (self.name_now(id).await?, true),
            };
            let answer = by_name(&name).await.inspect_err(|error| self.note(id, error))?;
            if is_fresh || shows(&answer, id) || self.name_now(id).await? == name {
                return Ok(answer);
            }
        }
        Err(gone(id))
    }

    /// Asks for the name of a repository.
    async fn name_now(&self, id: i64) -> Result<Scope, Error> {
        let told = self.client.repository(id).await.inspect_err(|error| self.note(id, error))?;
        let name = Scope::of_repository(&told).ok();
        if let Some(name) = &name {
            self.names.keep(id, name);
        } else {
            self.names.forget(id);
        }
        name.ok_or_else(|| gone(id))
    }

    /// Forgets a name that leads nowhere, or to another place. Other errors say nothing of it.
    fn note(&self, id: i64, error: &Error) {
        if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Redirected) {
            self.names.forget(id);
        }
    }
}

fn gone(id: i64) -> Error {
    Error::Rejected {
        call: "get repository",
        status: 404,
        message: format!("the repository {id} is gone, or the token may not see it"),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use emulator::RouteKind;
    use forge_model::{Area, RepoId};

    use super::*;
    use crate::stage::Stage;

    impl Stage {
        /// The repository goes to another organization of the same people, and another one gets its name.
        fn move_and_take_the_name(&self) -> RepoId {
            self.emulator.with_forge(|forge, _| {
                let dana = forge.owner_named("dana").unwrap().id;
                let beta = forge.create_organization("beta", &[dana]);
                forge.transfer_repository(self.site, beta).unwrap();
                forge.create_repository(self.acme, "site", false).unwrap()
            })
        }

        async fn register(&self, name: &str) -> RunnerId {
            RunnerId(self.of.register(&self.place(), name, "text").await.unwrap().id)
        }

        fn areas(&self) -> Vec<Area> {
            self.emulator.with_forge(|forge, _| forge.books().registrations().iter().map(|row| row.area).collect())
        }
    }

    fn organization() -> Scope {
        Scope::Organization("acme".to_owned())
    }

    #[tokio::test]
    async fn runners_are_registered_in_the_repository_itself_after_another_has_taken_its_name() {
        let stage = Stage::new(organization()).await;
        stage.register("first").await;
        stage.move_and_take_the_name();
        stage.register("second").await;
        assert_eq!(stage.areas(), [Area::Repository(stage.site); 2]);
    }

    #[tokio::test]
    async fn what_another_repository_of_the_old_name_lacks_is_looked_for_where_it_is() {
        for list_first in [true, false] {
            let stage = Stage::new(organization()).await;
            let runner = stage.register("first").await;
            stage.of.list_runners(&stage.place()).await.unwrap();
            stage.move_and_take_the_name();
            if list_first {
                let listing = stage.of.list_runners(&stage.place()).await.unwrap();
                assert_eq!(listing.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [runner.0]);
            } else {
                assert!(stage.of.get_runner(&stage.place(), runner).await.unwrap().is_some());
            }
        }
    }

    #[tokio::test]
    async fn a_runner_is_deleted_where_it_is_and_not_only_missed_elsewhere() {
        let stage = Stage::new(organization()).await;
        let runner = stage.register("first").await;
        stage.of.list_runners(&stage.place()).await.unwrap();
        stage.move_and_take_the_name();
        assert_eq!(stage.of.delete_runner(&stage.place(), runner).await.unwrap(), Deletion::Deleted);
        assert_eq!(stage.of.delete_runner(&stage.place(), runner).await.unwrap(), Deletion::NotFound);
        assert!(stage.of.get_runner(&stage.place(), runner).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_name_is_kept_as_long_as_lists_show_a_runner_of_the_repository() {
        let stage = Stage::new(organization()).await;
        stage.register("first").await;
        for _ in 0..5 {
            stage.of.list_runners(&stage.place()).await.unwrap();
        }
        assert_eq!(stage.emulator.calls().of(RouteKind::RepositoryById), 1, "the one before registering");
    }
}
