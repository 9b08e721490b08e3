//! The launch: what a runner process needs to serve exactly one job.

use std::time::Duration;

use planner::ids::{Handle, RunnerUuid, Try};
use planner::seen::{Binding, BoundAt};
use secrecy::SecretString;

/// Handed to a machine when its runner is started. The token inside cannot be printed.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The forge's URL as the job must reach it.
    pub url: String,
    /// The registration.
    pub uuid: RunnerUuid,
    /// Its token: exactly 40 characters, without a newline (protocol 3.6).
    pub token: SecretString,
    /// Every label of the pool, each with its schema.
    pub labels: Vec<String>,
    /// The job.
    pub handle: Handle,
    /// The try.
    pub attempt: Try,
    /// Where the runner is registered, for a warm machine: what its tags cannot tell goes into the binding.
    pub at: Option<BoundAt>,
    /// How often the runner asks for its job.
    pub fetch_interval: Duration,
}

impl Launch {
    /// What the backend writes down together with the start.
    pub fn binding(&self) -> Binding {
        Binding { handle: self.handle.clone(), attempt: self.attempt, runner: self.uuid.clone(), at: self.at.clone() }
    }
}
