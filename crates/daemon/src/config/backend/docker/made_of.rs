//! A fingerprint of all that a waiting container is made from: where it is another one, those that wait are outdated.

use std::fmt::Write as _;

use backend_docker::file_identity;
use sha2::{Digest as _, Sha256};

use super::DockerSettings;

/// Enough that no two configurations of one pool meet in it; it stands in a label of each container.
const BYTES: usize = 6;

impl DockerSettings {
    /// The fingerprint, in hexadecimal. Blocks for a look at the runner's file.
    ///
    /// The containers of another version of this program may wait for their launch in another way, so the version is in it. The
    /// image that a label names is not: the planner compares that by itself.
    pub(in crate::config) fn made_of(&self) -> String {
        // All are named: whoever adds a setting says here whether it shapes a container.
        let Self {
            // Where and when they are made.
            address: _,
            pull: _,
            registry_auth_file: _,
            disk_free: _,
            prune_images: _,
            image,
            network,
            runner,
            runner_arguments,
            mode,
            limits,
            hardening,
            runtime,
            environment,
        } = self;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{}\n{image:?}\n{network:?}\n{}\n{:?}\n{runner_arguments:?}\n{mode:?}\n{limits:?}\n{hardening:?}\n\
             {runtime:?}\n{environment:?}",
            env!("CARGO_PKG_VERSION"),
            runner.display(),
            std::fs::metadata(runner).and_then(|metadata| file_identity(&metadata)).ok(),
        );
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(BYTES).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}
