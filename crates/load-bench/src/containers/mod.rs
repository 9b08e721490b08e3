//! Machines that are containers of a real engine, beside what `docker run` takes by itself.
//!
//! ```text
//! emulated forge, at the engine's gateway ◄── runners in containers ◄── daemon ──► engine ◄── docker run, for comparison
//! ```
//!
//! The runner in the containers is the stand-in, or that of `FORGESCALE_BENCH_RUNNER`. Containers are counted by the engine's
//! own events.

mod burst;
mod engine;
mod groups;
mod pickup;

use std::path::PathBuf;
use std::time::Duration;

use backend_host::Program;
use daemon::{Daemon, Options};

pub(crate) use burst::measure as burst;
pub(crate) use engine::ENGINE;
pub(crate) use groups::measure as groups;
pub(crate) use pickup::measure as pickup;

use crate::pickup::{RUNNER, forgescale};
use crate::stage::{DEPLOYMENT, Machines, ORGANIZATION, Setting, Stage, wait_until};
use engine::{Engine, EngineEvent, IMAGE, Listening};

/// A stage with a daemon that makes containers.
struct Ground {
    engine: Engine,
    stage: Stage,
    daemon: Daemon,
    /// Since before the daemon's start.
    listening: Listening,
    /// What runs the jobs, for people.
    runner: &'static str,
}

impl Ground {
    /// One pool with these limits, on a forge that is asked at this interval.
    async fn new(interval: Duration, pool: &str) -> anyhow::Result<Self> {
        let program = forgescale()?;
        let (runner, name) = match std::env::var(RUNNER) {
            Ok(runner) => (vec![runner], "forgejo-runner"),
            Err(_) => (vec![program.display().to_string(), "stand-in-runner".to_owned()], "stand-in"),
        };
        let engine = Engine::with_image(&PathBuf::from(&runner[0])).await?;
        let forge = engine.gateway.parse()?;
        let machines = Machines::Containers { engine: &engine.address, image: IMAGE, runner: &runner, pool, forge };
        let stage = Stage::build(Setting { scopes: &[ORGANIZATION], interval, machines }).await?;
        let supervisor = Program { path: program, arguments: vec!["supervise".to_owned()] };
        let listening = engine.listen(DEPLOYMENT)?;
        let daemon = Daemon::start(&stage.config()?, &Options { supervisor, once: false, file: None })?;
        stage.next_poll().await?;
        Ok(Self { engine, stage, daemon, listening, runner: name })
    }

    /// Waits until a number of machines is ready without a job, and there is no other one.
    async fn ready(&self, count: u32) -> anyhow::Result<()> {
        let reports = self.daemon.reports();
        let is_ready = || {
            let report = reports.borrow();
            let used: u32 = report.pools.iter().map(|pool| pool.used).sum();
            let ready: u32 = report.pools.iter().map(|pool| pool.warm_ready).sum();
            (used, ready) == (count, count)
        };
        wait_until("the machines without a job", is_ready).await
    }

    /// Ends the daemon when nothing of it is left: all that happened to its machines.
    async fn end(self) -> anyhow::Result<Vec<EngineEvent>> {
        self.daemon.control().drain();
        self.daemon.ended().await;
        let left = self.engine.containers(DEPLOYMENT).await?;
        anyhow::ensure!(left == 0, "{left} containers are left");
        self.listening.until_all_are_gone().await
    }
}
