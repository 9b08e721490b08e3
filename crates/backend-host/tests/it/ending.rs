//! Asking a machine to end, and making it.

use std::time::Duration;

use backend::{Backend as _, Destroyed};
use planner::error_class::{Acted, ErrorClass};
use planner::ids::MachineName;
use planner::seen::{Exit, MachineState};

use crate::host::{Host, WAIT_FOR_GO, is_alive, kill, launch, request, until};

/// Ends on SIGTERM, but not before the test lets it.
fn graceful() -> String {
    format!("end() {{ echo asked\n{WAIT_FOR_GO}exit 0; }}\ntrap end TERM\ntouch \"$UP\"\nwhile :; do sleep 0.02; done")
}

const STUBBORN: &str =
    "trap '' TERM\n(trap '' TERM; while :; do sleep 0.02; done) &\ntouch \"$UP\"\nwhile :; do sleep 0.02; done";

#[tokio::test]
async fn a_destroyed_machine_lets_its_runner_finish_and_asks_it_once() {
    let host = Host::with_runner(&graceful());
    host.run("fs-1").await;
    host.up().await;
    assert_eq!(host.destroy("fs-1").await, Destroyed::Accepted);
    until("the machine is stopping", async || host.state("fs-1").await == Some(MachineState::Stopping)).await;
    until("the runner was asked", async || host.log("fs-1").await == ["asked"]).await;
    // More of the same within the grace must not become "kill now".
    for _ in 0..3 {
        assert_eq!(host.destroy("fs-1").await, Destroyed::Accepted);
    }
    let refused = host.create("fs-1").await.unwrap_err();
    assert_eq!((refused.class, refused.acted), (ErrorClass::Permanent, Acted::No));
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    assert_eq!(host.log("fs-1").await, ["asked"]);
    assert_eq!(host.destroy("fs-1").await, Destroyed::Gone);
    assert_eq!(host.destroy("fs-1").await, Destroyed::Gone);
    host.finish().await;
}

#[tokio::test]
async fn a_restarted_daemon_that_destroys_again_does_not_shorten_the_grace() {
    let mut host = Host::with_runner(&graceful());
    host.run("fs-1").await;
    host.up().await;
    host.destroy("fs-1").await;
    until("the supervisor has noted it", async || host.folder("fs-1").join("stopping.json").exists()).await;
    host.restart();
    assert_eq!(host.state("fs-1").await, Some(MachineState::Stopping));
    assert_eq!(host.destroy("fs-1").await, Destroyed::Accepted);
    assert_eq!(host.destroy("fs-1").await, Destroyed::Accepted);
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    host.finish().await;
}

#[tokio::test]
async fn a_runner_that_does_not_end_is_killed_with_all_its_children_when_the_grace_is_over() {
    let host = Host::with_runner(STUBBORN);
    host.run("fs-1").await;
    host.up().await;
    // The one call is enough: its supervisor counts the time, whatever becomes of the daemon.
    assert_eq!(host.destroy_within("fs-1", Duration::from_millis(300)).await, Destroyed::Accepted);
    assert_eq!(host.ended("fs-1").await, Exit::Signal(9));
    assert_eq!(host.processes().len(), 0);
    host.finish().await;
}

#[tokio::test]
async fn a_supervisor_that_somebody_else_asks_to_end_gives_the_time_of_its_start() {
    let host = Host::with_runner(STUBBORN);
    host.backend.create(request("fs-1", Duration::from_millis(300))).await.unwrap();
    host.backend.start(&MachineName::new("fs-1"), launch()).await.unwrap();
    host.up().await;
    kill(host.supervisor("fs-1"), "TERM");
    assert_eq!(host.ended("fs-1").await, Exit::Signal(9));
    host.finish().await;
}

#[tokio::test]
async fn a_second_sigterm_to_the_supervisor_kills_at_once() {
    let host = Host::with_runner(STUBBORN);
    host.run("fs-1").await;
    host.up().await;
    let supervisor = host.supervisor("fs-1");
    kill(supervisor, "TERM");
    until("the first was taken", async || host.folder("fs-1").join("stopping.json").exists()).await;
    kill(supervisor, "TERM");
    assert_eq!(host.ended("fs-1").await, Exit::Signal(9));
    host.finish().await;
}

#[tokio::test]
async fn interrupts_and_hang_ups_do_not_reach_a_machine() {
    let host = Host::with_runner(&format!("touch \"$UP\"\n{WAIT_FOR_GO}exit 4"));
    host.run("fs-1").await;
    host.up().await;
    let supervisor = host.supervisor("fs-1");
    // Field 6 of proc_pid_stat(5): a session of its own cannot be reached from the daemon's terminal.
    let stat = String::from_utf8(crate::host::proc_file(supervisor, "stat")).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(3).unwrap().to_owned();
    assert_eq!(session, supervisor.to_string());
    for signal in ["INT", "HUP"] {
        kill(supervisor, signal);
    }
    assert_eq!(host.state("fs-1").await, Some(MachineState::Running));
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Code(4));
    host.finish().await;
}

#[tokio::test]
async fn a_job_that_signals_its_own_group_does_not_reach_its_supervisor() {
    let host = Host::with_runner(&format!("trap '' TERM; kill -s TERM 0; touch \"$UP\"\n{WAIT_FOR_GO}kill -s KILL $$"));
    host.run("fs-1").await;
    host.up().await;
    assert_eq!(host.state("fs-1").await, Some(MachineState::Running));
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Signal(9));
    assert!(!host.folder("fs-1").join("stopping.json").exists());
    host.finish().await;
}

#[tokio::test]
async fn a_machine_without_a_launch_ends_as_never_started() {
    let host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    let supervisor = host.supervisor("fs-1");
    assert_eq!(host.destroy("fs-1").await, Destroyed::Accepted);
    assert_eq!(host.ended("fs-1").await, Exit::NeverStarted);
    assert!(!is_alive(supervisor));
    let error = host.start("fs-1").await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::NotFound, Acted::No));
    host.finish().await;
}

#[tokio::test]
async fn a_machine_that_never_was_is_gone() {
    let host = Host::with_runner("");
    for name in ["fs-1", "..", "a/b", ""] {
        assert_eq!(host.destroy(name).await, Destroyed::Gone, "{name:?}");
    }
    host.finish().await;
}

#[tokio::test]
async fn a_change_is_told_when_a_job_ends() {
    let host = Host::with_runner(WAIT_FOR_GO);
    host.run("fs-1").await;
    let mut changes = host.backend.changes();
    changes.mark_unchanged();
    host.go();
    tokio::time::timeout(Duration::from_mins(1), changes.changed()).await.unwrap().unwrap();
    assert_eq!(host.state("fs-1").await, Some(MachineState::Ended { exit: Exit::Code(0) }));
    host.finish().await;
}

#[tokio::test]
async fn a_folder_that_forbids_its_removal_goes_all_the_same() {
    let host = Host::with_runner("mkdir -p a/b; touch a/b/c; ln -s / a/root; chmod 000 a/b a \"$HOME\" .");
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    assert_eq!(host.destroy("fs-1").await, Destroyed::Gone);
    host.finish().await;
}

#[tokio::test]
async fn a_machine_with_a_longest_time_ends_by_itself() {
    let host = Host::with_runner("trap '' TERM; sh -c 'sleep 3600' & sleep 3600")
        .changed(|settings| settings.supervisor.arguments = vec!["200".to_owned()]);
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Signal(9));
    host.finish().await;
}
