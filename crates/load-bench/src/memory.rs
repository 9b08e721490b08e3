//! Resident memory of a daemon with very many active assignments: a process of its own, with modelled machines.
//!
//! ```text
//! this process: emulated forge, plays runners ◄─lines─ child: the daemon, tells of each start on its standard output
//! ```

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use backend_modelled::ModelledBackend;
use daemon::Daemon;
use daemon::config::{Config, Surroundings};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::figure::Figure;
use crate::played::Played;
use crate::process::{Memory, mebibytes};
use crate::stage::{LABEL, Machines, ORGANIZATION, Setting, Stage, no_runner};

/// Active assignments.
const JOBS: usize = 1000;

/// The default of `interval`.
const INTERVAL: Duration = Duration::from_secs(3);

/// How many polls show all jobs running before the memory is read.
const POLLS: usize = 3;

/// The goal, in KiB.
const GOAL: u64 = 40 << 10;

/// Memory of the daemon with all jobs running.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let runner = no_runner();
    let scopes = &[ORGANIZATION];
    let stage = Stage::build(Setting {
        scopes,
        interval: INTERVAL,
        machines: Machines::Processes { runner: &runner, parallel_creates: 64 },
    })
    .await?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("daemon-only")
        .arg(&stage.config_file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let process = child.id().context("the daemon has ended already")?.to_string();
    let mut lines = BufReader::new(child.stdout.take().context("no pipe")?).lines();
    stage.next_poll().await?;
    let idle = Memory::of(&process)?;
    stage.push(JOBS, LABEL)?;
    for _ in 0..JOBS {
        let line = lines.next_line().await?.context("the daemon has ended")?;
        Played::parse(&line).context("no line of a launch")?.take_job(&stage.emulator)?;
    }
    for _ in 0..POLLS {
        stage.next_poll().await?;
    }
    let memory = Memory::of(&process)?;
    child.kill().await?;
    Ok(vec![
        Figure::plain("daemon without jobs: resident memory", mebibytes(idle.resident)),
        Figure::with_goal(
            format!("daemon with {JOBS} active assignments: resident memory"),
            format!("{} (peak {})", mebibytes(memory.resident), mebibytes(memory.peak)),
            format!("≤ {}", mebibytes(GOAL)),
            memory.resident <= GOAL,
        ),
    ])
}

/// The child: a daemon until it is killed.
pub(crate) async fn daemon_only(config: &Path) -> anyhow::Result<()> {
    let config = Config::load(config, &Surroundings::of_process())?;
    let backend = ModelledBackend::new(|machine, launch| {
        let played = Played::of(machine, launch);
        // Whoever reads it has gone: then this process is about to be killed.
        let _ = writeln!(std::io::stdout().lock(), "{}", played.line());
    });
    Daemon::start_modelled(&config, &backend)?.ended().await;
    Ok(())
}
