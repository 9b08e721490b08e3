//! Machines as containers of an engine of this host, in any image. They have the network of this host, since the emulated forge
//! listens on its loopback.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use backend::{Backend as _, BackendError};
use backend_docker::{
    Address, DockerBackend, DockerError, DockerSettings, Hardening, Limits, Mode, Network, PODMAN_SOCKET, Program,
    Pull, USUAL_SOCKET, WithCaches, WithUnstarted,
};
use planner::error_class::ErrorClass;
use planner::ids::{BackendId, DeploymentId};

use super::clearing::{destroy_all, in_time};
use crate::arguments::{Demo, DemoBackend};
use crate::failure::Failure;

/// What the configuration calls the backend.
const BACKEND: &str = "here";

/// An engine, and what machines are made from.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    kind: &'static str,
    address: Address,
    image: String,
}

impl Engine {
    /// The one that was asked for, if any was.
    pub(super) fn asked_for(arguments: &Demo) -> Result<Option<Self>, Failure> {
        let (kind, usual) = match arguments.backend {
            DemoBackend::Host => {
                let options = [
                    ("--image", arguments.image.is_some()),
                    ("--engine", arguments.engine.is_some()),
                    ("--runner", arguments.runner.is_some()),
                ];
                return match options.iter().find(|(_, is_given)| *is_given) {
                    None => Ok(None),
                    Some((option, _)) => {
                        let error = anyhow!("{option} has no meaning for processes of this host");
                        Err(Failure::usage(error).hint("add --backend docker, or podman"))
                    }
                };
            }
            DemoBackend::Docker => ("docker", USUAL_SOCKET),
            DemoBackend::Podman => ("podman", PODMAN_SOCKET),
        };
        let usual = format!("unix://{usual}");
        let text = arguments.engine.as_ref().unwrap_or(&usual);
        let address = Address::read(text).ok().filter(|address| address.socket().is_some());
        let address = address.ok_or_else(|| {
            let error =
                anyhow!("{text} is no socket of an engine on this host, which the containers share with the forge");
            Failure::usage(error).hint("write it as unix:///var/run/docker.sock")
        })?;
        Ok(Some(Self { kind, address, image: arguments.image.clone().unwrap_or_default() }))
    }

    /// Those of a demo that was killed.
    pub(super) fn of_earlier(address: &str) -> Option<Self> {
        Some(Self { kind: "docker", address: Address::read(address).ok()?, image: String::new() })
    }

    /// Where it is.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Sees to it that the engine answers and has the image.
    pub(super) async fn prepare(&self, mut say: impl FnMut(&str)) -> Result<(), Failure> {
        let backend = self.backend("demo").map_err(Failure::not_done)?;
        let images = BTreeSet::from([self.image.as_str()]);
        let is_missing = async || {
            let facts = backend.look(&images).await.map_err(|error| unreachable(self, error))?;
            Ok::<_, Failure>(facts.missing_images.contains(&self.image))
        };
        if !is_missing().await? {
            return Ok(());
        }
        say(&format!("pulling the image {}", self.image));
        backend.bring(&self.image).await.map_err(Failure::not_done)?;
        if is_missing().await? {
            let error = anyhow!("the engine at {} has no image {}, and could not pull it", self.address, self.image);
            let hint = format!("{} pull {} says why; any image with a shell will do", self.kind, self.image);
            return Err(Failure::not_done(error).hint(hint));
        }
        Ok(())
    }

    /// What the configuration says of the backend, but for its runner.
    pub(super) fn configuration(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (host, image) = (quoted(&self.address.to_string()), quoted(&self.image));
        format!("kind = \"{}\"\nhost = {host}\nimage = {image}\nnetwork = \"host\"\n", self.kind)
    }

    /// How many machines the engine still has of a deployment, and things that they shared.
    pub(super) async fn left(&self, deployment: &str) -> Result<usize, Failure> {
        let looks = async {
            let backend = self.backend(deployment)?;
            anyhow::Ok(backend.list().await?.rows.len() + backend.shared(WithCaches::Remove).await?.len())
        };
        looks.await.context("cannot count what is left on the engine").map_err(Failure::not_done)
    }

    /// Destroys all of a deployment. An error: some of it may still be there.
    pub(super) async fn clear(&self, deployment: &str) -> anyhow::Result<()> {
        let backend = self.backend(deployment)?;
        let clearing = async {
            destroy_all(&backend).await?;
            backend.close(WithCaches::Remove).await?;
            let left = backend.shared(WithCaches::Remove).await?;
            ensure!(left.is_empty(), "the engine still has {}", left.join(", "));
            Ok(())
        };
        in_time(Box::pin(clearing)).await
    }

    fn backend(&self, deployment: &str) -> Result<DockerBackend, DockerError> {
        let settings = DockerSettings {
            address: self.address.clone(),
            deployment: DeploymentId::new(deployment),
            backend: BackendId::new(BACKEND),
            unstarted: WithUnstarted::Settle,
            runner: Program { path: "/nonexistent".into(), arguments: Vec::new() },
            image: None,
            pull: Pull::Missing,
            registry_auth: None,
            disk_free: 0,
            prune_images: None,
            images_file: None,
            cache_max_age: Duration::MAX,
            caches_file: None,
            network: Network::Named("host".to_owned()),
            mode: Mode::Direct,
            limits: Limits::default(),
            hardening: Hardening::default(),
            runtime: None,
            environment: Vec::new(),
        };
        DockerBackend::new(settings)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "containers of {} with the image {}", self.address, self.image)
    }
}

/// An engine that gives no answer.
fn unreachable(engine: &Engine, error: BackendError) -> Failure {
    let source = error.source.as_ref().and_then(|source| source.downcast_ref::<DockerError>());
    // Of one that is away it speaks of configurations.
    let hint = source.filter(|_| error.class == ErrorClass::Auth).and_then(DockerError::hint);
    let hint = hint.unwrap_or("start one, or name its socket: --engine unix:///PATH");
    let error = anyhow::Error::new(error).context(format!("no container engine for the demo at {}", engine.address));
    Failure::not_done(error).hint(hint).hint("forgescale demo, without --backend, needs none")
}
