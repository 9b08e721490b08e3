//! The configuration of a test's daemon: what an operator would write, with short clocks.

use std::fmt::Write as _;
use std::path::Path;

use forge_model::Version;

use super::containers::Engine;

/// What a test wants to be different.
pub(crate) struct Setup {
    /// The forge's release.
    pub(crate) version: Version,
    /// What is watched, as a list in TOML.
    pub(crate) scopes: &'static str,
    /// The pools.
    pub(crate) pools: Vec<Pool>,
    /// `[limits]`, key by key.
    pub(crate) limits: Vec<(&'static str, &'static str)>,
    /// A runner program for the backend `broken`, as a shell script.
    pub(crate) broken_runner: Option<&'static str>,
    /// Where machines are containers instead of processes of this host.
    pub(crate) engine: Option<Engine>,
}

impl Setup {
    /// One pool `debian` of so many machines, on Forgejo 16.
    pub(crate) fn new(max: u32) -> Self {
        Self {
            version: Version::V16,
            scopes: "[\"org:acme\"]",
            pools: vec![Pool::new("debian", max)],
            limits: vec![
                ("settle", "500ms"),
                ("forge_deadline", "5s"),
                ("backoff", "500ms"),
                ("backoff_max", "2s"),
                ("suspect", "500ms"),
            ],
            broken_runner: None,
            engine: None,
        }
    }

    /// The same with another limit.
    pub(crate) fn limit(mut self, key: &'static str, value: &'static str) -> Self {
        self.limits.retain(|(known, _)| *known != key);
        self.limits.push((key, value));
        self
    }
}

/// A pool.
pub(crate) struct Pool {
    pub(crate) name: &'static str,
    /// As a list in TOML; nothing for the label of its own name.
    pub(crate) labels: Option<String>,
    pub(crate) max: u32,
    pub(crate) backend: &'static str,
    /// Long, so that a loaded machine releases nothing that a test did not hold back.
    pub(crate) claim: &'static str,
    pub(crate) grace: &'static str,
    /// Further lines.
    pub(crate) more: &'static str,
}

impl Pool {
    pub(crate) fn new(name: &'static str, max: u32) -> Self {
        Self { name, labels: None, max, backend: "here", claim: "30s", grace: "1s", more: "" }
    }
}

/// The file's text.
pub(super) fn text(setup: &Setup, deployment: &str, url: &str, place: &Path, memory: &Path) -> String {
    let mut text = format!(
        "deployment = \"{deployment}\"\nstate_directory = \"{}\"\nruntime_directory = \"{}\"\n\n\
         [[forge]]\nurl = \"{url}\"\ntoken_file = \"token\"\nscopes = {}\ninterval = \"200ms\"\n",
        place.join("state").display(),
        memory.display(),
        setup.scopes
    );
    for Pool { name, labels, max, backend, claim, grace, more } in &setup.pools {
        let labels = labels.clone().unwrap_or_else(|| format!("[\"{name}:host\"]"));
        let _ = write!(
            text,
            "\n[[pool]]\nname = \"{name}\"\nlabels = {labels}\nbackend = \"{backend}\"\nmax = {max}\n\
             fetch_interval = \"200ms\"\nboot = \"60s\"\nclaim = \"{claim}\"\ngrace = \"{grace}\"\nstop = \"3s\"\n{more}\n"
        );
    }
    let stand_in = format!("[\"{}\", \"stand-in-runner\"]", env!("CARGO_BIN_EXE_forgescale"));
    let user = crate::as_this_user();
    let here = setup.engine.as_ref().map_or_else(|| format!("kind = \"host\"\n{user}"), of_containers);
    let _ = write!(text, "\n[backend.here]\n{here}runner = {stand_in}\ninterval = \"500ms\"\n");
    if setup.broken_runner.is_some() {
        let _ = write!(
            text,
            "\n[backend.broken]\nkind = \"host\"\n{user}runner = \"./broken-runner\"\ninterval = \"500ms\"\n"
        );
    }
    text.push_str("\n[limits]\n");
    for (key, value) in &setup.limits {
        let number = value.parse::<u32>().is_ok();
        let _ = if number { writeln!(text, "{key} = {value}") } else { writeln!(text, "{key} = \"{value}\"") };
    }
    text
}

/// The lines of a backend of containers.
fn of_containers(engine: &Engine) -> String {
    let Engine { kind, real, image, network, .. } = engine;
    let network = network.map(|network| format!("network = \"{network}\"\n")).unwrap_or_default();
    let socket = real.socket.display();
    format!("kind = \"{kind}\"\nhost = \"unix://{socket}\"\nimage = \"{image}\"\npull = \"never\"\n{network}")
}
