//! What a new start forgives: failed launches of which the operator may have mended the cause.
//!
//! A handle's rests after failed launches end when
//! - the daemon was told to stop before, and did: somebody restarts it on purpose. A mark in the memory says so; it is
//!   written last of all and taken away at the next start. A daemon that crashes leaves none, so that a loop of crashes
//!   keeps its rests. (Nor does one that ends by itself, as with `--once`.)
//! - or its pool, or the pool's backend, is configured in another way than when the last launch failed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use planner::ids::PoolId;
use planner::state::HandleMemory;
use store::{MemoryChange, MemoryRow};

use crate::config::Config;

/// The mark's key in the memory.
const MARK: &str = "told to stop";

/// What is known at a start of the reasons to forgive.
#[derive(Debug, Clone, Default)]
pub(crate) struct FreshStart {
    /// Whether the life before was told to stop.
    deliberate: bool,
    /// Of each pool, with its backend.
    fingerprints: BTreeMap<PoolId, String>,
}

impl FreshStart {
    /// Looks at the memory and the configuration.
    pub(crate) fn new(rows: &[MemoryRow], config: &Config) -> Self {
        Self { deliberate: rows.iter().any(|row| row.key == MARK), fingerprints: fingerprints(config) }
    }

    /// Whether the life before was told to stop.
    pub(crate) fn is_deliberate(&self) -> bool {
        self.deliberate
    }

    /// How a pool is configured now.
    pub(crate) fn of_pool(&self, pool: &PoolId) -> Option<String> {
        self.fingerprints.get(pool).cloned()
    }

    /// What says in the memory that the daemon was told to stop.
    pub(crate) fn mark() -> MemoryChange {
        MemoryChange { key: MARK.to_owned(), value: Some("{}".to_owned()) }
    }

    /// Takes the mark away.
    pub(crate) fn unmark() -> MemoryChange {
        MemoryChange { key: MARK.to_owned(), value: None }
    }

    /// How the pool of a handle's last failed launch is configured now.
    pub(crate) fn fingerprint(&self, memory: &HandleMemory) -> Option<String> {
        memory.pool.as_ref().and_then(|pool| self.of_pool(pool))
    }

    /// Forgives if there is a reason to; `kept` is the fingerprint that was kept with the memory.
    pub(crate) fn forgive(&self, memory: &mut HandleMemory, kept: Option<&str>) {
        let changed = kept.is_some_and(|kept| self.fingerprint(memory).as_deref() != Some(kept));
        if self.deliberate || changed {
            memory.forgive();
        }
    }
}

/// The hash need not be the same in every version of the program: another one forgives once too often.
fn fingerprints(config: &Config) -> BTreeMap<PoolId, String> {
    let fingerprint = |(at, pool): (usize, &crate::config::Pool)| {
        let mut hasher = DefaultHasher::new();
        hash_table(config, &format!("pool[{at}]."), &mut hasher);
        hash_table(config, &format!("backend.{}.", pool.policy.backend), &mut hasher);
        (pool.policy.id.clone(), format!("{:016x}", hasher.finish()))
    };
    config.pools.iter().enumerate().map(fingerprint).collect()
}

/// What the file says below a key, and where it says nothing the default; never what the values of variables are that
/// are only passed on: some of them are new at every start.
fn hash_table(config: &Config, below: &str, hasher: &mut DefaultHasher) {
    let settings = config.settings.iter();
    for (key, value) in settings.filter_map(|setting| Some((setting.key.strip_prefix(below)?, &setting.value))) {
        (key, value).hash(hasher);
    }
}

#[cfg(test)]
impl FreshStart {
    /// After a crash, with the pool `p` configured like this.
    pub(crate) fn after_a_crash(fingerprint: &str) -> Self {
        let fingerprints = BTreeMap::from([(PoolId::new("p"), fingerprint.to_owned())]);
        Self { deliberate: false, fingerprints }
    }

    /// The same after a deliberate stop.
    pub(crate) fn deliberate(fingerprint: &str) -> Self {
        Self { deliberate: true, ..Self::after_a_crash(fingerprint) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::fingerprints;
    use crate::config::{Config, Surroundings};

    /// The only pool's fingerprint, where a variable that is passed on has this value.
    fn of(max: u32, passed: &'static str) -> String {
        let text = format!(
            "deployment = \"d\"\nstate_directory = \"/state\"\n\
             [[forge]]\nurl = \"http://127.0.0.1:1\"\ntoken_env = \"TOKEN\"\nscopes = [\"instance\"]\n\
             [[pool]]\nname = \"p\"\nlabels = [\"x:host\"]\nbackend = \"here\"\nmax = {max}\n\
             [backend.here]\nkind = \"host\"\nrunner = \"/bin/sh\"\npass_environment = [\"INVOCATION\"]\n"
        );
        let variables = move |name: &str| match name {
            "TOKEN" => Some("secret".to_owned()),
            "INVOCATION" => Some(passed.to_owned()),
            _ => None,
        };
        let config = Config::parse(&text, Path::new("/"), &Surroundings::new(variables, false)).unwrap();
        fingerprints(&config).into_values().next().unwrap()
    }

    #[test]
    fn what_the_file_says_makes_a_fingerprint_and_not_what_is_passed_on() {
        assert_eq!(of(1, "one"), of(1, "two"));
        assert_ne!(of(1, "one"), of(2, "one"));
    }
}
