//! Machines that are made without a job.

mod binding;
mod books;
mod keeping;
mod refusing;
mod releasing;
mod renewing;
mod yielding;

use std::collections::BTreeSet;
use std::time::Duration;

use planner::action::{Action, Leaving};
use planner::event::{Answer, Event};
use planner::ids::{ActionId, MachineName, PoolId};
use planner::policy::{Policy, WarmPolicy};
use planner::seen::{BoundAt, MachineSeen, MachineState, WarmTags};
use planner::state::WarmMachine;

use crate::scene::{Scene, acme, here, pool};

/// What machines of the pool `debian` without a job carry.
pub(crate) fn tags() -> WarmTags {
    WarmTags { pool: PoolId::new("debian"), image: None, made_of: "1".to_owned() }
}

/// Where the runners of the scene's jobs are registered.
pub(crate) fn at() -> BoundAt {
    BoundAt { scope: acme(), scope_id: Some(1) }
}

/// A scene whose pool `debian`, of four machines, keeps so many without a job.
pub(crate) fn wanting(count: u32) -> Scene {
    changed(count, |_| {})
}

/// The same, with another policy.
pub(crate) fn changed(count: u32, change: impl FnOnce(&mut Policy)) -> Scene {
    Scene::with(|policy| {
        let labels = ["debian:docker", "old:docker://old:1", "new:docker://new:1"];
        policy.pools = vec![pool("debian", &labels, &here())];
        let made_of = "1".to_owned();
        policy.pools[0].warm = WarmPolicy { count, max_age: Duration::ZERO, made_of };
        change(policy);
    })
}

/// The same, once they are there.
pub(crate) fn keeping(count: u32) -> Scene {
    kept(wanting(count))
}

/// Until all that is wanted is there.
pub(crate) fn kept(mut scene: Scene) -> Scene {
    scene.goes_on(1);
    scene.took();
    scene
}

impl Scene {
    /// How many wait for a job, as listed.
    pub(crate) fn waiting(&self) -> usize {
        let rows = self.machines.iter().map(|(_, row)| row);
        rows.filter(|row| row.tags.warm().is_some() && row.binding.is_none()).count()
    }

    /// The images of those that wait, as listed, sorted.
    pub(crate) fn images(&self) -> Vec<&str> {
        let rows = self.machines.iter().map(|(_, row)| row).filter(|row| row.binding.is_none());
        let images = rows.filter_map(|row| row.tags.warm()).map(|tags| tags.image.as_deref().unwrap_or("none"));
        let mut images: Vec<&str> = images.collect();
        images.sort_unstable();
        images
    }

    /// Names of those that wait, as listed.
    pub(crate) fn names(&self) -> BTreeSet<MachineName> {
        let rows = self.machines.iter().map(|(_, row)| row);
        rows.filter(|row| row.tags.warm().is_some()).map(|row| row.name.clone()).collect()
    }

    /// A job waits that asks for this label.
    pub(crate) fn waits_for(&mut self, handle: &str, label: &str) {
        let id = i64::try_from(self.jobs.len()).expect("it is there") + 1;
        self.waits_as(handle, id, id, handle, &[label]);
    }

    /// What those that go were told to go for, since the last look.
    pub(crate) fn left_for(&mut self) -> Vec<Leaving> {
        let gone = |action: &Action| if let Action::DestroyWarm { why, .. } = action { Some(*why) } else { None };
        self.took_actions().iter().filter_map(gone).collect()
    }

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

    /// The oldest open call is carried out as it should be and answered; nothing is planned.
    pub(crate) fn is_done(&mut self) {
        let (_, action) = self.open[0].clone();
        let answer = self.carries_out(&action);
        self.is_answered(answer);
    }

    /// The oldest open call is answered; nothing is planned.
    pub(crate) fn is_answered(&mut self, answer: Answer) {
        let (id, _) = self.open.remove(0);
        self.now.0 += 1;
        self.fold(&Event::Answered { id, answer });
    }

    /// A call is handed over, whoever planned it.
    pub(crate) fn begins(&mut self, action: Action) {
        let id = ActionId(self.state.journal.last_action + 1);
        self.open.push((id, action.clone()));
        self.fold(&Event::Started { id, action });
    }
}
