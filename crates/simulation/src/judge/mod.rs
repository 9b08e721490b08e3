//! The judge: invariants of the design (section 6), from the world's own truth.
//!
//! What the planner believes is used in one place only: to tell whether a stop is one of those of which the design knows a
//! race (an uncontacted runner, or one without credentials), and from when on the evidence for it is. A job that was
//! handed out after that evidence is a counted race; one handed out before it is a broken invariant.

mod away;
mod books;
mod bounds;
mod calm;
mod evidence;
mod handing;
mod held_back;
mod launches;
mod limits;
#[cfg(test)]
mod objections;
mod progress;
mod registrations;
mod removals;
mod rule;
mod stock;
mod stops;
mod suspects;
mod warm;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use forge_model::{HandOut, Handle as ModelHandle, Status};
use planner::action::Action;
use planner::ids::{AssignmentKey, ForgeId, MachineName, PoolId, ScopeKey};
use planner::policy::Policy;
use planner::time::Tick;

pub use bounds::{Bound, Measured};
pub(crate) use calm::Place;
pub use progress::{LAUNCH_BOUND_MS, REMOVAL_BOUND_MS};
pub use rule::Rule;

use crate::world::World;

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which rule was broken.
    pub rule: Rule,
    /// The number of the invariant; 0 for none of them.
    pub invariant: u8,
    /// What broke it.
    pub what: String,
}

/// Why a job may have ended as a failure without our being to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    /// Its runner reported its end itself.
    Ended,
    /// The world killed its process.
    Killed,
    /// Its machine stood still.
    Paused,
    /// Its runner could not report while the forge was away.
    ForgeAway,
    /// It ran longer than the run clock.
    RanLong,
    /// A race that the design documents.
    Race,
}

/// What the planner believed of an assignment when it issued a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Belief {
    /// Whether the design knows of a race of a stop or deletion in this situation: its runner was not seen to contact the
    /// forge, or its credentials are not at hand.
    race_is_known: bool,
    /// When the newest observation was begun that the call can rest on.
    evidence_at: u64,
    /// Whether it had tried in vain to stop the machine.
    in_vain: bool,
    /// Whether the machine was made by an earlier life.
    adopted: bool,
    /// What was configured then.
    policy: Option<Rc<Policy>>,
}

/// The end of a process.
#[derive(Debug, Clone)]
struct Death {
    at: u64,
    /// What was believed when we stopped it; `None` when the world killed it.
    ours: Option<Belief>,
}

/// After a daemon begins or goes on it has a list of each kind within the longest interval, with jitter and answer.
const FIRST_LISTS_MS: u64 = 5_700;

/// The judge's books.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) broken: Option<Broken>,
    /// All that was broken first of each rule, in a world that goes on whatever breaks.
    pub(crate) all_broken: Option<BTreeMap<Rule, Broken>>,
    excuses: BTreeMap<String, BTreeSet<Excuse>>,
    deaths: BTreeMap<String, Death>,
    /// Machines that the daemon cannot know yet, until then.
    unknown: BTreeMap<MachineName, u64>,
    pub(crate) last_lie: BTreeMap<ScopeKey, u64>,
    /// Assignments of which a call was lost or refused.
    stumbled: BTreeSet<AssignmentKey>,
    /// When calls were begun in this life, by what they are about.
    begun: BTreeMap<(String, &'static str), Vec<u64>>,
    /// When all stood still, from and until.
    pauses: Vec<(u64, u64)>,
    /// Since when a runnable job has room and no machine, and since when a machine outlives its job.
    idle_since: BTreeMap<String, u64>,
    /// Jobs of which one was ever held back: forge, repository and name.
    ever_held_back: BTreeSet<(ForgeId, i64, String)>,
    /// What was last disturbed when.
    pub(crate) calm: calm::Calm,
    /// What has reached the daemon.
    ledger: evidence::Ledger,
    /// Every token of a runner that was ever issued to us.
    pub(crate) tokens: BTreeSet<String>,
    /// Backends whose listings fail, as the daemon has heard.
    unheard: away::Unheard,
    /// What must not last.
    pub(crate) bounds: bounds::Bounds,
    /// Processes that their backends list as ended, by their runners' uuids.
    corpses: BTreeMap<String, removals::Corpse>,
    /// Machines that disappeared without our doing.
    vanished: BTreeSet<MachineName>,
    /// Kinds of jobs of which this life has seen one held back, and since when.
    held_back: BTreeMap<Kind, u64>,
    /// When one of such a kind was last tried in this life.
    probed: BTreeMap<Kind, Tick>,
    /// Since when more than one machine waits for jobs of a kind that are held back.
    surplus: BTreeMap<Kind, u64>,
    /// When a waiting job of such a kind had a machine last.
    tried: BTreeMap<String, u64>,
    /// Jobs of such a kind that could run now.
    offered: BTreeMap<String, held_back::Offered>,
    /// Jobs for which a machine was ever asked for, and since when others could run and have room.
    launched: BTreeSet<String>,
    wanted: BTreeMap<String, launches::Wanting>,
    /// Since when a pool keeps too few or too many machines without a job.
    stocks: BTreeMap<(Bound, PoolId), u64>,
    pub(crate) races: u64,
    pub(crate) deceived: u64,
    pub(crate) created: u64,
}

/// What makes jobs alike: forge, repository, name and labels.
type Kind = (ForgeId, i64, String, Vec<String>);

impl Judge {
    /// A life begins, and cannot know what was called before.
    pub(crate) fn life_begins(&mut self) {
        self.begun.clear();
    }

    /// Notes that daemon or machines stand still.
    pub(crate) fn pauses(&mut self, from: u64, until: u64) {
        self.calm.ends(until + FIRST_LISTS_MS);
        match self.pauses.last_mut().filter(|(_, last)| *last >= from) {
            Some((_, last)) => *last = (*last).max(until),
            None => self.pauses.push((from, until)),
        }
    }

    pub(crate) fn breaks(&mut self, rule: Rule, what: String) {
        self.breaks_invariant(rule, rule.invariant(), what);
    }

    fn breaks_invariant(&mut self, rule: Rule, invariant: u8, what: String) {
        let broken = Broken { rule, invariant, what };
        match &mut self.all_broken {
            Some(all) => {
                all.entry(rule).or_insert(broken);
            }
            None => {
                self.broken.get_or_insert(broken);
            }
        }
    }

    pub(crate) fn excuse(&mut self, handle: &str, excuse: Excuse) {
        self.excuses.entry(handle.to_owned()).or_default().insert(excuse);
    }

    pub(crate) fn is_excused(&self, handle: &str) -> bool {
        self.excuses.contains_key(handle)
    }

    /// Notes that a call was lost or refused.
    pub(crate) fn stumbles(&mut self, action: &Action, now: u64) {
        self.stumbled.extend(action.key().cloned());
        if let Action::CheckScope { scope } = action {
            self.calm.is_in_doubt(scope, now);
        }
    }

    /// What cannot be known yet cannot be before then either: nothing is listed meanwhile.
    pub(crate) fn stays_unknown(&mut self, now: u64, until: u64) {
        for known_at in self.unknown.values_mut().filter(|known_at| **known_at > now) {
            *known_at = until.max(*known_at);
        }
    }

    pub(crate) fn unknown_until(&mut self, name: &MachineName, until: u64) {
        self.unknown.insert(name.clone(), until);
    }
}

impl World {
    /// A new life begins, that knows nothing.
    pub(crate) fn judge_birth(&mut self) {
        if self.daemon.life > 0 {
            self.judge.calm.ends(self.now + FIRST_LISTS_MS);
        }
        self.judge.held_back.clear();
        self.judge.probed.clear();
        self.judge.ledger = evidence::Ledger::default();
        self.judge.unheard = away::Unheard::default();
        self.bury();
    }

    /// What the planner believes of the assignment of an action.
    pub(crate) fn belief(&self, action: &Action) -> Belief {
        let assignment = action.key().and_then(|key| self.daemon.state.journal.assignments.get(key));
        let policy = Some(Rc::clone(&self.policy));
        let Some(assignment) = assignment else { return Belief { policy, ..Belief::default() } };
        let registered = assignment.registration.known();
        let evidence = [
            assignment.looked_up.map(|(at, _)| at),
            assignment.track.waiting.newest(),
            registered.and_then(|registered| registered.undeclared.newest()),
            registered.and_then(|registered| registered.absent.newest()),
        ];
        let newest = evidence.into_iter().flatten().max().unwrap_or_default();
        Belief {
            race_is_known: assignment.contacted.is_none()
                || registered
                    .is_none_or(|registered| !self.daemon.state.journal.credentials.contains(&registered.uuid)),
            evidence_at: self.daemon.born_at + newest.0,
            in_vain: assignment.destroys > 0,
            adopted: assignment.adopted,
            policy,
        }
    }

    /// The hand-out that runs a handle now, if it was to this registration.
    fn held_by(&self, handle: &str, uuid: &str) -> Option<HandOut> {
        let model = ModelHandle(handle.to_owned());
        let books =
            self.forges.values().map(|forge| forge.model.books()).find(|books| books.attempt(&model).is_some())?;
        let running = books.attempt(&model)?.status == Status::Running;
        books
            .hand_outs()
            .iter()
            .rev()
            .find(|hand_out| hand_out.handle.as_str() == handle)
            .filter(|hand_out| running && books.registration(hand_out.runner).is_some_and(|record| record.uuid == uuid))
            .cloned()
    }

    fn status_of(&self, handle: &str) -> Option<Status> {
        self.forges.values().find_map(|forge| forge.status_of(handle))
    }

    fn is_waiting(&self, handle: &str) -> bool {
        self.status_of(handle) == Some(Status::Waiting)
    }

    /// The handle of the living process with these credentials.
    fn living(&self, uuid: &str) -> Option<String> {
        self.backends
            .values()
            .flat_map(|model| model.machines.values())
            .filter_map(|machine| machine.process.as_ref())
            .find(|process| process.uuid == uuid)
            .map(|process| process.handle.clone())
    }

    /// Whether the machine of the living process with these credentials is, or just was, left out of listings that claim
    /// to be complete: then two of them are proof enough that nothing is bound to a registration (design section 5).
    fn is_hidden(&self, uuid: &str) -> bool {
        let mut machines = self.backends.values().flat_map(|model| model.machines.iter());
        machines.any(|(name, machine)| {
            let bound = machine.process.as_ref().is_some_and(|process| process.uuid == uuid);
            bound && (machine.hidden || self.is_unknown(name))
        })
    }

    /// Whether the daemon cannot know a machine yet.
    fn is_unknown(&self, name: &MachineName) -> bool {
        self.judge.unknown.get(name).is_some_and(|until| self.now <= *until)
    }

    fn lives(&self, uuid: &str) -> bool {
        self.living(uuid).is_some()
    }
}
