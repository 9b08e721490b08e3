//! The daemon of a world: one life after another, each with a state of its own. It decides nothing.

use std::collections::BTreeMap;

use planner::event::Event;
use planner::fold::fold;
use planner::ids::{JobKey, RunnerUuid, ScopeKey};
use planner::state::{HandleMemory, State};
use planner::step::{Turn, step};
use planner::time::Tick;

use crate::fault::Fault;
use crate::judge::Rule;
use crate::world::{World, note};

/// How often the daemon looks at its clock.
pub(crate) const WAKE_MS: u64 = 1_000;
/// After how many turns books and report are searched for tokens.
const SECRETS_TURNS: u64 = 256;
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
    /// Until when it stands still.
    pub(crate) paused_until: u64,
    pub(crate) state: State,
    /// Tokens at hand.
    pub(crate) credentials: BTreeMap<RunnerUuid, String>,
    /// When each scope's runners were last asked for.
    pub(crate) runners_asked: BTreeMap<ScopeKey, u64>,
    /// How many turns it has had, over all lives.
    pub(crate) turns: u64,
    /// An old copy of the memory, and when it was made.
    pub(crate) old_memory: (u64, BTreeMap<JobKey, HandleMemory>),
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

    pub(crate) fn wake(&mut self, life: u32) {
        if !self.is_this_life(life) {
            return;
        }
        self.after(WAKE_MS, crate::happening::Happening::Wake { life });
        self.turn();
    }

    pub(crate) fn deliver(&mut self, life: u32, event: &Event) {
        if !self.is_this_life(life) {
            return;
        }
        if let Event::Answered { id, answer } = event {
            note!(self, "  answer {} {answer:?}", id.0);
        }
        let by_the_hour = self.at_this_hour(event);
        let event = by_the_hour.as_ref().unwrap_or(event);
        self.judge_news(event);
        let now = self.tick();
        fold(&mut self.daemon.state, &self.policy, event, now);
        self.turn();
    }

    /// One turn of the owner. It may be killed between two effects: then what it had not begun never happens.
    fn turn(&mut self) {
        let now = self.tick();
        let turn = step(&self.policy, &mut self.daemon.state, now);
        self.daemon.turns += 1;
        self.judge_turn(&turn);
        for decision in &turn.decisions {
            note!(self, "  decided {decision:?}");
        }
        for place in crate::reasons::of_report(&turn.report) {
            self.tally.reason(place);
        }
        self.keep_promises(&turn);
        self.trace.note_reasons(self.now, &turn.report);
        self.script.reads(&turn.report);
        let survives = self.survives(&turn);
        for (id, action) in turn.actions.into_iter().take(survives.unwrap_or(usize::MAX)) {
            self.begin(id, action);
        }
        if survives.is_some() {
            return self.kill_daemon(None);
        }
        if self.daemon.turns.is_multiple_of(32) {
            self.judge_rest();
        }
        if self.daemon.turns.is_multiple_of(SECRETS_TURNS) {
            self.judge_secrets(Some(&turn.report));
        }
    }

    /// After how many of its actions the daemon is killed, if it is.
    fn survives(&mut self, turn: &Turn) -> Option<usize> {
        let count = turn.actions.len() as u64;
        if count == 0 || self.is_quiet() || !self.strikes(Fault::KilledBetween, "between two effects") {
            return None;
        }
        let begun = self.dice.fault(Fault::KilledBetween).between(0, count);
        usize::try_from(begun).ok()
    }

    /// A turn without news comes to nothing.
    fn judge_rest(&mut self) {
        let now = self.tick();
        let again = step(&self.policy, &mut self.daemon.state.clone(), now);
        if !again.actions.is_empty() || !again.decisions.is_empty() {
            self.judge.breaks(Rule::Rest, format!("a turn without news: {:?} {:?}", again.actions, again.decisions));
        }
    }
}
