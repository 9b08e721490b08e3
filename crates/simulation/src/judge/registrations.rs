//! Invariants 3 and 7: what we delete is ours, and holds and gets no job.

use forge_model::RunnerId as ModelRunner;
use planner::ids::{RunnerId, ScopeKey};

use super::{Belief, Excuse, Rule};
use crate::forge::Door;
use crate::world::{World, note};

impl World {
    /// Invariants 3 and 7: a registration that is deleted is ours, holds no job, and no living process could get one by it.
    pub(crate) fn judge_delete(&mut self, scope: &ScopeKey, id: RunnerId, belief: &Belief) {
        let id = ModelRunner(id.0);
        let forge = self.forge(&scope.forge);
        // There is nothing of ours where the name means another.
        if forge.is_swapped(scope) {
            return;
        }
        if forge.foreign.contains(&id) {
            return self.judge.breaks(Rule::Foreign, format!("runner {id} is somebody else's"));
        }
        let books = forge.model.books();
        let Some(uuid) = books.registration(id).map(|record| record.uuid.clone()) else { return };
        let held = books.hand_outs().iter().find(|hand_out| hand_out.runner == id).cloned();
        if let Some(hand_out) = held
            && self.held_by(hand_out.handle.as_str(), &uuid).is_some()
        {
            let handle = hand_out.handle;
            if self.judge.is_excused(handle.as_str()) && !self.lives(&uuid) {
                return;
            }
            if self.is_hidden(&uuid) {
                note!(self, "    DECEIVED: the backend denies the machine of runner {id}");
                self.judge.deceived += 1;
                return self.judge.excuse(handle.as_str(), Excuse::Race);
            }
            return self.judge.breaks(Rule::HoldsJob, format!("runner {id} is deleted although it holds {handle}"));
        }
        if !self.forge(&scope.forge).model.runners_now().contains(&id) || !self.lives(&uuid) {
            return;
        }
        let open = matches!(self.forge(&scope.forge).door(self.now, &uuid), Door::Open | Door::Undeclared);
        let waits = self.living(&uuid).is_some_and(|handle| self.is_waiting(&handle));
        if open && waits && self.is_hidden(&uuid) {
            note!(self, "    DECEIVED: the backend denies the machine of runner {id}");
            self.judge.deceived += 1;
        } else if open && waits && belief.in_vain && belief.race_is_known {
            self.judge.races += 1;
        } else if open && waits {
            self.judge.breaks(
                Rule::CouldGetJob,
                format!("runner {id} is deleted although its process lives and could get its job"),
            );
        }
    }
}
