//! The judge: invariants of the design (section 6), from the world's own truth.
//!
//! What the planner believes is used in one place only: to tell whether a stop is one of those of which the design knows a
//! race (an uncontacted runner, or one without credentials), and from when on the evidence for it is. A job that was
//! handed out after that evidence is a counted race; one handed out before it is a broken invariant.

use std::collections::{BTreeMap, BTreeSet};

use forge_model::{HandOut, Handle as ModelHandle, RunnerId as ModelRunner, Status};
use planner::action::Action;
use planner::ids::{BackendId, MachineName, RunnerId, RunnerUuid, ScopeKey};
use planner::step::Turn;

use crate::forge::Door;
use crate::world::{World, note};

/// Longest time between the evidence for a stop and the stop in which a job may still slip in: the slowest call, both ways.
const RACE_MS: u64 = 10_000;
/// How long a fetch of a runner may be under way.
const FETCH_UNDER_WAY_MS: u64 = 3_000;
/// How long after a machine was listed again, or made by an earlier life, the daemon cannot know it yet.
const UNKNOWN_MS: u64 = 30_000;

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its number; 0 for "a turn without news comes to nothing".
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
    contacted: bool,
    credentials: bool,
    /// When the newest observation was begun that the call can rest on.
    evidence_at: u64,
    /// Whether it had tried in vain to stop the machine.
    in_vain: bool,
}

impl Belief {
    /// Whether the design knows of a race of a stop or deletion in this situation.
    pub(crate) fn race_is_known(&self) -> bool {
        !self.contacted || !self.credentials
    }
}

/// The end of a process.
#[derive(Debug, Clone)]
struct Death {
    at: u64,
    /// What was believed when we stopped it; `None` when the world killed it.
    ours: Option<Belief>,
}

/// The judge's books.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) broken: Option<Broken>,
    excuses: BTreeMap<String, BTreeSet<Excuse>>,
    deaths: BTreeMap<String, Death>,
    /// Machines that the daemon cannot know yet, until then.
    unknown: BTreeMap<MachineName, u64>,
    pub(crate) last_lie: BTreeMap<ScopeKey, u64>,
    pub(crate) pushed: usize,
    pub(crate) races: u32,
    pub(crate) deceived: u32,
    pub(crate) created: u32,
}

impl Judge {
    pub(crate) fn breaks(&mut self, invariant: u8, what: String) {
        self.broken.get_or_insert(Broken { invariant, what });
    }

    pub(crate) fn excuse(&mut self, handle: &str, excuse: Excuse) {
        self.excuses.entry(handle.to_owned()).or_default().insert(excuse);
    }

    pub(crate) fn is_excused(&self, handle: &str) -> bool {
        self.excuses.contains_key(handle)
    }

    pub(crate) fn unknown_until(&mut self, name: &MachineName, until: u64) {
        self.unknown.insert(name.clone(), until);
    }
}

impl World {
    /// What the planner believes of the assignment of an action.
    pub(crate) fn belief(&self, action: &Action) -> Belief {
        let assignment = action.key().and_then(|key| self.daemon.state.journal.assignments.get(key));
        let Some(assignment) = assignment else { return Belief::default() };
        let registered = assignment.registration.known();
        let evidence = [
            assignment.looked_up.map(|(at, _)| at),
            assignment.track.waiting.newest(),
            registered.and_then(|registered| registered.undeclared.newest()),
            registered.and_then(|registered| registered.absent.newest()),
        ];
        let newest = evidence.into_iter().flatten().max().unwrap_or_default();
        Belief {
            contacted: assignment.contacted.is_some(),
            credentials: registered
                .is_some_and(|registered| self.daemon.state.journal.credentials.contains(&registered.uuid)),
            evidence_at: self.daemon.born_at + newest.0,
            in_vain: assignment.destroys > 0,
        }
    }

    pub(crate) fn judge_turn(&mut self, turn: &Turn) {
        for (action, violation) in &turn.violations {
            self.judge.breaks(violation.invariant, format!("the checker stopped {action:?}: {violation}"));
        }
    }

    /// The hand-out that runs a handle now, if it was to this registration.
    fn held_by(&self, handle: &str, uuid: &str) -> Option<HandOut> {
        let books = self.forge.model.books();
        let running = books.attempt(&ModelHandle(handle.to_owned()))?.status == Status::Running;
        books
            .hand_outs()
            .iter()
            .rev()
            .find(|hand_out| hand_out.handle.as_str() == handle)
            .filter(|hand_out| running && books.registration(hand_out.runner).is_some_and(|record| record.uuid == uuid))
            .cloned()
    }

    fn is_waiting(&self, handle: &str) -> bool {
        let attempt = self.forge.model.books().attempt(&ModelHandle(handle.to_owned()));
        attempt.is_some_and(|attempt| attempt.status == Status::Waiting)
    }

    /// Invariant 1: at most one living process could be given the handle.
    pub(crate) fn judge_doors(&mut self, handle: &str) {
        if !self.is_waiting(handle) {
            return;
        }
        let takers: Vec<String> = self
            .backends
            .values()
            .flat_map(|model| model.machines.values())
            .filter_map(|machine| machine.process.as_ref())
            .filter(|process| process.handle == handle)
            .filter(|process| matches!(self.forge.door(self.now, &process.uuid), Door::Open | Door::Undeclared))
            .map(|process| process.uuid.clone())
            .collect();
        if takers.len() > 1 && takers.iter().any(|uuid| self.is_hidden(uuid)) {
            note!(self, "    DECEIVED: the backend denies a machine for {handle}");
            self.judge.deceived += 1;
        } else if takers.len() > 1 {
            self.judge.breaks(1, format!("{handle} could be given to {takers:?}"));
        }
    }

    /// Invariant 2: a process that we end does not have a running job. Called when it ends.
    pub(crate) fn judge_stopped(&mut self, backend: &BackendId, name: &MachineName) {
        let now = self.now;
        let clocks = |world: &Self, name: &MachineName| {
            let machine = world.backends.get(backend)?.machines.get(name)?;
            world.policy.pool(&machine.tags.pool).map(|pool| pool.clocks)
        };
        let Some(clocks) = clocks(self, name) else { return };
        let Some(process) = self.machine(backend, name).and_then(|machine| machine.process.as_ref()) else { return };
        let (handle, uuid) = (process.handle.clone(), process.uuid.clone());
        let belief = process.stop.clone().unwrap_or_default();
        self.judge.deaths.insert(uuid.clone(), Death { at: now, ours: Some(belief.clone()) });
        let Some(hand_out) = self.held_by(&handle, &uuid) else { return };
        let since = hand_out.at.as_millis();
        let ran_long = u128::from(now - since) >= clocks.run.as_millis();
        let grace = u64::try_from(clocks.stop.as_millis()).unwrap_or(0);
        let race = belief.race_is_known() && since >= belief.evidence_at && now <= belief.evidence_at + RACE_MS + grace;
        if ran_long {
            self.judge.excuse(&handle, Excuse::RanLong);
        } else if race {
            note!(self, "    RACE: {name} is stopped just after {handle} was handed to it");
            self.judge.races += 1;
            self.judge.excuse(&handle, Excuse::Race);
        } else {
            let what = format!("{name} is stopped although {handle} runs on it since {since} ({belief:?})");
            self.judge.breaks(2, what);
        }
    }

    /// The world has killed a process.
    pub(crate) fn note_killed(&mut self, handle: &str, uuid: &str) {
        self.judge.deaths.insert(uuid.to_owned(), Death { at: self.now, ours: None });
        if self.held_by(handle, uuid).is_some() {
            self.judge.excuse(handle, Excuse::Killed);
        }
    }

    /// A fetch was under way when its process ended.
    pub(crate) fn judge_handed_to_the_dead(&mut self, handle: &str, uuid: &str) {
        let Some(death) = self.judge.deaths.get(uuid).cloned() else { return };
        match death.ours {
            None => self.judge.excuse(handle, Excuse::Killed),
            Some(belief) if belief.race_is_known() && self.now <= death.at + FETCH_UNDER_WAY_MS => {
                note!(self, "    RACE: {handle} is handed to a runner that was stopped just before");
                self.judge.races += 1;
                self.judge.excuse(handle, Excuse::Race);
            }
            Some(_) => self.judge.breaks(1, format!("{handle} is handed to a fenced runner that was stopped")),
        }
    }

    /// Invariants 3 and 7: a registration that is deleted is ours, holds no job, and no living process could get one by it.
    pub(crate) fn judge_delete(&mut self, id: RunnerId, belief: &Belief) {
        let id = ModelRunner(id.0);
        if self.forge.foreign.contains(&id) {
            return self.judge.breaks(7, format!("runner {id} is somebody else's"));
        }
        let books = self.forge.model.books();
        let Some(uuid) = books.registration(id).map(|record| record.uuid.clone()) else { return };
        let held = books.hand_outs().iter().find(|hand_out| hand_out.runner == id).cloned();
        if let Some(hand_out) = held
            && self.held_by(hand_out.handle.as_str(), &uuid).is_some()
        {
            let handle = hand_out.handle;
            if self.judge.is_excused(handle.as_str()) && !self.lives(&uuid) {
                return;
            }
            return self.judge.breaks(3, format!("runner {id} is deleted although it holds {handle}"));
        }
        if !self.forge.model.runners_now().contains(&id) || !self.lives(&uuid) {
            return;
        }
        let open = matches!(self.forge.door(self.now, &uuid), Door::Open | Door::Undeclared);
        let waits = self.living(&uuid).is_some_and(|handle| self.is_waiting(&handle));
        if open && waits && self.is_hidden(&uuid) {
            note!(self, "    DECEIVED: the backend denies the machine of runner {id}");
            self.judge.deceived += 1;
        } else if open && waits && belief.in_vain && belief.race_is_known() {
            self.judge.races += 1;
        } else if open && waits {
            self.judge.breaks(3, format!("runner {id} is deleted although its process lives and could get its job"));
        }
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
            bound && (machine.hidden || self.judge.unknown.get(name).is_some_and(|until| self.now <= *until))
        })
    }

    fn lives(&self, uuid: &str) -> bool {
        self.living(uuid).is_some()
    }

    /// Invariant 2: no job is failed whose process lives.
    pub(crate) fn judge_early_end(&mut self, runner: &RunnerUuid) {
        let Some(handle) = self.living(runner.as_str()) else { return };
        if self.held_by(&handle, runner.as_str()).is_some() {
            self.judge.breaks(2, format!("{handle} is failed although its process lives"));
        }
    }

    /// Invariant 4: machines that the daemon can know of never exceed a limit.
    pub(crate) fn judge_created(&mut self, life: u32, backend: &BackendId, name: &MachineName) {
        self.judge.created += 1;
        if !self.is_this_life(life) {
            self.judge.unknown.insert(name.clone(), self.now + UNKNOWN_MS);
        }
        let known = |name: &MachineName| self.judge.unknown.get(name).is_none_or(|until| self.now > *until);
        let count = |of: &dyn Fn(&BackendId, &crate::backends::Machine) -> bool| {
            let machines = self.backends.iter().flat_map(|(id, model)| model.machines.iter().map(move |it| (id, it)));
            machines.filter(|(id, (name, machine))| known(name) && !machine.hidden && of(id, machine)).count()
        };
        let exceeds = |count: usize, max: Option<u32>| max.is_some_and(|max| count > max as usize);
        let pool = self.backends.get(backend).and_then(|model| model.machines.get(name)).map(|it| it.tags.pool.clone());
        let pool_max = pool.as_ref().and_then(|pool| self.policy.pool(pool)).map(|pool| pool.max);
        let broken = if exceeds(count(&|_, machine| Some(&machine.tags.pool) == pool.as_ref()), pool_max) {
            Some(format!("pool {pool:?} has more machines than its max"))
        } else if exceeds(count(&|id, _| id == backend), self.policy.backends.get(backend).and_then(|it| it.max)) {
            Some(format!("backend {backend} has more machines than its max"))
        } else if exceeds(count(&|_, _| true), self.policy.max) {
            Some("the deployment has more machines than its max".to_owned())
        } else {
            None
        };
        if let Some(what) = broken {
            self.judge.breaks(4, what);
        }
    }
}
