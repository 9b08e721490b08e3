//! Measures what the project promises about time, calls and memory: `cargo xtask bench all`.
//!
//! ```text
//! stage: emulated forge (answer times of a real one) + configuration ─► daemon on a backend ─► figures ─► table
//! ```
//!
//! Truth comes from the forge's books, its count of requests and the kernel's account of a process, never from the
//! daemon's own records. What is measured for its memory is a process of its own.
//!
//! Deliberately absent: verdicts that fail a build. A figure depends on the machine and on what else runs on it.
#![forbid(unsafe_code)]

mod arguments;
mod calls;
mod containers;
mod document;
mod figure;
mod latency;
mod memory;
mod parsing;
mod pickup;
mod planning;
mod played;
mod process;
mod stage;
mod surroundings;

use std::io::{self, Write as _};

use anyhow::{Context as _, anyhow};
use clap::Parser as _;

use arguments::{Arguments, On, Subject};
use figure::Figure;

fn main() -> anyhow::Result<()> {
    let ring = rustls::crypto::ring::default_provider().install_default();
    ring.map_err(|_| anyhow!("something else has chosen a TLS provider"))?;
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start a runtime")?;
    let done = runtime.block_on(run(&arguments));
    runtime.shutdown_background();
    done
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.subject {
        Subject::ListOnce { url } => return parsing::list_once(url).await,
        Subject::DaemonOnly { config } => return memory::daemon_only(config).await,
        _ => {}
    }
    // Before anything is measured: the measurements are themselves a load.
    let surroundings = surroundings::sentence();
    let mut figures = Vec::new();
    for subject in arguments.subject.parts(std::env::var_os(containers::ENGINE).is_some()) {
        figures.extend(measure(&subject).await?);
    }
    let table = figure::table(&figures);
    io::stdout().lock().write_all(table.as_bytes())?;
    if let Some(path) = &arguments.write {
        document::write(path, &surroundings, &table)?;
    }
    Ok(())
}

async fn measure(subject: &Subject) -> anyhow::Result<Vec<Figure>> {
    match subject {
        Subject::Latency { jobs } => latency::measure(*jobs).await,
        Subject::Pickup { backend: On::Host } => pickup::measure().await,
        Subject::Pickup { backend: On::Docker } => containers::pickup().await,
        Subject::Burst { .. } => containers::burst().await,
        Subject::Groups { .. } => containers::groups().await,
        Subject::Calls => calls::measure().await,
        Subject::Memory => memory::measure().await,
        Subject::Parsing => parsing::measure().await,
        Subject::Planner => planning::measure().await,
        Subject::All | Subject::ListOnce { .. } | Subject::DaemonOnly { .. } => Ok(Vec::new()),
    }
}
