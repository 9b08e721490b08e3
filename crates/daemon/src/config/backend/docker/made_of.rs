//! A fingerprint of all that a waiting container is made from: where it is another one, those that wait are outdated.

use backend_docker::file_identity;

use super::DockerSettings;
use crate::config::fingerprint::fingerprint;

impl DockerSettings {
    /// The fingerprint, in hexadecimal. Blocks for a look at the runner's file.
    ///
    /// The containers of another version of this program may wait for their launch in another way, so the version is in it. The
    /// image that a label names is not: the planner compares that by itself.
    pub(in crate::config) fn made_of(&self) -> String {
        // All are named: whoever adds a setting says here whether it shapes a container.
        let Self {
            // Where and when they are made.
            command: _,
            address: _,
            pull: _,
            registry_auth_file: _,
            disk_free: _,
            prune_images: _,
            cache_max_age: _,
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
        let text = format!(
            "{}\n{image:?}\n{network:?}\n{}\n{:?}\n{runner_arguments:?}\n{mode:?}\n{limits:?}\n{hardening:?}\n\
             {runtime:?}\n{environment:?}",
            env!("CARGO_PKG_VERSION"),
            runner.display(),
            std::fs::metadata(runner).and_then(|metadata| file_identity(&metadata)).ok(),
        );
        fingerprint(&text)
    }
}
