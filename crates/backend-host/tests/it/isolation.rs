//! Who a job runs as, and what it can reach. Another user needs root: without, these tests are skipped.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use backend::Backend as _;
use backend_host::{HostBackend, HostError, RunAs, User};
use planner::error_class::{Acted, ErrorClass};
use planner::ids::MachineName;
use planner::seen::{Exit, MachineState};
use secrecy::{ExposeSecret as _, SecretString};

use crate::host::{Host, WAIT_FOR_GO, is_alive, kill, launch, until};
use crate::root::as_root;

/// Users of no database, so that nothing else on this host runs as them. Each test has its own, in each process that runs
/// them: what is left of another run is in nobody's way. `first` is below 200.
pub(crate) fn users(first: u32) -> [User; 2] {
    let own = 1_000_000_000 + std::process::id() * 200;
    [0, 1].map(|next| User::look_up(&format!("{0}:{0}", own + first + next)).unwrap())
}

/// A host whose scratch place other users can pass through, and whose flags they can make.
pub(crate) fn host(script: &str, run_as: RunAs) -> Host {
    let host = Host::with_runner(script);
    fs::set_permissions(host.scratch(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(host.scratch().join("runner"), fs::Permissions::from_mode(0o644)).unwrap();
    host.changed(|settings| settings.run_as = run_as)
}

#[tokio::test]
async fn a_job_runs_as_its_user_in_folders_of_its_own() {
    if !as_root() {
        return;
    }
    let [mut user, _] = users(0);
    user.groups = vec![3_700_090, 3_700_091];
    let script = "t=$(cat /dev/stdin); echo \"${#t} $USER $LOGNAME\"\ngrep -E '^(Uid|Gid|Groups):' /proc/self/status\n\
        touch \"$HOME/a\" \"$TMPDIR/b\" c && cat \"$2\" > /dev/null && echo mine > /dev/stderr\n\
        kill -0 $PPID 2> /dev/null || echo supervisor is out of reach\nexit 4";
    let host = host(script, RunAs::One(user.clone()));
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(4));
    let log: Vec<String> =
        host.log("fs-1").await.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let id = user.uid;
    let expected = [
        format!("40 {id} {id}"),
        format!("Uid: {id} {id} {id} {id}"),
        format!("Gid: {id} {id} {id} {id}"),
        "Groups: 3700090 3700091".to_owned(),
        "mine".to_owned(),
        "supervisor is out of reach".to_owned(),
    ];
    assert_eq!(log, expected);
    for (name, owner, mode) in [
        ("", 0, 0o711),
        ("home", id, 0o700),
        ("work", id, 0o700),
        ("tmp", id, 0o700),
        ("config.yaml", id, 0o600),
        ("machine.json", 0, 0o600),
        ("runner.log", 0, 0o600),
    ] {
        let metadata = fs::metadata(host.folder("fs-1").join(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o777), (owner, mode), "{name}");
    }
    host.finish().await;
}

#[tokio::test]
async fn a_job_reads_neither_the_daemons_secrets_nor_the_machine_of_another_user() {
    if !as_root() {
        return;
    }
    // Each looks at the machine of the other, at the token and at what the daemon has in memory, and lists what it got.
    let script = format!(
        "echo own > \"$HOME/secret\"; touch \"$UP.$USER\"\n{WAIT_FOR_GO}\
         for file in \"$MACHINES\"/fs-*/home/secret \"$MACHINES\"/fs-1/home/secret \"$MACHINES\"/fs-2/home/secret \
             \"$MACHINES\"/fs-[12]/*.json \"$MACHINES\"/fs-1/machine.json \"$MACHINES\"/fs-2/binding.json \"$TOKEN\" \
             /proc/$PPID/environ /proc/$PPID/mem /proc/\"$DAEMON\"/environ; do\n\
         cat \"$file\" > /dev/null 2>&1 && echo \"read $file\"\ndone\n\
         cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep '^FORGESCALE_MACHINE=' | sort -u\n\
         ls \"$MACHINES\" 2> /dev/null\nexit 0"
    );
    let host = host(&script, RunAs::OnePerMachine(users(10).to_vec()));
    let token = host.scratch().join("token");
    fs::write(&token, "secret").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let pairs = [
        ("MACHINES".to_owned(), text(&host.settings.directory)),
        ("TOKEN".to_owned(), text(&token)),
        ("DAEMON".to_owned(), std::process::id().to_string()),
    ];
    let host = host.changed(|settings| settings.environment.extend(pairs));
    host.run("fs-1").await;
    host.run("fs-2").await;
    for user in users(10) {
        let up = host.scratch().join(format!("UP.{}", user.name));
        until("both are up", async || up.exists()).await;
    }
    host.go();
    for name in ["fs-1", "fs-2"] {
        assert_eq!(host.ended(name).await, Exit::Code(0));
        let own = format!("read {}/{name}/home/secret", host.settings.directory.display());
        let marker = format!("FORGESCALE_MACHINE={}/{name}", host.settings.deployment);
        assert_eq!(host.log(name).await, [own, marker], "{name}");
    }
    host.finish().await;
}

#[tokio::test]
async fn a_runner_inherits_nothing_of_what_its_supervisor_holds() {
    if !as_root() {
        return;
    }
    // The supervisor of a machine with a user of its own holds the claim on that user.
    let host = host("ls /proc/self/fd | tr '\\n' ' '", RunAs::OnePerMachine(users(130).to_vec()));
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    assert_eq!(host.log("fs-1").await, ["0 1 2 3 "], "the standard ones, and the one that lists them");
    host.finish().await;
}

#[tokio::test]
async fn a_user_has_one_machine_at_a_time() {
    if !as_root() {
        return;
    }
    let users = users(20);
    let host = host("exit 0", RunAs::OnePerMachine(users.to_vec()));
    let names = ["fs-1", "fs-2", "fs-3"];
    let creates = names.map(|name| {
        let backend = host.backend.clone();
        tokio::spawn(async move { backend.create(crate::host::request(name, std::time::Duration::ZERO)).await })
    });
    let mut refused = Vec::new();
    for (name, create) in names.into_iter().zip(creates) {
        if let Err(error) = create.await.unwrap() {
            assert_eq!((error.class, error.acted), (ErrorClass::Capacity, Acted::No));
            refused.push(name);
        }
    }
    let [late] = refused[..] else { panic!("{refused:?}") };
    let made: Vec<&str> = names.into_iter().filter(|name| *name != late).collect();
    let given: BTreeSet<u64> =
        made.iter().map(|name| host.record(name, "machine.json")["user"]["uid"].as_u64().unwrap()).collect();
    assert_eq!(given, users.iter().map(|user| u64::from(user.uid)).collect());
    until("the first is gone", async || host.destroy(made[0]).await == backend::Destroyed::Gone).await;
    host.create(late).await.unwrap();
    host.finish().await;
}

#[tokio::test]
async fn what_hides_from_everything_else_is_found_by_its_user() {
    if !as_root() {
        return;
    }
    let script = "setsid env -i sh -c 'echo $$ > \"$0\"; exec sleep 3600' \"$RUNS\" &\n\
        while [ ! -s \"$RUNS\" ]; do sleep 0.02; done; echo $$ > \"$UP.new\"; mv \"$UP.new\" \"$UP\"; exec sleep 3600";
    let host = host(script, RunAs::OnePerMachine(users(30).to_vec()));
    host.run("fs-1").await;
    host.up().await;
    let stray: i32 = fs::read_to_string(host.scratch().join("RUNS")).unwrap().trim().parse().unwrap();
    let runner: i32 = fs::read_to_string(host.scratch().join("UP")).unwrap().trim().parse().unwrap();
    let group = forget_group(&host, "fs-1");
    kill(host.supervisor("fs-1"), "KILL");
    until("the runner of another user dies with its supervisor too", async || !is_alive(runner)).await;
    until("the machine is an orphan", async || host.state("fs-1").await == Some(MachineState::Orphaned)).await;
    for _ in 0..3 {
        assert_eq!(host.state("fs-1").await, Some(MachineState::Orphaned));
    }
    assert!(is_alive(stray));
    until("it is gone", async || host.destroy("fs-1").await == backend::Destroyed::Gone).await;
    assert!(!is_alive(stray));
    remove_groups(group);
    host.finish().await;
}

#[tokio::test]
async fn a_folder_on_the_way_that_keeps_the_user_out_is_named() {
    if !as_root() {
        return;
    }
    let [user, _] = users(40);
    let host = host("exit 0", RunAs::One(user.clone()));
    fs::set_permissions(host.scratch(), fs::Permissions::from_mode(0o700)).unwrap();
    let error = HostBackend::new(host.settings.clone()).unwrap_err();
    let HostError::Unreachable { user: who, path } = error else { panic!("{error:?}") };
    assert_eq!((who, path), (user.name, host.scratch().to_owned()));
    host.finish().await;
}

#[tokio::test]
async fn the_token_of_a_users_runner_comes_by_a_pipe_that_it_may_open() {
    if !as_root() {
        return;
    }
    let [user, _] = users(50);
    let host = host("cat /dev/stdin > got", RunAs::One(user));
    let mut launch = launch();
    launch.token = SecretString::from("exactly these bytes");
    host.create("fs-1").await.unwrap();
    host.backend.start(&MachineName::new("fs-1"), launch.clone()).await.unwrap();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    let got = fs::read_to_string(host.folder("fs-1").join("work/got")).unwrap();
    assert_eq!(got, launch.token.expose_secret());
    host.finish().await;
}

/// A script whose stray only its user gives away, and the ids of stray and runner once both are there.
const HIDING: &str = "setsid env -i sh -c 'echo $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 3600' \"$RUNS.$USER\" &\n\
    while [ ! -s \"$RUNS.$USER\" ]; do sleep 0.02; done; touch \"$UP\"; exec sleep 3600";

/// The stray of the machine of a user.
async fn stray(host: &Host, user: &User) -> i32 {
    host.up().await;
    fs::read_to_string(host.scratch().join(format!("RUNS.{}", user.name))).unwrap().trim().parse().unwrap()
}

/// Takes the group out of a machine's record, so that it is as on a host without control groups.
fn forget_group(host: &Host, name: &str) -> Option<PathBuf> {
    let mut record = host.record(name, "machine.json");
    let group = record["control_group"].take();
    fs::write(host.folder(name).join("machine.json"), record.to_string()).unwrap();
    group.as_str().map(PathBuf::from)
}

/// Removes groups that no record names any more.
fn remove_groups(groups: impl IntoIterator<Item = PathBuf>) {
    for group in groups {
        fs::remove_dir(&group).unwrap();
        let _ = fs::remove_dir(group.parent().unwrap());
    }
}

#[tokio::test]
async fn no_user_is_given_out_and_none_is_killed_while_a_record_cannot_be_read() {
    if !as_root() {
        return;
    }
    let [user, _] = users(60);
    let host = host(HIDING, RunAs::OnePerMachine(vec![user.clone()]));
    host.run("fs-1").await;
    let stray = stray(&host, &user).await;
    let groups = forget_group(&host, "fs-1");
    let unreadable = host.folder("fs-0");
    fs::create_dir(&unreadable).unwrap();
    fs::write(unreadable.join("machine.json"), "{").unwrap();
    let refused = host.create("fs-2").await.unwrap_err();
    assert_eq!((refused.class, refused.acted), (ErrorClass::Transient, Acted::No));
    assert!(refused.failure().message.contains(&unreadable.display().to_string()), "{:?}", refused.failure());

    kill(host.supervisor("fs-1"), "KILL");
    until("it is gone", async || host.destroy("fs-1").await == backend::Destroyed::Gone).await;
    assert!(is_alive(stray), "it may belong to the machine that nothing is known of");
    fs::remove_dir_all(&unreadable).unwrap();
    let refused = host.create("fs-2").await.unwrap_err();
    assert_eq!((refused.class, refused.acted), (ErrorClass::Capacity, Acted::No), "the next job would meet it");
    kill(stray, "KILL");
    until("it is dead", async || !is_alive(stray)).await;
    host.create("fs-2").await.unwrap();
    remove_groups(groups);
    host.finish().await;
}

#[tokio::test]
async fn nobody_is_killed_by_a_user_that_two_machines_share() {
    if !as_root() {
        return;
    }
    let [user, _] = users(70);
    let host = host(HIDING, RunAs::OnePerMachine(vec![user.clone()]));
    host.run("fs-1").await;
    let earlier = stray(&host, &user).await;
    for flag in ["UP".to_owned(), format!("RUNS.{}", user.name)] {
        fs::remove_file(host.scratch().join(flag)).unwrap();
    }
    // The operator has given all jobs one user meanwhile, which is the same one.
    let host = host.changed(|settings| settings.run_as = RunAs::One(user.clone()));
    host.run("fs-2").await;
    let other = stray(&host, &user).await;
    let groups = ["fs-1", "fs-2"].map(|name| forget_group(&host, name));
    kill(host.supervisor("fs-1"), "KILL");
    until("the first is gone", async || host.destroy("fs-1").await == backend::Destroyed::Gone).await;
    assert_eq!(host.state("fs-2").await, Some(MachineState::Running));
    assert!(is_alive(other) && is_alive(earlier));
    for process in [earlier, other] {
        kill(process, "KILL");
        until("it is dead", async || !is_alive(process)).await;
    }
    until("the second is gone", async || host.destroy("fs-2").await == backend::Destroyed::Gone).await;
    remove_groups(groups.into_iter().flatten());
    host.finish().await;
}

#[tokio::test]
async fn two_deployments_with_the_same_users_do_not_share_one() {
    if !as_root() {
        return;
    }
    let [user, other] = users(120);
    // Before it has a runner, nothing but the claim tells that a machine has this user.
    let one = host("exit 0", RunAs::OnePerMachine(vec![user.clone()]));
    one.create("fs-1").await.unwrap();
    let two = host(HIDING, RunAs::OnePerMachine(vec![user.clone()]));
    let refused = two.create("fs-1").await.unwrap_err();
    assert_eq!((refused.class, refused.acted), (ErrorClass::Capacity, Acted::No));
    let two = two.changed(|settings| settings.run_as = RunAs::OnePerMachine(vec![user.clone(), other.clone()]));
    two.create("fs-1").await.unwrap();
    assert_eq!(two.record("fs-1", "machine.json")["user"]["uid"].as_u64(), Some(u64::from(other.uid)));
    until("its supervisor has gone", async || {
        // A signal to one that has ended is an error of `kill`, so look first.
        let supervisor = one.supervisor("fs-1");
        if is_alive(supervisor) {
            kill(supervisor, "KILL");
        }
        one.state("fs-1").await != Some(MachineState::Ready)
    })
    .await;
    // The first machine has ended, and its user is given out again before it is cleaned up.
    two.run("fs-2").await;
    let stray = stray(&two, &user).await;
    assert_eq!(one.ended("fs-1").await, Exit::NeverStarted);
    until("it is gone", async || one.destroy("fs-1").await == backend::Destroyed::Gone).await;
    assert!(is_alive(stray), "it is of the other deployment's machine");
    for host in [one, two] {
        host.finish().await;
    }
}
