//! Processes that the runner leaves behind, with and without a supervisor to end them.

use std::collections::BTreeSet;
use std::fs;

use backend::Destroyed;
use planner::seen::{Exit, MachineState};

use crate::host::{Host, is_alive, kill, processes, until};

/// Four that would outlive their job: in the background, in a session of its own and deaf to SIGTERM, twice forked, and
/// without the marker.
const FOUR_STRAYS: &str = "\
    sleep 3600 & echo $! >> \"$RUNS\"\n\
    setsid sh -c 'trap \"\" TERM; echo $$ >> \"$RUNS\"; while :; do sleep 0.05; done' &\n\
    (setsid sh -c 'echo $$ >> \"$RUNS\"; exec sleep 3600' &)\n\
    setsid env -i sh -c 'echo $$ >> \"$0\"; exec sleep 3600' \"$RUNS\" &\n\
    while [ \"$(wc -l < \"$RUNS\")\" -lt 4 ]; do sleep 0.02; done\n";

fn noted(host: &Host) -> Vec<i32> {
    let text = fs::read_to_string(host.scratch().join("RUNS")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test]
async fn an_ended_machine_has_no_process_left() {
    let host = Host::with_runner(&format!("{FOUR_STRAYS}exit 6"));
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(6));
    let strays = noted(&host);
    assert_eq!(strays.len(), 4);
    assert_eq!(strays.into_iter().filter(|id| is_alive(*id)).count(), 0);
    assert!(host.record("fs-1", "exit.json")["strays"].as_u64().unwrap() >= 4);
    host.finish().await;
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_runner_with_it_and_strays_keep_the_machine_from_ending() {
    let script = "echo $$ > \"$UP.new\"; setsid sleep 3600 & echo $! >> \"$RUNS\"; mv \"$UP.new\" \"$UP\"; sleep 3600";
    let host = Host::with_runner(script);
    host.run("fs-1").await;
    host.up().await;
    let runner: i32 = fs::read_to_string(host.scratch().join("UP")).unwrap().trim().parse().unwrap();
    let [stray] = noted(&host)[..] else { panic!("one stray") };
    assert!(is_alive(runner) && is_alive(stray));

    kill(host.supervisor("fs-1"), "KILL");
    until("the runner is dead", async || !is_alive(runner)).await;
    assert!(is_alive(stray));
    for _ in 0..3 {
        assert_eq!(host.state("fs-1").await, Some(MachineState::Orphaned));
    }
    for process in host.processes() {
        kill(process, "KILL");
    }
    assert_eq!(host.ended("fs-1").await, Exit::Unknown);
    assert!(host.seen("fs-1").await.unwrap().binding.is_some());
    host.finish().await;
}

#[tokio::test]
async fn destroying_a_machine_without_its_supervisor_ends_its_strays() {
    let script = "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' &\ntouch \"$UP\"; sleep 3600";
    let host = Host::with_runner(script);
    host.run("fs-1").await;
    host.up().await;
    let before = host.processes();
    kill(host.supervisor("fs-1"), "KILL");
    until("the machine is seen as orphaned", async || host.state("fs-1").await == Some(MachineState::Orphaned)).await;
    until("the machine is gone", async || host.destroy("fs-1").await == Destroyed::Gone).await;
    let alive: BTreeSet<i32> = processes().into_iter().collect();
    assert_eq!(before.intersection(&alive).count(), 0);
    host.finish().await;
}

#[tokio::test]
async fn a_supervisor_killed_before_its_launch_never_started_anything() {
    let host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    kill(host.supervisor("fs-1"), "KILL");
    assert_eq!(host.ended("fs-1").await, Exit::NeverStarted);
    assert!(host.start("fs-1").await.is_err());
    host.finish().await;
}
