//! Making machines: twice, half, in the way of others.

use std::fs;
use std::time::Duration;

use backend::{Backend as _, Destroyed};
use backend_host::Program;
use planner::error_class::{Acted, ErrorClass};
use planner::ids::MachineName;
use planner::seen::{Exit, MachineState};

use crate::host::{Host, program, request, until};

#[tokio::test]
async fn the_same_name_twice_is_the_same_machine() {
    let host = Host::with_runner("exit 0");
    let (first, second) = tokio::join!(host.create("fs-1"), host.create("fs-1"));
    first.unwrap();
    second.unwrap();
    host.create("fs-1").await.unwrap();
    assert_eq!(host.processes().len(), 1);
    assert_eq!(host.list().await.rows.len(), 1);
    host.start("fs-1").await.unwrap();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    let refused = host.create("fs-1").await.unwrap_err();
    assert_eq!((refused.class, refused.acted), (ErrorClass::Permanent, Acted::No));
    assert_eq!(host.destroy("fs-1").await, Destroyed::Gone);
    host.create("fs-1").await.unwrap();
    assert_eq!(host.state("fs-1").await, Some(MachineState::Ready));
    host.finish().await;
}

#[tokio::test]
async fn destroying_while_creating_leaves_nothing() {
    let host = Host::with_runner("");
    for _ in 0..10 {
        let name = MachineName::new("fs-1");
        let (created, destroyed) = tokio::join!(host.create("fs-1"), host.backend.destroy(&name, Duration::ZERO));
        created.unwrap();
        destroyed.unwrap();
        until("the machine is gone", async || host.destroy("fs-1").await == Destroyed::Gone).await;
        assert_eq!(host.state("fs-1").await, None);
    }
    host.finish().await;
}

#[tokio::test]
async fn an_abandoned_create_is_never_taken_for_an_ended_machine() {
    let host = Host::with_runner("");
    for number in 0..10 {
        let name = format!("fs-{number}");
        let create = host.backend.create(request(&name, Duration::from_secs(1)));
        let _ = tokio::time::timeout(Duration::from_millis(number), create).await;
        until("the machine is ready", async || match host.state(&name).await {
            None | Some(MachineState::Creating) => false,
            Some(MachineState::Ready) => true,
            Some(other) => panic!("{other:?}"),
        })
        .await;
    }
    host.finish().await;
}

#[tokio::test]
async fn a_missing_supervisor_is_permanent_and_leaves_nothing() {
    let host = Host::with_runner("").changed(|settings| settings.supervisor = program("/nonexistent/supervisor"));
    let error = host.create("fs-1").await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::Permanent, Acted::No));
    assert!(error.failure().message.contains("/nonexistent/supervisor"), "{:?}", error.failure());
    assert_eq!(host.list().await.rows, []);
    host.finish().await;
}

#[tokio::test]
async fn a_supervisor_that_says_nothing_useful_is_no_machine() {
    let host = Host::with_runner("").changed(|settings| settings.supervisor = program("/bin/true"));
    let error = host.create("fs-1").await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::Transient, Acted::Maybe));
    assert_eq!(host.ended("fs-1").await, Exit::NeverStarted);
    host.finish().await;
}

#[tokio::test]
async fn a_name_that_could_leave_the_directory_is_refused() {
    let host = Host::with_runner("");
    for name in ["../fs-1", ".hidden", "", "a/b"] {
        let error = host.create(name).await.unwrap_err();
        assert_eq!((error.class, error.acted), (ErrorClass::Permanent, Acted::No));
    }
    assert_eq!(fs::read_dir(&host.settings.directory).unwrap().count(), 0);
    host.finish().await;
}

#[tokio::test]
async fn a_machine_without_a_sign_of_its_supervisor_is_being_created_while_the_call_lasts() {
    let host = Host::with_runner("");
    let (go, supervisor) = (host.scratch().join("GO"), host.settings.supervisor.path.clone());
    // Comes late and without the marker, so that nothing but the call itself speaks for the machine.
    let inner = format!("while [ ! -e {} ]; do sleep 0.02; done; exec {} \"$0\"", go.display(), supervisor.display());
    let outer = format!("exec env -i PATH=/usr/bin:/bin sh -c '{inner}' \"$0\"");
    let late = Program { path: "/bin/sh".into(), arguments: vec!["-c".to_owned(), outer] };
    let host = host.changed(|settings| settings.supervisor = late);
    let backend = host.backend.clone();
    let create = tokio::spawn(async move { backend.create(request("fs-1", Duration::from_secs(1))).await });
    until("the folder is there", async || host.state("fs-1").await.is_some()).await;
    for _ in 0..20 {
        assert_eq!(host.state("fs-1").await, Some(MachineState::Creating));
    }
    host.go();
    create.await.unwrap().unwrap();
    assert_eq!(host.state("fs-1").await, Some(MachineState::Ready));
    host.finish().await;
}
