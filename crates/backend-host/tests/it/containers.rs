//! Containers that a killed runner leaves behind, with `tests/fake/docker` in the place of the docker program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use planner::error_class::{Acted, ErrorClass};
use planner::ids::MachineName;
use planner::seen::{Exit, MachineState};

use backend::{Backend as _, Destroyed};
use backend_host::{RunAs, User};

use crate::host::{Host, kill, until};
use crate::root::as_root;

const RANDOM: &str = "0123456789abcdef0123456789abcdef";

const RUNNER: &str = "touch \"$UP\"; sleep 3600";

/// A host with a machine whose runner was killed, and with these containers: id, machine, and what it uses.
async fn with_containers(containers: &[(&str, &str, &str)]) -> (Host, PathBuf) {
    with_containers_of(Host::with_runner(RUNNER), containers).await
}

async fn with_containers_of(host: Host, containers: &[(&str, &str, &str)]) -> (Host, PathBuf) {
    let place = host.scratch().join("containers");
    fs::create_dir(&place).unwrap();
    for (id, machine, used) in containers {
        let marker = format!("forgescale.machine={}/{machine}", host.settings.deployment);
        fs::write(place.join(id), format!("{marker}\n{used}\n")).unwrap();
    }
    let pair = ("CONTAINERS".to_owned(), place.to_str().unwrap().to_owned());
    let host = host.changed(|settings| settings.environment.push(pair));
    host.run("fs-1").await;
    host.up().await;
    kill(host.supervisor("fs-1"), "KILL");
    until("its end is seen", async || {
        matches!(host.state("fs-1").await, Some(MachineState::Ended { exit: Exit::Unknown } | MachineState::Orphaned))
    })
    .await;
    (host, place)
}

fn removed(place: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(place.with_extension("removed")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_a_killed_runner_left_in_containers_goes_and_nothing_else() {
    let job = format!("{RANDOM} {RANDOM}-env data WORKFLOW-{RANDOM} bridge");
    let (host, place) = with_containers(&[
        ("job", "fs-1", &job),
        ("service", "fs-1", "pgdata"),
        // A step's container has no label of ours, but the volumes of its job.
        ("step", "", &format!("{RANDOM}-env")),
        ("other", "fs-11", "ffffffffffffffffffffffffffffffff"),
        ("foreign", "", "data pgdata"),
    ])
    .await;
    until("the machine is gone", async || host.destroy("fs-1").await == Destroyed::Gone).await;
    let expected = [
        "container job".to_owned(),
        "container service".to_owned(),
        "container step".to_owned(),
        format!("network WORKFLOW-{RANDOM}"),
        format!("volume {RANDOM}"),
        format!("volume {RANDOM}-env"),
    ];
    assert_eq!(removed(&place), expected);
    assert!(place.join("other").exists() && place.join("foreign").exists());
    host.finish().await;
}

#[tokio::test]
async fn a_machine_stays_while_its_containers_cannot_be_removed_but_not_for_ever() {
    let (host, place) = with_containers(&[("job", "fs-1", "")]).await;
    let broken = place.with_extension("broken");
    fs::write(&broken, "").unwrap();
    let name = MachineName::new("fs-1");
    let mut failures = 0;
    until("it is given up", async || match host.backend.destroy(&name, Duration::ZERO).await {
        Ok(answer) => answer == Destroyed::Gone,
        Err(error) => {
            assert_eq!((error.class, error.acted), (ErrorClass::Transient, Acted::Maybe));
            assert!(error.failure().message.contains("no answer from the daemon"), "{:?}", error.failure());
            failures += 1;
            false
        }
    })
    .await;
    assert_eq!(failures, 10);
    assert_eq!(removed(&place), Vec::<String>::new());
    host.finish().await;
}

#[tokio::test]
async fn the_container_program_runs_as_the_jobs_user_who_could_have_replaced_it() {
    if !as_root() {
        return;
    }
    let user = User::look_up("3700080:3700081").unwrap();
    let host = Host::with_runner(RUNNER);
    // A place for a program of its own, which says whom it runs as: others may not reach the one beside these tests.
    let (program, asked) = (host.scratch().join("docker"), host.scratch().join("asked"));
    fs::write(&program, "#!/bin/sh\ngrep -E '^(Uid|Gid|Groups):' /proc/self/status >> \"$ASKED\"\n").unwrap();
    for (file, mode) in [(host.scratch(), 0o777), (&program, 0o755), (&host.scratch().join("runner"), 0o644)] {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", host.scratch().display());
    let pair = ("ASKED".to_owned(), asked.to_str().unwrap().to_owned());
    let host = host.changed(|settings| {
        (settings.run_as, settings.path) = (RunAs::One(user), path);
        settings.environment.push(pair);
    });
    let (host, _) = with_containers_of(host, &[]).await;
    until("the machine is gone", async || host.destroy("fs-1").await == Destroyed::Gone).await;
    let said = fs::read_to_string(&asked).unwrap();
    let words: Vec<&str> = said.split_whitespace().take(11).collect();
    let expected = "Uid: 3700080 3700080 3700080 3700080 Gid: 3700081 3700081 3700081 3700081 Groups:";
    assert_eq!(words.join(" "), expected);
    host.finish().await;
}
