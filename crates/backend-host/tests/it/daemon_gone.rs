//! The daemon is killed; its machines are not.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use planner::error_class::{Acted, ErrorClass};
use planner::seen::{Exit, MachineState};

use crate::host::{Host, WAIT_FOR_GO, example, launch};

/// A daemon that has made a machine on this host's directory, and started its runner or not.
fn daemon(host: &Host, phase: &str) -> Child {
    let settings = &host.settings;
    let mut daemon = Command::new(example("short_lived_daemon"))
        .arg(&settings.directory)
        .args([settings.deployment.as_str(), "fs-1"])
        .arg(&settings.supervisor.path)
        .args(&settings.runner.arguments)
        .arg(phase)
        .args(settings.environment.iter().map(|(name, value)| format!("{name}={value}")))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "done\n");
    daemon
}

fn kill(mut daemon: Child) {
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[tokio::test]
async fn a_job_goes_on_without_its_daemon_and_the_next_one_sees_how_it_ended() {
    let host = Host::with_runner(&format!("touch \"$UP\"\n{WAIT_FOR_GO}echo finished; exit 5"));
    let first = daemon(&host, "start");
    host.up().await;
    kill(first);
    let seen = host.seen("fs-1").await.unwrap();
    assert_eq!((seen.state, seen.binding), (MachineState::Running, Some(launch().binding())));
    host.create("fs-1").await.unwrap();
    host.start("fs-1").await.unwrap();

    let mut changes = host.backend.changes();
    changes.mark_unchanged();
    host.go();
    tokio::time::timeout(Duration::from_mins(1), changes.changed()).await.unwrap().unwrap();
    assert_eq!(host.ended("fs-1").await, Exit::Code(5));
    assert_eq!(host.log("fs-1").await, ["finished"]);
    host.finish().await;
}

#[tokio::test]
async fn a_machine_whose_daemon_is_gone_before_the_launch_was_never_started() {
    let host = Host::with_runner("");
    kill(daemon(&host, "create"));
    assert_eq!(host.ended("fs-1").await, Exit::NeverStarted);
    let error = host.start("fs-1").await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::NotFound, Acted::No));
    host.finish().await;
}

#[tokio::test]
async fn a_machine_of_another_process_is_not_ready_and_takes_no_launch_from_us() {
    let host = Host::with_runner("");
    let other = daemon(&host, "create");
    assert_eq!(host.state("fs-1").await, Some(MachineState::Creating));
    host.create("fs-1").await.unwrap();
    let error = host.start("fs-1").await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::NotFound, Acted::No));
    kill(other);
    assert_eq!(host.ended("fs-1").await, Exit::NeverStarted);
    host.finish().await;
}

#[tokio::test]
async fn a_dropped_backend_lets_go_of_machines_that_wait() {
    let mut host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    assert_eq!(host.state("fs-1").await, Some(MachineState::Ready));
    host.restart();
    assert_eq!(host.ended("fs-1").await, Exit::NeverStarted);
    host.finish().await;
}
