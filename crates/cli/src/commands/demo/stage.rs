//! The stage: a directory, an emulated forge with two owners, and a configuration file as an operator would write it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use daemon::config::{Config, Surroundings};
use emulator::{AnswerTimes, Emulator, EmulatorSettings};
use forge_model::script::ScriptError;
use forge_model::{Forge, RepoId, TokenScope, TokenSpec, Version};
use tempfile::TempDir;

use super::clearing::clear_machines;
use super::earlier::Playing;
use super::engine::Engine;
use super::processes;
use super::runner::Runner;
use crate::failure::Failure;

/// How the names of a demo's directories begin.
pub(super) const PREFIX: &str = "forgescale-demo-";

/// The state directory in that of the demo.
pub(super) const STATE: &str = "state";

/// File systems in memory are found here, where there are any.
pub(super) const SHARED_MEMORY: &str = "/dev/shm";

/// Everything that is needed to play.
pub(super) struct Stage {
    pub(super) emulator: Emulator,
    pub(super) config: Config,
    pub(super) deployment: String,
    pub(super) repositories: Repositories,
    /// Where machines are containers.
    pub(super) engine: Option<Engine>,
    runner: String,
    directory: TempDir,
    runtime: Option<TempDir>,
    playing: Playing,
    keep: bool,
}

/// The repositories of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repositories {
    pub(super) site: RepoId,
    pub(super) api: RepoId,
    pub(super) tools: RepoId,
    pub(super) solo: RepoId,
}

impl Stage {
    /// Everything, with machines of this host or of an engine.
    pub(super) async fn build(keep: bool, engine: Option<Engine>, runner: Runner) -> Result<Self, Failure> {
        let directory = temporary(None)?;
        let runtime = Path::new(SHARED_MEMORY).is_dir().then(|| temporary(Some(SHARED_MEMORY))).transpose()?;
        let mut settings = EmulatorSettings::new(Version::V16);
        settings.latency = AnswerTimes::measured();
        let emulator =
            Emulator::start(settings).await.context("cannot start the emulated forge").map_err(Failure::not_done)?;
        let (repositories, token) = emulator
            .with_forge(|forge, _| populate(forge))
            .context("cannot fill the forge")
            .map_err(Failure::not_done)?;
        let deployment = format!("demo-{}", std::process::id());
        let runtime_directory = runtime.as_ref().map_or_else(|| directory.path().join("run"), |dir| dir.path().into());
        let playing = Playing::begin(directory.path(), &deployment, &runtime_directory, engine.as_ref())
            .with_context(|| format!("cannot write to {}", directory.path().display()))
            .map_err(Failure::not_done)?;
        let places = (directory.path(), runtime_directory.as_path());
        let text = configuration(&deployment, &emulator.url(), places, &backend(engine.as_ref(), &runner));
        let config = configure(directory.path(), &text, &token)?;
        let runner = runner.name;
        Ok(Self { emulator, config, deployment, repositories, engine, runner, directory, runtime, playing, keep })
    }

    /// What the audience is told first.
    pub(super) fn introduction(&self) -> String {
        let machines = self.engine.as_ref().map(|engine| format!(", machines: {engine}")).unwrap_or_default();
        format!("emulated Forgejo at {}, runner: {}{machines}", self.emulator.url(), self.runner)
    }

    /// How many machines there still are.
    pub(super) async fn left(&self) -> Result<usize, Failure> {
        match &self.engine {
            Some(engine) => engine.left(&self.deployment).await,
            None => Ok(processes::machines(self)),
        }
    }

    /// Destroys the machines that are left. An error: some may still be there.
    pub(super) async fn clear_machines(&self) -> anyhow::Result<()> {
        match &self.engine {
            Some(engine) => engine.clear(&self.deployment).await,
            None => clear_machines(&self.machines(), &self.deployment).await,
        }
    }

    /// The folder that holds the machines' folders.
    pub(super) fn machines(&self) -> PathBuf {
        self.config.state_directory.join("machines")
    }

    /// Takes everything away, or says where it is kept: it is for the next demo where not all machines were cleared away.
    pub(super) async fn strike(self, cleared: anyhow::Result<()>) -> Result<(), Failure> {
        self.emulator.stop().await;
        if let Some(runtime) = self.runtime {
            let path = runtime.path().to_owned();
            runtime.close().with_context(|| format!("cannot remove {}", path.display())).map_err(Failure::not_done)?;
        }
        if let Err(error) = cleared {
            let path = self.directory.keep();
            let error = error.context("some of the demo's machines may still be there");
            let hint = format!("the next demo tries again to clear them away, by what is in {}", path.display());
            return Err(Failure::not_done(error).hint(hint));
        }
        if self.keep {
            let path = self.directory.keep();
            let kept = self.playing.keep();
            kept.with_context(|| format!("cannot leave {}", path.display())).map_err(Failure::not_done)?;
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "kept: {}", path.display());
            return Ok(());
        }
        let path = self.directory.path().to_owned();
        self.directory.close().with_context(|| format!("cannot remove {}", path.display())).map_err(Failure::not_done)
    }
}

fn temporary(parent: Option<&str>) -> Result<TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    let made = parent.map_or_else(|| builder.tempdir(), |parent| builder.tempdir_in(parent));
    made.context("cannot make a temporary directory").map_err(Failure::not_done)
}

fn populate(forge: &mut Forge) -> Result<(Repositories, String), ScriptError> {
    let dana = forge.create_user("dana", false);
    let acme = forge.create_organization("acme", &[dana]);
    let repositories = Repositories {
        site: forge.create_repository(acme, "site", false)?,
        api: forge.create_repository(acme, "api", true)?,
        tools: forge.create_repository(acme, "tools", false)?,
        solo: forge.create_repository(dana, "solo", false)?,
    };
    Ok((repositories, forge.create_token(dana, TokenSpec::new(&[TokenScope::All]))?))
}

/// Short clocks, so that everything can be seen within a minute; the rest is what an operator would write.
fn configuration(deployment: &str, url: &str, (state, runtime): (&Path, &Path), backend: &str) -> String {
    let (state, runtime) = (state.join(STATE), runtime.display());
    let state = state.display();
    format!(
        r#"deployment = "{deployment}"
state_directory = "{state}"
runtime_directory = "{runtime}"

[[forge]]
url = "{url}"
token_file = "token"
scopes = ["org:acme", "repo:dana/solo"]
interval = "500ms"

[[pool]]
name = "debian"
labels = ["debian:host", "docker:host"]
backend = "here"
max = 6
fetch_interval = "500ms"
boot = "20s"
claim = "2s"
grace = "2s"
stop = "5s"

[[pool]]
name = "gpu"
labels = ["gpu:host"]
backend = "here"
max = 1
fetch_interval = "500ms"
boot = "20s"
claim = "2s"
grace = "2s"
stop = "5s"

[backend.here]
{backend}interval = "500ms"

[limits]
settle = "1s"
backoff = "1s"
suspect = "8s"
"#
    )
}

/// What makes the machines, and the runner on them.
fn backend(engine: Option<&Engine>, runner: &Runner) -> String {
    let runner = serde_json::Value::from(runner.command.as_slice());
    let kind = engine.map_or_else(
        || {
            // Everything here is the demo's own, so that its jobs may be root where it is.
            let user = if rustix::process::geteuid().is_root() { "user = \"root\"\n" } else { "" };
            format!("kind = \"host\"\n{user}")
        },
        Engine::configuration,
    );
    format!("{kind}runner = {runner}\n")
}

fn configure(directory: &Path, text: &str, token: &str) -> Result<Config, Failure> {
    let file = directory.join("forgescale.toml");
    let token_file = directory.join("token");
    let written = fs::write(&file, text)
        .and_then(|()| fs::write(&token_file, token))
        .and_then(|()| fs::set_permissions(&token_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)));
    written.with_context(|| format!("cannot write to {}", directory.display())).map_err(Failure::not_done)?;
    Ok(Config::load(&file, &Surroundings::of_process())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Demo, DemoBackend};

    #[tokio::test]
    async fn what_an_engine_that_is_away_may_still_have_is_left_to_the_next_demo() {
        let engine = Engine::asked_for(&Demo {
            jobs: 1,
            backend: DemoBackend::Docker,
            image: Some("any".to_owned()),
            engine: Some("unix:///nowhere/engine.sock".to_owned()),
            runner: None,
            keep: false,
            json: false,
        });
        let runner = Runner { command: vec!["/bin/sh".to_owned()], name: "a shell".to_owned() };
        let stage = Stage::build(false, engine.unwrap(), runner).await.unwrap();
        let (directory, runtime) =
            (stage.directory.path().to_owned(), stage.runtime.as_ref().map(|it| it.path().to_owned()));
        assert!(stage.left().await.is_err());
        let cleared = stage.clear_machines().await;
        let failure = stage.strike(cleared).await.unwrap_err();
        let Failure::NotDone { error, hints } = failure else { panic!("{failure:?}") };
        assert!(format!("{error:#}").contains("may still be there: could not "), "{error:#}");
        assert!(hints[0].contains(directory.to_str().unwrap()), "{hints:?}");
        assert!(directory.join("playing").is_file(), "the next demo finds it");
        assert!(!runtime.is_some_and(|runtime| runtime.exists()));
        fs::remove_dir_all(directory).unwrap();
    }
}
