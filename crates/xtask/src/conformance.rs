//! `cargo xtask conformance`: tries a backend against the contract of backends.
//!
//! What is tried is a test of the backend's crate, so that the same happens in `cargo test`; this shows its table.

use std::process::Command;

use anyhow::Context as _;
use clap::ValueEnum;

use crate::tidy::root;

/// Whom to try.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Tried {
    /// Processes of this host
    Host,
    /// Containers of the engine at `FORGESCALE_TEST_DOCKER`, or of the usual one
    Docker,
    /// The same of Podman at `FORGESCALE_TEST_PODMAN`, or at its usual socket
    Podman,
    /// Machines that exist in memory alone
    Modelled,
}

impl Tried {
    /// The crate, and the test in it.
    fn test(self) -> (&'static str, &'static str) {
        match self {
            Self::Host => ("backend-host", "conformance::the_host_backend_conforms"),
            Self::Docker => ("backend-docker", "conformance::the_docker_backend_conforms"),
            Self::Podman => ("backend-docker", "conformance::the_docker_backend_conforms_on_podman"),
            Self::Modelled => ("backend-modelled", "conformance::the_modelled_backend_conforms"),
        }
    }
}

/// Prints its table; whether no row failed.
pub(crate) fn run(tried: Tried) -> anyhow::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let (package, test) = tried.test();
    // All of the crate's tests are built, since some need its examples; one is run.
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["test", "--quiet", "--package", package, "--", "--exact", test, "--nocapture"]);
    // Whoever asks for it is not told that all is well where nothing was tried.
    command.env("FORGESCALE_TEST_REQUIRED", "1");
    Ok(command.status().context("cannot run cargo")?.success())
}
