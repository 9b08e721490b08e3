//! What a backend is: the interface, error classes and what is handed over.
//!
//! A backend makes machines and hosts one runner process on each (design section 4). It decides nothing: the planner says
//! what to create, start and destroy, and `list` is how the planner learns what came of it.
//!
//! Deliberately absent: retries, back-off, limits and clocks of jobs. They live in the planner.
#![forbid(unsafe_code)]

mod cache;
mod chain;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod launch;

use std::future::Future;
use std::time::Duration;

pub use cache::Cache;
pub use chain::chain;
pub use clock::wall_ms;
pub use launch::Launch;
use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::ids::MachineName;
use planner::seen::{MachineSeen, MachineTags};

/// What a backend can do and how it likes to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it can make machines without a job, bind jobs to them later and take them back ([`Backend::release`]).
    pub warm: bool,
    /// How long it usually takes from create to a runner that contacts the forge.
    pub boot_hint: Duration,
    /// How many creates it likes to have under way at once.
    pub parallel_creates: usize,
    /// How often a listing is reasonable while machines exist.
    pub list_interval: Duration,
}

/// What a machine is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequest {
    /// Our deterministic name for it.
    pub name: MachineName,
    /// What every listing gives back. Where they are those of a warm machine, it is made without a job and left idle, able
    /// to take a launch: listed as ready and unbound until one is started on it.
    pub tags: MachineTags,
    /// The image that the first label of its job names, where it names one (protocol 4), or the one that a warm machine is
    /// made from. Backends without images have no use for it.
    pub image: Option<String>,
    /// Folders that outlive it. Backends that keep none are asked for none.
    pub caches: Vec<Cache>,
    /// How long the runner may take to end after somebody else than [`Backend::destroy`] has asked it to, before all of the
    /// machine is killed.
    pub stop_grace: Duration,
}

/// All machines of our deployment, as far as they could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machines {
    /// Whether all that there is was shown. One unreadable machine makes it false.
    pub complete: bool,
    /// What was shown.
    pub rows: Vec<MachineSeen>,
}

/// The answer to a destroy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroyed {
    /// Nothing of it is left: no process, file, network or address. Also the answer for a machine that never was.
    Gone,
    /// Under way. Repeat until it is gone.
    Accepted,
}

/// A failed call to a backend.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}")]
pub struct BackendError {
    /// What was being done to what, to follow "could not".
    pub doing: String,
    /// The class.
    pub class: ErrorClass,
    /// Whether the call can have had its effect.
    pub acted: Acted,
    /// For what else it speaks.
    pub concerns: Concerns,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// As the planner needs it: the chain of causes in one bounded line.
    pub fn failure(&self) -> Failure {
        let message = chain(self).chars().take(MESSAGE_CHARACTERS).collect();
        Failure { class: self.class, acted: self.acted, concerns: self.concerns, message }
    }
}

/// How much of an error's text is kept: enough for a path and a reason, too little to flood a log.
const MESSAGE_CHARACTERS: usize = 512;

/// The interface. Every call is idempotent, quick, and safe to abandon at its deadline.
pub trait Backend: Send + Sync {
    /// What it can do. Constant for the life of the backend.
    fn describe(&self) -> Capabilities;

    /// Makes a machine. The same name again returns the same living machine; a name that has ended or is stopping is a
    /// [`ErrorClass::Permanent`] error that says so.
    fn create(&self, request: CreateRequest) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Hands the launch over and starts the runner, writing the binding atomically with it, on a warm machine too. One that is
    /// bound to another launch is a [`ErrorClass::Permanent`] error.
    fn start(&self, machine: &MachineName, launch: Launch) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Stops the runner of a warm machine on which no job's code ran, and leaves the machine ready and unbound, able to take
    /// the launch of another job. When it answers nothing of that runner is left: no process, file or secret. Again on a
    /// machine that is unbound already changes nothing. A backend that cannot answers [`ErrorClass::Permanent`]; whatever
    /// it fails with, the planner destroys the machine.
    fn release(&self, machine: &MachineName) -> impl Future<Output = Result<(), BackendError>> + Send {
        let doing = format!("take the runner back from machine {machine}: this backend cannot");
        let (class, acted, concerns) = (ErrorClass::Permanent, Acted::No, Concerns::All);
        std::future::ready(Err(BackendError { doing, class, acted, concerns, source: None }))
    }

    /// Lists every machine of our deployment and nothing else.
    fn list(&self) -> impl Future<Output = Result<Machines, BackendError>> + Send;

    /// Stops what still runs and removes what has ended, side resources too. The runner is asked to end and has `stop` for
    /// it, counted from the first call; then all of the machine is killed.
    fn destroy(
        &self,
        machine: &MachineName,
        stop: Duration,
    ) -> impl Future<Output = Result<Destroyed, BackendError>> + Send;

    /// The last lines of the runner's output, oldest first.
    fn logs(&self, machine: &MachineName) -> impl Future<Output = Result<Vec<String>, BackendError>> + Send;
}
