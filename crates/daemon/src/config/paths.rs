//! Where the daemon keeps its files: chosen by the configuration, by the service's surroundings, or by custom.

use std::path::PathBuf;

use super::Surroundings;
use super::read::{Section, any};
use super::settings::Origin;
use super::value::Readable as _;

/// The folder of ours within one that is shared with others.
const OWN: &str = "forgescale";

/// `state_directory`: as given, else `$STATE_DIRECTORY`, else `/var/lib/forgescale` for root, else below
/// `$XDG_STATE_HOME` or `~/.local/state`.
pub(super) fn state(section: &Section<'_>, surroundings: &Surroundings) -> Option<PathBuf> {
    let by_custom = || {
        if surroundings.root {
            return Some((PathBuf::from("/var/lib").join(OWN), Origin::Default));
        }
        let home = || Some((directory(surroundings, "HOME")?.0.join(".local/state"), "HOME"));
        let (base, variable) = directory(surroundings, "XDG_STATE_HOME").or_else(home)?;
        Some((base.join(OWN), Origin::Environment { variable: variable.to_owned() }))
    };
    let chosen =
        chosen(section, "state_directory", || from_service(surroundings, "STATE_DIRECTORY").or_else(by_custom));
    if chosen.is_none() && section.get("state_directory").is_none() {
        section.missing("state_directory", "state_directory = \"/var/lib/forgescale\" (HOME is not set)");
    }
    chosen
}

/// `runtime_directory`: as given, else `$RUNTIME_DIRECTORY`, else `/run/forgescale` for root, else below
/// `$XDG_RUNTIME_DIR`, else none.
pub(super) fn runtime(section: &Section<'_>, surroundings: &Surroundings) -> Option<PathBuf> {
    let by_custom = || {
        if surroundings.root {
            return Some((PathBuf::from("/run").join(OWN), Origin::Default));
        }
        let (base, variable) = directory(surroundings, "XDG_RUNTIME_DIR")?;
        Some((base.join(OWN), Origin::Environment { variable: variable.to_owned() }))
    };
    chosen(section, "runtime_directory", || from_service(surroundings, "RUNTIME_DIRECTORY").or_else(by_custom))
}

fn chosen(
    section: &Section<'_>,
    key: &'static str,
    otherwise: impl FnOnce() -> Option<(PathBuf, Origin)>,
) -> Option<PathBuf> {
    if section.get(key).is_some() {
        return section.optional(key, any);
    }
    let Some((path, origin)) = otherwise() else {
        return section.optional(key, any);
    };
    section.notes.set(key, Some(path.shown()), origin);
    Some(path)
}

/// What a service gets from systemd: our own folder, or several, separated by colons.
fn from_service(surroundings: &Surroundings, variable: &'static str) -> Option<(PathBuf, Origin)> {
    let (path, variable) = directory(surroundings, variable)?;
    Some((path, Origin::Environment { variable: variable.to_owned() }))
}

/// An absolute folder named by a variable; the first, if there are several.
fn directory(surroundings: &Surroundings, variable: &'static str) -> Option<(PathBuf, &'static str)> {
    let text = surroundings.variable(variable)?;
    let path = PathBuf::from(text.split(':').next()?);
    path.is_absolute().then_some((path, variable))
}
