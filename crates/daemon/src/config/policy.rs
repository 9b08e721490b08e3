//! The part of a configuration that decisions need, and `[limits]`, which goes there unchanged.

use std::collections::BTreeMap;
use std::time::Duration;

use forgejo::Scope;
use planner::policy::{BackendPolicy, Limits, Policy, ScopePolicy};

use super::Config;
use super::problem::Complaint;
use super::read::{Section, any};
use super::value::{Readable as _, at_least, positive, up_to};

/// Deadlines shorter than this would lose answers that are on their way.
const SHORTEST_DEADLINE: Duration = Duration::from_millis(100);

impl Config {
    /// What decisions need.
    pub fn policy(&self) -> Policy {
        let scopes = self.forges.iter().flat_map(|forge| {
            forge.scopes.iter().map(|watched| {
                let policy = ScopePolicy {
                    width: watched.scope.narrowness(),
                    interval: forge.interval,
                    has_identity: watched.scope != Scope::Instance,
                    at_repository: watched.at_repository,
                };
                (watched.key.clone(), policy)
            })
        });
        let backends = self.backends.iter().map(|(id, backend)| {
            let policy = BackendPolicy {
                max: backend.max,
                interval: backend.interval,
                parallel_creates: backend.parallel_creates,
            };
            (id.clone(), policy)
        });
        Policy {
            deployment: self.deployment.clone(),
            max: self.max,
            scopes: scopes.collect(),
            pools: self.pools.iter().map(|pool| pool.policy.clone()).collect(),
            backends: backends.collect(),
            limits: self.limits,
            draining: false,
            retired: BTreeMap::new(),
        }
    }
}

/// `[limits]`: every key may be absent, and the table too.
pub(super) fn limits(root: &Section<'_>) -> Limits {
    let empty = toml::de::DeTable::new();
    let absent = Section::new(root.notes, "limits".to_owned(), root.offset, &empty);
    let section = root.get("limits").and_then(|value| value.section()).unwrap_or(absent);
    let defaults = Limits::default();
    let limits = Limits {
        settle: section.or("settle", defaults.settle, any),
        forge_deadline: section.or("forge_deadline", defaults.forge_deadline, at_least(SHORTEST_DEADLINE)),
        backend_deadline: section.or("backend_deadline", defaults.backend_deadline, at_least(SHORTEST_DEADLINE)),
        parallel_forge_calls: section.or("parallel_forge_calls", defaults.parallel_forge_calls, up_to(256)),
        parallel_calls_per_forge: section.or("parallel_calls_per_forge", defaults.parallel_calls_per_forge, up_to(512)),
        parallel_removals: section.or("parallel_removals", defaults.parallel_removals, up_to(256)),
        boot_failures: section.or("boot_failures", defaults.boot_failures, positive),
        park: section.or("park", defaults.park, any),
        park_max: section.or("park_max", defaults.park_max, any),
        backoff: section.or("backoff", defaults.backoff, any),
        backoff_max: section.or("backoff_max", defaults.backoff_max, any),
        suspect: section.or("suspect", defaults.suspect, any),
        suspect_max: section.or("suspect_max", defaults.suspect_max, any),
        idle_doubt: section.or("idle_doubt", defaults.idle_doubt, any),
        mass_left: section.or("mass_left", defaults.mass_left, any),
        hold: section.or("hold", defaults.hold, any),
        register_calls: section.or("register_calls", defaults.register_calls, positive),
    };
    for (key, first, longest) in [
        ("park_max", limits.park, limits.park_max),
        ("backoff_max", limits.backoff, limits.backoff_max),
        ("suspect_max", limits.suspect, limits.suspect_max),
    ] {
        if first > longest {
            let bounded = key.trim_end_matches("_max");
            let complaint = Complaint::new(format!("is less than {bounded}, which it bounds"))
                .hint(format!("write {key} = {} or more, or lower {bounded}", first.shown()));
            match section.get(key) {
                Some(value) => value.complain(complaint),
                None => section.complain(key, complaint),
            }
        }
    }
    section.close();
    limits
}
