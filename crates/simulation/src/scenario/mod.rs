//! Scenario files: what happened somewhere once, in words that a person can read and change.
//!
//! ```text
//! # F11: the machine is there, what comes next fails
//! pool max 2 boot 60s
//! at 0 push build on debian for 20s
//! at 0 strike answer-lost create
//! at 30s expect build running
//! end expect build success
//! reasons
//! build: not listed yet, creating, …
//! ```
//!
//! A file with `seed` is a world from a seed instead, with what `without`, `jobs` and `quiet` leave of it: that is what
//! shrinking writes. Below `reasons` stand the words that were told about each attempt, in order; a test compares them.

mod parse;

use std::collections::BTreeMap;
use std::time::Duration;

use forge_model::Version;
use planner::ids::{BackendId, DeploymentId, PoolId, ScopeId, ScopeKey};
use planner::policy::{BackendPolicy, Clocks, Policy, PoolPolicy, ScopePolicy};

use crate::backends::ModelBackend;
use crate::ending::{Report, run};
use crate::forge::ForgeSide;
use crate::happening::Happening;
use crate::people::Workload;
use crate::script::{Act, Script};
use crate::setting::{LABELS, parsed, short_limits};
use crate::shape::Shape;
use crate::weather::Weather;
use crate::world::World;

/// One scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// A world from a seed instead of a script.
    shape: Option<Shape>,
    version: Version,
    pools: Vec<PoolPolicy>,
    max: Option<u32>,
    /// What happens when, in milliseconds.
    acts: Vec<(u64, Act)>,
    /// What must be true in the end.
    ends: Vec<Act>,
    /// When faults end.
    quiet_at: u64,
    /// What is kept of the reasons.
    reasons: Vec<String>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            shape: None,
            version: Version::V15,
            pools: Vec::new(),
            max: None,
            acts: Vec::new(),
            ends: Vec::new(),
            quiet_at: 0,
            reasons: Vec::new(),
        }
    }
}

/// What a scenario came to.
#[derive(Debug)]
pub struct Played {
    /// What was broken or not as expected, if anything.
    pub broken: Option<String>,
    /// The words that were told about each attempt.
    pub reasons: Vec<String>,
    /// What happened.
    pub trace: Vec<String>,
}

impl Scenario {
    /// The words that the file keeps.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// Plays it to its end.
    pub fn play(&self) -> Played {
        let broken = |report: &Report| {
            report.broken.as_ref().map(|broken| match broken.invariant {
                0 => broken.what.clone(),
                invariant => format!("invariant {invariant}: {}", broken.what),
            })
        };
        if let Some(shape) = &self.shape {
            let report = run(shape, true);
            return Played { broken: broken(&report), reasons: Vec::new(), trace: report.trace };
        }
        let mut world = self.world();
        world.run();
        for act in &self.ends {
            world.act(act);
        }
        let reasons = world.script.lines();
        let report = world.into_report();
        Played { broken: broken(&report), reasons, trace: report.trace }
    }

    fn world(&self) -> World {
        let mut forge = ForgeSide::new(1, 0, self.version, 2);
        let scope = ScopeKey { forge: forge.id.clone(), scope: ScopeId::new("org:acme") };
        forge.areas = BTreeMap::from([(scope.clone(), forge_model::Area::Owner(forge.owner))]);
        let backend = BackendId::new("backend-0");
        let interval = Duration::from_secs(3);
        let scope_policy = ScopePolicy { width: 1, interval, has_identity: true, at_repository: false };
        let backend_policy = BackendPolicy { max: None, interval, parallel_creates: 4 };
        let policy = Policy {
            deployment: DeploymentId::new("ci"),
            max: self.max,
            scopes: BTreeMap::from([(scope, scope_policy)]),
            pools: if self.pools.is_empty() { vec![a_pool()] } else { self.pools.clone() },
            backends: BTreeMap::from([(backend.clone(), backend_policy)]),
            limits: short_limits(),
            draining: false,
            retired: BTreeMap::new(),
        };
        let mut world = World::of(
            1,
            policy,
            BTreeMap::from([(forge.id.clone(), forge)]),
            BTreeMap::from([(backend, ModelBackend::new(true))]),
            Weather::calm(),
            Workload::scripted(),
            Script::begun(),
            true,
        );
        for (at, act) in &self.acts {
            world.agenda.enter(*at, Happening::Act { act: act.clone() });
        }
        world.agenda.enter(self.quiet_at, Happening::Quiet);
        world
    }
}

/// The pool of a scenario that says nothing else.
fn a_pool() -> PoolPolicy {
    PoolPolicy {
        id: PoolId::new("pool-0"),
        labels: parsed(&LABELS),
        backend: BackendId::new("backend-0"),
        max: 4,
        priority: 0,
        max_per_repository: None,
        clocks: Clocks {
            boot: Duration::from_secs(40),
            claim: Duration::from_secs(15),
            run: Duration::from_mins(2),
            grace: Duration::from_secs(20),
            stop: Duration::from_secs(10),
        },
    }
}
