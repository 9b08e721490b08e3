//! `runner`: the program that speaks the command line of Forgejo Runner.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use crate::config::problem::Complaint;
use crate::config::read::{Section, Value, any};
use crate::config::settings::Origin;
use crate::config::shape::Shape;
use crate::config::value::{Readable, as_written, quoted, quoted_list};

/// The runner that is looked for when nobody names one.
const RUNNER: &str = "forgejo-runner";

/// A program with its first arguments: a string, or a list of strings.
struct Command(Vec<String>);

impl Readable for Command {
    const SHAPE: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let DeValue::Array(_) = value.raw else {
            return String::read(value).map(|program| Self(vec![program]));
        };
        let words: Vec<String> = value.elements().iter().map(String::read).collect::<Result<_, _>>()?;
        if words.is_empty() {
            return Err(Complaint::new("is empty").hint("name the program first: [\"forgejo-runner\"]"));
        }
        Ok(Self(words))
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
pub(super) fn read(section: &Section<'_>, path: &str) -> Option<(PathBuf, Vec<String>)> {
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
    as_written(given)?;
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
    found.map_err(|complaint| {
        complaint.hint("install Forgejo Runner 12.8.2 or newer, or give its path: runner = \"/…\"")
    })
}

fn executable(program: &Path) -> Result<(), Complaint<()>> {
    let shown = program.display();
    let metadata =
        std::fs::metadata(program).map_err(|error| Complaint::new(format!("cannot find {shown}: {error}")))?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(Complaint::new(format!("{shown} is not an executable file")));
    }
    Ok(())
}
