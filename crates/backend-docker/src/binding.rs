//! What was started on a machine, in its container's name: `MACHINE.TRY.RUNNER.HANDLE`.
//!
//! A machine that was made without a job also says where the runner is registered, which its labels cannot tell:
//! `MACHINE.TRY.RUNNER.HANDLE.FORGE.SCOPE.ID`. With `.r` at its end the runner is being taken back from it.
//!
//! The engine allows letters, digits, dots, dashes and underscores there. Only dots part the name; whatever else a handle
//! holds is written as an underscore and two hexadecimal digits for each byte.

use planner::ids::{ForgeId, Handle, MachineName, RunnerUuid, ScopeId, ScopeKey, Try};
use planner::seen::{Binding, BoundAt};

use crate::error::DockerError;

/// Longer names were accepted by Docker 20.10; nobody can read them.
const MOST_CHARACTERS: usize = 512;

/// Ends the name of one whose runner is being taken back.
const BACK: &str = "r";

/// A machine's name may be as long as this.
const MOST_OF_A_NAME: usize = 128;

/// Whether a machine's name can be that of a container, with room for what comes behind it.
pub(crate) fn is_name(name: &MachineName) -> bool {
    let name = name.as_str();
    let fits = (2..=MOST_OF_A_NAME).contains(&name.len());
    fits && name.bytes().all(is_plain) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// The name of the container of a bound machine.
pub(crate) fn bound_name(name: &MachineName, binding: &Binding) -> Result<String, DockerError> {
    let (runner, handle) = (encode(binding.runner.as_str()), encode(binding.handle.as_str()));
    let mut bound = format!("{name}.{}.{runner}.{handle}", binding.attempt.0);
    if let Some(BoundAt { scope: ScopeKey { forge, scope }, scope_id }) = &binding.at {
        let id = scope_id.map(|id| id.to_string()).unwrap_or_default();
        bound = format!("{bound}.{}.{}.{id}", encode(forge.as_str()), encode(scope.as_str()));
    }
    // With room for what says that it is taken back.
    if bound.len() + BACK.len() < MOST_CHARACTERS { Ok(bound) } else { Err(DockerError::BindingTooLong) }
}

/// The same, of one whose runner is being taken back.
pub(crate) fn back_name(name: &MachineName, binding: &Binding) -> Result<String, DockerError> {
    Ok(format!("{}.{BACK}", bound_name(name, binding)?))
}

/// What the name of a machine's container says: nothing was started on it, or what.
pub(crate) fn read(name: &MachineName, container: &str) -> Option<Bound> {
    let rest = container.trim_start_matches('/').strip_prefix(name.as_str())?;
    if rest.is_empty() {
        return Some(Bound::No);
    }
    let mut parts: Vec<&str> = rest.strip_prefix('.')?.split('.').collect();
    let is_back = matches!(parts.len(), 4 | 7) && parts.last() == Some(&BACK);
    if is_back {
        parts.pop();
    }
    let (attempt, runner, handle, at) = match parts[..] {
        [attempt, runner, handle] => (attempt, runner, handle, None),
        [attempt, runner, handle, forge, scope, id] => (attempt, runner, handle, Some(place(forge, scope, id)?)),
        _ => return None,
    };
    let attempt = Try(attempt.parse().ok()?);
    let (runner, handle) = (RunnerUuid::new(decode(runner)?), Handle::new(decode(handle)?));
    let binding = Binding { handle, attempt, runner, at };
    Some(if is_back { Bound::Back(binding) } else { Bound::To(binding) })
}

fn place(forge: &str, scope: &str, id: &str) -> Option<BoundAt> {
    let scope = ScopeKey { forge: ForgeId::new(decode(forge)?), scope: ScopeId::new(decode(scope)?) };
    let scope_id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
    Some(BoundAt { scope, scope_id })
}

/// Whether something was started on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Nothing.
    No,
    /// This, or it is about to be.
    To(Binding),
    /// This, and it is being taken back: the machine will be unbound.
    Back(Binding),
}

impl Bound {
    pub(crate) fn binding(self) -> Option<Binding> {
        match self {
            Self::No => None,
            Self::To(binding) | Self::Back(binding) => Some(binding),
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Letters, digits and dashes as they are, every other byte as an underscore and two hexadecimal digits.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("_{byte:02x}") })
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'_' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(handle: &str) -> Binding {
        Binding { handle: Handle::new(handle), attempt: Try(12), runner: RunnerUuid::new("d4637a60-7fea"), at: None }
    }

    #[test]
    fn whatever_a_handle_holds_is_read_back_and_fits_a_name() {
        let name = MachineName::new("fs-1");
        for handle in ["d4637a60-7fea-4075", "a.b_c/d=ü", "_", ".", "", "_2e"] {
            let bound = bound_name(&name, &binding(handle)).unwrap();
            assert!(bound.bytes().all(|byte| is_plain(byte) || byte == b'.' || byte == b'_'), "{bound}");
            assert_eq!(read(&name, &format!("/{bound}")), Some(Bound::To(binding(handle))), "{bound}");
        }
        assert!(bound_name(&name, &binding(&"x".repeat(MOST_CHARACTERS))).is_err());
    }

    #[test]
    fn where_a_runner_is_registered_and_that_it_is_taken_back_are_read_back() {
        let name = MachineName::new("fs-1");
        for (scope, scope_id) in [("instance", None), ("repo:tools/site#17", Some(-1)), ("org:a.b", Some(i64::MAX))] {
            let scope = ScopeKey { forge: ForgeId::new("https://forge.example:3000/sub"), scope: ScopeId::new(scope) };
            let binding = Binding { at: Some(BoundAt { scope, scope_id }), ..binding("h.r") };
            let bound = bound_name(&name, &binding).unwrap();
            assert!(bound.len() < 200, "{bound}");
            assert_eq!(read(&name, &bound), Some(Bound::To(binding.clone())), "{bound}");
            assert_eq!(read(&name, &back_name(&name, &binding).unwrap()), Some(Bound::Back(binding)), "{bound}");
        }
        let binding = binding("r");
        assert_eq!(read(&name, &back_name(&name, &binding).unwrap()), Some(Bound::Back(binding)));
    }

    #[test]
    fn only_a_container_of_the_machine_says_something_of_it() {
        let name = MachineName::new("fs-1");
        assert_eq!(read(&name, "/fs-1"), Some(Bound::No));
        for other in [
            "/fs-12",
            "/fs-1.",
            "/fs-1.1",
            "/fs-1.x.u.h",
            "/fs-1.1.u",
            "/fs-1.1.u._",
            "/fs-1.1.u._zz",
            "/x",
            "/fs-1.1.u.h.x",
            "/fs-1.1.u.h.f.s.x",
        ] {
            assert_eq!(read(&name, other), None, "{other}");
        }
    }

    #[test]
    fn names_that_would_be_mistaken_are_refused() {
        for name in ["", "f", "-f", "fs.1", "fs_1", "fs/1", "fs 1", &"x".repeat(MOST_OF_A_NAME + 1)] {
            assert!(!is_name(&MachineName::new(name)), "{name}");
        }
        assert!(is_name(&MachineName::new("fs-1")));
    }
}
