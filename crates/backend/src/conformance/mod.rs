//! One suite for every backend: the contract of design section 4, tried out.
//!
//! ```text
//! harness ──► a value of the backend, as often as a daemon is restarted ──► rows ──► table
//!    └──────► what is left, where a token is: looked for past the backend
//! ```
//!
//! A backend brings a [`Harness`] and calls [`run`] in a test; the [`Table`] says what was tried and how it came out. Each
//! row has a deployment of its own, so that nothing of one is met by the next, and none passes that leaves something.
//!
//! Promises: rows look at results, never at how a backend gets there; they poll, up to a deadline, and assert no times.
//!
//! Deliberately absent: kills of a real daemon. A restart is a new value of the backend on the same engine, a crash is a
//! call whose future is dropped; whole programs are killed in the tests of the program.

mod ground;
mod rows;
mod runner;
mod table;
mod usual;

use std::time::{Duration, Instant};

use planner::ids::DeploymentId;

use crate::Backend;

pub use ground::TOKEN;
pub use rows::Row;
pub use runner::{Behaviour, RUNNER_SCRIPT};
pub use table::{Outcome, Table, Verdict};
pub use usual::{launch, request, until};

use ground::Ground;

/// Longer than any row takes on a busy machine; only a row that fails waits for it.
const ROW_DEADLINE: Duration = Duration::from_mins(2);

/// What a backend brings along. Whatever it cannot do for its own reasons may panic.
#[expect(async_fn_in_trait, reason = "the suite runs in one task; nothing has to move between threads")]
pub trait Harness {
    /// The backend.
    type Backend: Backend;

    /// Unlike the name of any other run on the same engine; it begins the names of all deployments of this one.
    fn name(&self) -> &str;

    /// Another value of the backend for a deployment, on the same engine: what a daemon has that was started anew. Its
    /// runner behaves as [`Behaviour`] and [`RUNNER_SCRIPT`] say.
    async fn backend(&self, deployment: &DeploymentId) -> Self::Backend;

    /// Why a row cannot be tried on this backend, if so.
    fn not_applicable(&self, row: Row) -> Option<&'static str>;

    /// Puts something there that is of the deployment and cannot be read as a machine.
    async fn spoil(&self, deployment: &DeploymentId);

    /// Takes that away again.
    async fn unspoil(&self, deployment: &DeploymentId);

    /// Everything of a deployment that is there, in words, found past the backend: processes, files, containers, networks.
    async fn leftovers(&self, deployment: &DeploymentId) -> Vec<String>;

    /// Where the token is found although it should not be, in words, while a runner that has it is alive or after its end.
    async fn places_of_token(&self, deployment: &DeploymentId, token: &str) -> Vec<String>;
}

/// Tries every row, one after the other. What a row left that came late is looked for at the end.
pub async fn run<H: Harness>(harness: &H) -> Table {
    let mut outcomes = Vec::with_capacity(Row::ALL.len());
    for row in Row::ALL {
        let began = Instant::now();
        let keeps_warm = harness.backend(&DeploymentId::new(harness.name())).await.describe().warm;
        let verdict = match harness.not_applicable(row) {
            Some(reason) => Verdict::NotApplicable(reason),
            None if row.is_warm() && !keeps_warm => Verdict::NotApplicable("it makes none without a job"),
            None => tried(harness, row).await.map_or_else(Verdict::Failed, |()| Verdict::Passed),
        };
        outcomes.push(Outcome { row, verdict, took: began.elapsed() });
    }
    for outcome in &mut outcomes {
        if outcome.verdict == Verdict::Passed
            && let Err(how) = cleared(&Ground::new(harness, outcome.row.word())).await
        {
            outcome.verdict = Verdict::Failed(format!("something came late: {how}"));
        }
    }
    Table { backend: harness.name().to_owned(), outcomes }
}

async fn tried<H: Harness>(harness: &H, row: Row) -> Result<(), String> {
    let ground = Ground::new(harness, row.word());
    let done = tokio::time::timeout(ROW_DEADLINE, Box::pin(rows::perform(&ground, row))).await;
    let done = done.unwrap_or_else(|_| Err(too_late()));
    // Cleared in any case, so that what fails here does not stand in the way of what comes later.
    done.and(cleared(&ground).await)
}

async fn cleared<H: Harness>(ground: &Ground<'_, H>) -> Result<(), String> {
    let cleared = tokio::time::timeout(ROW_DEADLINE, Box::pin(ground.clear())).await;
    cleared.unwrap_or_else(|_| Err(too_late()))
}

fn too_late() -> String {
    format!("not done within {} s", ROW_DEADLINE.as_secs())
}
