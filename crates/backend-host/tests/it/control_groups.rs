//! Machines in control groups, where this host lets us make any. Limits need controllers: see the unit tests.

use std::fs;
use std::path::{Path, PathBuf};

use backend::Destroyed;
use backend_host::{HostBackend, HostError, HostSettings, Limits, limits_hindrance};
use planner::seen::MachineState;

use crate::host::{Host, is_alive, kill, until};
use crate::skipped::skip;

/// The group of a machine; without one, says that the test did nothing.
async fn group(host: &Host) -> Option<PathBuf> {
    host.create("fs-1").await.unwrap();
    let group = host.record("fs-1", "machine.json")["control_group"].as_str().map(PathBuf::from);
    if group.is_none() {
        skip("no control groups of version 2 can be made here");
    }
    group
}

#[tokio::test]
async fn what_hides_from_its_supervisor_and_marker_is_found_and_killed_by_its_group() {
    let script = "setsid env -i sh -c 'echo $$ > \"$0\"; exec sleep 3600' \"$RUNS\" &\n\
        while [ ! -s \"$RUNS\" ]; do sleep 0.02; done; touch \"$UP\"; sleep 3600";
    let host = Host::with_runner(script);
    let Some(group) = group(&host).await else { return host.finish().await };
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
async fn a_machine_that_does_not_come_into_being_leaves_no_group() {
    let host = Host::with_runner("exit 0");
    let Some(group) = group(&host).await else { return host.finish().await };
    // It is seen only when all else is done: no machine has this name, and no folder can take its place.
    std::os::unix::fs::symlink("nowhere", host.folder("fs-2")).unwrap();
    host.create("fs-2").await.unwrap_err();
    assert!(group.exists() && !group.with_file_name("fs-2").exists());
    fs::remove_file(host.folder("fs-2")).unwrap();
    host.finish().await;
}

fn limits() -> Limits {
    Limits { memory_bytes: Some(256 << 20), cpu_quota_us: Some(50_000), pids: Some(64) }
}

/// What this host has for limits, as its own files say.
enum Has {
    /// The kernel has no such controllers, or no hierarchy of version 2.
    Nothing,
    /// Controllers, but this process may not use them, or shares its group with others.
    NotForUs,
    /// All that it takes.
    All,
}

fn has() -> Has {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let mounts = read(Path::new("/proc/self/mountinfo"));
    let Some(mount) = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4))
    else {
        return Has::Nothing;
    };
    let lists_all = |file: PathBuf| {
        let listed = read(&file);
        ["memory", "cpu", "pids"].iter().all(|wanted| listed.split_whitespace().any(|name| name == *wanted))
    };
    if !lists_all(Path::new(mount).join("cgroup.controllers")) {
        return Has::Nothing;
    }
    let own = read(Path::new("/proc/self/cgroup"));
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().trim_end_matches("daemon");
    let own = Path::new(mount).join(own.trim_end_matches('/'));
    let alone = read(&own.join("cgroup.procs")).lines().all(|id| id == std::process::id().to_string());
    let handed_down = lists_all(own.join("cgroup.subtree_control"));
    let may = rustix::process::geteuid().is_root() && lists_all(own.join("cgroup.controllers"));
    if may && (alone || handed_down) { Has::All } else { Has::NotForUs }
}

#[tokio::test]
async fn limits_that_cannot_be_set_let_nothing_start() {
    let reason = match has() {
        Has::All => return skip("limits can be set here"),
        Has::Nothing => "control groups of version 2",
        Has::NotForUs => "",
    };
    let host = Host::with_runner("exit 0");
    let refused = HostBackend::new(HostSettings { limits: limits(), ..host.settings.clone() }).unwrap_err();
    assert!(matches!(refused, HostError::NoLimits { .. }), "{refused:?}");
    assert!(refused.to_string().contains("cannot be limited here: ") && refused.to_string().contains(reason));
    let foreseen = limits_hindrance(&limits()).map(|error| error.to_string());
    assert_eq!(foreseen, matches!(has(), Has::Nothing).then(|| refused.to_string()), "`check` says what a start says");
    host.finish().await;
}

#[tokio::test]
async fn limits_are_set_for_each_machine() {
    if !matches!(has(), Has::All) {
        return skip("limits need control groups of version 2, with controllers, that are this process's own");
    }
    let host = Host::with_runner("exit 0").changed(|settings| settings.limits = limits());
    let group = group(&host).await.expect("it has limits, so it has a group");
    let read = |file: &str| fs::read_to_string(group.join(file)).unwrap().trim().to_owned();
    assert_eq!([read("memory.max"), read("cpu.max"), read("pids.max")], ["268435456", "50000 100000", "64"]);
    host.finish().await;
}
