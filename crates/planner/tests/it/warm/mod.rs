//! Machines that are made without a job.

mod books;

use planner::action::Action;
use planner::event::Event;
use planner::ids::{ActionId, MachineName, PoolId};
use planner::seen::{BoundAt, MachineSeen, MachineState, WarmTags};
use planner::state::WarmMachine;

use crate::scene::{Scene, acme, here};

/// What machines of the pool `debian` without a job carry.
pub(crate) fn tags() -> WarmTags {
    WarmTags { pool: PoolId::new("debian"), image: None, made_of: "1".to_owned() }
}

/// Where the runners of the scene's jobs are registered.
pub(crate) fn at() -> BoundAt {
    BoundAt { scope: acme(), scope_id: Some(1) }
}

impl Scene {
    /// A machine without a job is there, of which this life knows nothing.
    pub(crate) fn has_warm(&mut self, name: &str) {
        let (name, tags) = (MachineName::new(name), tags().into());
        self.machines.push((here(), MachineSeen { name, tags, binding: None, state: MachineState::Ready }));
    }

    /// The row of a machine.
    pub(crate) fn row(&mut self, name: &str) -> &mut MachineSeen {
        let mut rows = self.machines.iter_mut().map(|(_, row)| row);
        rows.find(|row| row.name.as_str() == name).expect("the machine is listed")
    }

    /// What the books say of a machine without a job.
    pub(crate) fn warm(&self, name: &str) -> Option<&WarmMachine> {
        self.state.journal.warm.get(&(here(), MachineName::new(name)))
    }

    /// Whether a job could be bound to a machine.
    pub(crate) fn is_ready(&self, name: &str) -> bool {
        self.warm(name).is_some_and(WarmMachine::is_ready)
    }

    /// A call is handed over, whoever planned it.
    pub(crate) fn begins(&mut self, action: Action) {
        let id = ActionId(self.state.journal.last_action + 1);
        self.open.push((id, action.clone()));
        self.fold(&Event::Started { id, action });
    }
}
