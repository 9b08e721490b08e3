//! What the runner gets, and that it is started once.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use backend::Backend as _;
use planner::error_class::{Acted, ErrorClass};
use planner::ids::{Handle, MachineName, Try};
use planner::seen::{Exit, MachineState};
use secrecy::SecretString;
use uuid::Uuid;

use crate::host::{Host, WAIT_FOR_GO, contains, files, launch, proc_file, processes, program};

#[tokio::test]
async fn a_launch_runs_in_a_clean_place_and_its_exit_code_is_seen() {
    let look = "ls -A | wc -l; pwd; ls /proc/self/fd | tr '\\n' ' '; echo; ls ../binding.json; env | sort";
    let script = format!("{look}\n{WAIT_FOR_GO}exit 7");
    let host = Host::with_runner(&script).changed(|settings| settings.environment.push(("EXTRA".into(), "e".into())));
    // As if the daemon's own parent had left something open.
    let _inherited = rustix::io::dup(std::io::stderr()).unwrap();
    host.create("fs-1").await.unwrap();
    let ready = host.seen("fs-1").await.unwrap();
    assert_eq!((ready.state, ready.binding), (MachineState::Ready, None));
    let environment = String::from_utf8(proc_file(host.supervisor("fs-1"), "environ")).unwrap();
    assert_eq!(environment, format!("FORGESCALE_MACHINE={}/fs-1\0", host.settings.deployment));
    host.start("fs-1").await.unwrap();
    let running = host.seen("fs-1").await.unwrap();
    assert_eq!((running.state, running.binding), (MachineState::Running, Some(launch().binding())));
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Code(7));

    let log = host.log("fs-1").await;
    let folder = host.folder("fs-1");
    assert_eq!(log[0], "0", "the working directory is empty");
    assert_eq!(PathBuf::from(&log[1]), folder.join("work"));
    assert_eq!(log[2].trim(), "0 1 2 3", "the standard ones, and the one that lists them");
    assert_eq!(log[3], "../binding.json", "the binding was there before the runner");
    let ours = ["PATH", "HOME", "TMPDIR", "LANG", "USER", "LOGNAME", "GO", "UP", "RUNS", "EXTRA", "FORGESCALE_MACHINE"];
    let shells = ["PWD", "OLDPWD", "SHLVL", "_"];
    let allowed: BTreeSet<&str> = ours.into_iter().chain(shells).collect();
    for line in &log[4..] {
        let (name, _) = line.split_once('=').unwrap();
        assert!(allowed.contains(name), "{line} came from outside");
    }
    for (name, place) in [("HOME", "home"), ("TMPDIR", "tmp")] {
        assert!(log.contains(&format!("{name}={}", folder.join(place).display())), "{name}");
    }
    assert!(log.contains(&"EXTRA=e".to_owned()));
    assert!(log.contains(&format!("FORGESCALE_MACHINE={}/fs-1", host.settings.deployment)));
    host.finish().await;
}

#[tokio::test]
async fn the_command_line_is_that_of_the_real_runner() {
    let host = Host::with_runner("for argument; do echo \"$argument\"; done; cat \"$2\"");
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    let config = host.folder("fs-1").join("config.yaml");
    let expected = [
        "-c",
        config.to_str().unwrap(),
        "one-job",
        "--url=http://127.0.0.1:9",
        "--uuid=d4637a60-7fea-4075-a81c-7e4ae01bdf0d",
        "--token-url=file:/dev/stdin",
        "--label=lab:host",
        "--label=deb:docker://node:22",
        "--handle=handle-1",
        "--wait",
        "--fetch-interval=2000ms",
        "cache:",
        "  enabled: false",
        "container:",
        &format!("  options: \"--label forgescale.machine={}/fs-1\"", host.settings.deployment),
    ];
    assert_eq!(host.log("fs-1").await, expected);
    host.finish().await;
}

#[tokio::test]
async fn the_token_arrives_exactly_and_is_nowhere_else() {
    let script = format!(
        "t=$(cat /dev/stdin; echo .)\n[ \"$t\" = \"$(cat \"$EXPECTED\").\" ] && echo exact\nunset t\ntouch \"$UP\"\n{WAIT_FOR_GO}"
    );
    let host = Host::with_runner(&script);
    let expected = host.scratch().join("EXPECTED");
    let pair = ("EXPECTED".to_owned(), expected.to_str().unwrap().to_owned());
    let host = host.changed(|settings| settings.environment.push(pair));
    let token = format!("{}{}", Uuid::new_v4().simple(), &Uuid::new_v4().simple().to_string()[..8]);
    assert_eq!(token.len(), 40);
    fs::write(&expected, &token).unwrap();
    let mut launch = launch();
    launch.token = SecretString::from(token.clone());

    host.create("fs-1").await.unwrap();
    host.backend.start(&MachineName::new("fs-1"), launch).await.unwrap();
    host.up().await;
    let nowhere_in_files = || {
        for file in files(&host.settings.directory) {
            assert!(!contains(&fs::read(&file).unwrap(), token.as_bytes()), "{}", file.display());
        }
    };
    nowhere_in_files();
    for id in processes() {
        for file in ["environ", "cmdline"] {
            assert!(!contains(&proc_file(id, file), token.as_bytes()), "/proc/{id}/{file}");
        }
    }
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    assert_eq!(host.log("fs-1").await, ["exact"]);
    nowhere_in_files();
    host.finish().await;
}

#[tokio::test]
async fn nobody_else_can_read_a_machine() {
    let host = Host::with_runner(&format!("echo hello\ntouch \"$UP\"\n{WAIT_FOR_GO}"));
    host.run("fs-1").await;
    host.up().await;
    let mode = |path: PathBuf| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = host.folder("fs-1");
    assert_eq!(mode(host.settings.directory.clone()), 0o700);
    for name in ["", "home", "work", "tmp"] {
        assert_eq!(mode(folder.join(name)), 0o700, "{name}");
    }
    for file in files(&folder) {
        assert_eq!(mode(file.clone()), 0o600, "{}", file.display());
    }
    host.go();
    host.finish().await;
}

#[tokio::test]
async fn the_same_launch_twice_runs_once_and_another_one_is_refused() {
    let host = Host::with_runner(&format!("echo run >> \"$RUNS\"\ntouch \"$UP\"\n{WAIT_FOR_GO}"));
    host.run("fs-1").await;
    host.start("fs-1").await.unwrap();
    let mut other = launch();
    other.attempt = Try(2);
    let refused = host.backend.start(&MachineName::new("fs-1"), other).await.unwrap_err();
    assert_eq!((refused.class, refused.acted), (ErrorClass::Permanent, Acted::No));
    host.up().await;
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    host.start("fs-1").await.unwrap();
    assert_eq!(fs::read_to_string(host.scratch().join("RUNS")).unwrap(), "run\n");
    host.finish().await;
}

#[tokio::test]
async fn a_missing_runner_is_permanent_and_ends_the_machine() {
    let host = Host::with_runner("").changed(|settings| settings.runner = program("/nonexistent/runner"));
    host.create("fs-1").await.unwrap();
    for _ in 0..2 {
        let error = host.start("fs-1").await.unwrap_err();
        assert_eq!((error.class, error.acted), (ErrorClass::Permanent, Acted::No));
        assert!(
            error.failure().message.contains("could not run /nonexistent/runner: No such file"),
            "{:?}",
            error.failure()
        );
    }
    assert_eq!(host.ended("fs-1").await, Exit::NeverStarted);
    assert_eq!(host.seen("fs-1").await.unwrap().binding, None);
    host.finish().await;
}

#[tokio::test]
async fn a_launch_without_a_handle_or_beyond_the_limit_is_refused_and_spoils_nothing() {
    let host = Host::with_runner("exit 0");
    host.create("fs-1").await.unwrap();
    let name = MachineName::new("fs-1");
    let mut any_job = launch();
    any_job.handle = Handle::new("");
    let mut too_large = launch();
    too_large.labels = vec!["x".repeat(70_000)];
    for bad in [any_job, too_large] {
        let error = host.backend.start(&name, bad).await.unwrap_err();
        assert_eq!((error.class, error.acted), (ErrorClass::Permanent, Acted::No));
    }
    assert_eq!(host.state("fs-1").await, Some(MachineState::Ready));
    host.start("fs-1").await.unwrap();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    host.finish().await;
}

#[tokio::test]
async fn an_unknown_machine_cannot_be_started_and_has_no_log() {
    let host = Host::with_runner("");
    for name in ["fs-1", "../fs-1"] {
        let error = host.start(name).await.unwrap_err();
        assert_eq!((error.class, error.acted), (ErrorClass::NotFound, Acted::No));
        let error = host.backend.logs(&MachineName::new(name)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::NotFound);
    }
    host.finish().await;
}

#[tokio::test]
async fn thirty_machines_at_once_all_end_and_go() {
    let host = Host::with_runner("echo run >> \"$RUNS\"\nexit 3");
    let names: Vec<String> = (0..30).map(|number| format!("fs-{number}")).collect();
    let runs: Vec<_> = names
        .iter()
        .map(|name| {
            let (backend, name) = (host.backend.clone(), name.clone());
            tokio::spawn(async move {
                backend.create(crate::host::request(&name, Duration::from_secs(30))).await.unwrap();
                backend.start(&MachineName::new(name), launch()).await.unwrap();
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
    let supervisors: Vec<i32> = names.iter().map(|name| host.supervisor(name)).collect();
    for name in &names {
        assert_eq!(host.ended(name).await, Exit::Code(3));
    }
    assert_eq!(fs::read_to_string(host.scratch().join("RUNS")).unwrap().lines().count(), 30);
    crate::host::until("no supervisor is a zombie", async || {
        supervisors.iter().all(|id| !PathBuf::from(format!("/proc/{id}")).exists())
    })
    .await;
    host.finish().await;
}
