//! This host: runner program, jobs' reach, directories.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use daemon::report_file::{ReportFile, VERSION};
use planner::ids::DeploymentId;
use planner::report::Report;

use super::place::Place;
use crate::root::as_root;
use crate::skipped::skip;

#[test]
fn a_runner_that_is_too_old_is_refused_and_a_doubtful_one_told() {
    let place = Place::new();
    place.runner("forgejo-runner version v12.7.3");
    place.finds("backend here", "error", &["version 12.7.3", "12.8.2 or newer"]);
    for doubtful in ["v12.8.0", "v12.8.1"] {
        place.runner(&format!("forgejo-runner version {doubtful}"));
        place.finds("backend here", "warning", &["ends with 0", "12.8.2"]);
    }
    place.runner("forgejo-runner version dev");
    place.finds("backend here", "warning", &["names no version"]);
    place.runner("ls (coreutils) 99.1.1");
    place.finds("backend here", "error", &["names no forgejo-runner, but says: ls", "install Forgejo Runner"]);
    place.write("runner", "#!/nonexistent/interpreter\n", 0o700);
    place.finds("backend here", "error", &["could not run"]);
}

#[test]
fn jobs_that_run_as_the_daemon_are_warned_of_and_those_in_containers_are_not() {
    let place = Place::new();
    place.finds("backend here", "warning", &["pool debian", "can read the forge's token"]);
    let text = place.text("\"org:acme\"", "").replace("debian:host", "debian:docker://node:22");
    place.write("c.toml", &text, 0o600);
    let found = place.found();
    assert!(!found.has("backend here", "warning", &["forge's token"]), "{found:#?}");
}

#[test]
fn labels_with_docker_need_an_engine() {
    let place = Place::new();
    let text = place.text("\"org:acme\"", "").replace("debian:host", "debian:docker://node:22");
    let socket = place.folder.path().join("engine.sock");
    let text = format!("{text}environment = {{ DOCKER_HOST = \"unix://{}\" }}\n", socket.display());
    place.write("c.toml", &text, 0o600);
    place.finds("backend here", "error", &["needs Docker", "engine.sock"]);
}

#[test]
fn a_state_directory_may_be_used_by_a_daemon_and_must_be_writable() {
    let place = Place::new();
    let state = place.folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let lock = File::create(state.join("lock")).unwrap();
    assert!(place.found().has("state_directory", "ok", &["no daemon has it"]));
    lock.lock().unwrap();
    assert!(place.found().has("state_directory", "ok", &["a daemon runs with it"]));
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(place.found().has("state_directory", "warning", &["other users can change", "chmod go-w"]));
    place.write("file", "", 0o600);
    for (directory, words) in
        [("file/state", "/file is not a directory"), ("/proc/state", "/proc shows the kernel, and holds no files")]
    {
        let text = place.text("\"org:acme\"", "").replace("\"state\"", &format!("\"{directory}\""));
        place.write("c.toml", &text, 0o600);
        let found = place.found();
        assert!(found.has("state_directory", "error", &[words, "name a directory on a disk"]), "{found:#?}");
        assert_eq!(found.status, Some(2));
    }
}

/// Writes the report of the daemon of a deployment into the state directory.
fn reported(place: &Place, deployment: &str) {
    let file = ReportFile {
        version: VERSION,
        written_at_ms: 1,
        pid: 1,
        deployment: DeploymentId::new(deployment),
        repositories: Vec::new(),
        report: Report::default(),
    };
    file.write(&place.folder.path().join("state")).expect("a written report");
}

#[test]
fn a_state_directory_of_another_deployment_is_told() {
    let place = Place::new();
    let state = place.folder.path().join("state");
    let machine = state.join("machines/gone/fs-1");
    fs::create_dir_all(&machine).unwrap();
    reported(&place, "ci");
    let quiet = |place: &Place| !place.found().has("state_directory", "warning", &[]);
    assert!(quiet(&place), "it is ours");
    let record = |deployment: &str, id: i64| {
        format!(
            r#"{{"deployment":"{deployment}","name":"fs-1","tags":{{"pool":"debian","scope":{{"forge":"{}","scope":"org:acme"}},
            "handle":"h","attempt":1,"scope_id":{id}}},"stop_grace_ms":1,"created_ms":1}}"#,
            place.emulator.url().trim_end_matches('/')
        )
    };
    let write = |text: String| fs::write(machine.join("machine.json"), text).unwrap();
    write(record("ci-old", 4711));
    let found = place.found();
    assert!(found.has("state_directory", "warning", &["ci-old", "gc --deployment ci-old"]), "{found:#?}");
    assert!(!found.has("scope org:acme", "warning", &[]), "what another deployment's were made for is nothing to us");

    // Of ours it is told when the scope is another one than that which they were made for.
    write(record("ci", 4711));
    let found = place.found();
    assert!(found.has("scope org:acme", "warning", &["when it had id 4711", "have ended"]), "{found:#?}");
    let acme = place.emulator.with_forge(|forge, _| forge.owner_named("acme").expect("an organization").id.0);
    write(record("ci", acme));
    assert!(!place.found().has("scope org:acme", "warning", &[]) && quiet(&place));

    reported(&place, "ci-old");
    assert!(place.found().has("state_directory", "warning", &["ci-old"]));
    let lock = File::create(state.join("lock")).unwrap();
    lock.lock().unwrap();
    let found = place.found();
    assert!(found.has("state_directory", "error", &["is of another deployment: ci-old"]), "{found:#?}");
}

#[test]
fn a_runtime_directory_on_a_disk_or_open_to_others_is_warned_of() {
    let place = Place::new();
    fs::set_permissions(place.memory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    place.finds("runtime_directory", "warning", &["credentials of runners", "after its restart", "mode 0700"]);
    fs::set_permissions(place.memory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    // No disk: what the kernel shows of itself is no memory of ours either.
    let text = place.text("\"org:acme\"", "").replace(place.memory.path().to_str().unwrap(), "/proc");
    place.write("c.toml", &text, 0o600);
    let lost = "after its restart one that waits in vain is ended";
    place.finds("runtime_directory", "warning", &["not in memory", lost, "on a tmpfs", "RuntimeDirectory="]);
    let none = place.text("\"org:acme\"", "").replace("runtime_directory", "# runtime_directory");
    place.write("c.toml", &none, 0o600);
    if !rustix::process::geteuid().is_root() {
        place.finds("runtime_directory", "warning", &["there is none", lost, "on a tmpfs"]);
    }
}

#[test]
fn a_token_that_the_jobs_user_could_read_is_an_error() {
    let place = Place::new();
    // Numbers that nobody has; only root can run jobs as somebody else.
    let text = place.text("\"org:acme\"", "").replace("user = \"root\"", "user = \"4000000:4000000\"");
    if !rustix::process::geteuid().is_root() {
        let text = text.replace("kind = \"host\"", "kind = \"host\"\nuser = \"4000000:4000000\"");
        place.write("c.toml", &text, 0o600);
        assert_eq!(place.found().status, Some(2), "only root can switch users");
        return skip("only root can run jobs as another user");
    }
    place.write("c.toml", &text, 0o600);
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let runner = place.folder.path().join("runner");
    place.finds("backend here", "error", &["cannot run", "runner"]);
    fs::set_permissions(runner, fs::Permissions::from_mode(0o755)).unwrap();
    place.finds("backend here", "ok", &["run as 4000000", "cannot read the forge's tokens"]);
    let token = place.folder.path().join("token");
    fs::set_permissions(token, fs::Permissions::from_mode(0o644)).unwrap();
    place.finds("backend here", "error", &["who can read the token"]);
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    place.finds("backend here", "error", &["cannot pass through"]);
}

#[test]
fn the_runner_is_asked_for_its_version_as_the_user_of_the_jobs() {
    if !as_root() {
        return;
    }
    let place = Place::new();
    let text = place.text("\"org:acme\"", "").replace("user = \"root\"", "user = \"4000000:4000000\"");
    place.write("c.toml", &text, 0o600);
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    place.write("runner", "#!/bin/sh\necho \"forgejo-runner version v12.9.0, asked by $(id -u):$(id -g)\"\n", 0o755);
    place.finds("backend here", "ok", &["version 12.9.0"]);
    place.write("runner", "#!/bin/sh\necho \"asked by $(id -u):$(id -g)\"\n", 0o755);
    place.finds("backend here", "error", &["but says: asked by 4000000:4000000"]);
}
