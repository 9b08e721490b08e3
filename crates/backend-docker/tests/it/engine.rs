//! An engine, an image on it, and what is looked for past the backend.

use std::collections::HashMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use backend_docker::{
    DockerSettings, Hardening, Limits, Mode, Network, PODMAN_SOCKET, Program, Pull, USUAL_SOCKET, WithUnstarted, socket,
};
use bollard::models::{ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures_util::TryStreamExt as _;
use planner::ids::{BackendId, DeploymentId};

use crate::machine::until;
use crate::skipped::skip;

/// Names the engine.
const VARIABLE: &str = "FORGESCALE_TEST_DOCKER";

/// Names Podman's.
const PODMAN_VARIABLE: &str = "FORGESCALE_TEST_PODMAN";

/// What the image is called. Podman imports under no other tag.
pub(crate) const IMAGE: &str = "forgescale-test-busybox:latest";

/// What test runners and their looks need.
const APPLETS: [&str; 14] =
    ["cat", "chown", "dd", "echo", "env", "grep", "id", "ls", "mkdir", "ps", "seq", "sh", "sleep", "touch"];

/// The engine of these tests.
pub(crate) struct Engine {
    pub(crate) client: Docker,
    pub(crate) socket: PathBuf,
    pub(crate) scratch: tempfile::TempDir,
}

/// The engine with the image, or none and the word that a test was skipped.
pub(crate) async fn engine() -> Option<Engine> {
    engine_at(VARIABLE, USUAL_SOCKET, "no container engine").await
}

/// The same for Podman.
pub(crate) async fn podman() -> Option<Engine> {
    engine_at(PODMAN_VARIABLE, PODMAN_SOCKET, "no Podman").await
}

async fn engine_at(variable: &str, usual: &str, without: &'static str) -> Option<Engine> {
    let named = std::env::var(variable);
    let socket = named.map_or_else(|_| usual.into(), |address| socket(&address).unwrap());
    let connected = async {
        let client = Docker::connect_with_unix(socket.to_str()?, 60, API_DEFAULT_VERSION).ok()?;
        client.negotiate_version().await.ok()
    };
    let Some(client) = connected.await else {
        skip(without);
        return None;
    };
    if client.inspect_image(IMAGE).await.is_err() {
        let Some(busybox) = static_busybox() else {
            skip("no container engine with an image: busybox is missing, or not static");
            return None;
        };
        import(&client, IMAGE, root(&busybox), &[]).await;
    }
    Some(Engine { client, socket, scratch: tempfile::tempdir().unwrap() })
}

pub(crate) fn static_busybox() -> Option<PathBuf> {
    let found = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from).into_iter().find(|path| path.is_file())?;
    // A program that names no interpreter needs no library.
    let program = std::fs::read(&found).unwrap();
    let interpreter = b"/lib64/ld-linux";
    (!program.windows(interpreter.len()).any(|window| window == interpreter)).then_some(found)
}

/// The root of an image, as a tar.
pub(crate) fn root(busybox: &Path) -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    for folder in ["bin", "tmp", "etc"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    std::fs::copy(busybox, root.path().join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", root.path().join("bin").join(applet)).unwrap();
    }
    // No two are the same: an engine that has a layer does not ask for it.
    std::fs::write(root.path().join("etc/which"), uuid::Uuid::new_v4().to_string()).unwrap();
    let tar = Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().unwrap();
    assert!(tar.status.success());
    tar.stdout
}

/// Makes an image, with lines as of a Dockerfile.
pub(crate) async fn import(client: &Docker, image: &str, root: Vec<u8>, lines: &[&str]) {
    let (repository, tag) = image.split_once(':').unwrap();
    let lines = lines.iter().map(|&line| line.to_owned()).collect();
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(repository).tag(tag).changes(lines).build();
    let imported = client.create_image(Some(options), Some(body_full(root.into())), None);
    imported.try_collect::<Vec<_>>().await.unwrap();
}

impl Engine {
    /// The same, for another ground.
    pub(crate) fn again(&self) -> Self {
        Self { client: self.client.clone(), socket: self.socket.clone(), scratch: tempfile::tempdir().unwrap() }
    }

    /// Settings with a shell script in the runner's place.
    pub(crate) fn settings(&self, deployment: &DeploymentId, script: &str) -> DockerSettings {
        let path = self.scratch.path().join("runner");
        // Once: another time would mean another runner.
        if !path.exists() {
            std::fs::write(&path, script).unwrap();
        }
        settings(self.socket.clone(), deployment, path)
    }

    /// Everything that carries the deployment.
    pub(crate) async fn things(&self, deployment: &DeploymentId) -> Vec<String> {
        let filter = filter(deployment);
        let containers =
            self.containers(deployment).await.into_iter().map(|container| format!("container {:?}", container.names));
        let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
        let networks = self.client.list_networks(Some(options)).await.unwrap();
        let networks = networks.into_iter().map(|network| format!("network {:?}", network.name));
        let options = ListVolumesOptionsBuilder::default().filters(&filter).build();
        let volumes = self.client.list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default();
        let volumes = volumes.into_iter().map(|volume| format!("volume {}", volume.name));
        containers.chain(networks).chain(volumes).collect()
    }

    /// All containers of a deployment, as the engine lists them. This client cannot read the list while Podman tidies up
    /// one that has ended.
    async fn containers(&self, deployment: &DeploymentId) -> Vec<ContainerSummary> {
        let mut listed = Vec::new();
        until("the containers can be listed", async || {
            let options = ListContainersOptionsBuilder::default().all(true).filters(&filter(deployment)).build();
            let answer = self.client.list_containers(Some(options)).await;
            let is_readable = answer.is_ok();
            listed = answer.unwrap_or_default();
            is_readable
        })
        .await;
        listed
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
pub(crate) fn settings(socket: PathBuf, deployment: &DeploymentId, runner: PathBuf) -> DockerSettings {
    DockerSettings {
        socket,
        deployment: deployment.clone(),
        backend: BackendId::new("containers"),
        unstarted: WithUnstarted::Settle,
        runner: Program { path: runner, arguments: Vec::new() },
        image: Some(IMAGE.to_owned()),
        pull: Pull::Never,
        registry_auth: None,
        network: Network::Named("none".to_owned()),
        mode: Mode::Direct,
        limits: Limits::default(),
        hardening: Hardening::default(),
        runtime: None,
        environment: Vec::new(),
    }
}

fn filter(deployment: &DeploymentId) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("forgescale.deployment={deployment}")])])
}
