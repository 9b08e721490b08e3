//! Machines that see an engine. A script stands in for the nested one: a privileged container does not start everywhere.

use std::time::Duration;

use backend::{Backend as _, chain};
use backend_docker::{DockerBackend, Mode, Network};
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions,
};
use planner::seen::{Exit, MachineState};

use crate::engine::{Engine, IMAGE, engine};
use crate::machine::Ground;

/// An image whose entry point is this script; its argument list is what an engine is started with.
async fn stand_in(engine: &Engine, name: &str, script: &str) {
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        entrypoint: Some(["/bin/sh", "-c", script, "engine"].map(str::to_owned).into()),
        cmd: Some(Vec::new()),
        host_config: Some(HostConfig::default()),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    engine.client.create_container(Some(options), body.clone()).await.unwrap();
    let options = CommitContainerOptionsBuilder::default().container(name).repo(name).tag("1").build();
    let config = bollard::models::ContainerConfig { entrypoint: body.entrypoint, ..Default::default() };
    engine.client.commit_container(options, config).await.unwrap();
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    engine.client.remove_container(name, Some(options)).await.unwrap();
}

/// A deployment whose nested engines are that script.
async fn nested(engine: Engine, engine_script: &str, script: &str) -> (Ground, String) {
    let image = format!("forgescale-test-{}", uuid::Uuid::new_v4().simple());
    stand_in(&engine, &image, engine_script).await;
    let nested = Mode::Nested { image: format!("{image}:1"), privileged: false };
    let ground = Ground::new(engine, script, |settings| {
        settings.mode = nested;
        settings.network = Network::Own;
    });
    (ground, image)
}

async fn finish(ground: Ground, image: String) {
    let client = ground.engine.client.clone();
    ground.finish().await;
    client.remove_image(&format!("{image}:1"), None::<RemoveImageOptions>, None).await.unwrap();
}

/// Listens where it is told to, as a file, and shows what it was started with.
const LISTENING: &str = "echo \"$@\" > /.forgescale-engine/arguments; touch /.forgescale-engine/docker.sock; \
    trap 'exit 0' TERM; while :; do sleep 0.1; done";

#[tokio::test]
async fn a_nested_engine_comes_and_goes_with_its_machine_and_its_runner_is_told_of_it() {
    let Some(engine) = engine().await else { return };
    let script = "grep -E 'labels|docker_host'; echo $DOCKER_HOST; cat /.forgescale-engine/arguments";
    let (ground, image) = nested(engine, LISTENING, script).await;
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    let expected = [
        "  docker_host: automount",
        "      labels: [\"lab:host\", \"deb:docker://node:22\"]",
        "unix:///.forgescale-engine/docker.sock",
        "dockerd --host=unix:///.forgescale-engine/docker.sock",
    ];
    assert_eq!(ground.log("fs-1").await, expected);
    let things = ground.engine.things(ground.deployment()).await;
    let count = |word: &str| things.iter().filter(|thing| thing.starts_with(word)).count();
    assert_eq!((count("container"), count("network"), count("volume")), (2, 1, 2), "{things:#?}");
    ground.destroy("fs-1").await;
    let things = ground.engine.things(ground.deployment()).await;
    assert!(things.len() == 1 && things[0].contains("-runner-"), "{things:#?}");
    finish(ground, image).await;
}

#[tokio::test]
async fn a_machine_of_which_only_its_engine_is_left_is_listed_and_goes() {
    let Some(engine) = engine().await else { return };
    let (ground, image) = nested(engine, LISTENING, "cat > /dev/null; while :; do sleep 0.1; done").await;
    ground.run("fs-1").await;
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    for container in ground.engine.inspected(ground.deployment()).await {
        if !container.name.clone().unwrap_or_default().ends_with(".engine") {
            ground.engine.client.remove_container(&container.id.unwrap(), Some(options.clone())).await.unwrap();
        }
    }
    assert_eq!(ground.seen("fs-1").await.unwrap().state, MachineState::Orphaned);
    // A daemon that knows nothing of it takes it for one that is being made.
    let next = DockerBackend::new(ground.settings.clone()).unwrap();
    let rows = next.list().await.unwrap().rows;
    assert!(matches!(rows.as_slice(), [row] if row.state == MachineState::Creating), "{rows:?}");
    for _ in 0..2 {
        next.destroy(&ground.name("fs-1"), Duration::ZERO).await.unwrap();
    }
    assert!(next.list().await.unwrap().rows.is_empty());
    finish(ground, image).await;
}

#[tokio::test]
async fn a_nested_engine_that_ends_is_an_error_with_its_last_word_and_leaves_nothing() {
    let Some(engine) = engine().await else { return };
    let (ground, image) = nested(engine, "echo no rights >&2; exit 1", "").await;
    let error = ground.create("fs-1").await.unwrap_err();
    let said = chain(&error);
    assert!(said.ends_with("the machine's own engine has ended: no rights"), "{said}");
    assert_eq!(ground.seen("fs-1").await, None);
    finish(ground, image).await;
}

#[tokio::test]
async fn the_engines_socket_is_in_a_machine_only_where_an_operator_says_so() {
    let Some(engine) = engine().await else { return };
    let script = "cat > /dev/null; [ -S /var/run/docker.sock ] && echo $DOCKER_HOST";
    let ground = Ground::new(engine, script, |settings| settings.mode = Mode::Socket);
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    assert_eq!(ground.log("fs-1").await, ["unix:///var/run/docker.sock"]);
    ground.finish().await;
}
