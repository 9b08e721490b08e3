//! `cargo xtask chaos`: kills the real daemon at random moments under load.
//!
//! What happens is a test of the binary, ignored for its length: emulated forge, real machines, the stand-in runner.

use std::process::Command;

use anyhow::Context as _;

use crate::tidy::root;

/// Runs it with so many kills; whether no job was lost or run twice and nothing was left.
pub(crate) fn run(kills: u16, seed: Option<u64>) -> anyhow::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut test = Command::new(cargo);
    test.current_dir(root())
        .args(["test", "--quiet", "--package", "cli", "--test", "it", "--"])
        .args(["--exact", "e2e::kills::chaos", "--ignored", "--nocapture"])
        .env("FORGESCALE_TEST_KILLS", kills.to_string());
    if let Some(seed) = seed {
        test.env("FORGESCALE_TEST_SEED", seed.to_string());
    }
    Ok(test.status().context("cannot run cargo")?.success())
}
