//! The sentence that a person reads of each reason.

use std::fmt;
use std::time::Duration;

use crate::action::Leaving;

use super::reason::{LaunchStep, MachineReason, Reason, RunnerReason};

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
            Self::BackendAway { backend, away, last_error } => {
                write!(f, "backend {backend} has been away for {}: {last_error}", short(*away))
            }
            Self::BackendBackingOff { backend, remaining, last_error } => {
                let remaining = short(*remaining);
                write!(f, "backend {backend} could not be reached (tried again in {remaining}): {last_error}")
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
            Self::MakingRoom { pool, machine } => {
                write!(f, "machine {machine}, which waits without a job, is being removed to make room in pool {pool}")
            }
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
            Self::Releasing => write!(f, "its runner is being taken back; then it waits for another job"),
            Self::Stopping => write!(f, "being stopped"),
            Self::Removing => write!(f, "ended, being removed"),
            Self::AwaitingPolls => write!(f, "ended; waiting to see how its job stands"),
            Self::Vanished => write!(f, "listed no more, and nothing proves that it is dead"),
            Self::WarmCreating => write!(f, "being made, without a job"),
            Self::Warm => write!(f, "ready, waits for a job"),
            Self::WarmInDoubt => write!(f, "waits for a job, once a list has shown that no runner is left on it"),
            Self::WarmLeaving { why } => write!(f, "being removed: {why}"),
        }
    }
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MakesRoom => "a job lacks its room",
            Self::Outdated => "made anew it would be another",
            Self::TooOld => "another takes its place, since it is too old",
            Self::Surplus => "more wait than are wanted",
            Self::Ended => "it has ended without a job",
            Self::Vanished => "it is listed no more",
            Self::NeverReady => "it did not become ready",
        })
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
