//! Machines that are made without a job, beyond what the suite of all backends tries.

use std::time::Instant;

use backend::{Backend as _, CreateRequest, Launch, chain};
use bollard::query_parameters::{RenameContainerOptionsBuilder, StopContainerOptionsBuilder};
use planner::error_class::{Concerns, ErrorClass};
use planner::ids::{ForgeId, PoolId, ScopeId, ScopeKey};
use planner::seen::{BoundAt, Exit, MachineState, WarmTags};

use crate::engine::{engine, static_busybox};
use crate::machine::{Ground, launch, request, until};

/// An image without a shell.
const WITHOUT_SHELL: &str = "forgescale-test-without-shell:latest";

/// Lives until it is asked to end, once it has all of its launch.
const LIVES: &str = "trap 'exit 5' TERM; grep -q fetch_interval || exit 98; while :; do sleep 0.05; done";

fn warm(ground: &Ground, name: &str) -> CreateRequest {
    let tags = WarmTags { pool: PoolId::new("p"), image: None, made_of: "x".to_owned() };
    CreateRequest { tags: tags.into(), ..request(ground.name(name)) }
}

fn warm_launch() -> Launch {
    let scope = ScopeKey { forge: ForgeId::new("https://forge.example"), scope: ScopeId::new("org:acme") };
    Launch { at: Some(BoundAt { scope, scope_id: Some(7) }), ..launch() }
}

/// The one container, and its name.
async fn container(ground: &Ground) -> (String, String) {
    let container = ground.engine.inspected(ground.deployment()).await.remove(0);
    (container.id.unwrap(), container.name.unwrap())
}

async fn until_state(ground: &Ground, name: &str, state: MachineState) {
    until("it is as expected", async || ground.seen(name).await.is_some_and(|seen| seen.state == state)).await;
}

#[tokio::test]
async fn a_container_is_bound_and_taken_back_as_often_as_need_be_without_being_made_again() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, LIVES, |_| {});
    let name = ground.name("fs-1");
    ground.backend.create(warm(&ground, "fs-1")).await.unwrap();
    let (id, _) = container(&ground).await;
    for _ in 0..3 {
        ground.backend.start(&name, warm_launch()).await.unwrap();
        assert_eq!(ground.seen("fs-1").await.unwrap().binding, Some(warm_launch().binding()));
        ground.backend.release(&name).await.unwrap();
        assert_eq!(ground.seen("fs-1").await.unwrap().state, MachineState::Ready);
        assert_eq!(container(&ground).await, (id.clone(), format!("/{name}")));
    }
    ground.finish().await;
}

#[tokio::test]
async fn whatever_a_killed_daemon_left_half_way_is_brought_to_its_end() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, LIVES, |_| {});
    let name = ground.name("fs-1");
    let binding = warm_launch().binding();
    let bound = format!("{name}.1.{}.{}.https_3a_2f_2fforge_2eexample.org_3aacme.7", binding.runner, binding.handle);
    let rename = async |id: &str, name: &str| {
        let name = RenameContainerOptionsBuilder::default().name(name).build();
        ground.engine.client.rename_container(id, name).await.unwrap();
    };
    ground.backend.create(warm(&ground, "fs-1")).await.unwrap();
    let (id, _) = container(&ground).await;
    for is_stopped in [false, true] {
        ground.backend.start(&name, warm_launch()).await.unwrap();
        assert_eq!(container(&ground).await.1, format!("/{bound}"));
        // Marked, and perhaps stopped: the runner was being taken back.
        rename(&id, &format!("{bound}.r")).await;
        if is_stopped {
            let at_once = StopContainerOptionsBuilder::default().t(0).build();
            ground.engine.client.stop_container(&id, Some(at_once)).await.unwrap();
        }
        let seen = ground.seen("fs-1").await.unwrap();
        assert!(matches!(seen.state, MachineState::Stopping | MachineState::Ready), "{seen:?}");
        until_state(&ground, "fs-1", MachineState::Ready).await;
        assert_eq!(container(&ground).await, (id.clone(), format!("/{name}")));
    }
    // Bound, and no launch was written: none will come.
    rename(&id, &bound).await;
    assert_eq!(ground.ended("fs-1").await, Exit::NeverStarted);
    assert_eq!(ground.seen("fs-1").await.unwrap().binding, Some(binding));
    ground.finish().await;
}

#[tokio::test]
async fn a_warm_machine_that_ends_by_itself_was_never_started() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, LIVES, |_| {});
    ground.backend.create(warm(&ground, "fs-1")).await.unwrap();
    let (id, _) = container(&ground).await;
    let at_once = StopContainerOptionsBuilder::default().t(0).build();
    ground.engine.client.stop_container(&id, Some(at_once)).await.unwrap();
    assert_eq!(ground.ended("fs-1").await, Exit::NeverStarted);
    assert!(ground.backend.start(&ground.name("fs-1"), warm_launch()).await.is_err());
    ground.finish().await;
}

#[tokio::test]
async fn an_image_without_a_shell_is_kept_warm_by_nobody() {
    let Some(engine) = engine().await else { return };
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(static_busybox().unwrap(), root.path().join("program")).unwrap();
    let tar = std::process::Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().unwrap();
    engine.import(WITHOUT_SHELL, tar.stdout, &[]).await;
    let ground = Ground::new(engine, LIVES, |settings| settings.image = Some(WITHOUT_SHELL.to_owned()));
    let refused = ground.backend.create(warm(&ground, "fs-1")).await.unwrap_err();
    assert_eq!((refused.class, refused.concerns), (ErrorClass::Permanent, Concerns::Environment));
    assert!(chain(&refused).contains("no /bin/sh"), "{}", chain(&refused));
    assert_eq!(ground.seen("fs-1").await, None);
    ground.finish().await;
}

/// Prints figures, and asserts none.
#[tokio::test]
#[ignore = "for measuring by hand"]
async fn how_long_a_job_waits_for_a_new_container_and_for_a_warm_one() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, LIVES, |_| {});
    let (mut cold, mut warm_ones) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let (of_a_job, idle) = (format!("fs-cold-{round}"), format!("fs-warm-{round}"));
        let began = Instant::now();
        ground.run(&of_a_job).await;
        cold.push(began.elapsed());
        ground.backend.create(warm(&ground, &idle)).await.unwrap();
        let began = Instant::now();
        ground.backend.start(&ground.name(&idle), warm_launch()).await.unwrap();
        warm_ones.push(began.elapsed());
        ground.destroy(&of_a_job).await;
        ground.destroy(&idle).await;
    }
    cold.sort_unstable();
    warm_ones.sort_unstable();
    println!("cold P50 {:?}, P95 {:?}; warm P50 {:?}, P95 {:?}", cold[10], cold[18], warm_ones[10], warm_ones[18]);
    ground.finish().await;
}
