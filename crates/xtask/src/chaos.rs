//! `cargo xtask chaos`: kills the real daemon at random moments under load.
//!
//! What happens is a test of the binary, ignored for its length: emulated forge, real machines, the stand-in runner.

use std::process::Command;

use anyhow::Context as _;
use clap::ValueEnum;

use crate::tidy::root;

/// Which machines the jobs get.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Machines {
    /// Processes of this host
    Host,
    /// Containers of the engine at `FORGESCALE_TEST_DOCKER`, or of the usual one; judged from its own events
    Docker,
}

impl Machines {
    fn test(self) -> &'static str {
        match self {
            Self::Host => "e2e::kills::chaos",
            Self::Docker => "e2e::containers::kills::chaos",
        }
    }

    /// How often the daemon is killed unless somebody says otherwise. Containers take their time.
    fn usual_kills(self) -> u16 {
        match self {
            Self::Host => 200,
            Self::Docker => 20,
        }
    }
}

/// Runs it with so many kills; whether no job was lost or run twice and nothing was left.
pub(crate) fn run(machines: Machines, kills: Option<u16>, seed: Option<u64>) -> anyhow::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut test = Command::new(cargo);
    test.current_dir(root())
        .args(["test", "--quiet", "--package", "cli", "--test", "it", "--"])
        .args(["--exact", machines.test(), "--ignored", "--nocapture"])
        .env("FORGESCALE_TEST_KILLS", kills.unwrap_or(machines.usual_kills()).to_string())
        // Whoever asks for it is not told that all is well where nothing was tried.
        .env("FORGESCALE_TEST_REQUIRED", "1");
    if let Some(seed) = seed {
        test.env("FORGESCALE_TEST_SEED", seed.to_string());
    }
    Ok(test.status().context("cannot run cargo")?.success())
}
