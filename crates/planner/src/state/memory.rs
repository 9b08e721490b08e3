//! What is remembered of a handle while no assignment of it exists.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::backoff;
use crate::ids::{AssignmentKey, PoolId, Try};
use crate::policy::Limits;
use crate::seen::JobSeen;
use crate::time::Tick;

/// Tries, failures and rests of one handle. Losing it costs comfort, never safety: tries are found again in names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HandleMemory {
    /// The highest try seen in journal, machines and runners; 0 for none.
    pub tries: u32,
    /// Launches that failed in a row and are charged to it.
    pub failures: u32,
    /// How often it was parked.
    pub parked: u32,
    /// No launch before this moment.
    pub rest_until: Tick,
    /// Why it rests.
    pub rest: Rested,
    /// How often its runner waited in vain.
    pub releases: u32,
    /// What the last failed launch said.
    pub last_error: String,
    /// Facts of the latest try that lists do not tell again.
    #[serde(default)]
    pub latest: Option<TryFacts>,
    /// The pool of the last failed launch.
    #[serde(default)]
    pub pool: Option<PoolId>,
    /// No launch unless a listing begun after this moment shows it waiting: when its last assignment was cleaned up.
    pub not_before: Tick,
    /// When it was last listed.
    pub listed_at: Tick,
}

/// What is kept of one try, for a life that finds its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryFacts {
    /// Which try.
    pub attempt: Try,
    /// The job's row when the machine was asked for: its name and repository are told after it has left the lists.
    pub job: Option<JobSeen>,
    /// From when the job was first listed as waiting until the machine was asked for.
    pub waited: Option<Duration>,
    /// How much of the grace has been counted, in steps of [`GRACE_STEP`]: a count of observed time, so that neither a
    /// restart begins it anew nor a clock of the wall shortens it.
    pub grace: Duration,
    /// How much of the run has been counted, in steps of [`RUN_STEP`], likewise.
    #[serde(default)]
    pub ran: Duration,
}

/// In which steps a run that is being counted is kept: at the most so much of it is allowed twice.
pub const RUN_STEP: Duration = Duration::from_mins(1);

/// In which steps a grace that is being counted is kept: each is a write, and at the most so much is waited for twice.
pub const GRACE_STEP: Duration = Duration::from_secs(5);

/// Why a handle rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rested {
    /// It does not.
    #[default]
    No,
    /// A launch failed.
    LaunchFailed,
    /// Too many launches failed.
    Parked,
    /// The forge held it back.
    HeldBack,
}

impl HandleMemory {
    /// The number of the next try.
    pub fn next_try(&self) -> Try {
        Try(self.tries + 1)
    }

    /// Forgets failed launches and the rests after them: their cause may have been mended.
    pub fn forgive(&mut self) {
        self.failures = 0;
        self.parked = 0;
        if matches!(self.rest, Rested::LaunchFailed | Rested::Parked) {
            self.rest = Rested::No;
            self.rest_until = Tick::default();
        }
    }

    /// Rests shortly after a machine could not be removed, so that the next try comes with a fresh look.
    pub(crate) fn rest_after_detaching(&mut self, limits: &Limits, key: &AssignmentKey, settle: Duration, now: Tick) {
        "its machine cannot be removed".clone_into(&mut self.last_error);
        self.rest = Rested::LaunchFailed;
        let whose = key.job.handle.as_str();
        self.rest_until = now.plus(backoff(limits.backoff, limits.backoff_max, self.failures.max(1), whose));
        self.not_before = now.plus(settle);
    }

    /// What is kept of a try.
    pub fn facts_of(&self, attempt: Try) -> Option<&TryFacts> {
        self.latest.as_ref().filter(|facts| facts.attempt == attempt)
    }

    /// Keeps how much of a try's grace has been counted.
    pub(crate) fn keep_grace(&mut self, attempt: Try, counted: Duration) {
        if let Some(facts) = self.latest.as_mut().filter(|facts| facts.attempt == attempt) {
            facts.grace = whole_steps(counted, GRACE_STEP);
        }
    }

    /// Keeps how much of a try's run has been counted.
    pub(crate) fn keep_run(&mut self, attempt: Try, counted: Duration) {
        if let Some(facts) = self.latest.as_mut().filter(|facts| facts.attempt == attempt) {
            facts.ran = whole_steps(counted, RUN_STEP);
        }
    }

    /// Takes note of a try that exists.
    pub fn saw(&mut self, attempt: Try) {
        self.tries = self.tries.max(attempt.0);
    }
}

fn whole_steps(counted: Duration, step: Duration) -> Duration {
    step * u32::try_from(counted.as_secs() / step.as_secs()).unwrap_or(u32::MAX)
}
