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
//! Who reads a file needs these lines (spans are `0`, `300ms`, `20s`, `5m` or `2h`; the words of faults are those of
//! `fault`, those of calls and reasons those of `planner::action` and `reasons`):
//!
//! | Line | Says |
//! |---|---|
//! | `pool [labels a,b] [backend NAME] [max N] [priority N] [per-repository N] [boot SPAN] [claim SPAN] [run SPAN] [grace SPAN] [warm N] [max-age SPAN]` | one pool, `pool-0`, `pool-1`, …; without such a line there is one of 4 |
//! | | a label `NAME=IMAGE` names an image; `warm` machines wait without a job, until `max-age` |
//! | `max N`, `poll every SPAN`, `forge v15` or `v16`, `hooks` | the deployment's max, time between listings, the forge and whether it sends webhooks |
//! | `quick` | machines are made at once, and their runners come at once |
//! | `at SPAN push JOB [times N] [alike N] [in REPOSITORY] [on a,b] [for SPAN] [group G] [cancel-group G]` | one run, or N with numbered names, or of one name |
//! | `at SPAN cancel JOB`, `rerun JOB` | what people do |
//! | `at SPAN hour POOL N` | by its schedule a pool keeps N machines without a job from now on |
//! | `at SPAN strike FAULT WHAT [times N]` | the fault strikes the next calls, listings or jobs whose name begins with WHAT, or `any` |
//! | `at SPAN befall FAULT [WHOM] [for SPAN]` | the fault comes by itself; a machine is named by its job |
//! | `at SPAN expect …`, `at SPAN always …`, `end expect …` | what must be true then, from then on, and in the end |
//! | `quiet at SPAN` | faults end; without it, a second after the last line |
//! | `tell JOB …` | only the reasons of these are kept |
//!
//! What can be expected: `JOB STATUS`, `START* STATUS` (each job whose name begins so), `N START* STATUS`, `handed JOB N` (to
//! how many runners, all attempts together), `machines N`, `machines N to M`, `spares N to M` (machines that wait for a
//! job), `runners N` (registrations), `made N` (machines,
//! ever), `calls WORD N`, `took BOUND N to M
//! times within SPAN` (see `judge::bounds`), `told WORDS`, `not told WORDS`. The judge's invariants must hold beside.
//!
//! A file with `seed` is a world from a seed instead, with what `jobs N`, `quiet at SPAN`, `without FAULT …` and
//! `only FAULT N …` (of all the times that it would come only these) leave of it: that is what [`crate::shrink()`] writes.
//! Below `reasons` stand the words that were told about each attempt, in order; a test compares them.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forge_model::Version;
use planner::ids::{BackendId, DeploymentId, PoolId, ScopeId, ScopeKey};
use planner::policy::{BackendPolicy, Clocks, Policy, PoolPolicy, ScopePolicy, WarmPolicy};

use crate::backends::{CONTAINER, ModelBackend};
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
    /// Whether the forge sends webhooks.
    has_hooks: bool,
    /// Whether machines are free at once and runners come at once.
    is_quick: bool,
    /// Time between two listings of one kind.
    interval: Option<Duration>,
    max: Option<u32>,
    /// What happens when, in milliseconds.
    acts: Vec<(u64, Act)>,
    /// What must be true in the end.
    ends: Vec<Act>,
    /// When faults end.
    quiet_at: u64,
    /// The jobs whose reasons are kept; all, if none is named.
    told: Vec<String>,
    /// What is kept of the reasons.
    reasons: Vec<String>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            shape: None,
            version: Version::V15,
            pools: Vec::new(),
            has_hooks: false,
            is_quick: false,
            interval: None,
            max: None,
            acts: Vec::new(),
            ends: Vec::new(),
            quiet_at: 0,
            told: Vec::new(),
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
        let reasons = world.script.lines(&self.told);
        let report = world.into_report();
        Played { broken: broken(&report), reasons, trace: report.trace }
    }

    /// The world in which it is played.
    pub(crate) fn world(&self) -> World {
        let mut forge = ForgeSide::new(1, 0, self.version, 2);
        let scope = ScopeKey { forge: forge.id.clone(), scope: ScopeId::new("org:acme") };
        forge.areas = BTreeMap::from([(scope.clone(), forge_model::Area::Owner(forge.owner))]);
        let interval = self.interval.unwrap_or(Duration::from_secs(3));
        let pools = if self.pools.is_empty() { vec![a_pool()] } else { self.pools.clone() };
        let backends: BTreeSet<BackendId> = pools.iter().map(|pool| pool.backend.clone()).collect();
        let scope_policy = ScopePolicy { width: 1, interval, has_identity: true, at_repository: false };
        let backend_policy = BackendPolicy { max: None, interval, parallel_creates: 4 };
        let policy = Policy {
            deployment: DeploymentId::new("ci"),
            max: self.max,
            scopes: BTreeMap::from([(scope, scope_policy)]),
            pools,
            backends: backends.iter().map(|backend| (backend.clone(), backend_policy.clone())).collect(),
            limits: short_limits(),
            draining: false,
            retired: BTreeMap::new(),
        };
        let mut world = World::of(
            1,
            policy,
            BTreeMap::from([(forge.id.clone(), forge)]),
            backends.into_iter().map(|backend| (backend, ModelBackend::new(true, CONTAINER, true))).collect(),
            Weather::calm(),
            Workload::scripted(),
            Script::begun(self.is_quick),
            true,
        );
        world.workload.has_hooks = self.has_hooks;
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
        warm: WarmPolicy::default(),
    }
}
