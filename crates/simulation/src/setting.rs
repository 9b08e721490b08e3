//! What there is in a world: forges, and what its operator has configured: scopes, pools, backends, limits.

use std::collections::BTreeMap;
use std::time::Duration;

use forge_model::{Area, Version};
use planner::ids::{BackendId, DeploymentId, ForgeId, PoolId, ScopeId, ScopeKey};
use planner::label::Label;
use planner::policy::{BackendPolicy, Clocks, Limits, Policy, PoolPolicy, ScopePolicy, WarmPolicy};

use crate::dice::Dice;
use crate::forge::ForgeSide;

/// Labels that pools may have.
pub(crate) const LABELS: [&str; 3] = ["debian", "gpu", "tools"];

/// Draws the forges: most worlds have one, some two.
pub(crate) fn forges(seed: u64, dice: &mut Dice) -> Vec<ForgeSide> {
    let count = if dice.chance(250) { 2 } else { 1 };
    (0..count)
        .map(|number| {
            let version = if dice.chance(500) { Version::V15 } else { Version::V16 };
            let repositories = dice.between(1, 3);
            ForgeSide::new(seed.wrapping_add(number << 48), number, version, repositories)
        })
        .collect()
}

/// Draws the policy. Spans are shorter than the defaults, so that a world ends soon; their order is that of the defaults.
pub(crate) fn policy(dice: &mut Dice, mut forges: Vec<ForgeSide>) -> (Policy, BTreeMap<ForgeId, ForgeSide>) {
    let interval = Duration::from_millis(dice.between(2_000, 5_000));
    let mut scopes = BTreeMap::new();
    for forge in &mut forges {
        forge.areas = areas(dice, forge);
        scopes.extend(forge.areas.iter().map(|(scope, area)| (scope.clone(), scope_policy(dice, *area, interval))));
    }
    let backends: Vec<BackendId> = (0..dice.between(1, 2)).map(|n| BackendId::new(format!("backend-{n}"))).collect();
    let pools = (0..dice.between(1, 3)).map(|number| pool(dice, number, &backends)).collect();
    let policy = Policy {
        deployment: DeploymentId::new("ci"),
        max: dice.chance(300).then(|| small(dice, 1, 5)),
        scopes,
        pools,
        backends: backends
            .into_iter()
            .map(|id| {
                let backend = BackendPolicy {
                    max: dice.chance(300).then(|| small(dice, 1, 4)),
                    interval: Duration::from_millis(dice.between(2_000, 5_000)),
                    parallel_creates: usize::try_from(dice.between(1, 4)).unwrap_or(1),
                };
                (id, backend)
            })
            .collect(),
        limits: limits(dice),
        draining: false,
        retired: BTreeMap::new(),
    };
    (policy, forges.into_iter().map(|forge| (forge.id.clone(), forge)).collect())
}

/// The policy of a scope.
pub(crate) fn scope_policy(dice: &mut Dice, area: Area, interval: Duration) -> ScopePolicy {
    let width = match area {
        Area::Repository(_) => 0,
        Area::Owner(_) => 1,
        Area::Instance => 2,
    };
    let at_repository = !matches!(area, Area::Repository(_)) && dice.chance(350);
    ScopePolicy { width, interval, has_identity: area != Area::Instance, at_repository }
}

fn small(dice: &mut Dice, low: u64, high: u64) -> u32 {
    u32::try_from(dice.between(low, high)).unwrap_or(1)
}

fn areas(dice: &mut Dice, forge: &ForgeSide) -> BTreeMap<ScopeKey, Area> {
    let scope = |name: &str, area: Area| (ScopeKey { forge: forge.id.clone(), scope: ScopeId::new(name) }, area);
    let repository = |index: usize| scope(&format!("repo:acme/r{index}"), Area::Repository(forge.repositories[index]));
    let owner = || scope("org:acme", Area::Owner(forge.owner));
    match dice.between(0, 3) {
        0 => BTreeMap::from([scope("instance", Area::Instance)]),
        1 => BTreeMap::from([owner()]),
        2 => BTreeMap::from([owner(), repository(0)]),
        _ => (0..forge.repositories.len()).map(repository).collect(),
    }
}

fn pool(dice: &mut Dice, number: u64, backends: &[BackendId]) -> PoolPolicy {
    let mut labels: Vec<&str> = LABELS.into_iter().filter(|_| dice.chance(600)).collect();
    // The first pool serves everything, so that every job which names known labels can be served.
    if number == 0 {
        labels = LABELS.to_vec();
    }
    PoolPolicy {
        id: PoolId::new(format!("pool-{number}")),
        labels: parsed(&labels),
        backend: dice.pick(backends).clone(),
        max: small(dice, 1, 4),
        priority: i32::try_from(dice.between(0, 2)).unwrap_or(0),
        max_per_repository: dice.chance(200).then(|| small(dice, 1, 2)),
        clocks: Clocks {
            boot: Duration::from_millis(dice.between(30_000, 60_000)),
            claim: Duration::from_secs(15),
            run: Duration::from_millis(dice.between(120_000, 240_000)),
            grace: Duration::from_millis(dice.between(10_000, 30_000)),
            stop: Duration::from_secs(10),
        },
        warm: WarmPolicy::default(),
    }
}

/// Labels of a pool, for the host but for those that name an image: `debian=node`.
pub(crate) fn parsed(labels: &[&str]) -> Vec<Label> {
    let text = |label: &&str| match label.split_once('=') {
        Some((name, image)) => format!("{name}:docker://{image}"),
        None => format!("{label}:host"),
    };
    labels.iter().filter_map(|label| Label::parse(&text(label)).ok()).collect()
}

fn limits(dice: &mut Dice) -> Limits {
    let parallel_calls = usize::try_from(dice.between(1, 8)).unwrap_or(1);
    Limits {
        parallel_forge_calls: parallel_calls,
        parallel_calls_per_forge: parallel_calls,
        parallel_removals: parallel_calls,
        mass_left: usize::try_from(dice.between(2, 10)).unwrap_or(10),
        // Two failed launches in a row are enough to see a job parked.
        boot_failures: 2,
        ..short_limits()
    }
}

/// Limits with short spans.
pub(crate) fn short_limits() -> Limits {
    Limits {
        settle: Duration::from_secs(5),
        park: Duration::from_mins(1),
        park_max: Duration::from_mins(4),
        backoff_max: Duration::from_mins(1),
        suspect: Duration::from_secs(10),
        suspect_max: Duration::from_mins(1),
        idle_doubt: Duration::from_secs(30),
        hold: Duration::from_mins(1),
        ..Limits::default()
    }
}
