//! Where Podman is not as Docker.

use backend::Backend as _;
use backend_docker::{DockerBackend, DockerSettings, Network, WithCaches};
use planner::error_class::ErrorClass;
use planner::ids::BackendId;
use planner::seen::Exit;

use crate::engine::podman;
use crate::machine::{Ground, request};

#[tokio::test]
async fn each_machine_has_a_network_of_its_own_that_goes_with_it() {
    let Some(engine) = podman().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null", |settings| settings.network = Network::Own);
    for name in ["fs-1", "fs-2"] {
        ground.run(name).await;
        assert_eq!(ground.ended(name).await, Exit::Code(0));
    }
    let networks = async || {
        let things = ground.engine.things(ground.deployment()).await;
        things.into_iter().filter(|thing| thing.starts_with("network")).count()
    };
    assert_eq!(networks().await, 2);
    ground.destroy("fs-1").await;
    assert_eq!(networks().await, 1);
    ground.finish().await;
}

#[tokio::test]
async fn what_another_backend_has_is_not_taken_for_ours_although_it_is_listed() {
    let Some(engine) = podman().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null", |_| {});
    ground.create("fs-1").await.unwrap();
    let before = ground.engine.things(ground.deployment()).await;
    let other = DockerSettings { backend: BackendId::new("other"), ..ground.settings.clone() };
    let other = DockerBackend::new(other).unwrap();
    let taken = other.create(request(ground.name("fs-1"))).await.unwrap_err();
    assert_eq!(taken.class, ErrorClass::Permanent, "{}", backend::chain(&taken));
    // It fills a volume of its own, and removes those of other runners: the first one's is none of them.
    other.close(WithCaches::Keep).await.unwrap();
    assert_eq!(ground.engine.things(ground.deployment()).await, before);
    ground.finish().await;
}
