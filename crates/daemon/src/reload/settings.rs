//! The settings in use, to compare the next ones with: pools by their names, since their numbers change when one is taken
//! out or put in before them.

use std::collections::BTreeMap;

use crate::config::{Origin, Setting};

/// Keys that cannot change while a daemon runs: they say whose everything is, and where what is there lies.
const NEED_A_RESTART: [&str; 3] = ["deployment", "state_directory", "runtime_directory"];

/// A value that is not there.
const NOTHING: &str = "(not set)";

/// Values as they are shown, by their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    values: BTreeMap<String, String>,
    /// The names of the pools, in the order in which they are tried.
    pools: Vec<String>,
}

/// What is different.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Of keys that need a restart.
    pub(super) restart: Vec<String>,
    /// Of all others.
    pub(super) others: Vec<String>,
}

impl Settings {
    /// The resolved settings of a configuration whose pools have these names.
    pub(super) fn new<'a>(settings: &[Setting], pools: impl Iterator<Item = &'a str>) -> Self {
        let pools: Vec<String> = pools.map(str::to_owned).collect();
        let values = settings.iter().map(|setting| (key(&setting.key, &pools), shown(setting))).collect();
        Self { values, pools }
    }

    /// What `next` has in another way. A pool that is added or removed is one difference.
    pub(super) fn differences(&self, next: &Self) -> Differences {
        let mut found = Differences::default();
        found
            .others
            .extend(self.pools.iter().filter(|pool| !next.pools.contains(pool)).map(|p| format!("pool {p}: removed")));
        found
            .others
            .extend(next.pools.iter().filter(|pool| !self.pools.contains(pool)).map(|p| format!("pool {p}: added")));
        let in_both = |of: &Self, pool: &String| of.pools.contains(pool);
        let before: Vec<&String> = self.pools.iter().filter(|pool| in_both(next, pool)).collect();
        let now: Vec<&String> = next.pools.iter().filter(|pool| in_both(self, pool)).collect();
        if before != now {
            found.others.push(format!("order of the pools: {} -> {}", self.pools.join(", "), next.pools.join(", ")));
        }
        let mut keys: Vec<&String> = self.values.keys().chain(next.values.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys.into_iter().filter(|key| !self.is_of_one_alone(next, key)) {
            let (before, now) = (self.value(key), next.value(key));
            if before != now {
                let needs_a_restart = NEED_A_RESTART.contains(&key.as_str());
                let of = if needs_a_restart { &mut found.restart } else { &mut found.others };
                of.push(format!("{key}: {before} -> {now}"));
            }
        }
        found
    }

    /// These settings with the values before of keys that need a restart: so they are named again by the next reload.
    pub(super) fn with_kept(mut self, before: &Self) -> Self {
        for key in NEED_A_RESTART {
            match before.values.get(key) {
                Some(value) => self.values.insert(key.to_owned(), value.clone()),
                None => self.values.remove(key),
            };
        }
        self
    }

    fn value(&self, key: &str) -> &str {
        self.values.get(key).map_or(NOTHING, String::as_str)
    }

    /// Whether a key is of a pool that only one of the two has.
    fn is_of_one_alone(&self, next: &Self, key: &str) -> bool {
        let Some((pool, _)) = key.strip_prefix("pool ").and_then(|key| key.split_once(": ")) else { return false };
        let has = |of: &Self| of.pools.iter().any(|known| known == pool);
        has(self) != has(next)
    }
}

/// `pool[0].max` by the name of the pool: `pool debian: max`.
fn key(key: &str, pools: &[String]) -> String {
    let numbered = key.strip_prefix("pool[").and_then(|rest| rest.split_once("]."));
    let named = numbered.and_then(|(number, rest)| Some((pools.get(number.parse::<usize>().ok()?)?, rest)));
    named.map_or_else(|| key.to_owned(), |(pool, rest)| format!("pool {pool}: {rest}"))
}

/// A value for people. Of a secret that comes from a file, the file.
fn shown(setting: &Setting) -> String {
    match (&setting.origin, &setting.value) {
        (Origin::SecretFile { path }, _) => format!("the secret in {}", path.display()),
        (_, Some(value)) => value.clone(),
        (_, None) => NOTHING.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool's name and its other keys.
    type Pool<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

    fn settings(pools: &[Pool<'_>], deployment: &str) -> Settings {
        let setting = |key: String, value: Option<&str>| Setting {
            key,
            value: value.map(str::to_owned),
            origin: Origin::Default,
        };
        let mut all = vec![setting("deployment".to_owned(), Some(deployment))];
        for (number, (name, keys)) in pools.iter().enumerate() {
            all.push(setting(format!("pool[{number}].name"), Some(name)));
            all.extend(keys.iter().map(|(key, value)| setting(format!("pool[{number}].{key}"), *value)));
        }
        Settings::new(&all, pools.iter().map(|(name, _)| *name))
    }

    #[track_caller]
    fn check(before: &Settings, now: &Settings, expected: &[&str]) {
        assert_eq!(before.differences(now).others, expected);
    }

    #[test]
    fn pools_are_compared_by_their_names() {
        let max = |value| [("max", Some(value)), ("max_per_repository", None)];
        let (two, three) = (max("2"), max("3"));
        let both = settings(&[("small", &two), ("large", &two)], "ci");
        check(&both, &both, &[]);
        check(&both, &settings(&[("large", &two)], "ci"), &["pool small: removed"]);
        check(&both, &settings(&[("large", &three)], "ci"), &["pool small: removed", "pool large: max: 2 -> 3"]);
        check(&settings(&[("large", &two)], "ci"), &both, &["pool small: added"]);
        let turned = settings(&[("large", &two), ("small", &two)], "ci");
        check(&both, &turned, &["order of the pools: small, large -> large, small"]);
    }

    #[test]
    fn a_key_without_a_value_is_none_that_has_changed() {
        let (set, unset) = ([("max_per_repository", Some("1"))], [("max_per_repository", None)]);
        let without = settings(&[("small", &[])], "ci");
        check(&without, &settings(&[("small", &unset)], "ci"), &[]);
        check(&without, &settings(&[("small", &set)], "ci"), &["pool small: max_per_repository: (not set) -> 1"]);
    }

    #[test]
    fn what_needs_a_restart_is_told_apart_and_kept() {
        let (before, next) = (settings(&[], "ci"), settings(&[], "ci-new"));
        let restart = vec!["deployment: ci -> ci-new".to_owned()];
        assert_eq!(before.differences(&next), Differences { restart, others: Vec::new() });
        assert_eq!(next.with_kept(&before), before);
    }
}
