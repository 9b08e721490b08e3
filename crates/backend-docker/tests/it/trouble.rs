//! What goes wrong, and what comes of it.

use std::time::{Duration, Instant};

use backend::{Backend as _, chain};
use backend_docker::{Address, DockerBackend, DockerSettings, Network, WithCaches, WithUnstarted};
use bollard::query_parameters::RenameContainerOptionsBuilder;
use futures_util::FutureExt as _;
use planner::error_class::{Acted, Concerns, ErrorClass};
use planner::ids::{BackendId, DeploymentId, MachineName};
use planner::seen::{Exit, MachineState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::engine::{engine, settings};
use crate::machine::{Ground, launch, request, until};

#[tokio::test]
async fn an_image_that_is_not_there_is_a_permanent_error_with_its_name() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "", |settings| settings.image = None);
    let unnamed = ground.create("fs-1").await.unwrap_err();
    assert_eq!((unnamed.class, unnamed.acted), (ErrorClass::Permanent, Acted::No), "{}", chain(&unnamed));
    assert_eq!(unnamed.concerns, Concerns::Environment);
    let mut request = request(ground.name("fs-1"));
    request.image = Some("forgescale-test-nothing:1".to_owned());
    let missing = ground.backend.create(request).await.unwrap_err();
    assert_eq!((missing.class, missing.acted), (ErrorClass::Permanent, Acted::No));
    assert_eq!(missing.concerns, Concerns::Environment);
    let said = chain(&missing);
    assert!(said.ends_with(": the container engine has no image forgescale-test-nothing:1"), "{said}");
    ground.finish().await;
}

#[tokio::test]
async fn an_engine_that_is_away_is_a_transient_error_and_keeps_nothing_from_starting() {
    let address = Address::Socket("/nowhere/docker.sock".into());
    let backend = DockerBackend::new(settings(address, &DeploymentId::new("d"), "/nowhere/runner".into())).unwrap();
    let error = backend.list().await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::Transient, Acted::Unasked), "{}", chain(&error));
    let said = chain(&error);
    assert!(said.contains("could not be reached: no connection to unix:///nowhere/docker.sock: "), "{said}");
    let error = backend.create(request(MachineName::new("fs-1"))).await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::Transient, Acted::Unasked), "{}", chain(&error));
}

#[tokio::test]
async fn of_an_engine_that_has_gone_nothing_was_asked_and_of_one_that_goes_in_the_middle_something_may_have_been() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let address = Address::Socket(socket.clone());
    let backend = DockerBackend::new(settings(address, &DeploymentId::new("d"), "/nowhere/runner".into())).unwrap();
    // It tells its version, takes the next question, and is gone without an answer.
    let engine = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let body = r#"{"ApiVersion":"1.41","Version":"20.10"}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
        first.write_all(answer.as_bytes()).await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        assert!(second.read(&mut [0; 4096]).await.unwrap() > 0);
    });
    let error = backend.logs(&MachineName::new("fs-1")).await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::Transient, Acted::Maybe), "{}", chain(&error));
    engine.await.unwrap();
    let error = backend.logs(&MachineName::new("fs-1")).await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::Transient, Acted::Unasked), "{}", chain(&error));
    assert!(chain(&error).ends_with(": Connection refused (os error 111)"), "{}", chain(&error));
}

#[tokio::test]
async fn a_start_that_the_engine_refuses_is_proof_that_nothing_ran() {
    let Some(engine) = engine().await else { return };
    let named = Network::Named("forgescale-test-no-such-network".to_owned());
    let ground = Ground::new(engine, "", |settings| settings.network = named);
    ground.create("fs-1").await.unwrap();
    assert!(ground.start("fs-1").await.is_err());
    assert_eq!(ground.ended("fs-1").await, Exit::NeverStarted);
    let again = ground.start("fs-1").await.unwrap_err();
    assert_eq!(again.class, ErrorClass::Transient, "{}", chain(&again));
    ground.finish().await;
}

#[tokio::test]
async fn a_volume_that_somebody_removed_is_filled_again() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null; exit 5", |_| {});
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(5));
    ground.destroy("fs-1").await;
    let volume = ground.engine.things(ground.deployment()).await.remove(0);
    let volume = volume.strip_prefix("volume ").unwrap();
    let options = None::<bollard::query_parameters::RemoveVolumeOptions>;
    ground.engine.client.remove_volume(volume, options).await.unwrap();
    ground.run("fs-2").await;
    assert_eq!(ground.ended("fs-2").await, Exit::Code(5));
    ground.finish().await;
}

/// How many moments of a machine's making and starting are tried.
const PARTS: u32 = 12;

#[test]
fn a_daemon_that_dies_at_any_moment_leaves_no_runner_with_half_a_launch() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(engine) = runtime.block_on(engine()) else { return };
    // Ends at once unless it has all of its launch.
    let script = "grep -q fetch_interval || exit 98; while :; do sleep 0.1; done";
    let ground = Ground::new(engine, script, |_| {});
    let whole = runtime.block_on(async {
        ground.run("fs-first").await;
        ground.destroy("fs-first").await;
        let began = Instant::now();
        ground.run("fs-second").await;
        let took = began.elapsed();
        ground.destroy("fs-second").await;
        took
    });
    let mut met = Vec::new();
    for part in 0..=PARTS {
        let moment = whole * part / PARTS;
        let name = format!("fs-{part}");
        // Another runtime, which ends in the middle of whatever it does: tasks, connections, all.
        let dying = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let backend = DockerBackend::new(ground.settings.clone()).unwrap();
        dying.block_on(async {
            let life = async {
                backend.create(request(ground.name(&name))).await.unwrap();
                backend.start(&ground.name(&name), launch()).await.unwrap();
            };
            let _ = tokio::time::timeout(moment, life).await;
        });
        dying.shutdown_background();
        runtime.block_on(async {
            let seen = ground.seen(&name).await;
            if let Some(seen) = &seen {
                let bound = seen.binding == Some(launch().binding());
                assert!(bound || seen.binding.is_none() && seen.state == MachineState::Ready, "{moment:?}: {seen:?}");
                // It is soon known what came of it: a runner with all of its launch, or proof that there was none.
                // By what is bound when it is looked at: a call that nobody waits for may come late.
                let is_decided = |bound: bool, state: MachineState| match state {
                    MachineState::Running | MachineState::Ended { exit: Exit::NeverStarted } => bound,
                    MachineState::Ready => !bound,
                    MachineState::Creating | MachineState::Stopping => false,
                    MachineState::Orphaned | MachineState::Ended { .. } => panic!("{moment:?}: {state:?}"),
                };
                until("it is decided", async || {
                    ground.seen(&name).await.is_some_and(|seen| is_decided(seen.binding.is_some(), seen.state))
                })
                .await;
            }
            met.push(seen.map(|seen| (seen.state, seen.binding.is_some())));
            ground.destroy(&name).await;
        });
    }
    println!("met, by moment: {met:?}");
    runtime.block_on(ground.finish());
}

#[tokio::test]
async fn what_an_earlier_daemon_bound_and_did_not_start_is_proven_never_to_have_run() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null", |_| {});
    ground.create("fs-1").await.unwrap();
    // As that daemon left it.
    let name = ground.name("fs-1");
    let binding = launch().binding();
    let bound = format!("{name}.1.{}.{}", binding.runner, binding.handle);
    let options = RenameContainerOptionsBuilder::default().name(&bound).build();
    ground.engine.client.rename_container(name.as_str(), options).await.unwrap();
    // Whoever only looks lets it be.
    let onlooker = DockerSettings { unstarted: WithUnstarted::Leave, ..ground.settings.clone() };
    let seen = DockerBackend::new(onlooker).unwrap().list().await.unwrap().rows.remove(0);
    assert_eq!((seen.state, seen.binding.as_ref()), (MachineState::Creating, Some(&binding)));
    assert_eq!(ground.engine.inspected(ground.deployment()).await.len(), 1);
    let seen = ground.seen("fs-1").await.unwrap();
    let expected = MachineState::Ended { exit: Exit::NeverStarted };
    assert_eq!((seen.state, seen.binding), (expected, Some(binding)));
    assert!(ground.engine.inspected(ground.deployment()).await.is_empty(), "it could still be started");
    assert_eq!(ground.create("fs-1").await.unwrap_err().class, ErrorClass::Permanent);
    assert_eq!(ground.ended("fs-1").await, Exit::NeverStarted);
    ground.destroy("fs-1").await;
    ground.finish().await;
}

#[tokio::test]
async fn two_backends_of_one_deployment_on_one_engine_see_nothing_of_each_other() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null; while :; do sleep 0.1; done", |settings| {
        settings.network = Network::Own;
    });
    ground.run("fs-1").await;
    ground.create("fs-2").await.unwrap();
    let ours = ground.engine.things(ground.deployment()).await;
    let named = DockerSettings { backend: BackendId::new("other"), ..ground.settings.clone() };
    let other = DockerBackend::new(named).unwrap();
    let seen = other.list().await.unwrap();
    assert!(seen.complete && seen.rows.is_empty(), "{seen:?}");
    for name in ["fs-1", "fs-2"] {
        other.destroy(&ground.name(name), Duration::ZERO).await.unwrap();
        assert!(other.start(&ground.name(name), launch()).await.is_err());
        assert!(other.logs(&ground.name(name)).await.is_err());
    }
    let taken = other.create(request(ground.name("fs-2"))).await.unwrap_err();
    assert_eq!(taken.class, ErrorClass::Permanent, "{}", chain(&taken));
    other.create(request(ground.name("fs-3"))).await.unwrap();
    assert_eq!(ground.seen("fs-3").await, None);
    other.destroy(&ground.name("fs-3"), Duration::ZERO).await.unwrap();
    other.close(WithCaches::Keep).await.unwrap();
    assert_eq!(ground.engine.things(ground.deployment()).await, ours);
    assert_eq!(ground.seen("fs-1").await.unwrap().state, MachineState::Running);
    assert_eq!(ground.seen("fs-2").await.unwrap().state, MachineState::Ready);
    ground.finish().await;
}

#[tokio::test]
async fn a_network_that_somebody_removed_is_made_again() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null; exit 5", |settings| settings.network = Network::Own);
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(5));
    ground.destroy("fs-1").await;
    // As another daemon does that ends.
    DockerBackend::new(ground.settings.clone()).unwrap().close(WithCaches::Keep).await.unwrap();
    assert!(ground.engine.things(ground.deployment()).await.is_empty());
    ground.run("fs-2").await;
    assert_eq!(ground.ended("fs-2").await, Exit::Code(5));
    ground.finish().await;
}

#[tokio::test]
async fn nothing_is_bound_for_a_caller_that_has_given_up() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null", |_| {});
    ground.create("fs-1").await.unwrap();
    {
        let mut start = std::pin::pin!(ground.start("fs-1"));
        // Begun, and given up before the engine has answered the first of its questions.
        assert!(start.as_mut().now_or_never().is_none());
    }
    // The same machine again, when its turn comes after that.
    ground.create("fs-1").await.unwrap();
    let seen = ground.seen("fs-1").await.unwrap();
    assert_eq!((seen.state, seen.binding), (MachineState::Ready, None));
    ground.finish().await;
}

#[tokio::test]
async fn other_settings_know_what_was_begun_with_the_ones_before() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null; while :; do sleep 0.1; done", |_| {});
    ground.create("fs-1").await.unwrap();
    let next = ground.backend.replaced(ground.settings.clone());
    let name = ground.name("fs-1");
    let mut start = Box::pin(ground.start("fs-1"));
    let started = loop {
        if let Some(started) = start.as_mut().now_or_never() {
            break started;
        }
        // Between any two steps of the start somebody lists with the new settings.
        let listed = next.list().await.unwrap();
        assert!(listed.rows.iter().all(|row| row.name != name || !matches!(row.state, MachineState::Ended { .. })));
    };
    started.unwrap();
    drop(start);
    assert_eq!(ground.seen("fs-1").await.unwrap().state, MachineState::Running);
    ground.finish().await;
}
