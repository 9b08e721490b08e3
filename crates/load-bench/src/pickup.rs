//! From a listed job to a running one on the host backend, beside spawning the same runner by hand.
//!
//! Both ways end at the same moment of the forge's books: the last of the jobs was handed out. The daemon's way begins when
//! the list that shows the jobs is asked for; by hand it begins before the first spawn, with registrations at hand. Rounds
//! of both alternate, so that a machine whose speed drifts slows both.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use backend_host::Program;
use daemon::{Daemon, Options};
use forge_model::{Handle, Moment, Status};
use forgejo::{Client, ClientSettings, Limits, Registration, Scope};
use secrecy::ExposeSecret as _;
use tokio::process::{Child, Command};

use crate::figure::{Figure, milliseconds, percentile};
use crate::stage::{GLANCE, LABEL, Machines, ORGANIZATION, Setting, Stage, wait_until};

/// Names the real runner to measure with; without it, it is the stand-in.
pub(crate) const RUNNER: &str = "FORGESCALE_BENCH_RUNNER";

/// Short, since the wait for a poll does not count here.
const INTERVAL: Duration = Duration::from_millis(500);

/// The default of `parallel_creates`.
const PARALLEL_CREATES: usize = 4;

/// Jobs at once.
const LOADS: [usize; 2] = [1, 8];

/// Rounds of each way and load.
const ROUNDS: usize = 7;

/// Longer than any measurement takes.
const LONGEST: Duration = Duration::from_mins(10);

/// A label that no pool has: these jobs are for the runners that are spawned by hand.
const BY_HAND: &str = "by-hand";

/// Both ways, and how they compare.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let program = forgescale()?;
    let (runner, name) = match std::env::var(RUNNER) {
        Ok(runner) => (vec![runner], "forgejo-runner"),
        Err(_) => (vec![program.display().to_string(), "stand-in-runner".to_owned()], "stand-in"),
    };
    let scopes = &[ORGANIZATION];
    let setting = Setting {
        scopes,
        interval: INTERVAL,
        machines: Machines::Processes { runner: &runner, parallel_creates: PARALLEL_CREATES },
    };
    let stage = Stage::build(setting).await?;
    let supervisor = Program { path: program, arguments: vec!["supervise".to_owned()] };
    let daemon = Daemon::start(&stage.config()?, &Options { supervisor, once: false, file: None })?;
    stage.next_poll().await?;
    let mut figures = Vec::new();
    for jobs in LOADS {
        let mut launched = Vec::new();
        let mut spawned = Vec::new();
        for round in 0..=ROUNDS {
            let (ours, by_hand) = (launch(&stage, jobs).await?, spawn(&stage, &runner, jobs).await?);
            // The first round warms up.
            if round > 0 {
                launched.push(ours);
                spawned.push(by_hand);
            }
        }
        figures.extend(compare(jobs, name, launched, spawned));
    }
    daemon.control().drain();
    daemon.ended().await;
    Ok(figures)
}

fn compare(jobs: usize, name: &str, mut launched: Vec<Duration>, mut spawned: Vec<Duration>) -> Vec<Figure> {
    let mut ratios: Vec<f64> =
        launched.iter().zip(&spawned).map(|(ours, by_hand)| ours.as_secs_f64() / by_hand.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    launched.sort_unstable();
    spawned.sort_unstable();
    let what = format!("listed → running, {jobs} at once, {name}, host backend");
    let measured = format!(
        "{:.1} times by hand ({:.1} to {:.1}; {} beside {})",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        milliseconds(percentile(&launched, 50)),
        milliseconds(percentile(&spawned, 50)),
    );
    vec![Figure::plain(what, measured)]
}

/// The program, built beside this one.
pub(crate) fn forgescale() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("forgescale");
    fs::metadata(&program).with_context(|| format!("there is no {}: build it first", program.display()))?;
    Ok(program)
}

/// The daemon's way.
async fn launch(stage: &Stage, jobs: usize) -> anyhow::Result<Duration> {
    let handles = stage.push(jobs, LABEL)?;
    stage.next_poll().await?;
    let begun = stage.emulator.clock().now();
    let running = all_running(stage, &handles).await?;
    // The next round begins on an empty machine, with nothing left to clear away.
    let machines = stage.config()?.state_directory.join("machines/here");
    let is_empty = || fs::read_dir(&machines).is_ok_and(|mut entries| entries.next().is_none());
    wait_until("the end of all machines", is_empty).await?;
    Ok(running.since(begun))
}

/// By hand: registered before, spawned all at once.
async fn spawn(stage: &Stage, runner: &[String], jobs: usize) -> anyhow::Result<Duration> {
    let settings = ClientSettings {
        url: stage.emulator.url(),
        token: stage.token.clone().into(),
        ca_pem: None,
        user_agent: "forgescale-bench".to_owned(),
        call_deadline: Duration::from_secs(10),
        limits: Limits::default(),
    };
    let client = Client::new(&settings)?;
    let scope = Scope::Organization("acme".to_owned());
    let handles = stage.push(jobs, BY_HAND)?;
    let mut prepared = Vec::new();
    for (number, handle) in handles.iter().enumerate() {
        let registration = client.register(&scope, "by-hand", "").await?;
        let secret = stage.secrets().join(format!("by-hand-{number}"));
        fs::write(&secret, registration.token.expose_secret())?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
        prepared.push(command(stage, runner, handle, &registration, &secret));
    }
    let begun = stage.emulator.clock().now();
    let mut children: Vec<Child> = prepared.iter_mut().map(Command::spawn).collect::<Result<_, _>>()?;
    let running = all_running(stage, &handles).await?;
    for child in &mut children {
        child.wait().await?;
    }
    Ok(running.since(begun))
}

fn command(
    stage: &Stage,
    runner: &[String],
    handle: &Handle,
    registration: &Registration,
    secret: &std::path::Path,
) -> Command {
    let mut command = Command::new(&runner[0]);
    command
        .args(&runner[1..])
        .args(["one-job", "--url", &stage.emulator.url(), "--uuid", &registration.uuid])
        .args(["--token-url", &format!("file:{}", secret.display()), "--label", &format!("{BY_HAND}:host")])
        .args(["--handle", handle.as_str(), "--wait"])
        .current_dir(stage.secrets())
        .env("HOME", stage.secrets())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// When the last of the jobs was handed out.
pub(crate) async fn all_running(stage: &Stage, handles: &[Handle]) -> anyhow::Result<Moment> {
    let mut last = None;
    let look = || {
        last = stage.emulator.with_forge(|forge, _| {
            let started = handles.iter().map(|handle| forge.books().attempt(handle)?.started_at);
            started.collect::<Option<Vec<Moment>>>()?.into_iter().max()
        });
        last.is_some()
    };
    wait_until("the jobs to run", look).await?;
    last.context("no job was pushed")
}

/// When the last of the jobs ended, however long that takes; all have to end well.
pub(crate) async fn all_ended(stage: &Stage, handles: &[Handle]) -> anyhow::Result<Moment> {
    let mut last = None;
    let begun = Instant::now();
    while last.is_none() && begun.elapsed() < LONGEST {
        tokio::time::sleep(GLANCE).await;
        last = stage.emulator.with_forge(|forge, _| {
            let ended = handles.iter().map(|handle| forge.books().attempt(handle)?.ended_at);
            ended.collect::<Option<Vec<Moment>>>()?.into_iter().max()
        });
    }
    let is_well = |handle: &Handle| {
        stage.emulator.with_forge(|forge, _| {
            forge.books().attempt(handle).is_some_and(|attempt| attempt.status == Status::Success)
        })
    };
    let well = handles.iter().filter(|handle| is_well(handle)).count();
    ensure!(well == handles.len(), "{well} of {} jobs ended well", handles.len());
    last.context("no job was pushed")
}
