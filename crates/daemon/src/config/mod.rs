//! The configuration: TOML in, a validated [`Config`] or all of its problems out.
//!
//! ```text
//! text ─► toml (spans) ─► Section: each key asked for by name ─► Config, warnings, settings with origins
//!                                     └► Problem, Problem, …  ─► ConfigError::Problems, in the order of the lines
//! ```
//!
//! Promises: one bad value hides no other mistake; every problem has its line; what is returned can be used as it is
//! (files are there, references lead somewhere, tokens are read); nothing secret is printable.
//! A text that is no TOML gives its syntax errors only, since what is missing from the rest would be guesswork.
//!
//! Deliberately absent: reloading, and a second way (flags, variables) to set the same thing.

mod backend;
mod duration;
mod example;
mod forge;
mod paths;
mod policy;
mod pool;
mod problem;
mod read;
mod reference;
mod secret;
mod settings;
mod shape;
mod size;
mod suggest;
mod surroundings;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use planner::ids::{BackendId, DeploymentId};
use planner::policy::Limits;
use toml::de::DeTable;

pub use backend::{Backend, BackendKind, HostSettings};
pub use example::{example, uncommented};
pub use forge::{Forge, WatchedScope};
pub use pool::Pool;
pub use problem::{ConfigError, Problem};
pub use reference::{Key, keys};
pub(crate) use secret::read_again;
pub use settings::{Origin, Setting};
pub use shape::Shape;
pub use surroundings::Surroundings;

use problem::Complaint;
use read::{Notes, Section};
use value::quoted;

/// The longest configuration that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// More syntax errors than this help nobody.
const MOST_SYNTAX_ERRORS: usize = 20;

/// A valid configuration. Its paths are absolute when that of its file was.
#[derive(Debug)]
pub struct Config {
    /// Whose things are ours.
    pub deployment: DeploymentId,
    /// Most machines over all pools, if limited.
    pub max: Option<u32>,
    /// Where the daemon keeps what must survive it.
    pub state_directory: PathBuf,
    /// Where the daemon may keep what need not survive a restart of the machine, if there is such a place.
    pub runtime_directory: Option<PathBuf>,
    /// The servers; never empty.
    pub forges: Vec<Forge>,
    /// The kinds of machines, in the order of the file; never empty.
    pub pools: Vec<Pool>,
    /// What makes machines; every pool's backend is there.
    pub backends: BTreeMap<BackendId, Backend>,
    /// Spans and counts that hold for all pools.
    pub limits: Limits,
    /// What is allowed but doubtful.
    pub warnings: Vec<Problem>,
    /// Every value with its origin, in the order of reading.
    pub settings: Vec<Setting>,
}

impl Config {
    /// Reads and checks a file. Blocks: it reads the file and those that it names.
    pub fn load(file: &Path, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let (text, directory) = text_of(file)?;
        Self::parse(&text, &directory, surroundings)
            .map_err(|problems| ConfigError::Problems { file: file.to_owned(), problems })
    }

    /// Checks a text; relative paths in it start at `directory`.
    pub fn parse(text: &str, directory: &Path, surroundings: &Surroundings) -> Result<Self, Vec<Problem>> {
        let notes = notes(text, directory, surroundings);
        let document = document(text, &notes);
        let config =
            document.and_then(|table| Self::read(Section::new(&notes, String::new(), 0, &table), surroundings));
        let mut problems = notes.problems.take();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        match config {
            Some(config) if problems.is_empty() => {
                Ok(Self { warnings: notes.warnings.take(), settings: notes.settings.take(), ..config })
            }
            _ => Err(problems),
        }
    }

    /// Nothing when something that cannot be done without is missing; a problem says so then.
    fn read(root: Section<'_>, surroundings: &Surroundings) -> Option<Self> {
        let deployment: Option<String> =
            root.required("deployment", "deployment = \"ci-berlin\"", |text: &String| check_deployment(text));
        let max = root.optional("max", |number: &u32| pool::machines(*number));
        let state_directory = paths::state(&root, surroundings);
        let runtime_directory = paths::runtime(&root, surroundings);
        let forges = forge::read(&root, surroundings);
        let codeberg = forges.iter().any(|forge| forge::is_codeberg(&forge.url));
        let (backends, named) = backend::read(&root, surroundings);
        let pools = pool::read(&root, &backends, &named, codeberg);
        let limits = policy::limits(&root);
        warn_unused(&root, &named, &pools);
        root.close();
        Some(Self {
            deployment: DeploymentId::new(deployment?),
            max,
            state_directory: state_directory?,
            runtime_directory,
            forges,
            pools,
            backends,
            limits,
            warnings: Vec::new(),
            settings: Vec::new(),
        })
    }
}

/// The state directory that a configuration leads to, for commands that only look at files there: the rest of the
/// configuration may be wrong or not readable for the one who asks (its tokens, say).
pub fn state_directory(file: &Path, surroundings: &Surroundings) -> Result<PathBuf, ConfigError> {
    let (text, directory) = text_of(file)?;
    let notes = notes(&text, &directory, surroundings);
    let path = document(&text, &notes)
        .and_then(|table| paths::state(&Section::new(&notes, String::new(), 0, &table), surroundings));
    path.ok_or_else(|| ConfigError::Problems { file: file.to_owned(), problems: notes.problems.take() })
}

fn notes<'a>(text: &'a str, directory: &'a Path, surroundings: &Surroundings) -> Notes<'a> {
    let credentials = surroundings.variable("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    Notes::new(text, directory, credentials.filter(|path| path.is_absolute()))
}

/// The text of the file and the folder that it is in.
fn text_of(file: &Path) -> Result<(String, PathBuf), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    let whole = std::path::absolute(file).map_err(unreadable)?;
    let mut text = String::new();
    File::open(file).and_then(|open| open.take(LONGEST + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > LONGEST {
        return Err(unreadable(io::Error::other(format!("it is larger than {LONGEST} bytes"))));
    }
    Ok((text, whole.parent().map(Path::to_owned).unwrap_or_default()))
}

/// The parsed text; nothing, and a problem for each mistake, when it is no TOML.
fn document<'a>(text: &'a str, notes: &Notes<'_>) -> Option<DeTable<'a>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(MOST_SYNTAX_ERRORS) {
        let offset = error.span().map_or(0, |span| span.start);
        notes.complain(offset, "", Complaint::new(error.message()).hint("the file must be TOML (https://toml.io)"));
    }
    errors.is_empty().then(|| document.into_inner())
}

/// Deployments name registrations, machines and files everywhere: 1 to 64 of `[a-z0-9-]`.
fn check_deployment(text: &str) -> Result<(), Complaint> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.len() <= 64 && text.chars().all(fits) {
        return Ok(());
    }
    Err(Complaint::new(format!("{} is no name of a deployment", quoted(text))).hint("use 1 to 64 of a-z, 0-9 and `-`"))
}

fn warn_unused(root: &Section<'_>, named: &BTreeSet<&str>, pools: &[Pool]) {
    let entries = root.get("backend").and_then(|value| value.section()).map(|section| section.entries());
    for (name, value) in entries.unwrap_or_default() {
        if named.contains(name) && !pools.iter().any(|pool| pool.policy.backend.as_str() == name) {
            value.notes.warn(value.offset, &value.key, Complaint::new("no pool uses this backend"));
        }
    }
}
