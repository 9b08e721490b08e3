//! What needs a human: alerts, and their sentences.

use std::fmt;
use std::mem::discriminant;

use serde::{Deserialize, Serialize};

use crate::ids::{BackendId, ForgeId, Handle, MachineName, PoolId, RunnerId, ScopeKey};

/// What needs a human.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "alert", rename_all = "snake_case")]
pub enum Alert {
    /// A job was given up for a while after repeated launch failures.
    JobParked {
        /// Its forge.
        forge: ForgeId,
        /// Its handle.
        handle: Handle,
        /// How many launches failed.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// Many jobs vanished at once: the kills of their processes are held (the forge may have been restored).
    KillsHeld {
        /// How many.
        count: u32,
    },
    /// A list could not be read to its end.
    IncompleteListing {
        /// Of what.
        of: String,
    },
    /// The forge now knows the scope under another id: nothing is concluded from its lists.
    ScopeChanged {
        /// Which.
        scope: ScopeKey,
    },
    /// The forge does not know the token.
    TokenUnknown {
        /// Of which scope.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
    },
    /// The token lacks a right that is needed.
    TokenLacksScope {
        /// Where.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
    },
    /// A persistent runner that is not ours could take jobs of our pools: who gets them is chance.
    Overlap {
        /// In whose reach it is.
        scope: ScopeKey,
        /// Its name.
        runner: String,
        /// The labels that it shares with our pools.
        labels: Vec<String>,
    },
    /// The launches of a pool fail one after the other, whichever jobs they are for.
    PoolFails {
        /// Which.
        pool: PoolId,
        /// How many in a row.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// The machines of a backend cannot be listed any more: nothing new is made there until they can.
    BackendAway {
        /// Which.
        backend: BackendId,
        /// What the last listing said.
        last_error: String,
    },
    /// What the first label of jobs asks for cannot be had in a pool: an image, say. Its other jobs go on.
    EnvironmentFails {
        /// Which pool.
        pool: PoolId,
        /// Which label.
        label: String,
        /// How many launches in a row.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// Machines without a job cannot be made. Jobs get machines of their own, as far as those can.
    WarmFails {
        /// In which pool.
        pool: PoolId,
        /// From which image, where a label names one.
        image: Option<String>,
        /// How many in a row.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// A registration that should be gone could not be deleted yet. It keeps nothing from running.
    RunnerNotRemoved {
        /// Where.
        scope: ScopeKey,
        /// Its row id.
        id: RunnerId,
        /// How often it was tried.
        tries: u32,
        /// What the last try said.
        last_error: String,
    },
    /// A machine that should be gone could not be removed yet.
    MachineNotRemoved {
        /// Which.
        machine: MachineName,
        /// How often it was tried.
        tries: u32,
        /// What the last try said.
        last_error: String,
    },
}

impl Alert {
    /// Whether both tell of one thing, whatever numbers and words have changed meanwhile.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::JobParked { forge, handle, .. }, Self::JobParked { forge: other, handle: theirs, .. }) => {
                (forge, handle) == (other, theirs)
            }
            (Self::IncompleteListing { of }, Self::IncompleteListing { of: theirs }) => of == theirs,
            (Self::ScopeChanged { scope }, Self::ScopeChanged { scope: theirs })
            | (Self::TokenUnknown { scope, .. }, Self::TokenUnknown { scope: theirs, .. })
            | (Self::TokenLacksScope { scope, .. }, Self::TokenLacksScope { scope: theirs, .. }) => scope == theirs,
            (Self::Overlap { scope, runner, .. }, Self::Overlap { scope: other, runner: theirs, .. }) => {
                (scope, runner) == (other, theirs)
            }
            (Self::PoolFails { pool, .. }, Self::PoolFails { pool: theirs, .. }) => pool == theirs,
            (Self::BackendAway { backend, .. }, Self::BackendAway { backend: theirs, .. }) => backend == theirs,
            (Self::EnvironmentFails { pool, label, .. }, Self::EnvironmentFails { pool: other, label: theirs, .. }) => {
                (pool, label) == (other, theirs)
            }
            (Self::WarmFails { pool, image, .. }, Self::WarmFails { pool: other, image: theirs, .. }) => {
                (pool, image) == (other, theirs)
            }
            (Self::RunnerNotRemoved { scope, id, .. }, Self::RunnerNotRemoved { scope: other, id: theirs, .. }) => {
                (scope, id) == (other, theirs)
            }
            (Self::MachineNotRemoved { machine, .. }, Self::MachineNotRemoved { machine: theirs, .. }) => {
                machine == theirs
            }
            _ => discriminant(self) == discriminant(other) && matches!(self, Self::KillsHeld { .. }),
        }
    }
}

impl fmt::Display for Alert {
    /// A sentence, with what can be done where that is not plain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JobParked { handle, failures, last_error, .. } => {
                write!(f, "job {handle} is parked after {failures} failed launches: {last_error}")
            }
            Self::KillsHeld { count } => {
                write!(
                    f,
                    "{count} jobs vanished at once: their processes are kept until the forge's lists have agreed for a while, or until `forgescale confirm`"
                )
            }
            Self::IncompleteListing { of } => write!(f, "a list could not be read to its end: {of}"),
            Self::ScopeChanged { scope } => {
                write!(
                    f,
                    "{scope} has another id than before: nothing is concluded from its lists; give it the token of the former user or scope again, or wait until its machines have ended"
                )
            }
            Self::Overlap { scope, runner, labels } => write!(
                f,
                "the runner {runner} in reach of {scope} is not ours and could take our jobs: it has the labels {}",
                labels.join(", ")
            ),
            Self::TokenUnknown { scope, message } => {
                write!(
                    f,
                    "the token of {scope} is refused; nothing new is seen or launched there until it is replaced: {message}"
                )
            }
            Self::TokenLacksScope { scope, message } => write!(f, "the token lacks a right in {scope}: {message}"),
            Self::PoolFails { pool, failures, last_error } => write!(
                f,
                "the last {failures} launches of pool {pool} failed, so that one at a time is tried, ever more seldom (`forgescale reload` tries at once): {last_error}"
            ),
            Self::BackendAway { backend, last_error } => write!(
                f,
                "backend {backend} is away; nothing new is made there until its machines can be listed again, and what runs there goes on: {last_error}"
            ),
            Self::EnvironmentFails { pool, label, last_error, .. } => write!(
                f,
                "pool {pool} cannot start jobs whose first label is `{label}`; they wait, and all others go on: {last_error}"
            ),
            Self::WarmFails { pool, image, failures, last_error } => {
                let image = image.as_ref().map(|image| format!(" from {image}")).unwrap_or_default();
                write!(
                    f,
                    "pool {pool} could not make the last {failures} machines{image} that should wait for jobs; jobs go on without: {last_error}"
                )
            }
            Self::RunnerNotRemoved { scope, id, tries, last_error } => write!(
                f,
                "the registration {} in {scope} could not be deleted in {tries} tries; nothing waits for it: {last_error}",
                id.0
            ),
            Self::MachineNotRemoved { machine, tries, last_error } => {
                write!(f, "machine {machine} could not be removed in {tries} tries: {last_error}")
            }
        }
    }
}
