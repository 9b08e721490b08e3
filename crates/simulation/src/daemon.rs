//! The daemon of a world: one life after another, each with a state of its own. It decides nothing.

use std::collections::BTreeMap;

use planner::event::Event;
use planner::fold::fold;
use planner::ids::RunnerUuid;
use planner::state::{HandleMemory, State};
use planner::step::{Turn, step};
use planner::time::Tick;

use crate::happening::Happening;
use crate::world::{World, note};

/// How often the daemon looks at its clock.
const WAKE_MS: u64 = 1_000;
/// How often runners are listed where no registration of ours is expected (design section 8).
pub(crate) const IDLE_RUNNERS_MS: u64 = 600_000;

/// One life.
#[derive(Debug, Default)]
pub(crate) struct Daemon {
    /// Its number; 0 for none yet.
    pub(crate) life: u32,
    pub(crate) alive: bool,
    /// Its clock began then: ticks of different lives cannot be compared.
    pub(crate) born_at: u64,
    pub(crate) state: State,
    /// Tokens at hand.
    pub(crate) credentials: BTreeMap<RunnerUuid, String>,
    /// When each scope's runners were last asked for.
    pub(crate) runners_asked: BTreeMap<planner::ids::ScopeKey, u64>,
    /// How many turns it has had, over all lives.
    pub(crate) turns: u64,
}

impl World {
    /// The daemon's own time.
    pub(crate) fn tick(&self) -> Tick {
        self.tick_of(self.now)
    }

    pub(crate) fn tick_of(&self, at: u64) -> Tick {
        Tick(at.saturating_sub(self.daemon.born_at))
    }

    pub(crate) fn is_this_life(&self, life: u32) -> bool {
        self.daemon.alive && self.daemon.life == life
    }

    pub(crate) fn kill_daemon(&mut self) {
        if self.is_quiet() || !self.daemon.alive {
            return;
        }
        self.daemon.alive = false;
        let span = self.dice.lives.between(100, 8_000);
        note!(self, "the daemon is killed; begins again in {span} ms");
        self.after(span, Happening::Born);
    }

    pub(crate) fn daemon_is_born(&mut self) {
        let memory = self.remembered();
        let credentials = self.kept_credentials();
        self.daemon.life += 1;
        self.daemon.alive = true;
        self.daemon.born_at = self.now;
        self.daemon.state = State::default();
        self.daemon.state.journal.handles = memory;
        self.daemon.runners_asked.clear();
        let life = self.daemon.life;
        note!(self, "life {life} begins with {} credentials", credentials.len());
        for uuid in credentials.keys() {
            self.after(0, Happening::Deliver { life, event: Event::CredentialsFound { runner: uuid.clone() } });
        }
        self.daemon.credentials = credentials;
        for scope in self.scopes() {
            let span = self.dice.lives.between(0, 500);
            self.after(span, Happening::PollScope { life, scope });
        }
        for backend in self.policy.backends.keys().cloned().collect::<Vec<_>>() {
            let span = self.dice.lives.between(0, 500);
            self.after(span, Happening::PollBackend { life, backend });
        }
        self.after(WAKE_MS, Happening::Wake { life });
        self.next_kill();
    }

    /// What the store gives back: moments are counted from the new beginning.
    fn remembered(&mut self) -> BTreeMap<planner::ids::JobKey, HandleMemory> {
        let handles = std::mem::take(&mut self.daemon.state.journal.handles);
        if self.dice.lives.chance(self.weather.memory_lost) {
            return BTreeMap::new();
        }
        let gone = self.now - self.daemon.born_at;
        let rebased = |tick: Tick| Tick(tick.0.saturating_sub(gone));
        handles
            .into_iter()
            .map(|(job, memory)| {
                let rest_until = rebased(memory.rest_until);
                (job, HandleMemory { rest_until, not_before: Tick(0), listed_at: Tick(0), ..memory })
            })
            .collect()
    }

    fn kept_credentials(&mut self) -> BTreeMap<RunnerUuid, String> {
        let credentials = std::mem::take(&mut self.daemon.credentials);
        if self.dice.lives.chance(self.weather.credentials_lost) { BTreeMap::new() } else { credentials }
    }

    pub(crate) fn wake(&mut self, life: u32) {
        if !self.is_this_life(life) {
            return;
        }
        self.after(WAKE_MS, Happening::Wake { life });
        self.turn();
    }

    pub(crate) fn deliver(&mut self, life: u32, event: &Event) {
        if !self.is_this_life(life) {
            return;
        }
        if let Event::Answered { id, answer } = event {
            note!(self, "  answer {} {answer:?}", id.0);
        }
        let now = self.tick();
        fold(&mut self.daemon.state, &self.policy, event, now);
        self.turn();
    }

    /// One turn of the owner.
    fn turn(&mut self) {
        let now = self.tick();
        let turn = step(&self.policy, &mut self.daemon.state, now);
        self.daemon.turns += 1;
        self.judge_turn(&turn);
        self.tell(&turn);
        for (id, action) in turn.actions {
            self.begin(id, action);
        }
        if self.daemon.turns.is_multiple_of(16) {
            self.judge_rest();
        }
    }

    fn tell(&mut self, turn: &Turn) {
        for decision in &turn.decisions {
            note!(self, "  decided {decision:?}");
        }
    }

    /// A turn without news comes to nothing.
    fn judge_rest(&mut self) {
        let now = self.tick();
        let again = step(&self.policy, &mut self.daemon.state.clone(), now);
        if !again.actions.is_empty() || !again.decisions.is_empty() {
            self.judge.breaks(0, format!("a turn without news: {:?} {:?}", again.actions, again.decisions));
        }
    }
}
