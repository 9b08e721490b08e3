//! Folders that outlive the machines that have them.

use std::time::Duration;

use backend::{Backend as _, Cache, CreateRequest};
use backend_docker::{CachesSeen, DockerBackend, WithCaches};
use bollard::query_parameters::ListVolumesOptionsBuilder;
use planner::ids::{ForgeId, PoolId, RepositoryKey};
use planner::seen::{Exit, MachineTags};

use crate::engine::{Engine, engine, podman};
use crate::machine::{Ground, request, until};
use crate::real_engine::filter;

/// A runner that says what is in the cache and adds to it.
const SCRIPT: &str = "handed=$(cat); ls /cache; echo x > /cache/of-$HOSTNAME && echo written";

const FORGE: &str = "https://forge.example";

/// A machine whose cache is this repository's, or its pool's.
fn wanted(ground: &Ground, name: &str, pool: &str, repository: Option<(&str, i64)>) -> CreateRequest {
    let repository = repository.map(|(forge, id)| RepositoryKey { forge: ForgeId::new(forge), id });
    let mut request = request(ground.name(name));
    if let MachineTags::Job(tags) = &mut request.tags {
        tags.pool = PoolId::new(pool);
    }
    CreateRequest { caches: vec![Cache { path: "/cache".to_owned(), repository }], ..request }
}

/// How many files such a machine finds from those before it. It is removed.
async fn finds(ground: &Ground, name: &str, pool: &str, repository: Option<(&str, i64)>) -> usize {
    ground.backend.create(wanted(ground, name, pool, repository)).await.unwrap();
    ground.start(name).await.unwrap();
    assert_eq!(ground.ended(name).await, Exit::Code(0));
    let log = ground.log(name).await;
    assert_eq!(log.last().map(String::as_str), Some("written"), "{log:?}");
    ground.destroy(name).await;
    log.len() - 1
}

/// The volumes of caches, as the engine lists them.
async fn volumes(engine: &Engine, ground: &Ground) -> Vec<String> {
    let options = ListVolumesOptionsBuilder::default().filters(&filter(ground.deployment())).build();
    let listed = engine.client.list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default();
    let is_cache = |labels: &std::collections::HashMap<String, String>| {
        labels.get("forgescale.role").is_some_and(|role| role == "cache")
            && labels.get("forgescale.path").is_some_and(|path| path == "/cache")
    };
    listed.into_iter().filter(|volume| is_cache(&volume.labels)).map(|volume| volume.name).collect()
}

async fn check_owners(engine: Engine) {
    let looks = engine.again();
    let ground = Ground::new(engine, SCRIPT, |_| {});
    let (one, two) = (Some((FORGE, 1)), Some((FORGE, 2)));
    assert_eq!(finds(&ground, "fs-1", "p", one).await, 0);
    assert_eq!(finds(&ground, "fs-2", "p", two).await, 0, "another repository");
    assert_eq!(finds(&ground, "fs-3", "p", one).await, 1, "the same one");
    assert_eq!(finds(&ground, "fs-4", "p", Some(("https://other.example", 1))).await, 0, "of another forge");
    assert_eq!(finds(&ground, "fs-5", "q", one).await, 0, "in another pool");
    assert_eq!(finds(&ground, "fs-6", "p", None).await, 0, "the pool's own");
    assert_eq!(finds(&ground, "fs-7", "p", None).await, 1, "whosoever's job");
    assert_eq!(finds(&ground, "fs-8", "p", one).await, 2);
    assert_eq!(volumes(&looks, &ground).await.len(), 5);
    // As a daemon ends, and the next one begins.
    ground.backend.close(WithCaches::Keep).await.unwrap();
    assert_eq!(volumes(&looks, &ground).await.len(), 5);
    let seen = ground.backend.look_at_caches().await.unwrap();
    assert!(seen.count == 5 && seen.bytes > 0, "{seen:?}");
    let told = ground.backend.shared(WithCaches::Remove).await.unwrap();
    let is_one =
        |line: &&String| line.starts_with("cache /cache of repository https://forge.example#1 in pool p (volume ");
    assert_eq!(told.iter().filter(is_one).count(), 1, "{told:#?}");
    // Which also checks that all of them go when they shall.
    ground.finish().await;
}

#[tokio::test]
async fn no_repository_finds_what_another_has_left() {
    let Some(engine) = engine().await else { return };
    check_owners(engine).await;
}

#[tokio::test]
async fn no_repository_finds_what_another_has_left_on_podman() {
    let Some(engine) = podman().await else { return };
    check_owners(engine).await;
}

async fn check_age(engine: Engine) {
    let looks = engine.again();
    let ground = Ground::new(engine, "cat > /dev/null", |_| {});
    let mut settings = ground.settings.clone();
    settings.caches_file = Some(ground.engine.scratch.path().join("caches/containers.json"));
    let with = |age: Duration| {
        let mut settings = settings.clone();
        settings.cache_max_age = age;
        DockerBackend::new(settings).unwrap()
    };
    let keeping = with(Duration::from_hours(1));
    keeping.create(wanted(&ground, "fs-1", "p", Some((FORGE, 1)))).await.unwrap();
    keeping.create(wanted(&ground, "fs-2", "p", Some((FORGE, 2)))).await.unwrap();
    let [one, two] = volumes(&looks, &ground).await.try_into().expect("two caches");
    ground.destroy("fs-2").await;
    keeping.remove_unused_caches().await;
    assert_eq!(volumes(&looks, &ground).await.len(), 2, "neither is old");
    keeping.close(WithCaches::Keep).await.unwrap();
    // A later daemon, for which all that was is old.
    let pruning = with(Duration::ZERO);
    until("the cache that no machine has is removed", async || {
        pruning.remove_unused_caches().await;
        volumes(&looks, &ground).await.len() < 2
    })
    .await;
    pruning.remove_unused_caches().await;
    let left = volumes(&looks, &ground).await;
    assert_eq!(left.len(), 1, "a container has the other one");
    assert!([&one, &two].contains(&&left[0]));
    ground.destroy("fs-1").await;
    pruning.remove_unused_caches().await;
    assert_eq!(volumes(&looks, &ground).await, [""; 0]);
    assert_eq!(pruning.look_at_caches().await.unwrap(), CachesSeen::default());
    ground.finish().await;
}

#[tokio::test]
async fn a_cache_goes_when_no_machine_was_made_with_it_for_long_and_none_has_it() {
    let Some(engine) = engine().await else { return };
    check_age(engine).await;
}

#[tokio::test]
async fn a_cache_goes_by_its_age_on_podman_too() {
    let Some(engine) = podman().await else { return };
    check_age(engine).await;
}

#[tokio::test]
async fn a_cache_that_is_new_begins_as_the_image_has_the_folder() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null; ls /etc; echo x > /etc/more", |_| {});
    for name in ["fs-1", "fs-2"] {
        let mut request = request(ground.name(name));
        request.caches = vec![Cache { path: "/etc".to_owned(), repository: None }];
        ground.backend.create(request).await.unwrap();
        ground.start(name).await.unwrap();
        ground.ended(name).await;
    }
    let [first, second] = [ground.log("fs-1").await, ground.log("fs-2").await];
    // Where the image has `which` alone; the engine itself adds files to that folder in every container.
    assert!(first.iter().any(|file| file == "which") && !first.iter().any(|file| file == "more"), "{first:?}");
    assert!(second.iter().any(|file| file == "more"), "{second:?}");
    ground.finish().await;
}
