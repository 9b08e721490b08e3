//! Bounds: what must have come to an end within a time that is made of the configured clocks.
//!
//! ```text
//! a job that ran here ends ─────► its machine is gone          removal: grace + stop + 3 polls
//! a process dies, its job runs on ─► we end that job            lost: a list of machines, then 2 polls, or 1
//! one of a kind was held back ──► one machine waits beside      surplus: boot + claim + settle + stop + 3 polls
//! the job before it ends ───────► the next one runs             turn: a poll and a launch, after its own probe, or those
//!                                                                of all that are alike and held back on
//! a job lacks the room of a machine without one ─► its own is asked for     yield: that one's removal, and a launch
//! too few or too many machines without a job ─► as many as are wanted       lack, excess: a poll, 2 lists, calls
//! ```
//!
//! Each is counted from when what it is about was last disturbed ([`super::calm`]), and only for what no fault has struck
//! itself. Scenarios must keep them, worlds from seeds some of them always and the others until the first fault. A poll is
//! its interval with its jitter and the time that its answer takes; where a backend lists a stopped machine until it is
//! removed once more, that is another poll.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::ids::{BackendId, MachineName, ScopeKey};
use planner::policy::Clocks;

use super::Rule;
use crate::world::World;

/// Longest time that a call takes in a world, there and back.
pub(super) const CALL_MS: u64 = 130;
/// What a listing takes beyond its interval: jitter, way there and way back.
const LISTING_MS: u64 = 700;
/// Longest time from the start of a runner to its first fetch, and of that fetch where it is a slow one.
const CONTACT_MS: u64 = 4_005 + 2_000;
/// The same where machines are free and runners quick.
const QUICK_CONTACT_MS: u64 = 50 + 5 + 60;

/// What is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// From the end of a job to the end of its machine.
    Removal,
    /// From the end of a process without its job to the end of that job.
    Lost,
    /// For how long more than one machine waits for jobs that are held back, after one of their kind was.
    Surplus,
    /// From when a job is offered, of a kind of which one was held back, until it runs, whatever other one is being tried.
    Turn,
    /// The same where it was being tried itself, and may be taken back at that moment.
    TurnAfterProbe,
    /// The same where older jobs of its kind are held back on, as where two groups have jobs of one name: they are tried in turn.
    /// Or where nobody has left since it came: what makes way for it is the next rest's end.
    RoundRobin,
    /// From when a job could run and there is room until its machine is asked for, whatever else is broken.
    Launch,
    /// The same where a machine without a job has its room and must go first.
    Yield,
    /// For how long fewer machines without a job are there, made or about to come back than are wanted, with room for more.
    Lack,
    /// For how long more of them wait than are wanted, or such as would not be made any more.
    Excess,
}

impl Bound {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Removal,
        Self::Lost,
        Self::Surplus,
        Self::Turn,
        Self::TurnAfterProbe,
        Self::RoundRobin,
        Self::Launch,
        Self::Yield,
        Self::Lack,
        Self::Excess,
    ];

    /// The bound of that name in scenario files.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bound| bound.name() == word)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Removal => "removal",
            Self::Lost => "lost",
            Self::Surplus => "surplus",
            Self::Turn => "turn",
            Self::TurnAfterProbe => "turn-after-probe",
            Self::RoundRobin => "round-robin",
            Self::Launch => "launch",
            Self::Yield => "yield",
            Self::Lack => "lack",
            Self::Excess => "excess",
        }
    }

    /// What lasts, in words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Removal => "machine after its job",
            Self::Lost => "job after its process",
            Self::Surplus => "machines beyond one for jobs that are held back",
            Self::Turn => "turn of a job that was held back",
            Self::TurnAfterProbe => "turn of a job that was held back, after its own probe",
            Self::RoundRobin => "turn of a job that was held back, among older ones that still are",
            Self::Launch => "launch of a job with room",
            Self::Yield => "launch of a job whose room a machine without a job has",
            Self::Lack => "fewer machines without a job than are wanted",
            Self::Excess => "more machines without a job than are wanted",
        }
    }

    /// The rule that is broken when it lasts longer; `beside`: than it may while something else is broken.
    pub(super) const fn rule(self, beside: bool) -> Rule {
        match self {
            Self::Removal => Rule::RemovalBound,
            Self::Lost => Rule::LostBound,
            Self::Surplus => Rule::SurplusBound,
            Self::Turn => Rule::TurnBound,
            Self::TurnAfterProbe => Rule::TurnAfterProbeBound,
            Self::RoundRobin => Rule::RoundRobinBound,
            Self::Launch if beside => Rule::LaunchBesideBound,
            Self::Launch => Rule::LaunchBound,
            Self::Yield => Rule::YieldBound,
            Self::Lack => Rule::LackBound,
            Self::Excess => Rule::ExcessBound,
        }
    }
}

/// How close to a bound things came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// How often it was measured.
    pub times: u64,
    /// The longest, in milliseconds.
    pub longest_ms: u64,
    /// The highest part of its bound that one took, in percent.
    pub percent: u64,
}

impl Measured {
    /// Adds what was measured elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        self.percent = self.percent.max(other.percent);
    }
}

/// Something that must not last.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) bound: Bound,
    /// What it is about.
    pub(super) subject: String,
    /// Since when it is so, in peace.
    pub(super) since: u64,
    /// How long it may last, in milliseconds.
    pub(super) limit: u64,
}

/// What lasts now, and what was measured.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// How long each has lasted when it was last looked at, and how long it may.
    lasting: BTreeMap<(Bound, String), (u64, u64)>,
    measured: BTreeMap<Bound, Measured>,
}

impl Bounds {
    pub(crate) fn measured(&self) -> impl Iterator<Item = (Bound, Measured)> {
        self.measured.iter().map(|(bound, measured)| (*bound, *measured))
    }

    /// How often something was measured, and the longest that it took.
    pub(crate) fn of(&self, bound: Bound) -> Measured {
        self.measured.get(&bound).copied().unwrap_or_default()
    }
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl World {
    /// Looks at all that is bounded. Called every second, and in scripts whenever something has happened.
    pub(crate) fn judge_bounds(&mut self) {
        self.look_for_calm();
        let mut standing = Vec::new();
        self.removals(&mut standing);
        self.losses(&mut standing);
        self.held_back(&mut standing);
        self.launches(&mut standing);
        self.stocks(&mut standing);
        self.judge_standing(standing);
    }

    /// Holds what lasts to its bounds, and measures what has ended.
    pub(super) fn judge_standing(&mut self, standing: Vec<Standing>) {
        let now = self.now;
        let mut lasting = BTreeMap::new();
        for Standing { bound, subject, since, limit } in standing {
            let lasts = now.saturating_sub(since);
            if lasts > limit && (self.script.is_on() || self.holds_in_seeds(bound)) {
                let what = format!("{}: {subject} for {lasts} ms, {limit} ms are allowed", bound.word());
                let beside = self.judge.calm.of_all() >= since;
                self.judge.breaks(bound.rule(beside), what);
            }
            lasting.insert((bound, subject), (lasts, limit));
        }
        let bounds = &mut self.judge.bounds;
        for ((bound, subject), (lasted, limit)) in std::mem::replace(&mut bounds.lasting, lasting) {
            if !bounds.lasting.contains_key(&(bound, subject)) {
                let measured = Measured { times: 1, longest_ms: lasted, percent: lasted * 100 / limit.max(1) };
                bounds.measured.entry(bound).or_default().add(&measured);
            }
        }
    }

    /// Whether a world from a seed must keep a bound now. All of them until a fault strikes for the first time: some have
    /// effects that last longer than themselves (a host that stood still leaves graces to count, a forge that was away
    /// jobs to report). What waits for a machine of its own keeps its bound whenever it is left in peace.
    fn holds_in_seeds(&self, bound: Bound) -> bool {
        match bound {
            Bound::Surplus | Bound::Launch | Bound::Yield | Bound::Lack | Bound::Excess => true,
            Bound::Removal | Bound::Lost | Bound::Turn | Bound::TurnAfterProbe | Bound::RoundRobin => {
                self.judge.calm.of_all() == 0
            }
        }
    }

    /// A poll of a scope, from one to the answer of the next.
    pub(super) fn poll_ms(&self, scope: &ScopeKey) -> u64 {
        self.first_policy.scopes.get(&scope.watched()).map_or(0, |policy| millis(policy.interval)) + LISTING_MS
    }

    /// A poll of a backend.
    pub(super) fn machines_ms(&self, backend: &BackendId) -> u64 {
        self.first_policy.backends.get(backend).map_or(0, |policy| millis(policy.interval)) + LISTING_MS
    }

    /// Calls that may be in one line, one after the other.
    pub(super) fn calls_ms(&self) -> u64 {
        let machines: usize = self.backends.values().map(|model| model.machines.len()).sum();
        CALL_MS * (6 + 2 * machines as u64)
    }

    /// How long the forge may still act on a call that was under way.
    pub(super) fn settle_ms(&self) -> u64 {
        let slow = if self.judge.calm.slow { 2 * (3_000 + CALL_MS) } else { 0 };
        millis(self.first_policy.limits.settle).max(slow)
    }

    /// The clocks of the pool of a machine.
    pub(super) fn clocks_of(&self, backend: &BackendId, name: &MachineName) -> Option<Clocks> {
        let machine = self.machine_at(backend, name)?;
        self.first_policy.pool(machine.tags.pool()).map(|pool| pool.clocks)
    }

    /// How long a runner may wait in vain, from asking for its machine to the machine's end.
    pub(super) fn vain_ms(&self, clocks: &Clocks, scope: &ScopeKey, backend: &BackendId) -> u64 {
        let clocks = millis(clocks.boot) + millis(clocks.claim) + millis(clocks.stop);
        clocks + self.settle_ms() + 3 * self.poll_ms(scope) + self.removed_ms(backend) + self.calls_ms()
    }

    /// What the removal of a machine takes whose process has ended since it was told to.
    pub(super) fn removed_ms(&self, backend: &BackendId) -> u64 {
        let by_itself = self.backends.get(backend).is_some_and(|model| model.removes_stopped);
        if by_itself { 0 } else { self.machines_ms(backend) }
    }

    /// From the decision to launch until a runner has fetched its job.
    pub(super) fn launch_ms(&self) -> u64 {
        let slowest = self.backends.values().map(|model| model.boot.1).max().unwrap_or(0);
        let (making, contact) = if self.script.is_quick() { (20, QUICK_CONTACT_MS) } else { (slowest, CONTACT_MS) };
        3 * CALL_MS + making + contact
    }
}
