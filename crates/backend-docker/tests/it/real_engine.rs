//! A real engine, as tests of several crates need it: found, given an image, and looked at for what is left.

use std::collections::HashMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use backend::conformance::until;
use backend_docker::{Address, PODMAN_SOCKET, USUAL_SOCKET};
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures_util::TryStreamExt as _;
use planner::ids::DeploymentId;

use crate::skipped::skip;

/// Names the engine.
const VARIABLE: &str = "FORGESCALE_TEST_DOCKER";

/// Names Podman's.
const PODMAN_VARIABLE: &str = "FORGESCALE_TEST_PODMAN";

/// What test runners and their looks need.
const APPLETS: [&str; 14] =
    ["cat", "chown", "dd", "echo", "env", "grep", "id", "ls", "mkdir", "ps", "seq", "sh", "sleep", "touch"];

/// An engine that answers.
#[derive(Clone)]
pub(crate) struct RealEngine {
    pub(crate) client: Docker,
    pub(crate) socket: PathBuf,
}

impl RealEngine {
    /// The engine of `FORGESCALE_TEST_DOCKER`, or the usual one; none and the word that a test was skipped.
    pub(crate) async fn docker() -> Option<Self> {
        Self::at(VARIABLE, USUAL_SOCKET, "no container engine").await
    }

    /// The same for Podman.
    pub(crate) async fn podman() -> Option<Self> {
        Self::at(PODMAN_VARIABLE, PODMAN_SOCKET, "no Podman").await
    }

    async fn at(variable: &str, usual: &str, without: &'static str) -> Option<Self> {
        let named = std::env::var(variable);
        let socket: PathBuf =
            named.map_or_else(|_| usual.into(), |address| Address::read(&address).unwrap().socket().unwrap().into());
        let connected = async {
            let client = Docker::connect_with_unix(socket.to_str()?, 60, API_DEFAULT_VERSION).ok()?;
            client.negotiate_version().await.ok()
        };
        let Some(client) = connected.await else {
            skip(without);
            return None;
        };
        Some(Self { client, socket })
    }

    /// Makes an image, with lines as of a Dockerfile.
    pub(crate) async fn import(&self, image: &str, root: Vec<u8>, lines: &[&str]) {
        let (repository, tag) = image.split_once(':').unwrap();
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(repository).tag(tag).changes(lines);
        let imported = self.client.create_image(Some(options.build()), Some(body_full(root.into())), None);
        imported.try_collect::<Vec<_>>().await.unwrap();
    }

    /// Makes an image with a static busybox, unless it is there; false, and the word that a test was skipped, without one.
    pub(crate) async fn has(&self, image: &str, further: &[(PathBuf, String)]) -> bool {
        if self.client.inspect_image(image).await.is_ok() {
            return true;
        }
        let Some(busybox) = static_busybox() else {
            skip("no container engine with an image: busybox is missing, or not static");
            return false;
        };
        self.import(image, root(&busybox, further), &[]).await;
        true
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
    pub(crate) async fn containers(&self, deployment: &DeploymentId) -> Vec<ContainerSummary> {
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
}

/// By the label that everything of a deployment has.
pub(crate) fn filter(deployment: &DeploymentId) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("forgescale.deployment={deployment}")])])
}

pub(crate) fn static_busybox() -> Option<PathBuf> {
    let found = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from).into_iter().find(|path| path.is_file())?;
    // A program that names no interpreter needs no library.
    let program = std::fs::read(&found).unwrap();
    let interpreter = b"/lib64/ld-linux";
    (!program.windows(interpreter.len()).any(|window| window == interpreter)).then_some(found)
}

/// The root of an image, as a tar: busybox, and further files of this host at places of their own.
pub(crate) fn root(busybox: &Path, further: &[(PathBuf, String)]) -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    for folder in ["bin", "tmp", "etc"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    std::fs::copy(busybox, root.path().join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", root.path().join("bin").join(applet)).unwrap();
    }
    // No two are the same: an engine that has a layer does not ask for it.
    std::fs::write(root.path().join("etc/which"), root.path().as_os_str().as_encoded_bytes()).unwrap();
    for (from, inside) in further {
        let place = root.path().join(inside.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(from, place).unwrap();
    }
    let tar = Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().unwrap();
    assert!(tar.status.success());
    tar.stdout
}
