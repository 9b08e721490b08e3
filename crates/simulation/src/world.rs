//! The world: its state, its agenda and its loop.

use std::collections::BTreeMap;

use planner::ids::{BackendId, ScopeKey};
use planner::policy::Policy;

use crate::backends::ModelBackend;
use crate::daemon::Daemon;
use crate::dice::Dice;
use crate::forge::ForgeSide;
use crate::happening::{Agenda, Happening};
use crate::judge::Judge;
use crate::trace::Trace;
use crate::weather::Weather;

/// Streams of draws, one for each consumer.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) people: Dice,
    pub(crate) calls: Dice,
    pub(crate) listings: Dice,
    pub(crate) processes: Dice,
    pub(crate) lives: Dice,
    pub(crate) outages: Dice,
    pub(crate) rival: Dice,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) agenda: Agenda,
    pub(crate) policy: Policy,
    pub(crate) weather: Weather,
    pub(crate) dice: Streams,
    pub(crate) forge: ForgeSide,
    pub(crate) backends: BTreeMap<BackendId, ModelBackend>,
    pub(crate) daemon: Daemon,
    pub(crate) judge: Judge,
    pub(crate) trace: Trace,
    pub(crate) quiet_since: Option<u64>,
    pub(crate) last_process: u64,
}

/// Writes a line to the trace of a world; formats nothing unless somebody will read it.
macro_rules! note {
    ($world:expr, $($what:tt)*) => {
        $world.trace.note($world.now, format_args!($($what)*))
    };
}
pub(crate) use note;

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut setting = Dice::of(seed, "setting");
        let weather = Weather::drawn(&mut Dice::of(seed, "weather"));
        let mut forge = ForgeSide::new(seed, &mut setting);
        let (policy, areas) =
            crate::setting::policy(&mut setting, &forge.id.clone(), forge.owner, &forge.repositories.clone());
        forge.areas = areas;
        let backends = policy.backends.keys().map(|id| (id.clone(), ModelBackend::new(&mut setting))).collect();
        let stream = |consumer: &str| Dice::of(seed, consumer);
        let mut world = Self {
            now: 0,
            agenda: Agenda::default(),
            policy,
            weather,
            dice: Streams {
                people: stream("people"),
                calls: stream("calls"),
                listings: stream("listings"),
                processes: stream("processes"),
                lives: stream("lives"),
                outages: stream("outages"),
                rival: stream("rival"),
            },
            forge,
            backends,
            daemon: Daemon::default(),
            judge: Judge::default(),
            trace: Trace::new(traced),
            quiet_since: None,
            last_process: 0,
        };
        note!(world, "policy {:?}", world.policy);
        note!(world, "weather {:?}", world.weather);
        world.plant(&mut setting);
        world
    }

    /// Enters what happens by itself.
    fn plant(&mut self, setting: &mut Dice) {
        self.agenda.enter(0, Happening::Born);
        self.agenda.enter(0, Happening::Person);
        self.agenda.enter(setting.between(120_000, 300_000), Happening::Quiet);
        self.next_kill();
        self.next_forge_outage();
        for backend in self.policy.backends.keys().cloned().collect::<Vec<_>>() {
            self.next_backend_outage(backend);
        }
        if self.weather.rival_every > 0 {
            self.agenda.enter(self.weather.rival_every, Happening::RivalAsks);
        }
        self.agenda.enter(5_000, Happening::Mischief);
    }

    pub(crate) fn after(&mut self, span: u64, happening: Happening) {
        self.agenda.enter(self.now + span, happening);
    }

    /// Lets the next thing happen. False: nothing will ever happen again.
    pub(crate) fn advance(&mut self) -> bool {
        let Some((at, happening)) = self.agenda.next() else { return false };
        self.now = at;
        self.forge.advance(at);
        match happening {
            Happening::PollScope { life, scope } => self.poll_scope(life, &scope),
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
            Happening::Kill => self.kill_daemon(),
            Happening::Born => self.daemon_is_born(),
            Happening::ForgeDown => self.forge_goes_down(),
            Happening::BackendDown { backend } => self.backend_goes_down(&backend),
            Happening::Person => self.person(),
            Happening::RivalAsks => self.rival_asks(),
            Happening::RivalEnds { task } => self.rival_ends(task),
            Happening::Mischief => self.mischief(),
            Happening::Shown { backend, machine } => self.show_again(&backend, &machine),
            Happening::Process { backend, machine, process, step } => {
                self.process_step(&backend, &machine, process, step);
            }
            Happening::Fetch { backend, machine, process, uuid, token, handle } => {
                self.fetch_arrives(&backend, &machine, process, &uuid, &token, &handle);
            }
            Happening::Quiet => self.quiet(),
        }
        true
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet_since.is_some()
    }

    /// Faults end. What they have broken stays broken until it is repaired.
    fn quiet(&mut self) {
        note!(self, "QUIET: faults end");
        self.quiet_since = Some(self.now);
        self.forge.down_until = 0;
        for (id, name) in self.backends.iter_mut().flat_map(|(id, model)| model.calm(id)).collect::<Vec<_>>() {
            self.show_again(&id, &name);
        }
    }

    pub(crate) fn scopes(&self) -> Vec<ScopeKey> {
        self.policy.scopes.keys().cloned().collect()
    }

    pub(crate) fn next_kill(&mut self) {
        if self.weather.restart_every > 0 {
            let span = self.dice.lives.between(1_000, 2 * self.weather.restart_every);
            self.after(span, Happening::Kill);
        }
    }

    pub(crate) fn next_forge_outage(&mut self) {
        if self.weather.forge_down_every > 0 {
            let span = self.dice.outages.between(1_000, 2 * self.weather.forge_down_every);
            self.after(span, Happening::ForgeDown);
        }
    }

    pub(crate) fn next_backend_outage(&mut self, backend: BackendId) {
        if self.weather.backend_down_every > 0 {
            let span = self.dice.outages.between(1_000, 2 * self.weather.backend_down_every);
            self.after(span, Happening::BackendDown { backend });
        }
    }

    fn forge_goes_down(&mut self) {
        if self.is_quiet() {
            return;
        }
        let span = self.dice.outages.between(1_000, 70_000);
        note!(self, "the forge is away for {span} ms");
        self.forge.down_until = self.now + span;
        self.next_forge_outage();
    }

    fn backend_goes_down(&mut self, backend: &BackendId) {
        if self.is_quiet() {
            return;
        }
        let span = self.dice.outages.between(1_000, 90_000);
        note!(self, "{backend} is away for {span} ms");
        if let Some(model) = self.backends.get_mut(backend) {
            model.down_until = self.now + span;
        }
        self.next_backend_outage(backend.clone());
    }
}
