//! `[backend.NAME]`: what makes machines.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use planner::ids::BackendId;
use toml::de::DeValue;

use super::Surroundings;
use super::pool::machines;
use super::problem::Complaint;
use super::read::{Section, Value, any};
use super::settings::Origin;
use super::shape::Shape;
use super::size::Size;
use super::value::{Readable, at_least, name, quoted, quoted_list};

/// The kinds of backend of this version.
const KINDS: [&str; 1] = ["host"];

/// The runner that is looked for when nobody names one.
const RUNNER: &str = "forgejo-runner";

/// The PATH where not even the daemon has one.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How long a process of this host may take from its creation to its first contact with the forge (design section 5 gives
/// containers as long; a process is quicker).
const HOST_BOOT: Duration = Duration::from_mins(2);

/// Listing a host's machines reads a few small files.
const INTERVAL: Duration = Duration::from_secs(2);

/// How many machines a host makes at once: each start of a runner costs about a core for a moment.
const PARALLEL_CREATES: usize = 4;

/// The runner says little by itself; its job's output goes to the forge.
const LOG_LIMIT: Size = Size(4 << 20);

/// A log shorter than this does not even hold the runner's greeting.
const LEAST_LOG: Size = Size(4 << 10);

/// One backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Most machines on it at once, if limited.
    pub max: Option<u32>,
    /// How often its machines are listed.
    pub interval: Duration,
    /// How many creates and starts may be under way at once.
    pub parallel_creates: usize,
    /// What is particular to its kind.
    pub kind: BackendKind,
}

impl Backend {
    /// The boot clock of its pools, unless they say otherwise.
    pub fn default_boot(&self) -> Duration {
        match self.kind {
            BackendKind::Host(_) => HOST_BOOT,
        }
    }
}

/// The kinds of backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendKind {
    /// Processes of this host.
    Host(HostSettings),
}

/// What a host backend needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSettings {
    /// The runner program: the path of an executable file.
    pub runner: PathBuf,
    /// The first arguments of the runner program, before those of Forgejo Runner.
    pub runner_arguments: Vec<String>,
    /// The PATH of runners and of their host jobs.
    pub path: String,
    /// Further variables of runners and of their host jobs.
    pub environment: BTreeMap<String, String>,
    /// How many bytes of a runner's output are kept.
    pub log_limit: u64,
}

/// All backends that are usable, and the names of all that are there.
pub(super) fn read<'a>(
    root: &Section<'a>,
    surroundings: &Surroundings,
) -> (BTreeMap<BackendId, Backend>, BTreeSet<&'a str>) {
    let Some(value) = root.get("backend") else {
        root.missing("backend", "[backend.here] with kind = \"host\"");
        return Default::default();
    };
    let entries = value.section().map(|section| section.entries()).unwrap_or_default();
    let mut backends = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (id, value) in entries {
        named.insert(id);
        if let Err(complaint) = name(id) {
            value.complain(complaint);
        }
        let backend = value.section().and_then(|section| backend(section, surroundings));
        backends.extend(backend.map(|backend| (BackendId::new(id), backend)));
    }
    (backends, named)
}

fn backend(section: Section<'_>, surroundings: &Surroundings) -> Option<Backend> {
    let kind: Option<String> = section.required("kind", "kind = \"host\"", |kind: &String| {
        if KINDS.contains(&kind.as_str()) {
            return Ok(());
        }
        let complaint = Complaint::new(format!("{} is no kind of backend of this version", quoted(kind)));
        Err(complaint.hint(format!("kinds: {}", KINDS.map(quoted).join(", "))))
    });
    // Which keys the rest may have depends on the kind.
    kind?;
    let max = section.optional("max", |number: &u32| machines(*number));
    let interval = section.or("interval", INTERVAL, at_least(Duration::from_millis(100)));
    let parallel_creates = section.or("parallel_creates", PARALLEL_CREATES, |number: &usize| match number {
        1..=256 => Ok(()),
        _ => Err(Complaint::new("must be between 1 and 256")),
    });
    let inherited = surroundings.variable("PATH").unwrap_or_else(|| PATH.to_owned());
    let path = section.optional("path", any).unwrap_or(inherited);
    let environment = environment(&section);
    let log_limit = section.or("log_limit", LOG_LIMIT, |size: &Size| {
        if *size < LEAST_LOG { Err(Complaint::new(format!("is less than {}", LEAST_LOG.text()))) } else { Ok(()) }
    });
    let runner = runner(&section, &path);
    section.close();
    let (runner, runner_arguments) = runner?;
    let host = HostSettings { runner, runner_arguments, path, environment, log_limit: log_limit.0 };
    let kind = BackendKind::Host(host);
    Some(Backend { max, interval, parallel_creates, kind })
}

/// A program with its first arguments: a string, or a list of strings.
struct Command(Vec<String>);

impl Readable for Command {
    const SHAPE: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let DeValue::Array(_) = value.raw else {
            return String::read(value).map(|program| Self(vec![program]));
        };
        let words: Vec<String> = value.elements().iter().map(String::read).collect::<Result<_, _>>()?;
        if words.is_empty() { Err(Complaint::new("is empty")) } else { Ok(Self(words)) }
    }

    fn shown(&self) -> String {
        match self.0.as_slice() {
            [program] => quoted(program),
            words => quoted_list(words),
        }
    }
}

/// The runner's program and first arguments. A name is looked for on the PATH, a path starts at the folder of the
/// configuration file; the setting shows what was found.
fn runner(section: &Section<'_>, path: &str) -> Option<(PathBuf, Vec<String>)> {
    section.declare::<Command>("runner", Some(quoted(RUNNER)));
    let value = section.get("runner");
    let Command(mut words) = match &value {
        Some(value) => value.read(any)?,
        None => Command(vec![RUNNER.to_owned()]),
    };
    let found = find(&words[0], path, section.notes.directory);
    match (found, value) {
        (Ok(program), value) => {
            words[0] = program.display().to_string();
            let origin = value.map_or(Origin::Default, |value| value.origin());
            section.notes.set(&section.key("runner"), Some(Command(words.clone()).shown()), origin);
            words.remove(0);
            return Some((program, words));
        }
        (Err(complaint), Some(value)) => value.complain(complaint),
        (Err(complaint), None) => section.complain("runner", complaint),
    }
    None
}

fn find(given: &str, path: &str, directory: &Path) -> Result<PathBuf, Complaint> {
    let found = if given.contains('/') {
        let program = directory.join(given);
        executable(&program).map(|()| program)
    } else {
        let places = path.split(':').filter(|place| place.starts_with('/'));
        let mut programs = places.map(|place| Path::new(place).join(given));
        programs
            .find(|program| executable(program).is_ok())
            .ok_or_else(|| Complaint::new(format!("there is no program {} on the PATH", quoted(given))))
    };
    found.map_err(|complaint| complaint.hint("install Forgejo Runner 12.8 or newer, or give its path: runner = \"/…\""))
}

fn executable(program: &Path) -> Result<(), Complaint> {
    let shown = program.display();
    let metadata =
        std::fs::metadata(program).map_err(|error| Complaint::new(format!("cannot find {shown}: {error}")))?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(Complaint::new(format!("{shown} is not an executable file")));
    }
    Ok(())
}

/// Variables that are set for every machine, with the reason.
const RESERVED: [(&str, &str); 3] = [
    ("PATH", "use `path`"),
    ("HOME", "each machine gets a folder of its own"),
    (backend_host::MARKER, "it marks the processes of a machine"),
];

fn environment(section: &Section<'_>) -> BTreeMap<String, String> {
    let Some(value) = section.get("environment") else {
        section.notes.set(&section.key("environment"), None, Origin::Default);
        return BTreeMap::new();
    };
    let mut environment = BTreeMap::new();
    let mut shown = Vec::new();
    for (name, entry) in value.section().map(|table| table.entries()).unwrap_or_default() {
        let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            entry.complain(Complaint::new(format!("{} is no name of a variable", quoted(name))));
        }
        if let Some((_, instead)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
            entry.complain(Complaint::new("cannot be set here").hint(*instead));
        }
        let Some(text) = entry.read(|text: &String| without_nul(text)) else { continue };
        shown.push(format!("{name} = {}", text.shown()));
        environment.insert(name.to_owned(), text);
    }
    section.notes.set(&value.key, Some(format!("{{ {} }}", shown.join(", "))), value.origin());
    environment
}

/// No variable can hold a NUL byte.
fn without_nul(text: &str) -> Result<(), Complaint> {
    if text.contains('\0') { Err(Complaint::new("holds a NUL byte")) } else { Ok(()) }
}
