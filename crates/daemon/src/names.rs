//! Names of repositories, for people: looked up once each, slowly, and never waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use forgejo::ErrorClass;
use planner::ids::{ForgeId, ScopeKey};
use planner::report::Report;
use tokio::sync::mpsc;

use crate::forges::Forges;
use crate::report_file::RepositoryName;

/// Most names that are kept; beyond it ids are shown.
const MOST: usize = 20_000;

/// How many lookups may wait.
const WAITING: usize = 64;

/// The pause between two lookups.
const PAUSE: Duration = Duration::from_millis(100);

/// The pause after a lookup that failed: a name is not worth a burden on a forge in trouble.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Names by forge and id.
type Known = Mutex<BTreeMap<(ForgeId, i64), Name>>;

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// It is being asked for.
    Asked,
    /// The token may not see it. It is not asked for again.
    Hidden,
    /// This one.
    Told(String),
}

/// A repository and a scope that showed it.
type Wanted = (ScopeKey, i64);

/// Known names, and the way to ask for more.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    known: Arc<Known>,
    wanted: mpsc::Sender<Wanted>,
}

impl Names {
    /// Starts the task that looks names up; it ends with the last clone.
    pub(crate) fn start(forges: Arc<Forges>) -> Self {
        let (wanted, lookups) = mpsc::channel(WAITING);
        let names = Self { known: Arc::default(), wanted };
        tokio::spawn(look_up(forges, lookups, Arc::downgrade(&names.known)));
        names
    }

    /// Asks these forges from now on. What is known stays; what was about to be looked up is asked for again.
    pub(crate) fn ask(&mut self, forges: Arc<Forges>) {
        let (wanted, lookups) = mpsc::channel(WAITING);
        self.wanted = wanted;
        lock(&self.known).retain(|_, name| matches!(name, Name::Told(_)));
        tokio::spawn(look_up(forges, lookups, Arc::downgrade(&self.known)));
    }

    /// A repository for people: its name, or as long as that is not known its id.
    pub(crate) fn shown(&self, forge: &ForgeId, id: i64) -> String {
        match lock(&self.known).get(&(forge.clone(), id)) {
            Some(Name::Told(name)) => name.clone(),
            Some(Name::Asked | Name::Hidden) | None => format!("id {id}"),
        }
    }

    /// Asks for the names that a report lacks, and gives those that are known, or known to be hidden.
    pub(crate) fn of(&self, report: &Report) -> Vec<RepositoryName> {
        let mut known = lock(&self.known);
        let mut names = BTreeMap::new();
        for job in &report.jobs {
            let key = (job.forge.clone(), job.repository);
            match known.get(&key) {
                Some(Name::Told(name)) => {
                    names.insert(key, Some(name.clone()));
                }
                Some(Name::Hidden) => {
                    names.insert(key, None);
                }
                None if known.len() < MOST && job.repository != 0 => {
                    let scope = ScopeKey { forge: job.forge.clone(), scope: job.scope.clone() };
                    if self.wanted.try_send((scope, job.repository)).is_ok() {
                        known.insert(key, Name::Asked);
                    }
                }
                Some(Name::Asked) | None => {}
            }
        }
        names.into_iter().map(|((forge, id), name)| RepositoryName { forge, id, name }).collect()
    }
}

async fn look_up(forges: Arc<Forges>, mut lookups: mpsc::Receiver<Wanted>, known: Weak<Known>) {
    while let Some((scope, id)) = lookups.recv().await {
        let Some(client) = forges.scope(&scope).map(|scope| &scope.client) else { continue };
        let answer = client.repository(id).await;
        let Some(known) = known.upgrade() else { return };
        let pause = match answer {
            Ok(name) => {
                lock(&known).insert((scope.forge, id), Name::Told(name));
                PAUSE
            }
            Err(error) if matches!(error.class(), ErrorClass::Forbidden { .. } | ErrorClass::NotFound) => {
                lock(&known).insert((scope.forge, id), Name::Hidden);
                PAUSE
            }
            Err(error) => {
                tracing::debug!(repository = id, %error, "the name of a repository could not be looked up");
                // Asked for again as long as a report lacks it.
                lock(&known).remove(&(scope.forge, id));
                PAUSE_AFTER_FAILURE
            }
        };
        drop(known);
        tokio::time::sleep(pause).await;
    }
}

/// Never locked across an await; a panic elsewhere leaves nothing half-done in it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
