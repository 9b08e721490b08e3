//! The demo with machines that are containers.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Engine, PROGRAM};
use crate::e2e::leftovers::names;
use crate::e2e::world::wait;
use crate::skipped::skip;
use crate::{Ran, forgescale, run};

/// Names this program, linked so that it runs in any image.
const STATIC: &str = "FORGESCALE_TEST_STATIC";

fn command(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = forgescale(["demo", "--json", "--jobs", "2"]);
    command.args(arguments).env("TMPDIR", place.path()).env("PATH", "/nonexistent");
    command
}

fn demo(place: &TempDir, arguments: &[&str]) -> Ran {
    run(&mut command(place, arguments))
}

#[track_caller]
fn check_refused(arguments: &[&str], status: i32, words: &[&str]) {
    let place = TempDir::new().expect("a folder");
    let ran = demo(&place, arguments);
    assert_eq!((ran.status, ran.out.as_str()), (Some(status), ""), "{arguments:?}: {}", ran.err);
    for word in words {
        assert!(ran.err.contains(word), "{arguments:?}: {word}: {}", ran.err);
    }
    assert_eq!(names(place.path()), [""; 0], "{}", ran.err);
}

#[test]
fn without_an_engine_the_demo_says_what_to_do() {
    let gone = TempDir::new().expect("a folder");
    let gone = format!("unix://{}/engine.sock", gone.path().display());
    check_refused(
        &["--backend", "docker", "--image", "any", "--engine", &gone],
        1,
        &["no container engine for the demo at", "--engine unix:///PATH", "without --backend, needs none"],
    );
    check_refused(&["--image", "any"], 2, &["--image has no meaning", "--backend docker"]);
    check_refused(&["--backend", "docker"], 2, &["--image"]);
    let far = ["--backend", "podman", "--image", "any", "--engine", "tcp://127.0.0.1:2375"];
    check_refused(&far, 2, &["no socket of an engine on this host"]);
}

#[test]
fn a_program_that_no_image_can_run_is_told_before_anything_is_made() {
    let Some(engine) = Engine::docker() else { return };
    let address = format!("unix://{}", engine.real.socket.display());
    let at = ["--backend", "docker", "--image", &engine.image, "--engine", &address];
    let with = |runner| [&at[..], &["--runner", runner]].concat();
    check_refused(&with(PROGRAM), 1, &["needs libraries", "--runner FILE", "crt-static"]);
    check_refused(&with("/etc/passwd"), 1, &["is no program", "--runner FILE"]);
    let lacking = ["--backend", "docker", "--image", "127.0.0.1:9/none:1", "--engine", &address];
    check_refused(&lacking, 1, &["has no image 127.0.0.1:9/none:1", "docker pull"]);
}

#[test]
fn the_demo_in_containers_ends_well_and_what_a_killed_one_left_is_cleared_away() {
    let Some(engine) = Engine::docker() else { return };
    let Ok(program) = std::env::var(STATIC) else { return skip("FORGESCALE_TEST_STATIC names no static forgescale") };
    let place = TempDir::new().expect("a folder");
    let address = format!("unix://{}", engine.real.socket.display());
    let arguments = ["--backend", "docker", "--image", &engine.image, "--engine", &address, "--runner", &program];
    let mut killed =
        command(&place, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the demo starts");
    let earlier = format!("demo-{}", killed.id());
    // Not what the runner is put into its volume with.
    let begun = wait(|| engine.containers(&earlier).iter().any(|container| container.contains("fs-")));
    killed.kill().and_then(|()| killed.wait()).expect("a killed demo");
    assert!(begun, "no machine is made");
    // What it was just asking for may come later still.
    let left = engine.containers(&earlier);

    let ran = demo(&place, &arguments);
    assert_eq!(ran.status, Some(0), "{}\n{}", ran.out, ran.err);
    let told: Value = serde_json::from_str(&ran.out).expect("one JSON object on standard output");
    for (key, value) in [
        ("ok", json!(true)),
        ("leaked_runners", json!(0)),
        ("leaked_machines", json!(0)),
        ("double_launches", json!(0)),
    ] {
        assert_eq!(told[key], value, "{key}: {told}");
    }
    assert!(told["released"].as_u64() >= Some(1) && told["completed"].as_u64() > Some(3), "{told}");
    let said = ran.err.lines().find(|line| line.contains("machines: containers of ")).expect("an introduction");
    assert!(said.contains(&engine.image), "{said}");
    assert!(ran.err.contains("an earlier demo was killed"), "{}", ran.err);
    let still = engine.containers(&earlier);
    assert!(!left.is_empty() && left.iter().all(|container| !still.contains(container)), "{still:#?}");
    engine.clear(&earlier);
    assert_eq!(names(place.path()), [""; 0], "{}", ran.err);
}
