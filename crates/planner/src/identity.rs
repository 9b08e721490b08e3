//! Names and descriptions: how our own things are found again after everything was forgotten.
//!
//! The same decision made twice names the same thing. A name is `fs-` and a short hash; whose it is and what it is for is
//! said in full by the runner's description and the machine's tags, and only an exact match of the deployment counts.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::ids::{DeploymentId, Handle, JobKey, MachineName, Ordinal, PoolId, Try};
use crate::sabotage::{self, Sabotage};

/// How many hexadecimal digits of the hash are kept: 64 bits, so that two of a million names collide once in 10^7 years.
const NAME_DIGITS: usize = 16;

/// The name of the machine for a try: `fs-` + short hash of (deployment, forge, handle, try).
pub fn machine_name(deployment: &DeploymentId, job: &JobKey, attempt: Try) -> MachineName {
    let attempt = if sabotage::is(Sabotage::ForgetTry) { Try(0) } else { attempt };
    hashed(&[deployment.as_str(), job.forge.as_str(), job.handle.as_str(), &attempt.0.to_string()])
}

/// The name of a machine without a job: `fs-` + short hash of (deployment, pool, life, ordinal). No name is ever used
/// twice: the ordinal grows within a life of the daemon, and the life differs ([`crate::state::Journal::life`]).
pub fn warm_machine_name(deployment: &DeploymentId, pool: &PoolId, life: u64, ordinal: u64) -> MachineName {
    hashed(&["warm", deployment.as_str(), pool.as_str(), &life.to_string(), &ordinal.to_string()])
}

fn hashed(parts: &[&str]) -> MachineName {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut name = String::from("fs-");
    for byte in hash.finalize().iter().take(NAME_DIGITS / 2) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    MachineName::new(name)
}

/// What a registration of ours was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerIdentity {
    /// The pool.
    pub pool: PoolId,
    /// The job.
    pub handle: Handle,
    /// The try.
    pub attempt: Try,
    /// The register call.
    pub ordinal: Ordinal,
}

impl RunnerIdentity {
    /// The runner's name: the machine's, then the ordinal.
    pub fn runner_name(&self, machine: &MachineName) -> String {
        format!("{machine}-{}", self.ordinal.0)
    }

    /// The description: every fact, in a form that [`RunnerIdentity::read`] reads back.
    pub fn description(&self, deployment: &DeploymentId) -> String {
        format!(
            "forgescale deployment={} pool={} try={} ordinal={} handle={}",
            quote(deployment.as_str()),
            quote(self.pool.as_str()),
            self.attempt.0,
            self.ordinal.0,
            quote(self.handle.as_str()),
        )
    }

    /// Reads name and description of a listed runner. `None` unless both say that it is of exactly this deployment.
    pub fn read(deployment: &DeploymentId, forge: &crate::ids::ForgeId, name: &str, description: &str) -> Option<Self> {
        let mut words = description.split(' ');
        if words.next() != Some("forgescale") {
            return None;
        }
        let mut field = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=').and_then(unquote);
        let theirs = field("deployment")?;
        let by_prefix = sabotage::is(Sabotage::AdoptByPrefix) && theirs.starts_with(deployment.as_str());
        if theirs != deployment.as_str() && !by_prefix {
            return None;
        }
        let pool = PoolId::new(field("pool")?);
        let attempt = Try(field("try")?.parse().ok()?);
        let ordinal = Ordinal(field("ordinal")?.parse().ok()?);
        let handle = Handle::new(field("handle")?);
        let identity = Self { pool, handle: handle.clone(), attempt, ordinal };
        let machine = machine_name(deployment, &JobKey { forge: forge.clone(), handle }, attempt);
        (identity.runner_name(&machine) == name || by_prefix).then_some(identity)
    }
}

/// Percent-encodes what would break the description's form.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '%' || character.is_whitespace() || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                let _ = write!(quoted, "%{byte:02x}");
            }
        } else {
            quoted.push(character);
        }
    }
    quoted
}

/// The inverse of [`quote`].
fn unquote(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ForgeId;

    fn identity(handle: &str) -> RunnerIdentity {
        RunnerIdentity { pool: PoolId::new("a b%"), handle: Handle::new(handle), attempt: Try(3), ordinal: Ordinal(2) }
    }

    fn written(deployment: &str, forge: &str, handle: &str) -> (String, String) {
        let deployment = DeploymentId::new(deployment);
        let job = JobKey { forge: ForgeId::new(forge), handle: Handle::new(handle) };
        let machine = machine_name(&deployment, &job, Try(3));
        (identity(handle).runner_name(&machine), identity(handle).description(&deployment))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (name, description) = written("ci berlin", "https://f", "h-1");
        let read =
            RunnerIdentity::read(&DeploymentId::new("ci berlin"), &ForgeId::new("https://f"), &name, &description);
        assert_eq!(read, Some(identity("h-1")));
    }

    #[test]
    fn a_deployment_whose_name_begins_like_ours_is_not_ours() {
        let (name, description) = written("ci-berlin", "https://f", "h-1");
        for other in ["ci", "ci-berlin2", "ci-berli"] {
            let read = RunnerIdentity::read(&DeploymentId::new(other), &ForgeId::new("https://f"), &name, &description);
            assert_eq!(read, None, "{other}");
        }
    }

    #[test]
    fn a_copied_description_under_another_name_is_not_ours() {
        let (_, description) = written("ci", "https://f", "h-1");
        let read = RunnerIdentity::read(&DeploymentId::new("ci"), &ForgeId::new("https://f"), "mine", &description);
        assert_eq!(read, None);
    }

    #[test]
    fn broken_descriptions_are_nobodys() {
        for broken in ["", "forgescale", "forgescale deployment=%", "forgescale deployment=ci pool=x try=one"] {
            assert_eq!(RunnerIdentity::read(&DeploymentId::new("ci"), &ForgeId::new("f"), "x", broken), None);
        }
    }
}
