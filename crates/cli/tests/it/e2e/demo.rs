//! The demo plays through, and clears up when it is interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::leftovers::names;
use super::processes;
use super::world::wait;
use crate::skipped::skip;
use crate::{forgescale, run};

/// Where the demo keeps credentials, if it can.
const SHARED_MEMORY: &str = "/dev/shm";

#[test]
fn the_demo_ends_well_and_leaves_nothing() {
    let place = TempDir::new().expect("a folder");
    let ran = run(&mut demo(&place, &["--json", "--jobs", "3"]));
    assert_eq!(ran.status, Some(0), "{}\n{}", ran.out, ran.err);
    let told: Value = serde_json::from_str(&ran.out).expect("one JSON object on standard output");
    for (key, value) in [
        ("ok", json!(true)),
        ("complaints", json!([])),
        ("leaked_runners", json!(0)),
        ("leaked_machines", json!(0)),
        ("double_launches", json!(0)),
    ] {
        assert_eq!(told[key], value, "{key}: {told}");
    }
    let count = |key: &str| told[key].as_u64().unwrap_or_else(|| panic!("{key}: {told}"));
    assert!(count("jobs") > count("completed") && count("completed") > 3, "{told}");
    assert!(count("registered") >= count("launched") && count("released") >= 1, "{told}");
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn an_interrupted_demo_clears_up() {
    let place = TempDir::new().expect("a folder");
    let child =
        demo(&place, &["--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the demo starts");
    let demo = Playing { deployment: format!("demo-{}", child.id()), child: Some(child) };
    let begun =
        wait(|| processes::of_deployment(&demo.deployment).iter().any(|process| process.command.contains("one-job")));
    assert!(begun, "no runner is started");
    let deployment = demo.deployment.clone();
    let output = demo.interrupt();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    let told: Value = serde_json::from_str(&out).expect("one JSON object on standard output");
    assert_eq!(told["ok"], json!(false));
    assert_eq!((&told["leaked_runners"], &told["leaked_machines"]), (&json!(0), &json!(0)), "{told}");
    assert!(err.contains("it was interrupted"), "{err}");
    assert!(err.contains("waiting for the end of ") && err.contains(" machine"), "{err}");
    assert_eq!(processes::of_deployment(&deployment).len(), 0);
    assert_eq!(names(place.path()), Vec::<String>::new());
    assert_eq!(credentials_of(&deployment), Vec::<PathBuf>::new());
}

#[test]
fn what_a_killed_demo_left_is_cleared_away_by_the_next_one() {
    let place = TempDir::new().expect("a folder");
    let start = |arguments: &[&str]| {
        let mut command = demo(&place, arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the demo starts");
        Playing { deployment: format!("demo-{}", child.id()), child: Some(child) }
    };
    let mut killed = start(&[]);
    let runs = || processes::of_deployment(&killed.deployment).iter().any(|it| it.command.contains("one-job"));
    assert!(wait(runs), "no runner is started");
    let supervised = processes::of_deployment(&killed.deployment);
    let short_lived = supervised.iter().filter(|it| it.is_supervisor()).all(|it| it.command.contains("--longest=90"));
    assert!(short_lived, "{supervised:#?}");
    let mut child = killed.child.take().expect("a demo that plays");
    child.kill().and_then(|()| child.wait()).expect("a killed demo");
    let [left] = &names(place.path())[..] else { panic!("{:?}", names(place.path())) };
    let memory = credentials_of(&killed.deployment);

    let next = start(&["--json"]);
    assert!(wait(|| !place.path().join(left).exists()), "it is still there");
    let output = next.interrupt();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("an earlier demo was killed") && said.contains(left), "{said}");
    assert_eq!(processes::of_deployment(&killed.deployment).len(), 0);
    assert!(memory.iter().all(|folder| !folder.exists()), "{memory:?}");
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn what_a_killed_demo_kept_in_memory_is_found_when_its_other_folder_is_gone() {
    let memory = TempDir::with_prefix_in("forgescale-demo-", SHARED_MEMORY);
    let Ok(memory) = memory else { return skip("there is no /dev/shm") };
    fs::create_dir_all(memory.path().join("credentials/demo-0")).expect("a folder");
    let told = json!({ "deployment": "demo-0", "runtime": memory.path() });
    fs::write(memory.path().join("playing"), told.to_string()).expect("a file");
    let place = TempDir::new().expect("a folder");
    let child = demo(&place, &["--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let next = Playing { deployment: format!("demo-{}", child.id()), child: Some(child) };
    assert!(wait(|| !memory.path().exists()), "it is still there");
    let output = next.interrupt();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("an earlier demo was killed") && !said.contains("cannot remove"), "{said}");
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn what_cannot_be_cleared_away_is_not_forgotten() {
    let place = TempDir::new().expect("a folder");
    let left = place.path().join("forgescale-demo-left");
    fs::create_dir(&left).expect("a folder");
    let engine = format!("unix://{}/engine.sock", place.path().display());
    let told = json!({ "deployment": "demo-0", "runtime": left.join("run"), "engine": engine });
    fs::write(left.join("playing"), told.to_string()).expect("a file");
    // Wrong beside that, so that it ends after the look at what others left.
    let look = || run(&mut demo(&place, &["--image", "any"]));
    for _ in 0..2 {
        let ran = look();
        assert_eq!(ran.status, Some(2), "{}", ran.err);
        assert!(ran.err.contains("may still be there: could not list machines"), "{}", ran.err);
        assert!(ran.err.contains("stays, for the next demo"), "{}", ran.err);
        assert!(left.join("playing").exists(), "{}", ran.err);
    }
    fs::write(left.join("playing"), json!({ "deployment": "demo-0" }).to_string()).expect("a file");
    let ran = look();
    assert!(ran.err.contains("an earlier demo") && !left.exists(), "{}", ran.err);
}

/// The folders in memory of a deployment.
fn credentials_of(deployment: &str) -> Vec<PathBuf> {
    let in_memory = names(Path::new(SHARED_MEMORY)).into_iter().map(|name| Path::new(SHARED_MEMORY).join(name));
    in_memory.filter(|folder| folder.join("credentials").join(deployment).exists()).collect()
}

/// A demo with a temporary directory of its own.
fn demo(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = forgescale(["demo"]);
    command.args(arguments).env("TMPDIR", place.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
}

/// A demo that plays. Dropping it ends every process of it.
struct Playing {
    deployment: String,
    child: Option<Child>,
}

impl Playing {
    fn interrupt(mut self) -> std::process::Output {
        let child = self.child.take().expect("a demo that plays");
        processes::signal(i32::try_from(child.id()).expect("a process id"), Signal::INT);
        child.wait_with_output().expect("the demo's output")
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        processes::of_deployment(&self.deployment).iter().for_each(processes::Process::kill);
    }
}
