//! Machines in control groups, where this host lets us make any. Limits need controllers: see the unit tests.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use backend::Destroyed;
use backend_host::{HostBackend, HostError, Limits};
use planner::seen::MachineState;

use crate::host::{Host, is_alive, kill, until};

/// The group of a machine; without one, says that the test did nothing.
async fn group(host: &Host, test: &str) -> Option<PathBuf> {
    host.create("fs-1").await.unwrap();
    let group = host.record("fs-1", "machine.json")["control_group"].as_str().map(PathBuf::from);
    if group.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped without control groups of version 2: control_groups::{test}");
    }
    group
}

#[tokio::test]
async fn what_hides_from_its_supervisor_and_marker_is_found_and_killed_by_its_group() {
    let script = "setsid env -i sh -c 'echo $$ > \"$0\"; exec sleep 3600' \"$RUNS\" &\n\
        while [ ! -s \"$RUNS\" ]; do sleep 0.02; done; touch \"$UP\"; sleep 3600";
    let host = Host::with_runner(script);
    let Some(group) = group(&host, "what_hides_from_its_supervisor_and_marker_is_found_and_killed_by_its_group").await
    else {
        return host.finish().await;
    };
    host.start("fs-1").await.unwrap();
    host.up().await;
    let stray = fs::read_to_string(host.scratch().join("RUNS")).unwrap().trim().to_owned();
    let members = fs::read_to_string(group.join("cgroup.procs")).unwrap();
    assert!(members.lines().any(|id| id == stray), "{members}");
    let supervisor = host.supervisor("fs-1");
    assert!(members.lines().all(|id| id != supervisor.to_string()), "a supervisor outlives what it ends");
    kill(supervisor, "KILL");
    until("the machine is an orphan", async || host.state("fs-1").await == Some(MachineState::Orphaned)).await;
    until("the machine is gone", async || host.destroy("fs-1").await == Destroyed::Gone).await;
    assert!(!is_alive(stray.parse().unwrap()));
    assert!(
        !group.exists() && !group.parent().unwrap().exists(),
        "the group of the last machine takes its parent along"
    );
    host.finish().await;
}

#[tokio::test]
async fn limits_are_set_or_nothing_starts() {
    let host = Host::with_runner("exit 0");
    let mut settings = host.settings.clone();
    settings.limits = Limits { memory_bytes: Some(256 << 20), cpu_quota_us: Some(50_000), pids: Some(64) };
    match HostBackend::new(settings.clone()) {
        Err(error @ HostError::NoLimits { .. }) => assert!(error.to_string().contains("cannot be limited here: ")),
        Err(error) => panic!("{error:?}"),
        Ok(_) => {
            let host = host.changed(|changed| *changed = settings);
            let group =
                group(&host, "limits_are_set_or_nothing_starts").await.expect("it has limits, so it has a group");
            let read = |file: &str| fs::read_to_string(group.join(file)).unwrap().trim().to_owned();
            assert_eq!([read("memory.max"), read("cpu.max"), read("pids.max")], ["268435456", "50000 100000", "64"]);
            return host.finish().await;
        }
    }
    host.finish().await;
}
