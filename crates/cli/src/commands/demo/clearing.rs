//! Clearing away: machines that are left after an interruption, or a kill, are destroyed through the backend, as ever.

use std::fs;
use std::path::Path;
use std::time::Duration;

use backend::Backend as _;
use backend_host::{HostBackend, HostSettings, Limits, Program, RunAs};
use planner::ids::DeploymentId;

/// How long a runner may take to end: as the stop clock of the demo's pools.
pub(super) const STOP: Duration = Duration::from_secs(5);

/// How long the stage may take to be cleared: the stop clock of the demo's pools, and some.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// The pause between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Destroys every machine of a deployment that is left in the directories of its backends. What cannot be destroyed in time
/// is left to be found.
pub(super) async fn clear_machines(machines: &Path, deployment: &str) {
    for backend in fs::read_dir(machines).into_iter().flatten().flatten() {
        let nothing = Program { path: "/nonexistent".into(), arguments: Vec::new() };
        let host = HostBackend::new(HostSettings {
            directory: backend.path(),
            deployment: DeploymentId::new(deployment),
            supervisor: nothing.clone(),
            runner: nothing,
            run_as: RunAs::Daemon,
            limits: Limits::default(),
            cache: None,
            path: String::new(),
            environment: Vec::new(),
            log_limit: 0,
        });
        if let Ok(host) = host {
            // What is left after the limit is counted and told.
            let _ = tokio::time::timeout(LIMIT, destroy_all(&host)).await;
        }
    }
}

async fn destroy_all(host: &HostBackend) {
    loop {
        let Ok(machines) = host.list().await else { return };
        if machines.rows.is_empty() {
            return;
        }
        for machine in machines.rows {
            if let Err(error) = host.destroy(&machine.name, STOP).await {
                tracing::warn!(machine = %machine.name, %error, "a machine could not be cleared away");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
