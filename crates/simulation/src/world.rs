//! The world: its state, its agenda and its loop.

use std::collections::BTreeMap;
use std::rc::Rc;

use planner::ids::{BackendId, ForgeId, PoolId, ScopeKey};
use planner::policy::Policy;

use crate::backends::ModelBackend;
use crate::daemon::Daemon;
use crate::dice::Dice;
use crate::fault::{Fault, Often};
use crate::forge::ForgeSide;
use crate::happening::{Agenda, Happening};
use crate::judge::Judge;
use crate::people::Workload;
use crate::script::Script;
use crate::shape::Shape;
use crate::tally::Tally;
use crate::trace::Trace;
use crate::warm::Hours;
use crate::weather::Weather;

/// Streams of draws, one for each consumer.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) people: Dice,
    pub(crate) calls: Dice,
    pub(crate) listings: Dice,
    pub(crate) processes: Dice,
    pub(crate) lives: Dice,
    pub(crate) rivals: Dice,
    pub(crate) warm: Dice,
    faults: Vec<Dice>,
}

impl Streams {
    fn of(seed: u64) -> Self {
        let stream = |consumer: &str| Dice::of(seed, consumer);
        Self {
            people: stream("people"),
            calls: stream("calls"),
            listings: stream("listings"),
            processes: stream("processes"),
            lives: stream("lives"),
            rivals: stream("rivals"),
            warm: stream("warm"),
            faults: Fault::ALL.iter().map(|fault| stream(fault.word())).collect(),
        }
    }

    /// The stream of a fault.
    pub(crate) fn fault(&mut self, fault: Fault) -> &mut Dice {
        &mut self.faults[fault as usize]
    }
}

/// Everything.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) agenda: Agenda,
    /// What is configured now.
    pub(crate) policy: Rc<Policy>,
    /// What was configured at first, and is again in the end.
    pub(crate) first_policy: Rc<Policy>,
    /// How often the configuration was changed.
    pub(crate) changes: u64,
    pub(crate) weather: Weather,
    pub(crate) dice: Streams,
    pub(crate) forges: BTreeMap<ForgeId, ForgeSide>,
    pub(crate) backends: BTreeMap<BackendId, ModelBackend>,
    pub(crate) daemon: Daemon,
    pub(crate) judge: Judge,
    pub(crate) workload: Workload,
    /// What the schedules of pools say.
    pub(crate) hours: Hours,
    pub(crate) tally: Tally,
    pub(crate) trace: Trace,
    pub(crate) script: Script,
    pub(crate) quiet_since: Option<u64>,
    /// When faults were to end at first.
    pub(crate) quiet_due: u64,
    /// Faults do not end before.
    pub(crate) not_quiet_before: u64,
    /// Until when runners on the image of a pool die at once.
    pub(crate) broken_images: BTreeMap<PoolId, u64>,
    /// When everything had come to its end.
    pub(crate) settled_at: u64,
    pub(crate) last_process: u64,
    /// From when until when machines stand still.
    pub(crate) host_pause: (u64, u64),
}

/// Writes a line to the trace of a world; formats nothing unless somebody will read it.
macro_rules! note {
    ($world:expr, $($what:tt)*) => {
        $world.trace.note($world.now, format_args!($($what)*))
    };
}
pub(crate) use note;

impl World {
    /// A world from a seed.
    pub(crate) fn drawn(shape: &Shape, traced: bool) -> Self {
        let seed = shape.seed;
        let mut setting = Dice::of(seed, "setting");
        let forges = crate::setting::forges(seed, &mut setting);
        let (mut policy, forges) = crate::setting::policy(&mut setting, forges);
        let backend = |id: &BackendId| (id.clone(), ModelBackend::drawn(seed, id, setting.chance(500)));
        let backends = policy.backends.keys().map(backend).collect();
        let hours = crate::warm::draw(seed, &mut policy, &backends);
        let workload = Workload::drawn(&mut setting, shape.jobs);
        let weather = Weather::drawn(shape);
        let mut world = Self::of(seed, policy, forges, backends, weather, workload, Script::default(), traced);
        for (pool, count) in hours {
            world.schedule(&pool, count);
        }
        world.agenda.enter(0, Happening::Person);
        let quiet_at = setting.between(120_000, 300_000);
        world.quiet_due = shape.quiet_at.unwrap_or(quiet_at);
        world.agenda.enter(world.quiet_due, Happening::Quiet);
        for fault in Fault::ALL {
            world.next_of(*fault);
        }
        world.count_kinds();
        world
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a world, each once")]
    pub(crate) fn of(
        seed: u64,
        policy: Policy,
        forges: BTreeMap<ForgeId, ForgeSide>,
        backends: BTreeMap<BackendId, ModelBackend>,
        weather: Weather,
        workload: Workload,
        script: Script,
        traced: bool,
    ) -> Self {
        let policy = Rc::new(policy);
        let mut world = Self {
            now: 0,
            agenda: Agenda::default(),
            first_policy: Rc::clone(&policy),
            policy,
            changes: 0,
            weather,
            dice: Streams::of(seed),
            forges,
            backends,
            daemon: Daemon::default(),
            judge: Judge::default(),
            workload,
            hours: Hours::default(),
            tally: Tally::default(),
            trace: Trace::new(traced),
            script,
            quiet_since: None,
            quiet_due: 0,
            not_quiet_before: 0,
            broken_images: BTreeMap::new(),
            settled_at: 0,
            last_process: 0,
            host_pause: (0, 0),
        };
        note!(world, "policy {:?}", world.policy);
        note!(world, "weather {:?}", world.weather);
        world.agenda.enter(0, Happening::Born);
        world
    }

    pub(crate) fn after(&mut self, span: u64, happening: Happening) {
        self.agenda.enter(self.now + span, happening);
    }

    /// Lets the next thing happen. False: nothing will ever happen again.
    pub(crate) fn advance(&mut self) -> bool {
        let Some((at, happening)) = self.agenda.next() else { return false };
        self.now = at;
        for forge in self.forges.values_mut() {
            forge.advance(at);
        }
        if let Some(until) = self.stands_still(&happening) {
            self.agenda.enter(until, happening);
            return true;
        }
        match happening {
            Happening::PollScope { life, scope, again } => self.poll_scope(life, &scope, again),
            Happening::ReadJobs { life, scope, begun_at } => self.read_jobs(life, &scope, begun_at),
            Happening::ReadRunners { life, scope, begun_at } => self.read_runners(life, &scope, begun_at),
            Happening::PollBackend { life, backend } => self.poll_backend(life, &backend),
            Happening::ReadMachines { life, backend, begun_at } => self.read_machines(life, &backend, begun_at),
            Happening::Wake { life } => self.wake(life),
            Happening::Deliver { life, event } => self.deliver(life, &event),
            Happening::Arrive { life, id, action, belief, answered } => {
                self.arrive(life, id, action, &belief, answered);
            }
            Happening::Made { life, id, backend, machine, answered } => {
                self.made(life, id, &backend, &machine, answered);
            }
            Happening::TakenBack { life, id, backend, machine, answered } => {
                self.taken_back(life, id, &backend, &machine, answered);
            }
            Happening::NeverLaunched { backend, machine } => self.never_launched(&backend, &machine),
            Happening::Hour { pool, count } => self.hour_begins(&pool, count),
            Happening::Born => self.daemon_is_born(),
            Happening::Stopped { life } => self.daemon_stops(life),
            Happening::Befalls { fault } => self.befalls(fault),
            Happening::ForgeUp { forge } => self.forge_starts_up(&forge),
            Happening::TokenWhole { scope, replaced } => self.token_is_whole(&scope, replaced),
            Happening::Restored { change } => self.restore_policy(change),
            Happening::Hook { forge } => self.hook_arrives(&forge),
            Happening::Person => self.person(),
            Happening::Act { act } => self.act(&act),
            Happening::RivalEnds { forge, uuid, token, task } => self.rival_ends(&forge, uuid, token, task),
            Happening::Shown { backend, machine } => self.show_again(&backend, &machine),
            Happening::Process { backend, machine, process, step } => {
                self.process_step(&backend, &machine, process, step);
            }
            Happening::Fetch { backend, machine, fetch } => self.fetch_arrives(&backend, &machine, &fetch),
            Happening::Quiet => self.quiet(),
        }
        true
    }

    /// Until when what was to happen must wait, since whoever does it stands still.
    fn stands_still(&self, happening: &Happening) -> Option<u64> {
        let (paused_at, host_until) = self.host_pause;
        let until = match happening {
            Happening::PollScope { .. }
            | Happening::PollBackend { .. }
            | Happening::Wake { .. }
            | Happening::Restored { .. }
            | Happening::Deliver { .. } => self.daemon.paused_until.max(host_until),
            Happening::Born | Happening::Stopped { .. } => host_until,
            // What is left to do takes as long as it would have taken.
            Happening::Process { .. } | Happening::Made { .. } | Happening::TakenBack { .. }
                if self.now < host_until =>
            {
                host_until + (self.now - paused_at)
            }
            _ => 0,
        };
        (self.now < until).then_some(until)
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet_since.is_some()
    }

    /// Whether a fault strikes something: by the dice, or since a script says so. Counted and noted if it does.
    pub(crate) fn strikes(&mut self, fault: Fault, on: &str) -> bool {
        let rate = self.weather.rate(fault);
        let drawn = rate > 0 && self.dice.fault(fault).chance(rate) && !self.is_quiet() && self.weather.lets(fault);
        let strikes = drawn || self.script.takes(fault, on);
        if strikes {
            self.note_fault(fault, on);
        }
        strikes
    }

    pub(crate) fn note_fault(&mut self, fault: Fault, on: &str) {
        self.tally.fault(fault);
        self.judge_fault(fault);
        note!(self, "  FAULT {} ({on})", fault.word());
    }

    /// Enters when a fault that comes by itself comes next.
    pub(crate) fn next_of(&mut self, fault: Fault) {
        let mean = self.weather.rate(fault);
        if let Often::Every(..) = fault.often()
            && mean > 0
        {
            let span = self.dice.fault(fault).between(1_000, 2 * mean);
            self.after(span, Happening::Befalls { fault });
        }
    }

    /// Faults end. What they have broken stays broken until it is repaired.
    fn quiet(&mut self) {
        if self.now < self.not_quiet_before {
            return self.agenda.enter(self.not_quiet_before, Happening::Quiet);
        }
        note!(self, "QUIET: faults end");
        self.quiet_since = Some(self.now);
        self.restore_policy(self.changes);
        self.broken_images.clear();
        for forge in self.forges.values_mut() {
            forge.calm();
        }
        for scope in self.scopes() {
            self.token_is_whole(&scope, true);
        }
        let now = self.now;
        for (id, name) in self.backends.iter_mut().flat_map(|(id, model)| model.calm(id, now)).collect::<Vec<_>>() {
            self.show_again(&id, &name);
        }
    }

    pub(crate) fn scopes(&self) -> Vec<ScopeKey> {
        self.policy.scopes.keys().cloned().collect()
    }

    /// The forge of that id. Every id in a world is one of its forges.
    pub(crate) fn forge(&self, id: &ForgeId) -> &ForgeSide {
        &self.forges[id]
    }

    pub(crate) fn forge_mut(&mut self, id: &ForgeId) -> Option<&mut ForgeSide> {
        self.forges.get_mut(id)
    }
}
