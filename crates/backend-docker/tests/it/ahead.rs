//! Images that are pulled before a job needs them.

use backend::{Backend as _, chain};
use backend_docker::Pull;
use bollard::query_parameters::RemoveImageOptions;
use planner::error_class::{Acted, Concerns, ErrorClass};

use crate::engine::{engine, root, static_busybox};
use crate::machine::{Ground, request};
use crate::registry::Registry;

#[tokio::test]
async fn a_job_whose_image_is_on_its_way_is_told_how_far_it_has_come_and_needs_no_pull_of_its_own() {
    let Some(engine) = engine().await else { return };
    let registry = Registry::closed(root(&static_busybox().unwrap(), &[]), None).await;
    let image = registry.image("ahead");
    let ground = Ground::new(engine, "cat > /dev/null", |settings| settings.pull = Pull::Missing);
    let (backend, to_bring) = (ground.backend.clone(), image.clone());
    let brought = tokio::spawn(async move { backend.bring(&to_bring).await });
    // The last piece stays behind.
    registry.let_through(registry.pieces() - 1);
    let mut wanted = request(ground.name("fs-1"));
    wanted.image = Some(image.clone());
    let waits = ground.backend.create(wanted.clone()).await.unwrap_err();
    let said = chain(&waits);
    // What keeps a job waiting so is no failure of which one would wait ever longer.
    assert_eq!((waits.class, waits.acted, waits.concerns), (ErrorClass::Capacity, Acted::No, Concerns::Environment));
    assert!(said.contains(&format!("{image} is still being pulled (")), "{said}");
    assert!(said.contains(" %, ") && said.contains(" MB, 0 of 1 layers)"), "{said}");
    assert!(!said.contains(" 0 %") && !said.contains("100 %"), "{said}");
    registry.let_through(1);
    brought.await.unwrap().unwrap();
    ground.backend.create(wanted).await.unwrap();
    assert_eq!(registry.pulls(), 1);
    let client = ground.engine.client.clone();
    ground.finish().await;
    client.remove_image(&image, None::<RemoveImageOptions>, None).await.unwrap();
}
