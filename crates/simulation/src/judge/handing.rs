//! Invariant 1: a handle is given to one runner at the most, and no more than one could be given it.

use planner::ids::ForgeId;

use super::{Death, Excuse, Rule};
use crate::forge::Door;
use crate::world::{World, note};

/// How long a fetch of a runner may be under way.
const FETCH_UNDER_WAY_MS: u64 = 3_000;

impl World {
    /// Invariant 1: at most one living process could be given the handle.
    pub(crate) fn judge_doors(&mut self, forge: &ForgeId, handle: &str) {
        if !self.is_waiting(handle) {
            return;
        }
        let takers: Vec<String> = self
            .backends
            .values()
            .flat_map(|model| model.machines.values())
            .filter_map(|machine| machine.process.as_ref())
            .filter(|process| process.handle == handle)
            .filter(|process| matches!(self.forge(forge).door(self.now, &process.uuid), Door::Open | Door::Undeclared))
            .map(|process| process.uuid.clone())
            .collect();
        if takers.len() > 1 && takers.iter().any(|uuid| self.is_hidden(uuid)) {
            note!(self, "    DECEIVED: the backend denies a machine for {handle}");
            self.judge.deceived += 1;
        } else if takers.len() > 1 {
            self.judge.breaks(Rule::OneTaker, format!("{handle} could be given to {takers:?}"));
        }
    }

    /// Invariant 1: a handle is handed out once.
    pub(crate) fn judge_hand_outs(&mut self, forge: &ForgeId, handle: &str) {
        let books = self.forge(forge).model.books();
        let count = books.attempt(&forge_model::Handle(handle.to_owned())).map_or(0, |attempt| attempt.hand_outs);
        if count > 1 {
            self.judge.breaks(Rule::OneHandOut, format!("{handle} was handed out {count} times"));
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
            Some(belief) if belief.race_is_known && self.now <= death.at + FETCH_UNDER_WAY_MS => {
                note!(self, "    RACE: {handle} is handed to a runner that was stopped just before");
                self.judge.races += 1;
                self.judge.excuse(handle, Excuse::Race);
            }
            Some(_) => {
                let what = format!("{handle} is handed to a fenced runner that was stopped");
                self.judge.breaks(Rule::FencedInVain, what);
            }
        }
    }
}
