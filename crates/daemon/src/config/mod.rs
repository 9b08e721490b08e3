//! The configuration: TOML in, a validated [`Config`] or all of its problems out.
//!
//! ```text
//! text ─► toml (spans) ─► Section: each key asked for by name ─► Config, warnings, settings with origins
//!                                     └► Problem, Problem, …  ─► ConfigError::Problems, in the order of the lines
//! ```
//!
//! Promises: one bad value hides no other mistake; every problem has its line and its hint; what is returned can be used as
//! it is (files are there, references lead somewhere, tokens are read); nothing secret is printable. A text that is no TOML
//! gives its first syntax error only: what follows from it would be guesswork.
//!
//! Deliberately absent: reloading, and a second way (flags, variables) to set the same thing.

mod backend;
mod duration;
mod example;
mod fingerprint;
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
pub(crate) mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use planner::ids::{BackendId, DeploymentId};
use planner::policy::Limits;
use toml::de::{DeTable, DeValue};

pub use backend::{Backend, BackendKind, DockerSettings, HostSettings};
pub use example::{example, uncommented};
pub use forge::{Forge, WatchedScope};
pub use pool::{Per, Pool, PoolCache};
pub use problem::{ConfigError, Problem};
pub use reference::{Key, keys};
pub(crate) use secret::read_again;
pub use settings::{Origin, Setting};
pub use shape::Shape;
pub use surroundings::Surroundings;

use problem::Complaint;
use read::{Notes, Section, Value};
use value::quoted;

/// The longest configuration that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What the messages about mistakes in TOML's own syntax have in them, and what to do then.
const SYNTAX_HINTS: [(&str, &str); 6] = [
    ("array", "a `]` or a `,` is missing here or above"),
    ("duplicate key", "it is there twice: remove one of the two"),
    ("must be quoted", "texts are in quotes, \"…\", and every setting has a value"),
    ("string", "a text begins and ends with a quote, on one line"),
    ("table", "a `]` or a `}` is missing here or above"),
    ("key", "write settings as NAME = VALUE, and tables as [NAME]"),
];

/// A configuration as far as it can be read.
#[derive(Debug)]
pub struct Reading {
    /// What is whole: of a wrong forge, pool or backend nothing, of a wrong value its default, and an empty text for a name
    /// or directory that there is no default for. Nothing at all of a text that is no TOML.
    pub config: Option<Config>,
    /// What is wrong, in the order of the lines. The configuration is valid if that is nothing.
    pub problems: Vec<Problem>,
}

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
        let Reading { config, problems } = Self::read_from(file, surroundings)?;
        config.filter(|_| problems.is_empty()).ok_or_else(|| ConfigError::Problems { file: file.to_owned(), problems })
    }

    /// The same for those who can do something with parts of it. Blocks as well; fails when there is no text.
    pub fn read_from(file: &Path, surroundings: &Surroundings) -> Result<Reading, ConfigError> {
        let (text, directory) = text_of(file)?;
        Ok(Self::reading(&text, &directory, surroundings))
    }

    /// Checks a text; relative paths in it start at `directory`.
    pub fn parse(text: &str, directory: &Path, surroundings: &Surroundings) -> Result<Self, Vec<Problem>> {
        let Reading { config, problems } = Self::reading(text, directory, surroundings);
        config.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn reading(text: &str, directory: &Path, surroundings: &Surroundings) -> Reading {
        let notes = notes(text, directory, surroundings);
        let document = document(text, &notes);
        let config = document.map(|table| Self::read(Section::new(&notes, String::new(), 0, &table), surroundings));
        let mut problems = notes.problems.take();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        let config =
            config.map(|config| Self { warnings: notes.warnings.take(), settings: notes.settings.take(), ..config });
        Reading { config, problems }
    }

    /// What is wrong is noted as problems.
    fn read(root: Section<'_>, surroundings: &Surroundings) -> Self {
        let deployment: Option<String> =
            root.required("deployment", "deployment = \"ci-berlin\"", |text: &String| check_deployment(text));
        let max = root.optional("max", |number: &u32| pool::machines(*number));
        let state_directory = paths::state(&root, surroundings);
        let runtime_directory = paths::runtime(&root, surroundings);
        let forges = forge::read(&root, surroundings);
        let codeberg = forges.iter().any(|forge| forge::is_codeberg(&forge.url));
        let (backends, named) = backend::read(&root, surroundings);
        let zone = pool::timezone(&root);
        let around = pool::Around { backends: &backends, named: &named, zone: zone.as_ref(), codeberg };
        let pools = pool::read(&root, &around, max);
        let limits = policy::limits(&root);
        warn_unused(&root, &named, &pools);
        root.close();
        Self {
            deployment: DeploymentId::new(deployment.unwrap_or_default()),
            max,
            state_directory: state_directory.unwrap_or_default(),
            runtime_directory,
            forges,
            pools,
            backends,
            limits,
            warnings: Vec::new(),
            settings: Vec::new(),
        }
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

/// The parsed text; nothing, and a problem for its first mistake, when it is no TOML.
fn document<'a>(text: &'a str, notes: &Notes<'_>) -> Option<DeTable<'a>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let offset = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let Some(first) = errors.iter().min_by_key(|error| offset(error)) else {
        return Some(document.into_inner());
    };
    let known = SYNTAX_HINTS.iter().find(|(words, _)| first.message().contains(words));
    let hint = known.map_or("the file must be TOML (https://toml.io)", |(_, hint)| *hint);
    let hint = format!("{hint}; what else there is to say comes when this is mended");
    notes.complain(offset(first), "", Complaint::new(first.message()).hint(hint));
    None
}

/// The deployment of that name; a problem without a place where it is none.
pub fn deployment(text: &str) -> Result<DeploymentId, Problem> {
    let checked = match text {
        "" => Err(Complaint::new("a deployment has a name").hint("use 1 to 64 of a-z, 0-9 and `-`")),
        _ => check_deployment(text),
    };
    match checked {
        Ok(()) => Ok(DeploymentId::new(text)),
        Err(Complaint { reason, hint }) => {
            Err(Problem { line: 0, column: 0, key: "deployment".to_owned(), reason, hint })
        }
    }
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
    // A pool that is wrong may well use it.
    let are_whole = |value: &Value<'_>| matches!(value.raw, DeValue::Array(list) if list.len() == pools.len());
    if !root.get("pool").is_some_and(|value| are_whole(&value)) {
        return;
    }
    let complaint =
        Complaint::new("no pool uses this backend").hint("remove it, or name it in a [[pool]]: backend = …");
    for (name, value) in entries.unwrap_or_default() {
        if named.contains(name) && !pools.iter().any(|pool| pool.policy.backend.as_str() == name) {
            value.notes.warn(value.offset, &value.key, complaint.clone());
        }
    }
}
