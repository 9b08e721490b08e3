//! What the operator wants: the validated configuration, as far as decisions need it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{BackendId, DeploymentId, PoolId, ScopeKey};
use crate::label::Label;

/// All that the operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whose things are ours.
    pub deployment: DeploymentId,
    /// Most machines over all pools, if limited.
    pub max: Option<u32>,
    /// Where jobs are watched and runners registered.
    pub scopes: BTreeMap<ScopeKey, ScopePolicy>,
    /// Kinds of machines, in the order of the configuration.
    pub pools: Vec<PoolPolicy>,
    /// What makes machines.
    pub backends: BTreeMap<BackendId, BackendPolicy>,
    /// Spans and counts that hold for all.
    pub limits: Limits,
    /// Whether no job is launched any more, since we are about to stop.
    pub draining: bool,
    /// Clocks of pools that were removed while something of them is there.
    pub retired: BTreeMap<PoolId, Clocks>,
}

impl Policy {
    /// The pool of that name.
    pub fn pool(&self, id: &PoolId) -> Option<&PoolPolicy> {
        self.pools.iter().find(|pool| pool.id == *id)
    }

    /// The clocks of a pool. For one that was removed in an earlier life the defaults, but no end of its jobs: how long
    /// they may run is not known any more, and the forge has a limit of its own.
    pub fn clocks(&self, pool: &PoolId) -> Clocks {
        let configured = self.pool(pool).map(|pool| pool.clocks);
        let known = configured.or_else(|| self.retired.get(pool).copied());
        known.unwrap_or(Clocks { run: Duration::MAX, ..Clocks::default() })
    }

    /// Where the runner for a job of a scope and a repository is registered.
    pub fn place(&self, scope: &ScopeKey, repository: i64) -> ScopeKey {
        let at_repository = self.scopes.get(scope).is_some_and(|policy| policy.at_repository);
        if at_repository { scope.at_repository(repository) } else { scope.clone() }
    }

    /// The policy of the watched scope of a place.
    pub fn scope_of_place(&self, place: &ScopeKey) -> Option<&ScopePolicy> {
        self.scopes.get(place).or_else(|| self.scopes.get(&place.watched()))
    }

    /// The scopes of one forge.
    pub fn scopes_of<'a>(&'a self, forge: &'a crate::ids::ForgeId) -> impl Iterator<Item = &'a ScopeKey> {
        self.scopes.keys().filter(move |scope| scope.forge == *forge)
    }
}

/// One scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopePolicy {
    /// Rank by width, 0 the narrowest: where two scopes show one job, the lower rank wins.
    pub width: u8,
    /// How often its jobs are listed.
    pub interval: Duration,
    /// Whether the forge has an id for it that can be looked up: every scope but the instance.
    pub has_identity: bool,
    /// Whether each runner is registered at its job's repository instead of the scope itself.
    pub at_repository: bool,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolPolicy {
    /// Its name.
    pub id: PoolId,
    /// What its runners declare, each with its schema.
    pub labels: Vec<Label>,
    /// Which backend makes its machines.
    pub backend: BackendId,
    /// Most machines of it at once.
    pub max: u32,
    /// Higher goes first.
    pub priority: i32,
    /// Most machines for one repository at once, if limited.
    pub max_per_repository: Option<u32>,
    /// Its clocks.
    pub clocks: Clocks,
    /// What it keeps ready without a job.
    pub warm: WarmPolicy,
}

impl PoolPolicy {
    /// The image that a label names, if it names one: jobs whose first label it is run in that.
    pub fn image(&self, label: &str) -> Option<&str> {
        self.labels.iter().find(|of| of.name() == label)?.environment().image()
    }

    /// The images that labels name, in order; none for those that name none. One may come more than once.
    pub fn images(&self) -> impl Iterator<Item = Option<&str>> {
        self.labels.iter().map(|label| label.environment().image())
    }
}

/// Machines of a pool that are kept ready without a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WarmPolicy {
    /// How many, unless the hour asks for another count ([`crate::event::Event::WarmCount`]).
    pub count: u32,
    /// How old one may become before another takes its place; zero for ever.
    pub max_age: Duration,
    /// A short fingerprint of all that its machines are made from beside their image: another one means that those there are
    /// outdated.
    pub made_of: String,
}

/// The three clocks of an assignment, counted in observed time, and the two spans at its end (design section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// From asking for the machine until its runner contacts the forge.
    pub boot: Duration,
    /// From contact until the job runs.
    pub claim: Duration,
    /// From the job running until it has ended.
    pub run: Duration,
    /// How long a process may go on after its job is gone.
    pub grace: Duration,
    /// How long a process may take to end after it was asked to.
    pub stop: Duration,
}

impl Default for Clocks {
    /// The defaults of design section 5.
    fn default() -> Self {
        Self {
            boot: Duration::from_mins(5),
            claim: Duration::from_secs(15),
            run: Duration::from_hours(3),
            grace: Duration::from_mins(1),
            stop: Duration::from_secs(30),
        }
    }
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendPolicy {
    /// Most machines on it at once, if limited.
    pub max: Option<u32>,
    /// How often its machines are listed.
    pub interval: Duration,
    /// How many creates and starts may be under way at once.
    pub parallel_creates: usize,
}

/// Spans and counts that hold for all pools. Each default says where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long after an answer its effect may still race with a call that was under way, at least (design section 5: 5 s);
    /// twice as long as the forge's slowest answer lately, if that is longer.
    pub settle: Duration,
    /// How long a call to a forge may take before its answer counts as lost.
    pub forge_deadline: Duration,
    /// How long a call to a backend may take before its answer counts as lost.
    pub backend_deadline: Duration,
    /// How many calls for one scope may be under way at once, for launching and for cleaning up each, and with the
    /// credentials of runners of one forge (32: with a registration every 9 ms each, a thousand jobs are registered within
    /// half a second; protocol 1.3).
    pub parallel_forge_calls: usize,
    /// How many calls for all scopes of one forge may be under way at once beyond the first of each, for launching and for
    /// cleaning up each (64). A scope takes no more of them than it leaves to others, so that one alone gets half: with 64,
    /// all of its own 32; and the more scopes hang, the less each of them holds.
    pub parallel_calls_per_forge: usize,
    /// How many machines of one backend may be stopped and removed at once (32: each is a few calls to the system).
    pub parallel_removals: usize,
    /// How many launches of one handle may fail before it is parked (design section 5: 3).
    pub boot_failures: u32,
    /// How long a parked handle rests the first time (30 min); it doubles to `park_max` with each launch that fails then.
    pub park: Duration,
    /// The longest rest of a parked handle (6 h).
    pub park_max: Duration,
    /// The first back-off after a failed launch, a refused registration or a failing backend; it doubles to `backoff_max`.
    pub backoff: Duration,
    /// The longest back-off of these.
    pub backoff_max: Duration,
    /// The first back-off of a handle that was released (30 s); it doubles to `suspect_max`.
    pub suspect: Duration,
    /// The longest back-off of suspects, and for how long they yield to others (10 min).
    pub suspect_max: Duration,
    /// How long a claimed handle's runner may read idle before it is asked whose the task is (60 s).
    pub idle_doubt: Duration,
    /// How many handles must leave in one poll before kills are held (more than 10, and more than half).
    pub mass_left: usize,
    /// How long complete polls must agree before held kills go on (5 min).
    pub hold: Duration,
    /// How many register calls one try may make.
    pub register_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = Duration::from_mins;
        Self {
            settle: Duration::from_secs(5),
            forge_deadline: Duration::from_secs(15),
            backend_deadline: Duration::from_secs(30),
            parallel_forge_calls: 32,
            parallel_calls_per_forge: 64,
            parallel_removals: 32,
            boot_failures: 3,
            park: minutes(30),
            park_max: minutes(6 * 60),
            backoff: Duration::from_secs(5),
            backoff_max: minutes(5),
            suspect: Duration::from_secs(30),
            suspect_max: minutes(10),
            idle_doubt: Duration::from_mins(1),
            mass_left: 10,
            hold: minutes(5),
            register_calls: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_of_a_job_picks_the_image_whatever_comes_first_in_the_pool() {
        let labels = ["gpu:host", "debian:docker://node:22-bookworm", "ci:docker://registry:5000/img:1", "plain"];
        let pool = PoolPolicy {
            id: PoolId::new("p"),
            labels: labels.iter().map(|label| Label::parse(label).unwrap()).collect(),
            backend: BackendId::new("b"),
            max: 1,
            priority: 0,
            max_per_repository: None,
            clocks: Clocks::default(),
            warm: WarmPolicy::default(),
        };
        assert_eq!(pool.image("debian"), Some("node:22-bookworm"));
        assert_eq!(pool.image("ci"), Some("registry:5000/img:1"));
        for without in ["gpu", "plain", "other"] {
            assert_eq!(pool.image(without), None, "{without}");
        }
        assert_eq!(pool.images().flatten().collect::<Vec<_>>(), ["node:22-bookworm", "registry:5000/img:1"]);
    }
}
