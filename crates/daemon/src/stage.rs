//! What tests of calls to a forge play on: an emulated one, with the daemon's view of one scope.

use std::collections::BTreeSet;
use std::time::Duration;

use emulator::{Emulator, EmulatorSettings};
use forge_model::{OwnerId, RepoId, TokenScope, TokenSpec, Version};
use forgejo::{Client, ClientSettings, Limits, Scope};
use planner::event::Event;
use planner::ids::{DeploymentId, ForgeId, ScopeId, ScopeKey};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::forges::ScopeClient;
use crate::observers::Reporting;
use crate::places::PlaceNames;
use crate::tokens::{KnownId, TokenSource};

/// More events than a test makes.
const EVENTS: usize = 64;

/// A user `dana`, her organization `acme` with a repository `site`, and a scope as her token shows it.
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) of: ScopeClient,
    pub(crate) dana: OwnerId,
    pub(crate) acme: OwnerId,
    pub(crate) site: RepoId,
}

impl Stage {
    pub(crate) async fn new(scope: Scope) -> Self {
        let emulator = Emulator::start(EmulatorSettings::new(Version::V16)).await.unwrap();
        let (dana, acme, site, token) = emulator.with_forge(|forge, _| {
            let dana = forge.create_user("dana", false);
            let acme = forge.create_organization("acme", &[dana]);
            let site = forge.create_repository(acme, "site", false).unwrap();
            (dana, acme, site, forge.create_token(dana, TokenSpec::new(&[TokenScope::All])).unwrap())
        });
        let settings = ClientSettings {
            url: emulator.url(),
            token: token.clone().into(),
            ca_pem: None,
            user_agent: "test/1".to_owned(),
            call_deadline: Duration::from_secs(10),
            limits: Limits::default(),
        };
        let of = ScopeClient {
            client: Client::new(&settings).unwrap(),
            scope,
            interval: Duration::from_secs(3),
            token: TokenSource::new(None, token.into()),
            id: KnownId::default(),
            at_repository: true,
            names: PlaceNames::default(),
        };
        Self { emulator, of, dana, acme, site }
    }

    /// The scope.
    pub(crate) fn key(&self) -> ScopeKey {
        ScopeKey { forge: ForgeId::new(self.emulator.url()), scope: ScopeId::new(self.of.scope.to_string()) }
    }

    /// The repository, within the scope.
    pub(crate) fn place(&self) -> ScopeKey {
        self.key().at_repository(self.site.0)
    }

    /// What an observer reports to, and what has been reported; no runners are wanted.
    pub(crate) fn reporting() -> (Reporting, mpsc::Receiver<Event>) {
        let (events, reported) = mpsc::channel(EVENTS);
        let (_, runners_wanted) = watch::channel(BTreeSet::new());
        (Reporting { clock: Clock::start(), deployment: DeploymentId::new("ci"), events, runners_wanted }, reported)
    }
}
