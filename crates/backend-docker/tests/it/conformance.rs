//! The suite that every backend runs.

use std::fs;
use std::path::PathBuf;

use backend::conformance::{self, Harness, RUNNER_SCRIPT, Row};
use backend_docker::{Address, DockerBackend, WithCaches};
use bollard::container::LogOutput;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder,
};
use futures_util::TryStreamExt as _;
use planner::ids::DeploymentId;
use uuid::Uuid;

use crate::engine::{Engine, IMAGE, engine, podman};
use crate::tls;

struct Containers {
    name: String,
    engine: Engine,
    /// Where the engine is called, if not at its socket.
    address: Option<Address>,
}

impl Containers {
    fn unreadable(&self) -> String {
        format!("{}-unreadable", self.name)
    }
}

impl Harness for Containers {
    type Backend = DockerBackend;

    fn name(&self) -> &str {
        &self.name
    }

    async fn backend(&self, deployment: &DeploymentId) -> DockerBackend {
        let mut settings = self.engine.settings(deployment, RUNNER_SCRIPT);
        settings.address = self.address.clone().unwrap_or(settings.address);
        DockerBackend::new(settings).unwrap()
    }

    fn not_applicable(&self, _: Row) -> Option<&'static str> {
        None
    }

    async fn spoil(&self, deployment: &DeploymentId) {
        let backend = ("forgescale.backend", "containers");
        let labels = [("forgescale.deployment", deployment.as_str()), backend, ("forgescale.role", "machine")];
        let body = ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            cmd: Some(vec!["true".to_owned()]),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&self.unreadable()).build();
        self.engine.client.create_container(Some(options), body).await.unwrap();
    }

    async fn unspoil(&self, _: &DeploymentId) {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        self.engine.client.remove_container(&self.unreadable(), Some(options)).await.unwrap();
    }

    /// As a daemon that ends leaves it: what machines share goes with the last of them.
    async fn leftovers(&self, deployment: &DeploymentId) -> Vec<String> {
        self.backend(deployment).await.close(WithCaches::Keep).await.unwrap();
        self.engine.things(deployment).await
    }

    async fn places_of_token(&self, deployment: &DeploymentId, token: &str) -> Vec<String> {
        let mut places = Vec::new();
        let mut look = |place: String, content: &[u8]| {
            if content.windows(token.len()).any(|window| window == token.as_bytes()) {
                places.push(place);
            }
        };
        for container in self.engine.inspected(deployment).await {
            let id = container.id.clone().unwrap();
            look("the engine's description".to_owned(), format!("{container:?}").as_bytes());
            let options = LogsOptionsBuilder::default().stdout(true).stderr(true).build();
            let log = self.engine.client.logs(&id, Some(options)).map_ok(LogOutput::into_bytes);
            look("the log".to_owned(), &log.try_collect::<Vec<_>>().await.unwrap().concat());
            let files = self.engine.client.export_container(&id);
            look("the container's files".to_owned(), &files.try_collect::<Vec<_>>().await.unwrap().concat());
            let options = DownloadFromContainerOptionsBuilder::default().path("/.forgescale").build();
            let volume = self.engine.client.download_from_container(&id, Some(options));
            look("the runner's volume".to_owned(), &volume.try_collect::<Vec<_>>().await.unwrap().concat());
            // What the engine has written down of it, where that is within reach.
            let records =
                container.resolv_conf_path.map(PathBuf::from).and_then(|path| Some(path.parent()?.to_owned()));
            for file in records.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten() {
                look(file.path().display().to_string(), &fs::read(file.path()).unwrap_or_default());
            }
        }
        for process in fs::read_dir("/proc").unwrap().flatten() {
            for file in ["environ", "cmdline"].map(|file| process.path().join(file)) {
                look(file.display().to_string(), &fs::read(&file).unwrap_or_default());
            }
        }
        places
    }
}

async fn conforms(kind: &str, engine: Engine, address: Option<Address>) {
    let harness = Containers { name: format!("{kind}-{}", Uuid::new_v4().simple()), engine, address };
    let table = conformance::run(&harness).await;
    println!("{table}");
    assert_eq!(table.failed().count(), 0, "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_docker_backend_conforms() {
    let Some(engine) = engine().await else { return };
    conforms("docker", engine, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_docker_backend_conforms_on_podman() {
    let Some(engine) = podman().await else { return };
    conforms("podman", engine, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_docker_backend_conforms_behind_tls() {
    let Some(engine) = engine().await else { return };
    let port = tls::guarded(engine.socket.clone()).await;
    conforms("docker-tls", engine, Some(tls::at("127.0.0.1", port, "ca", "client"))).await;
}
