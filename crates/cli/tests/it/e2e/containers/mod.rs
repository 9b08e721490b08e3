//! The daemon with machines that are containers of a real engine. Without an engine these tests say so and do nothing.
//!
//! ```text
//! World: emulated forge, at an address that containers reach ◄─ HTTP ─ forgescale run ─► engine ─► stand-in runners ─► jobs
//! ```
//!
//! What happened is read from the forge's books and from the engine, never from the daemon's own records. The runner is the
//! program under test itself, so that the image has the libraries that it needs, and no runner.

mod caches;
mod demo;
mod events;
mod gate;
mod gc;
mod kills;
mod labels;
mod warm;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use bollard::query_parameters::{
    InspectNetworkOptions, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions,
};
use planner::ids::DeploymentId;
use tokio::runtime::Runtime;

use crate::real_engine::{RealEngine, filter};

/// The program under test, which runs jobs as well.
const PROGRAM: &str = env!("CARGO_BIN_EXE_forgescale");

/// An engine for the machines of a world.
#[derive(Clone)]
pub(crate) struct Engine {
    /// As the configuration calls it.
    pub(crate) kind: &'static str,
    pub(crate) real: RealEngine,
    /// Has a shell and the libraries of [`PROGRAM`].
    pub(crate) image: String,
    /// Where the forge listens, so that containers reach it.
    pub(crate) forge: IpAddr,
    /// What containers are connected to; nothing for a network of their own.
    pub(crate) network: Option<&'static str>,
}

impl Engine {
    /// Docker, with a network of our own.
    pub(crate) fn docker() -> Option<Self> {
        blocking(async {
            let real = RealEngine::docker().await?;
            let (forge, image) = (gateway(&real).await, image(&real).await?);
            Some(Self { kind: "docker", real, image, forge, network: None })
        })
    }

    /// Podman, with the network of this host: what its own networks have for an address shows only once they are used.
    pub(crate) fn podman() -> Option<Self> {
        blocking(async {
            let real = RealEngine::podman().await?;
            let (forge, image) = (IpAddr::from([127, 0, 0, 1]), image(&real).await?);
            Some(Self { kind: "podman", real, image, forge, network: Some("host") })
        })
    }

    /// An image like the usual one, in which `/etc/who` has a name. There is one wherever there is the usual one.
    pub(crate) fn image_of(&self, who: &str) -> String {
        let named = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(named.path(), format!("{who}\n")).expect("a name");
        let mut files = libraries();
        files.push((named.path().to_owned(), "/etc/who".to_owned()));
        let image = self.image.replace("-shell-", &format!("-{who}-"));
        assert!(blocking(self.real.has(&image, &files)), "no image can be made");
        image
    }

    /// Everything that carries the deployment.
    pub(crate) fn things(&self, deployment: &str) -> Vec<String> {
        blocking(self.real.things(&DeploymentId::new(deployment)))
    }

    /// The containers among that.
    pub(crate) fn containers(&self, deployment: &str) -> Vec<String> {
        self.things(deployment).into_iter().filter(|thing| thing.starts_with("container ")).collect()
    }

    /// Removes all of it: what a test that failed has left.
    pub(crate) fn clear(&self, deployment: &str) {
        blocking(clear(&self.real, &DeploymentId::new(deployment)));
    }
}

/// One runtime for all, since clients keep connections.
fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let built = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        built.expect("a runtime")
    });
    &RUNTIME
}

/// Runs something that waits, where nothing else does.
pub(crate) fn blocking<T>(work: impl Future<Output = T>) -> T {
    runtime().block_on(work)
}

/// Removes what a test that failed has left, as far as that can be done.
async fn clear(real: &RealEngine, deployment: &DeploymentId) {
    for id in real.containers(deployment).await.into_iter().filter_map(|container| container.id) {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let _ = real.client.remove_container(&id, Some(options)).await;
    }
    let filter = filter(deployment);
    let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
    for network in real.client.list_networks(Some(options)).await.unwrap_or_default() {
        let _ = real.client.remove_network(&network.id.unwrap_or_default()).await;
    }
    let options = ListVolumesOptionsBuilder::default().filters(&filter).build();
    let volumes = real.client.list_volumes(Some(options)).await.ok().and_then(|listed| listed.volumes);
    for volume in volumes.unwrap_or_default() {
        let _ = real.client.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
    }
}

/// The address of this host in the engine's usual network, which other networks reach as well.
async fn gateway(real: &RealEngine) -> IpAddr {
    let network = real.client.inspect_network("bridge", None::<InspectNetworkOptions>).await.expect("a bridge");
    let configured = network.ipam.and_then(|ipam| ipam.config).into_iter().flatten().next().expect("its addresses");
    // Before the first container some versions tell the range alone, of which the first is taken.
    let first = || {
        let range = configured.subnet.as_deref()?;
        let (begin, _) = range.split_once('/')?;
        Some(format!("{}.1", begin.strip_suffix(".0")?))
    };
    let address = configured.gateway.clone().or_else(first).expect("a gateway");
    address.parse().expect("an address")
}

/// An image with a shell and what the program needs: none, and the word that a test was skipped, where none can be made.
async fn image(real: &RealEngine) -> Option<String> {
    let libraries = libraries();
    // Of this host's libraries and no other's: an engine may know an image of before.
    let size: u64 =
        libraries.iter().map(|(library, _)| std::fs::metadata(library).map_or(0, |found| found.len())).sum();
    // Podman imports under no other tag.
    let image = format!("forgescale-test-shell-{size:x}:latest");
    real.has(&image, &libraries).await.then_some(image)
}

/// What the dynamic loader finds for the program, and where it is to be in an image; nothing for a static one.
fn libraries() -> Vec<(PathBuf, String)> {
    let told = Command::new("ldd").arg(PROGRAM).output().expect("ldd");
    let text = String::from_utf8_lossy(&told.stdout);
    let paths = text.lines().filter_map(|line| line.split(' ').map(str::trim).find(|word| word.starts_with('/')));
    paths.map(|path| (PathBuf::from(path), path.to_owned())).collect()
}
