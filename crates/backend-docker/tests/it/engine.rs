//! An engine, an image on it, and what is looked for past the backend.

use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use backend_docker::{Address, DockerSettings, Hardening, Limits, Mode, Network, Program, Pull, WithUnstarted};
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::InspectContainerOptions;
use planner::ids::{BackendId, DeploymentId};

use crate::real_engine::RealEngine;
pub(crate) use crate::real_engine::{root, static_busybox};

/// What the image is called. Podman imports under no other tag.
pub(crate) const IMAGE: &str = "forgescale-test-busybox:latest";

/// The engine of these tests.
pub(crate) struct Engine {
    real: RealEngine,
    pub(crate) scratch: tempfile::TempDir,
}

impl Deref for Engine {
    type Target = RealEngine;

    fn deref(&self) -> &RealEngine {
        &self.real
    }
}

/// The engine with the image, or none and the word that a test was skipped.
pub(crate) async fn engine() -> Option<Engine> {
    with_image(RealEngine::docker().await?).await
}

/// The same for Podman.
pub(crate) async fn podman() -> Option<Engine> {
    with_image(RealEngine::podman().await?).await
}

async fn with_image(real: RealEngine) -> Option<Engine> {
    real.has(IMAGE, &[]).await.then(|| Engine { real, scratch: tempfile::tempdir().unwrap() })
}

impl Engine {
    /// The same with a scratch folder of its own.
    pub(crate) fn again(&self) -> Self {
        Self { real: self.real.clone(), scratch: tempfile::tempdir().unwrap() }
    }

    /// Settings with a shell script in the runner's place.
    pub(crate) fn settings(&self, deployment: &DeploymentId, script: &str) -> DockerSettings {
        let path = self.scratch.path().join("runner");
        // Once: another time would mean another runner.
        if !path.exists() {
            std::fs::write(&path, script).unwrap();
        }
        settings(Address::Socket(self.socket.clone()), deployment, path)
    }

    /// All containers of a deployment, as the engine describes them.
    pub(crate) async fn inspected(&self, deployment: &DeploymentId) -> Vec<ContainerInspectResponse> {
        let mut inspected = Vec::new();
        for container in self.containers(deployment).await {
            let id = container.id.unwrap();
            let seen = self.client.inspect_container(&id, None::<InspectContainerOptions>).await;
            inspected.extend(seen);
        }
        inspected
    }
}

/// Settings of the one daemon of a deployment, without a network, which costs time.
pub(crate) fn settings(address: Address, deployment: &DeploymentId, runner: PathBuf) -> DockerSettings {
    DockerSettings {
        address,
        deployment: deployment.clone(),
        backend: BackendId::new("containers"),
        unstarted: WithUnstarted::Settle,
        runner: Program { path: runner, arguments: Vec::new() },
        image: Some(IMAGE.to_owned()),
        pull: Pull::Never,
        registry_auth: None,
        disk_free: 0,
        prune_images: None,
        images_file: None,
        cache_max_age: Duration::from_hours(1),
        caches_file: None,
        network: Network::Named("none".to_owned()),
        mode: Mode::Direct,
        limits: Limits::default(),
        hardening: Hardening::default(),
        runtime: None,
        environment: Vec::new(),
    }
}
