//! The machines of a backend.

use std::time::Duration;

use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::Event;
use planner::ids::BackendId;
use planner::seen::Listing;

use super::Reporting;
use crate::machines::Backend;

/// The shortest pause between two listings of a backend: hints come in crowds, and one listing answers all of them.
const BETWEEN_HINTS: Duration = Duration::from_millis(50);

/// How long listing a backend may take.
const BACKEND_DEADLINE: Duration = Duration::from_secs(30);

/// Lists the machines of a backend, on every hint and at the interval, until the owner has gone.
pub(crate) async fn backend(id: BackendId, of: Backend, interval: Duration, reporting: Reporting) {
    let mut changes = of.changes();
    loop {
        changes.mark_unchanged();
        if reporting.events.send(machines(&id, &of, &reporting).await).await.is_err() {
            return;
        }
        tokio::time::sleep(BETWEEN_HINTS).await;
        tokio::select! {
            () = tokio::time::sleep(interval.saturating_sub(BETWEEN_HINTS)) => {}
            still_there = changes.changed() => {
                if still_there.is_err() {
                    return;
                }
            }
        }
    }
}

async fn machines(id: &BackendId, of: &Backend, reporting: &Reporting) -> Event {
    let begun_at = reporting.clock.now();
    match tokio::time::timeout(BACKEND_DEADLINE, of.list()).await {
        Ok(Ok(machines)) => {
            let listing = Listing { begun_at, complete: machines.complete, rows: machines.rows };
            Event::MachinesListed { backend: id.clone(), listing }
        }
        Ok(Err(error)) => Event::MachinesNotListed { backend: id.clone(), failure: error.failure() },
        Err(_) => {
            let message = format!("no answer within {} s", BACKEND_DEADLINE.as_secs());
            let failure = Failure { class: ErrorClass::Transient, acted: Acted::No, concerns: Concerns::All, message };
            Event::MachinesNotListed { backend: id.clone(), failure }
        }
    }
}
