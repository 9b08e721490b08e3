//! Clearing away: machines that are left after an interruption, or a kill, are destroyed through the backend, as ever.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use backend::{Backend, BackendError};
use backend_host::{HostBackend, HostSettings, Limits, Program, RunAs};
use planner::ids::DeploymentId;

/// How long a runner may take to end: as the stop clock of the demo's pools.
const STOP: Duration = Duration::from_secs(5);

/// How long the stage may take to be cleared: the stop clock of the demo's pools, and some.
const LIMIT: Duration = Duration::from_secs(20);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Destroys every machine of a deployment that is left in the directories of its backends. An error: some may still be there.
pub(super) async fn clear_machines(machines: &Path, deployment: &str) -> anyhow::Result<()> {
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
        in_time(Box::pin(async { Ok(destroy_all(&host?).await?) })).await?;
    }
    Ok(())
}

/// Clears away within the limit.
pub(super) async fn in_time(clearing: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let cleared = tokio::time::timeout(LIMIT, clearing).await;
    cleared.with_context(|| format!("not all machines could be destroyed within {} s", LIMIT.as_secs()))?
}

/// Destroys every machine of a backend, and ends when a whole listing shows none.
pub(super) async fn destroy_all(backend: &impl Backend) -> Result<(), BackendError> {
    loop {
        let machines = backend.list().await?;
        if machines.rows.is_empty() && machines.complete {
            return Ok(());
        }
        for machine in machines.rows {
            if let Err(error) = backend.destroy(&machine.name, STOP).await {
                tracing::warn!(machine = %machine.name, %error, "a machine could not be cleared away");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
