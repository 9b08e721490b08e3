//! The runner of the demo: Forgejo Runner if there is a fitting one, else the stand-in.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use backend_host::{Program, RunnerVersion, RunnerVersionError};
use daemon::check::{ProgramKind, program_kind};

use crate::failure::Failure;

/// The real one.
const FORGEJO_RUNNER: &str = "forgejo-runner";

/// What this program calls itself.
const PROGRAM: &str = "forgescale";

/// What to do where no program will run in every image.
const HINT: &str = "name a static program: --runner FILE, with Forgejo Runner as it is released, or a forgescale that was built by \
    cargo rustc --release -p cli --bin forgescale -- -C target-feature=+crt-static";

/// A runner.
pub(super) struct Runner {
    /// As the configuration names it.
    pub(super) command: Vec<String>,
    /// For people.
    pub(super) name: String,
}

impl Runner {
    /// One for processes of this host.
    pub(super) async fn of_this_host() -> Result<Self, Failure> {
        match version(Path::new(FORGEJO_RUNNER)).await {
            Ok(version) if version >= RunnerVersion::LEAST => Self::forgejo(Path::new(FORGEJO_RUNNER), version),
            _ => Self::stand_in(&own_program()?, &format!("no {}", fitting())),
        }
    }

    /// One that runs in any image: the named one, else what there is of the two.
    pub(super) async fn of_containers(named: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = named {
            is_static(path)?;
            return Self::named(path).await;
        }
        if let Some(path) = in_path(FORGEJO_RUNNER).filter(|path| is_static(path).is_ok())
            && let Ok(version) = version(&path).await
            && version >= RunnerVersion::LEAST
        {
            return Self::forgejo(&path, version);
        }
        let own = own_program()?;
        is_static(&own)?;
        Self::stand_in(&own, &format!("no {} that runs in any image", fitting()))
    }

    async fn named(path: &Path) -> Result<Self, Failure> {
        match version(path).await {
            Ok(version) if version >= RunnerVersion::LEAST => Self::forgejo(path, version),
            Ok(version) => {
                let error = anyhow!("the runner {} is of version {version}", path.display());
                Err(Failure::not_done(error).hint(format!("take {} or newer", RunnerVersion::LEAST_WITHOUT_DOUBT)))
            }
            Err(RunnerVersionError::Foreign { said, .. }) if said.starts_with(PROGRAM) => {
                Self::stand_in(path, "as --runner says")
            }
            Err(error) => Err(Failure::not_done(error).hint("name a Forgejo Runner, or a forgescale")),
        }
    }

    fn forgejo(path: &Path, version: RunnerVersion) -> Result<Self, Failure> {
        Ok(Self { command: vec![text(path)?], name: format!("forgejo-runner {version}") })
    }

    /// Why it is not the real one is told with its name.
    fn stand_in(program: &Path, why: &str) -> Result<Self, Failure> {
        let name = format!("the stand-in ({why})");
        Ok(Self { command: vec![text(program)?, "stand-in-runner".to_owned()], name })
    }
}

/// What is looked for.
fn fitting() -> String {
    format!("{FORGEJO_RUNNER} {} or newer", RunnerVersion::LEAST_WITHOUT_DOUBT)
}

/// Fails with what to do where a program needs something of its image.
fn is_static(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let kind = program_kind(path).with_context(|| format!("cannot read the runner {shown}"));
    let why = match kind.map_err(|error| Failure::not_done(error).hint(HINT))? {
        ProgramKind::Static(_) => return Ok(()),
        ProgramKind::Dynamic(_) => "needs libraries, which an image may lack",
        ProgramKind::Other | ProgramKind::NoProgram => "is no program of this processor",
    };
    Err(Failure::not_done(anyhow!("the runner {shown} cannot run in any image: it {why}")).hint(HINT))
}

fn own_program() -> Result<PathBuf, Failure> {
    Ok(super::supervisor()?.path)
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).context("the path of the runner is no text").map_err(Failure::not_done)
}

/// A program of that name in PATH.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The version of a Forgejo Runner.
async fn version(path: &Path) -> Result<RunnerVersion, RunnerVersionError> {
    let program = Program { path: path.to_owned(), arguments: Vec::new() };
    backend_host::runner_version(&program, &std::env::var("PATH").unwrap_or_default(), None).await
}
