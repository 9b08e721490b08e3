//! `environment` and `pass_environment`: what jobs on the host can read.

use std::collections::BTreeMap;

use crate::config::Surroundings;
use crate::config::problem::Complaint;
use crate::config::read::Section;
use crate::config::settings::Origin;
use crate::config::value::{Readable as _, Words, quoted};

/// Variables that are set for every machine, with the reason.
const RESERVED: [(&str, &str); 3] = [
    ("PATH", "use `path`"),
    ("HOME", "each machine gets a folder of its own"),
    (backend_host::MARKER, "it marks the processes of a machine"),
];

/// What runners and their jobs get beyond the variables that each machine has: those named by `pass_environment` that the
/// daemon has, then those of `environment`. Nothing else is handed down.
pub(super) fn read(section: &Section<'_>, surroundings: &Surroundings) -> BTreeMap<String, String> {
    let passed: Option<Words> = section.optional("pass_environment", |Words(names)| {
        names.iter().try_for_each(|name| variable(name).and_then(|()| ours(name)))
    });
    let passed = passed.map_or_else(Vec::new, |Words(names)| names);
    let mut environment: BTreeMap<String, String> =
        passed.into_iter().filter_map(|name| surroundings.variable(&name).map(|value| (name, value))).collect();
    environment.extend(given(section));
    environment
}

fn given(section: &Section<'_>) -> BTreeMap<String, String> {
    let Some(value) = section.get("environment") else {
        section.notes.set(&section.key("environment"), None, Origin::Default);
        return BTreeMap::new();
    };
    let mut environment = BTreeMap::new();
    let mut shown = Vec::new();
    for (name, entry) in value.section().map(|table| table.entries()).unwrap_or_default() {
        for complaint in [variable(name), ours(name)].into_iter().filter_map(Result::err) {
            entry.complain(complaint);
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
    if text.contains('\0') {
        Err(Complaint::new("holds a NUL byte").hint("leave it out: no variable can hold one"))
    } else {
        Ok(())
    }
}

fn variable(name: &str) -> Result<(), Complaint> {
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Complaint::new(format!("{} is no name of a variable", quoted(name)))
        .hint("use letters, digits and `_`, and no digit first"))
}

fn ours(name: &str) -> Result<(), Complaint> {
    RESERVED
        .iter()
        .find(|(reserved, _)| *reserved == name)
        .map_or(Ok(()), |(name, instead)| Err(Complaint::new(format!("{name} cannot be set here")).hint(*instead)))
}
