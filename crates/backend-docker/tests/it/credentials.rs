//! Credentials for registries, as an engine uses them.

use std::path::Path;

use backend::{Backend as _, BackendError, chain};
use backend_docker::{DockerError, Pull};
use bollard::query_parameters::RemoveImageOptions;
use planner::error_class::{Concerns, ErrorClass};
use planner::seen::Exit;
use serde_json::json;

use crate::engine::{Engine, engine, podman, root, static_busybox};
use crate::machine::{Ground, launch, request, until};
use crate::registry::Registry;

/// With letters in which the alphabets of base64 differ.
const PASSWORD: &str = "p?~>~?p:w";

fn write(file: &Path, registry: &str, password: &str) {
    let entry = json!({ "username": "builds", "password": password });
    std::fs::write(file, json!({ "auths": { registry: entry } }).to_string()).unwrap();
}

fn hint(error: &BackendError) -> &'static str {
    error.source.as_ref().and_then(|source| source.downcast_ref::<DockerError>()?.hint()).unwrap_or_default()
}

/// What comes of wanting the registry's image, with or without a file of credentials.
async fn refused(engine: &Engine, registry: &Registry, file: Option<&Path>) -> BackendError {
    let ground = Ground::new(engine.again(), "", |settings| {
        settings.pull = Pull::Missing;
        settings.registry_auth = file.map(Path::to_owned);
    });
    let mut wanted = request(ground.name("fs-1"));
    wanted.image = Some(registry.image("private"));
    let refused = ground.backend.create(wanted).await.unwrap_err();
    ground.finish().await;
    refused
}

async fn private(root_of: &Engine) -> (Registry, std::path::PathBuf) {
    let registry = Registry::open(root(&static_busybox().unwrap(), &[]), Some(("builds", PASSWORD))).await;
    (registry, root_of.scratch.path().join("config.json"))
}

/// Runs a machine of the registry's image with this file of credentials.
async fn runs(engine: Engine, registry: &Registry, file: &Path) {
    let image = registry.image("private");
    let ground = Ground::new(engine, "cat > /dev/null", |settings| {
        settings.pull = Pull::Missing;
        settings.registry_auth = Some(file.to_owned());
    });
    let mut wanted = request(ground.name("fs-1"));
    wanted.image = Some(image.clone());
    // An engine that takes its time is asked again.
    until("the image is there", async || ground.backend.create(wanted.clone()).await.is_ok()).await;
    ground.backend.start(&ground.name("fs-1"), launch()).await.unwrap();
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    assert_eq!(registry.pulls(), 1);
    let client = ground.engine.client.clone();
    ground.finish().await;
    client.remove_image(&image, None::<RemoveImageOptions>, None).await.unwrap();
}

#[tokio::test]
async fn an_image_behind_a_password_is_pulled_with_what_the_file_says() {
    let Some(engine) = engine().await else { return };
    let (registry, file) = private(&engine).await;
    let without = refused(&engine, &registry, None).await;
    assert_eq!(
        (without.class, without.concerns),
        (ErrorClass::Permanent, Concerns::Environment),
        "{}",
        chain(&without)
    );
    assert!(hint(&without).contains("registry_auth_file"), "{}", hint(&without));
    let absent = refused(&engine, &registry, Some(&file)).await;
    assert_eq!((absent.class, absent.concerns), (ErrorClass::Auth, Concerns::Environment), "{}", chain(&absent));
    write(&file, registry.address(), "wrong");
    let wrong = refused(&engine, &registry, Some(&file)).await;
    assert_eq!(wrong.concerns, Concerns::Environment);
    assert!(hint(&wrong).contains("may the user"), "{} {}", chain(&wrong), hint(&wrong));
    write(&file, "elsewhere.example", PASSWORD);
    refused(&engine, &registry, Some(&file)).await;
    assert_eq!(registry.pulls(), 0);
    write(&file, registry.address(), PASSWORD);
    runs(engine, &registry, &file).await;
}

#[tokio::test]
async fn podman_is_told_credentials_too() {
    let Some(engine) = podman().await else { return };
    let (registry, file) = private(&engine).await;
    write(&file, registry.address(), PASSWORD);
    runs(engine, &registry, &file).await;
}
