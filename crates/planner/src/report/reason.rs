//! Reasons, with their numbers and the sentence that a person reads.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{BackendId, Handle, MachineName, PoolId, ScopeKey, Try};

/// Why a job is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It asks for no label at all; such a job never runs (protocol 1.3).
    NoLabels,
    /// The forge gave it no handle: it is older than Forgejo 15 and cannot be targeted (protocol 1.3).
    NoHandle,
    /// No pool has all its labels.
    NoPool {
        /// What the closest pool lacks; all that is wanted where none is close.
        missing_labels: Vec<String>,
        /// The closest pool, if one has anything of what is wanted.
        closest: Option<PoolId>,
    },
    /// The pool that fits is full.
    PoolFull {
        /// The pool.
        pool: PoolId,
        /// Machines that exist or were asked for.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// The backend of the pool that fits is full.
    BackendFull {
        /// The backend.
        backend: BackendId,
        /// Machines that exist or were asked for.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// The deployment is full.
    DeploymentFull {
        /// Machines that exist or were asked for.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// The repository has its share of the pool.
    RepositoryFull {
        /// The pool.
        pool: PoolId,
        /// Machines of that repository in it.
        used: u32,
        /// Its limit.
        max: u32,
    },
    /// Earlier launches for it failed; the next comes later.
    BackingOff {
        /// For how long still.
        remaining: Duration,
        /// How many tries there were.
        tries: u32,
        /// What the last one said.
        last_error: String,
    },
    /// Too many launches for it failed; it rests until then, or until the operator restarts the daemon.
    Parked {
        /// For how long still.
        remaining: Duration,
        /// How many launches failed.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// The pool or its backend failed lately; the next try comes later.
    PoolBackingOff {
        /// The pool.
        pool: PoolId,
        /// For how long still.
        remaining: Duration,
        /// What the last failure said.
        last_error: String,
    },
    /// What its first label asks for could not be had in the pool lately: an image, say. The next try comes later.
    EnvironmentBackingOff {
        /// The pool.
        pool: PoolId,
        /// The label.
        label: String,
        /// For how long still.
        remaining: Duration,
        /// What the last failure said.
        last_error: String,
    },
    /// The forge holds it back although it lists it as waiting, most likely for its concurrency group; it is tried again
    /// later.
    HeldBack {
        /// How often its runner waited in vain.
        releases: u32,
        /// For how long it rests still.
        remaining: Duration,
    },
    /// A job like it was held back: one of them is tried at a time.
    Suspect {
        /// The one being tried, if there is one just now.
        probe: Option<Handle>,
        /// How often jobs like it were released.
        releases: u32,
        /// For how long they rest still.
        remaining: Duration,
    },
    /// The scope's list is stale: the forge does not answer.
    ForgeUnreachable {
        /// Where.
        scope: ScopeKey,
        /// How many listings failed in a row.
        failures: u32,
        /// What the last one said.
        last_error: String,
    },
    /// The forge does not know the token.
    TokenUnknown {
        /// Where.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
        /// When it is tried again.
        remaining: Duration,
    },
    /// The token may not register runners there.
    TokenLacksScope {
        /// Where.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
        /// When it is tried again.
        remaining: Duration,
    },
    /// The scope refused a registration for another reason than the token: renamed, transferred, or gone.
    ScopeRefused {
        /// Where.
        scope: ScopeKey,
        /// What the forge said.
        message: String,
        /// When it is tried again.
        remaining: Duration,
    },
    /// After a start nothing is launched before it is known what is there.
    NotListedYet {
        /// What is missing.
        of: String,
    },
    /// An earlier try for it is not proven over.
    EarlierTry {
        /// Which.
        attempt: Try,
    },
    /// We are about to stop and launch nothing any more.
    Draining,
    /// Its row could not be read.
    Unreadable,
    /// Its turn comes as soon as other calls are answered.
    NextInLine,
    /// It has a machine and a runner on the way.
    Launching {
        /// The pool.
        pool: PoolId,
        /// The machine.
        machine: MachineName,
        /// The try.
        attempt: Try,
        /// What is being done.
        step: LaunchStep,
    },
    /// Its runner asks for it and does not get it yet.
    Claiming {
        /// The machine.
        machine: MachineName,
        /// For how long.
        waited: Duration,
        /// For how long at the most.
        limit: Duration,
    },
    /// Its runner is being taken back.
    Releasing {
        /// The machine.
        machine: MachineName,
    },
    /// It runs on our machine.
    Running {
        /// The machine.
        machine: MachineName,
        /// For how long, as observed: the forge's lists do not tell when it began (protocol 1.3), and of what an earlier
        /// life of the daemon has observed only whole minutes are kept.
        ran: Duration,
    },
    /// Its process has ended; the next polls tell how the job did.
    ProcessEnded {
        /// The machine.
        machine: MachineName,
    },
    /// Its process has ended, its result has not arrived.
    ResultMissing {
        /// The machine.
        machine: MachineName,
    },
    /// A runner that is not ours runs it.
    RunsElsewhere,
}

impl Reason {
    /// The pool that it is about, if it is about one: that serves the job, or comes closest to it.
    pub fn pool(&self) -> Option<&PoolId> {
        match self {
            Self::PoolFull { pool, .. }
            | Self::RepositoryFull { pool, .. }
            | Self::PoolBackingOff { pool, .. }
            | Self::EnvironmentBackingOff { pool, .. }
            | Self::Launching { pool, .. } => Some(pool),
            Self::NoPool { closest, .. } => closest.as_ref(),
            Self::NoLabels
            | Self::NoHandle
            | Self::BackendFull { .. }
            | Self::DeploymentFull { .. }
            | Self::BackingOff { .. }
            | Self::Parked { .. }
            | Self::HeldBack { .. }
            | Self::Suspect { .. }
            | Self::ForgeUnreachable { .. }
            | Self::TokenUnknown { .. }
            | Self::TokenLacksScope { .. }
            | Self::ScopeRefused { .. }
            | Self::NotListedYet { .. }
            | Self::EarlierTry { .. }
            | Self::Draining
            | Self::Unreadable
            | Self::NextInLine
            | Self::Claiming { .. }
            | Self::Releasing { .. }
            | Self::Running { .. }
            | Self::ProcessEnded { .. }
            | Self::ResultMissing { .. }
            | Self::RunsElsewhere => None,
        }
    }
}

/// Which step of a launch is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchStep {
    /// The machine is being made.
    Creating,
    /// The runner is being registered.
    Registering,
    /// The runner is being started.
    Starting,
    /// The runner was started and has not contacted the forge yet.
    Booting,
}

/// Why a machine is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum MachineReason {
    /// Its runner is on the way.
    Launching {
        /// What is being done.
        step: LaunchStep,
    },
    /// It was found, after a restart say, and its job has not been listed since: how that stands is not known yet.
    Found,
    /// Its runner waits for its job.
    Claiming,
    /// Its job runs.
    Running,
    /// Its job has left the forge; the process has a while to end by itself.
    Grace {
        /// For how long still, as observed.
        remaining: Duration,
    },
    /// Many jobs vanished at once; nothing is killed until polls have agreed for a while.
    Held {
        /// For how long still, as observed.
        remaining: Duration,
    },
    /// Its runner is being fenced off before it is stopped.
    Fencing,
    /// Whose the running task is, is being asked.
    AskingWhose,
    /// What it needs next is not done: its scope is not known to be the one that it was made for.
    ScopeInDoubt {
        /// Which.
        scope: ScopeKey,
        /// Why not, as far as that is known.
        last_error: String,
    },
    /// It is being stopped.
    Stopping,
    /// It has ended and is being removed.
    Removing,
    /// The forge has not shown yet how its job stands after its end.
    AwaitingPolls,
    /// It is listed no more and nothing proves that it is dead.
    Vanished,
}

/// Why a registration without a living assignment is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RunnerReason {
    /// Whether a machine is bound to it is not known yet.
    MachinesNotListed,
    /// It is young: its register call may still be under way somewhere.
    Settling {
        /// For how long still.
        remaining: Duration,
    },
    /// Its job is running: perhaps it holds it.
    JobRunning,
    /// The forge has not shown yet how its job stands.
    AwaitingPolls,
    /// It is being deleted.
    Deleting,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLabels => write!(f, "asks for no label (runs-on is empty): such a job never runs"),
            Self::NoHandle => {
                write!(f, "has no handle: it is older than Forgejo 15 and cannot be served; run it again")
            }
            Self::NoPool { missing_labels, closest } => {
                write!(f, "no pool has the label {}", listed(missing_labels))?;
                closest.as_ref().map_or(Ok(()), |pool| write!(f, " (closest: pool {pool})"))
            }
            Self::PoolFull { pool, used, max } => full(f, format_args!("pool {pool}"), *used, *max),
            Self::BackendFull { backend, used, max } => full(f, format_args!("backend {backend}"), *used, *max),
            Self::DeploymentFull { used, max } => full(f, format_args!("the deployment"), *used, *max),
            Self::RepositoryFull { pool, used, max } => {
                write!(f, "its repository has its share of pool {pool}: {used} of {max} machines")
            }
            Self::BackingOff { remaining, tries, last_error } => {
                write!(f, "backing off for {} after try {tries}: {last_error}", short(*remaining))
            }
            Self::Parked { remaining, failures, last_error } => {
                let remaining = short(*remaining);
                write!(
                    f,
                    "parked for {remaining} after {failures} failed launches: {last_error}; then it is tried again, "
                )?;
                write!(f, "or at once when the cause is mended and forgescale is restarted")
            }
            Self::PoolBackingOff { pool, remaining, last_error } if remaining.is_zero() => {
                write!(f, "launches of pool {pool} fail: one at a time is tried: {last_error}")
            }
            Self::PoolBackingOff { pool, remaining, last_error } => {
                write!(f, "pool {pool} is backing off for {}: {last_error}", short(*remaining))
            }
            Self::EnvironmentBackingOff { pool, label, remaining, last_error } if remaining.is_zero() => {
                write!(f, "pool {pool} tries one job at a time that asks for `{label}` first: {last_error}")
            }
            Self::EnvironmentBackingOff { pool, label, remaining, last_error } => {
                let remaining = short(*remaining);
                write!(
                    f,
                    "pool {pool} cannot start jobs that ask for `{label}` first (tried again in {remaining}): {last_error}"
                )
            }
            Self::HeldBack { releases, remaining } => write!(
                f,
                "held back by the forge (most likely its concurrency group): released {}, next try in {}",
                times(*releases),
                short(*remaining)
            ),
            Self::Suspect { probe: Some(probe), releases, .. } => {
                write!(f, "a job like it was held back (released {}): {probe} is tried first", times(*releases))
            }
            Self::Suspect { probe: None, releases, remaining } => {
                write!(
                    f,
                    "a job like it was held back (released {}): next try in {}",
                    times(*releases),
                    short(*remaining)
                )
            }
            Self::ForgeUnreachable { scope, failures, last_error } => {
                write!(f, "the last {failures} listings of {scope} failed: {last_error}")
            }
            Self::TokenUnknown { scope, message, remaining } => {
                write!(f, "the token of {scope} is refused (tried again in {}): {message}", short(*remaining))
            }
            Self::TokenLacksScope { scope, message, remaining } => {
                write!(f, "the token may not register in {scope} (tried again in {}): {message}", short(*remaining))
            }
            Self::ScopeRefused { scope, message, remaining } => {
                write!(f, "{scope} refused a registration (tried again in {}): {message}", short(*remaining))
            }
            Self::NotListedYet { of } => write!(f, "nothing is launched before {of} was listed"),
            Self::EarlierTry { attempt } => write!(f, "try {} is not proven over yet", attempt.0),
            Self::Draining => write!(f, "this autoscaler is stopping and launches nothing any more"),
            Self::Unreadable => write!(f, "its row in the job list could not be read"),
            Self::NextInLine => write!(f, "next in line: other calls are being answered"),
            Self::Launching { pool, machine, attempt, step } => {
                write!(f, "{step} on machine {machine} of pool {pool}, try {}", attempt.0)
            }
            Self::Claiming { machine, waited, limit } => {
                write!(f, "its runner on {machine} has asked for it for {} of {}", short(*waited), short(*limit))
            }
            Self::Releasing { machine } => write!(f, "its runner on {machine} is being taken back"),
            Self::Running { machine, ran } => write!(f, "runs on {machine}, seen running for {}", short(*ran)),
            Self::ProcessEnded { machine } => write!(f, "its process on {machine} has ended; the next polls tell how"),
            Self::ResultMissing { machine } => write!(f, "its process on {machine} has ended, its result is missing"),
            Self::RunsElsewhere => write!(f, "runs on a runner that is not ours"),
        }
    }
}

impl fmt::Display for LaunchStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Registering => "registering",
            Self::Starting => "starting",
            Self::Booting => "booting",
        })
    }
}

impl fmt::Display for MachineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launching { step } => write!(f, "{step}"),
            Self::Found => write!(f, "found by this daemon; how its job stands has not been listed since"),
            Self::Claiming => write!(f, "its runner waits for its job"),
            Self::Running => write!(f, "its job runs"),
            Self::Grace { remaining } => write!(f, "its job is gone; it is stopped in {}", short(*remaining)),
            Self::Held { remaining } => {
                write!(f, "many jobs vanished at once: kept until polls agree for {} more", short(*remaining))
            }
            Self::Fencing => write!(f, "its runner is being fenced off"),
            Self::AskingWhose => write!(f, "asking whose the running task is"),
            Self::ScopeInDoubt { scope, last_error } => {
                write!(f, "waiting until {scope} is known to be the one that it was made for")?;
                if last_error.is_empty() { Ok(()) } else { write!(f, ": {last_error}") }
            }
            Self::Stopping => write!(f, "being stopped"),
            Self::Removing => write!(f, "ended, being removed"),
            Self::AwaitingPolls => write!(f, "ended; waiting to see how its job stands"),
            Self::Vanished => write!(f, "listed no more, and nothing proves that it is dead"),
        }
    }
}

impl fmt::Display for RunnerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MachinesNotListed => write!(f, "it is not known yet whether a machine uses it"),
            Self::Settling { remaining } => write!(f, "young: looked at again in {}", short(*remaining)),
            Self::JobRunning => write!(f, "its job is running"),
            Self::AwaitingPolls => write!(f, "waiting to see how its job stands"),
            Self::Deleting => write!(f, "being deleted"),
        }
    }
}

/// What has no room. With a max of 0 that is meant so, and nothing is full.
fn full(f: &mut fmt::Formatter<'_>, what: fmt::Arguments<'_>, used: u32, max: u32) -> fmt::Result {
    match (max, used) {
        (0, 0) => write!(f, "{what} launches nothing: its max is 0"),
        (0, _) => write!(f, "{what} launches nothing: its max is 0 (machines that go on: {used})"),
        _ => write!(f, "{what} is full: {used} of {max} machines"),
    }
}

/// A count for a sentence.
fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Labels for a sentence: `a`, or `a, b`.
fn listed(labels: &[String]) -> String {
    labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
}

/// A span for people: two units at the most, none smaller than a tenth of a second.
pub fn short(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=9 => format!("{}.{}s", seconds, span.subsec_millis() / 100),
        10..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// So many things in words: `1 job`, `2 jobs`. For words whose plural takes an s.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
