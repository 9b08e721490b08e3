//! Backends that are away: two listings in a row failed, and none has come since.

use std::collections::BTreeMap;

use planner::action::Action;
use planner::event::{Decision, Event};
use planner::ids::BackendId;
use planner::step::Turn;

use super::Rule;
use crate::world::World;

/// So many failed listings in a row make a backend count as away.
const LISTINGS: u32 = 2;

/// Failed listings in a row, by backend.
#[derive(Debug, Default)]
pub(super) struct Unheard(BTreeMap<BackendId, u32>);

impl Unheard {
    /// Something reaches the daemon.
    pub(super) fn learn(&mut self, event: &Event) {
        match event {
            Event::MachinesNotListed { backend, .. } => *self.0.entry(backend.clone()).or_default() += 1,
            Event::MachinesListed { backend, .. } => drop(self.0.remove(backend)),
            _ => {}
        }
    }

    fn is_away(&self, backend: &BackendId) -> bool {
        self.0.get(backend).is_some_and(|failures| *failures >= LISTINGS)
    }
}

impl World {
    /// Invariant 9: nothing is begun on a backend that is away, for a job or without one, on a machine that is there or one
    /// that is not.
    pub(super) fn judge_away(&mut self, turn: &Turn) {
        let created = turn.actions.iter().filter_map(|(_, action)| match action {
            Action::Create { backend, machine, .. }
            | Action::CreateWarm { backend, machine, .. }
            | Action::Start { backend, machine, .. } => Some((backend, machine)),
            _ => None,
        });
        let bound = turn.decisions.iter().filter_map(|decision| match decision {
            Decision::Bind { backend, machine, .. } => Some((backend, machine)),
            _ => None,
        });
        if let Some((backend, machine)) = created.chain(bound).find(|(backend, _)| self.judge.unheard.is_away(backend))
        {
            let what = format!("{machine} is begun on {backend}, which is away");
            self.judge.breaks(Rule::AskedAway, what);
        }
    }
}
