//! What a cleaning waits for, for whoever watches it.

use std::fmt;
use std::mem::discriminant;

use planner::ids::{AssignmentKey, BackendId, ScopeKey};
use planner::policy::Policy;
use planner::report::{MachineReport, RunnerReport};
use planner::state::State;

use crate::left;

/// How many things are named at once.
const NAMED: usize = 3;

/// One thing that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Waited {
    /// The lists of a scope, and why they do not come.
    Scope { scope: ScopeKey, failure: Option<String> },
    /// The machines of a backend, and why they do not come.
    Backend { backend: BackendId, failure: Option<String> },
    /// A machine that is there.
    Machine(MachineReport),
    /// What is left of an assignment without a machine.
    Registration(AssignmentKey),
    /// A registration without an assignment.
    Runner(RunnerReport),
    /// A machine without a job, on a line.
    Spare(String),
    /// Calls that are not answered yet.
    Answers,
}

impl Waited {
    /// Whether it is the same thing in the same state, whatever numbers have changed.
    fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Machine(one), Self::Machine(other)) => {
                one.name == other.name && discriminant(&one.reason) == discriminant(&other.reason)
            }
            (Self::Runner(one), Self::Runner(other)) => {
                (&one.scope, one.id) == (&other.scope, other.id)
                    && discriminant(&one.reason) == discriminant(&other.reason)
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope { scope, failure: None } => write!(f, "the jobs and runners of {scope} are being listed"),
            Self::Scope { scope, failure: Some(failure) } => write!(f, "{scope} cannot be listed: {failure}"),
            Self::Backend { backend, failure: None } => write!(f, "the machines of {backend} are being listed"),
            Self::Backend { backend, failure: Some(failure) } => write!(f, "{backend} cannot be listed: {failure}"),
            Self::Machine(machine) => f.write_str(&left::of_machine(machine)),
            Self::Registration(key) => {
                write!(f, "what is left of {} try {} is being removed", key.job.handle, key.attempt.0)
            }
            Self::Runner(runner) => f.write_str(&left::of_runner(runner)),
            Self::Spare(spare) => write!(f, "{spare}: being removed"),
            Self::Answers => f.write_str("calls are being answered"),
        }
    }
}

/// What a cleaning waits for at a moment. Its text is one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting(Vec<Waited>);

impl Waiting {
    pub(super) fn new(waited: Vec<Waited>) -> Self {
        Self(waited)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are about the same things in the same states, whatever numbers have changed.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        self.0.len() == other.0.len() && pairs.into_iter().all(|(one, other)| one.is_about_the_same(other))
    }
}

impl fmt::Display for Waiting {
    /// The first few, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, waited) in self.0.iter().take(NAMED).enumerate() {
            write!(f, "{}{waited}", if at == 0 { "" } else { "; " })?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Scopes and backends of which not everything was listed completely since the start.
pub(super) fn unseen(policy: &Policy, state: &State) -> Vec<Waited> {
    let seen = &state.seen;
    if seen.is_complete(policy) {
        return Vec::new();
    }
    let scopes = policy.scopes.keys().filter(|scope| !seen.is_scope_complete(policy, scope)).map(|scope| {
        let of = seen.scopes.get(scope);
        let failures = of.map(|of| [&of.last_failure, &of.runners_last_failure, &of.repositories_failure]);
        let failure = failures.into_iter().flatten().flatten().map(|failure| failure.message.clone()).next();
        Waited::Scope { scope: scope.clone(), failure }
    });
    let backends = policy.backends.keys().filter(|backend| !seen.machines_listed(backend)).map(|backend| {
        let failure = seen.backends.get(backend).and_then(|of| of.last_failure.as_ref());
        Waited::Backend { backend: backend.clone(), failure: failure.map(|failure| failure.message.clone()) }
    });
    scopes.chain(backends).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use planner::ids::{Handle, MachineName, PoolId, Try};
    use planner::report::MachineReason;

    use super::*;

    fn machine(name: &str, reason: MachineReason) -> Waited {
        Waited::Machine(MachineReport {
            name: MachineName::new(name),
            backend: BackendId::new("here"),
            pool: PoolId::new("debian"),
            handle: Some(Handle::new("h")),
            attempt: Some(Try(1)),
            reason,
        })
    }

    fn grace(seconds: u64) -> MachineReason {
        MachineReason::Grace { remaining: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_clock_that_runs_is_the_same_and_another_state_is_not() {
        let waiting = |reason| Waiting::new(vec![machine("fs-1", reason)]);
        assert!(waiting(grace(9)).is_about_the_same(&waiting(grace(8))));
        assert!(!waiting(grace(9)).is_about_the_same(&waiting(MachineReason::Stopping)));
        assert!(!waiting(grace(9)).is_about_the_same(&Waiting::default()));
    }

    #[test]
    fn a_few_are_named_on_one_line_and_the_rest_is_counted() {
        let waited = (0..5).map(|number| machine(&format!("fs-{number}"), MachineReason::Stopping));
        let text = Waiting::new(waited.collect()).to_string();
        assert!(text.contains("machine fs-0 on backend here (pool debian) for h try 1: being stopped; "), "{text}");
        assert!(text.ends_with("; and 2 more") && !text.contains("fs-3"), "{text}");
    }
}
