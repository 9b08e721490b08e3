//! The stage: an emulated forge that is as slow as a real one, and a configuration for it.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use daemon::config::{Config, Surroundings};
use emulator::{AnswerTimes, Emulator, EmulatorSettings, RouteKind};
use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{Handle, RepoId, TokenScope, TokenSpec, Version};
use tempfile::TempDir;

/// File systems in memory are found here, where there are any.
const SHARED_MEMORY: &str = "/dev/shm";

/// How many repositories the organization has.
const REPOSITORIES: usize = 10;

/// The scope that shows all jobs.
pub(crate) const ORGANIZATION: &str = "org:acme";

/// Whose everything is.
pub(crate) const DEPLOYMENT: &str = "bench";

/// The default of `interval`.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3);

/// The label of the pool.
pub(crate) const LABEL: &str = "debian";

/// How often something is looked at that is waited for.
pub(crate) const GLANCE: Duration = Duration::from_millis(1);

/// What differs between measurements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// What is watched.
    pub(crate) scopes: &'a [&'a str],
    /// How often jobs are listed.
    pub(crate) interval: Duration,
    /// What machines are.
    pub(crate) machines: Machines<'a>,
}

/// What machines are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Machines<'a> {
    /// Processes of this host.
    Processes {
        /// The runner, with its first arguments; any program where the backend is modelled.
        runner: &'a [String],
        /// How many creates and starts of the backend may be under way at once.
        parallel_creates: usize,
    },
    /// Containers of an engine, with the clocks and limits that are usual.
    Containers {
        /// The engine's address.
        engine: &'a str,
        /// The image of all jobs.
        image: &'a str,
        /// The runner, with its first arguments.
        runner: &'a [String],
        /// Lines of the pool.
        pool: &'a str,
        /// Where they reach the forge.
        forge: IpAddr,
    },
}

/// An emulated forge and a configuration.
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) token: String,
    pub(crate) config_file: PathBuf,
    repositories: Vec<RepoId>,
    directory: TempDir,
    runtime: Option<TempDir>,
}

impl Stage {
    pub(crate) async fn build(setting: Setting<'_>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("forgescale-bench-").tempdir()?;
        let memory = Path::new(SHARED_MEMORY).is_dir();
        let runtime = memory.then(|| tempfile::Builder::new().prefix("forgescale-bench-").tempdir_in(SHARED_MEMORY));
        let runtime = runtime.transpose()?;
        let mut settings = EmulatorSettings::new(Version::V16);
        settings.latency = AnswerTimes::measured();
        if let Machines::Containers { forge, .. } = setting.machines {
            settings.listen = SocketAddr::new(forge, 0);
        }
        let emulator = Emulator::start(settings).await.context("cannot start the emulated forge")?;
        let (repositories, token) = emulator.with_forge(|forge, _| {
            let dana = forge.create_user("dana", false);
            let acme = forge.create_organization("acme", &[dana]);
            let repositories = (0..REPOSITORIES)
                .map(|number| forge.create_repository(acme, &format!("site-{number}"), false))
                .collect::<Result<Vec<_>, _>>()?;
            anyhow::Ok((repositories, forge.create_token(dana, TokenSpec::new(&[TokenScope::All]))?))
        })?;
        let runtime_directory = runtime.as_ref().map_or_else(|| directory.path().join("run"), |dir| dir.path().into());
        let config_file = directory.path().join("forgescale.toml");
        fs::write(&config_file, configuration(setting, &emulator.url(), directory.path(), &runtime_directory))?;
        let token_file = directory.path().join("token");
        fs::write(&token_file, &token)?;
        fs::set_permissions(&token_file, fs::Permissions::from_mode(0o600))?;
        Ok(Self { emulator, token, config_file, repositories, directory, runtime })
    }

    /// The configuration, as the daemon reads it.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.config_file, &Surroundings::of_process())?)
    }

    /// A folder for small secrets, in memory where there is one.
    pub(crate) fn secrets(&self) -> &Path {
        self.runtime.as_ref().map_or_else(|| self.directory.path(), TempDir::path)
    }

    /// Pushes as many runs of one job, over all repositories in turn; gives the jobs' handles.
    pub(crate) fn push(&self, count: usize, label: &str) -> anyhow::Result<Vec<Handle>> {
        self.push_scripts(count, label, "true")
    }

    /// The same with a script.
    pub(crate) fn push_scripts(&self, count: usize, label: &str, script: &str) -> anyhow::Result<Vec<Handle>> {
        let repositories = self.repositories.iter().cycle().take(count);
        self.push_to(repositories, label, script, &Concurrency::unlimited())
    }

    /// Pushes as many runs of one job to one repository, one of which may run at a time.
    pub(crate) fn push_queued(&self, count: usize, label: &str, script: &str) -> anyhow::Result<Vec<Handle>> {
        self.push_to(self.repositories.iter().take(1).cycle().take(count), label, script, &Concurrency::queue("deploy"))
    }

    fn push_to<'r>(
        &self,
        repositories: impl Iterator<Item = &'r RepoId>,
        label: &str,
        script: &str,
        concurrency: &Concurrency,
    ) -> anyhow::Result<Vec<Handle>> {
        self.emulator.with_forge(|forge, now| {
            repositories
                .map(|repository| {
                    let job = JobSpec::shell("build", &[label], script);
                    let spec = RunSpec::new(*repository, "ci.yaml", vec![job]);
                    let run = forge.push_run(now, spec.with_concurrency(concurrency.clone()))?;
                    let job = forge.jobs_of_run(run).first().context("a run without a job")?;
                    forge.handle_of(*job).cloned().context("a job without a handle")
                })
                .collect()
        })
    }

    /// Waits until the job list is asked for the next time.
    pub(crate) async fn next_poll(&self) -> anyhow::Result<()> {
        let polls = self.emulator.calls().of(RouteKind::ListJobs);
        wait_until("the next poll", || self.emulator.calls().of(RouteKind::ListJobs) > polls).await
    }
}

fn configuration(setting: Setting<'_>, url: &str, state: &Path, runtime: &Path) -> String {
    let Setting { scopes, interval, machines } = setting;
    let (interval, state, runtime) = (interval.as_millis(), state.join("state"), runtime.display());
    let state = state.display();
    let machines = match machines {
        // Long clocks, so that nothing is released or stopped because a measurement takes its time.
        Machines::Processes { runner, parallel_creates } => {
            let user = if rustix::process::geteuid().is_root() { "user = \"root\"\n" } else { "" };
            format!(
                "labels = [\"{LABEL}:host\"]\nmax = 2000\nboot = \"1h\"\nclaim = \"1h\"\n\n\
                 [backend.here]\nkind = \"host\"\n{user}runner = {runner:?}\nparallel_creates = {parallel_creates}\n"
            )
        }
        Machines::Containers { engine, image, runner, pool, .. } => format!(
            "labels = [\"{LABEL}:docker://{image}\"]\n{pool}\n\n\
             [backend.here]\nkind = \"docker\"\nhost = {engine:?}\nrunner = {runner:?}\npull = \"never\"\n"
        ),
    };
    format!(
        r#"deployment = "{DEPLOYMENT}"
state_directory = "{state}"
runtime_directory = "{runtime}"

[[forge]]
url = "{url}"
token_file = "token"
scopes = {scopes:?}
interval = "{interval}ms"

[[pool]]
name = "debian"
backend = "here"
{machines}"#
    )
}

/// Waits for something that must come soon.
pub(crate) async fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_true() {
        if begun.elapsed() > Duration::from_mins(2) {
            bail!("waited 2 minutes for {what}");
        }
        tokio::time::sleep(GLANCE).await;
    }
    Ok(())
}

/// A program for configurations whose backend is modelled: it is never started.
pub(crate) fn no_runner() -> Vec<String> {
    vec!["/bin/true".to_owned()]
}
