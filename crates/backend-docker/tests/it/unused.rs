//! Images of ours that no job asks for any more.

use std::time::Duration;

use backend::Backend as _;
use backend_docker::{DockerBackend, Pull, WithCaches};
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder};
use futures_util::TryStreamExt as _;

use crate::engine::{Engine, IMAGE, engine, root, static_busybox};
use crate::machine::{Ground, request, until};
use crate::registry::Registry;

fn another_root() -> Vec<u8> {
    root(&static_busybox().unwrap(), &[])
}

/// The id of an image that the engine has.
async fn id(engine: &Engine, image: &str) -> Option<String> {
    engine.client.inspect_image(image).await.ok()?.id
}

/// Removes what is unused until this image is gone.
async fn goes(ground: &Ground, backend: &DockerBackend, image: &str) {
    until("the image is removed", async || {
        backend.remove_unused_images().await;
        id(&ground.engine, image).await.is_none()
    })
    .await;
}

/// A machine of this image.
async fn made(ground: &Ground, backend: &DockerBackend, name: &str, image: &str) {
    let mut wanted = request(ground.name(name));
    wanted.image = Some(image.to_owned());
    backend.create(wanted).await.unwrap();
}

#[tokio::test]
async fn what_we_pulled_goes_when_nobody_needs_it_and_nothing_else_does() {
    let Some(engine) = engine().await else { return };
    let registry = Registry::open(another_root(), None).await;
    let (ours, theirs) = (registry.image("ours"), registry.image("theirs"));
    let by_hand = CreateImageOptionsBuilder::default().from_image(&theirs).build();
    engine.client.create_image(Some(by_hand), None, None).try_collect::<Vec<_>>().await.unwrap();
    // The same image under two names would be kept for the other one.
    registry.replace(another_root());

    let ground = Ground::new(engine, "cat > /dev/null", |settings| settings.pull = Pull::Missing);
    let mut settings = ground.settings.clone();
    settings.images_file = Some(ground.engine.scratch.path().join("images/containers.json"));
    let keeping = DockerBackend::new(settings.clone()).unwrap();
    settings.prune_images = Some(Duration::ZERO);
    let pruning = || DockerBackend::new(settings.clone()).unwrap();
    made(&ground, &keeping, "fs-1", &ours).await;
    made(&ground, &keeping, "fs-2", &theirs).await;
    keeping.remove_unused_images().await;
    // As a daemon ends.
    keeping.close(WithCaches::Keep).await.unwrap();
    pruning().remove_unused_images().await;
    assert!(id(&ground.engine, &ours).await.is_some(), "a container uses it");
    ground.destroy("fs-1").await;
    ground.destroy("fs-2").await;
    keeping.remove_unused_images().await;
    assert!(id(&ground.engine, &ours).await.is_some(), "nobody asked for removing anything");
    let later = pruning();
    goes(&ground, &later, &ours).await;
    later.remove_unused_images().await;
    assert!(id(&ground.engine, &theirs).await.is_some() && id(&ground.engine, IMAGE).await.is_some());
    let client = ground.engine.client.clone();
    ground.finish().await;
    client.remove_image(&theirs, None::<RemoveImageOptions>, None).await.unwrap();
}

#[tokio::test]
async fn what_a_newer_image_left_behind_goes_unless_somebody_has_named_it() {
    let Some(engine) = engine().await else { return };
    let registry = Registry::open(another_root(), None).await;
    let image = registry.image("moving");
    let ground = Ground::new(engine, "cat > /dev/null", |settings| {
        settings.pull = Pull::Always;
        settings.prune_images = Some(Duration::ZERO);
        settings.images_file = Some(settings.runner.path.with_file_name("images.json"));
    });
    let mut left = Vec::new();
    for name in ["fs-1", "fs-2", "fs-3"] {
        registry.replace(another_root());
        // Another daemon, which pulls it again.
        let backend = DockerBackend::new(ground.settings.clone()).unwrap();
        made(&ground, &backend, name, &image).await;
        left.push(id(&ground.engine, &image).await.unwrap());
        backend.close(WithCaches::Keep).await.unwrap();
    }
    // In the same repository: an engine removes an image by its id with its name, if it has one there alone.
    let (repository, kept) = (image.trim_end_matches(":1"), format!("{}:kept", image.trim_end_matches(":1")));
    let name = TagImageOptionsBuilder::default().repo(repository).tag("kept").build();
    ground.engine.client.tag_image(&left[1], Some(name)).await.unwrap();
    ground.destroy("fs-1").await;
    ground.destroy("fs-2").await;
    let backend = DockerBackend::new(ground.settings.clone()).unwrap();
    goes(&ground, &backend, &left[0]).await;
    assert!(id(&ground.engine, &left[1]).await.is_some(), "it is somebody's by now");
    assert!(id(&ground.engine, &image).await.is_some(), "a container uses it");
    let client = ground.engine.client.clone();
    ground.finish().await;
    for image in [image, kept] {
        client.remove_image(&image, None::<RemoveImageOptions>, None).await.unwrap();
    }
}
