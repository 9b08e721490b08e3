//! What this process holds of machines that no folder can hold: pipes, and what is under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use planner::ids::MachineName;
use tokio::io::BufReader;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Mutex;

/// The two pipes to a supervisor that waits for its launch.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) launch: ChildStdin,
    pub(crate) answers: BufReader<ChildStdout>,
}

/// How far this process has come with a machine.
#[derive(Debug, Default)]
pub(crate) enum Phase {
    /// Not made by this process, or no longer of interest.
    #[default]
    Unheld,
    /// Being made: that there is no supervisor yet means nothing.
    Creating,
    /// Can take a launch.
    Open(Pipes),
    /// The launch went into the pipe, and may arrive at any time.
    HandedOver,
}

/// One machine, as far as this process holds something of it.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Held by each call for as long as it works on the machine.
    pub(crate) turn: Arc<Mutex<()>>,
    pub(crate) phase: Phase,
    /// When its supervisor was asked to end.
    pub(crate) asked_to_end: Option<Instant>,
    /// Whether someone waits for the end of its supervisor.
    pub(crate) watched: bool,
    /// How often its containers could not be removed.
    pub(crate) failed_removals: u32,
}

impl Held {
    /// Whether nothing is lost by forgetting it. A call that has its turn or waits for it keeps the turn alive.
    pub(crate) fn is_idle(&self) -> bool {
        let unheld = matches!(self.phase, Phase::Unheld);
        unheld
            && self.failed_removals == 0
            && self.asked_to_end.is_none()
            && !self.watched
            && Arc::strong_count(&self.turn) == 1
    }
}

/// All of them, by name.
pub(crate) type HeldMachines = BTreeMap<MachineName, Held>;
