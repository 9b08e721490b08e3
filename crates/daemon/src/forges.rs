//! The forges as the daemon calls them: one client per scope, since each scope may have its own token.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use forgejo::{Client, ClientSettings, Limits, Scope};
use planner::ids::{ForgeId, ScopeKey};

use crate::config;
use crate::tokens::{KnownId, TokenSource};

/// How the daemon names itself to forges.
pub(crate) const USER_AGENT: &str = concat!("forgescale/", env!("CARGO_PKG_VERSION"));

/// How many names of repositories are kept for one scope.
const MOST_REPOSITORIES: usize = 20_000;

/// Why a forge cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The file with certificate authorities cannot be read.
    #[error("cannot read the certificate authorities in {}", path.display())]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The client cannot be made.
    #[error("cannot make a client for {forge}")]
    Client {
        /// Of which forge.
        forge: ForgeId,
        /// Why.
        #[source]
        source: forgejo::Error,
    },
}

/// One scope, ready to be called.
#[derive(Debug, Clone)]
pub(crate) struct ScopeClient {
    pub(crate) client: Client,
    pub(crate) scope: Scope,
    pub(crate) interval: Duration,
    pub(crate) token: TokenSource,
    pub(crate) id: KnownId,
    /// Whether runners are registered at repositories within it.
    pub(crate) at_repository: bool,
    /// Repositories within it by id, shared by all clones.
    repositories: Arc<Mutex<BTreeMap<i64, Scope>>>,
}

impl ScopeClient {
    /// Calls the forge for a place: this scope, or a repository within it, by the name that it has now. After an error the
    /// name is looked up again the next time: the repository may have been renamed.
    pub(crate) async fn at<T>(
        &self,
        place: &ScopeKey,
        call: impl AsyncFnOnce(&Client, &Scope) -> Result<T, forgejo::Error>,
    ) -> Result<T, forgejo::Error> {
        let answer = call(&self.client, &self.place(place).await?).await;
        if let (Err(_), Some(id)) = (&answer, place.repository()) {
            self.known().remove(&id);
        }
        answer
    }

    async fn place(&self, place: &ScopeKey) -> Result<Scope, forgejo::Error> {
        let Some(id) = place.repository() else { return Ok(self.scope.clone()) };
        if let Some(known) = self.known().get(&id) {
            return Ok(known.clone());
        }
        let gone = || forgejo::Error::Rejected {
            call: "get repository",
            status: 404,
            message: format!("the repository {id} is gone, or the token may not see it"),
            retry_after: None,
        };
        let forgejo::RepositoryName::Known(name) = self.client.repository(id).await? else { return Err(gone()) };
        let scope = Scope::parse(&format!("repo:{name}")).map_err(|_| gone())?;
        let mut known = self.known();
        if known.len() >= MOST_REPOSITORIES {
            known.clear();
        }
        known.insert(id, scope.clone());
        Ok(scope)
    }

    /// Never locked across an await; a panic elsewhere leaves nothing half-done in it.
    fn known(&self) -> MutexGuard<'_, BTreeMap<i64, Scope>> {
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All forges.
#[derive(Debug)]
pub(crate) struct Forges {
    scopes: BTreeMap<ScopeKey, ScopeClient>,
    runner_urls: BTreeMap<ForgeId, String>,
}

impl Forges {
    /// Makes the clients. Calls nobody.
    pub(crate) fn new(forges: &[config::Forge], deadline: Duration) -> Result<Self, ForgeError> {
        let mut scopes = BTreeMap::new();
        let mut runner_urls = BTreeMap::new();
        for forge in forges {
            runner_urls.insert(forge.id.clone(), forge.runner_url.to_string());
            let ca_pem = forge.ca_file.as_ref().map(authorities).transpose()?;
            for watched in &forge.scopes {
                let settings = ClientSettings {
                    url: forge.url.to_string(),
                    token: watched.token.clone(),
                    ca_pem: ca_pem.clone(),
                    user_agent: USER_AGENT.to_owned(),
                    call_deadline: deadline,
                    limits: Limits::default(),
                };
                let client =
                    Client::new(&settings).map_err(|source| ForgeError::Client { forge: forge.id.clone(), source })?;
                let token = TokenSource { file: watched.token_file.clone(), first: watched.token.clone() };
                let (scope, interval) = (watched.scope.clone(), forge.interval);
                let scope = ScopeClient {
                    client,
                    scope,
                    interval,
                    token,
                    id: KnownId::default(),
                    at_repository: watched.at_repository,
                    repositories: Arc::default(),
                };
                scopes.insert(watched.key.clone(), scope);
            }
        }
        Ok(Self { scopes, runner_urls })
    }

    /// One scope; of a repository within one, that one.
    pub(crate) fn scope(&self, key: &ScopeKey) -> Option<&ScopeClient> {
        self.scopes.get(key).or_else(|| self.scopes.get(&key.watched()))
    }

    /// All scopes.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = (&ScopeKey, &ScopeClient)> {
        self.scopes.iter()
    }

    /// A client of a forge for calls under a runner's own credentials.
    pub(crate) fn any(&self, forge: &ForgeId) -> Option<&Client> {
        self.scopes.iter().find(|(key, _)| key.forge == *forge).map(|(_, scope)| &scope.client)
    }

    /// Where jobs reach a forge.
    pub(crate) fn runner_url(&self, forge: &ForgeId) -> Option<&str> {
        self.runner_urls.get(forge).map(String::as_str)
    }
}

pub(crate) fn authorities(path: &PathBuf) -> Result<Vec<u8>, ForgeError> {
    std::fs::read(path).map_err(|source| ForgeError::Authorities { path: path.clone(), source })
}
