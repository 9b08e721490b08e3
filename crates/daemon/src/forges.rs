//! The forges as the daemon calls them: one client per scope, since each scope may have its own token.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use forgejo::{Client, ClientSettings, Lack, Limits, Rights, Scope};
use planner::ids::{ForgeId, ScopeKey};

use crate::config;
use crate::places::PlaceNames;
use crate::tokens::{KnownId, TokenSource};

/// How the daemon names itself to forges.
pub(crate) const USER_AGENT: &str = concat!("forgescale/", env!("CARGO_PKG_VERSION"));

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

impl ForgeError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Authorities { .. } => "name a file in PEM that the daemon's user can read, or leave ca_file out",
            Self::Client { source, .. } => source.hint().unwrap_or("look at url and ca_file"),
        }
    }
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
    /// Names of repositories within it, shared by all clones.
    pub(crate) names: PlaceNames,
}

impl ScopeClient {
    /// What is lacking of what is needed: only to read, where runners are registered elsewhere.
    pub(crate) fn lacks(&self, rights: &Rights) -> Vec<Lack> {
        let needed = |lack: &Lack| match lack {
            Lack::TokenScope { reads: true, .. } if self.at_repository => None,
            Lack::TokenScope { needed, reads } if self.at_repository => {
                Some(Lack::TokenScope { needed: needed.replace("write:", "read:"), reads: *reads })
            }
            other => Some(other.clone()),
        };
        rights.lacks.iter().filter_map(needed).collect()
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
                let token = TokenSource::new(watched.token_file.clone(), watched.token.clone());
                let (scope, interval) = (watched.scope.clone(), forge.interval);
                let scope = ScopeClient {
                    client,
                    scope,
                    interval,
                    token,
                    id: KnownId::default(),
                    at_repository: watched.at_repository,
                    names: PlaceNames::default(),
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

    /// One watched scope.
    pub(crate) fn watched(&self, key: &ScopeKey) -> Option<&ScopeClient> {
        self.scopes.get(key)
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
