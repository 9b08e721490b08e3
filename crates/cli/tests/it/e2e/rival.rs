//! A persistent runner that somebody registered beside us: driven through the model, so that it acts at a chosen moment.

use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::{Area, Status, TaskId};

use super::world::{Pushed, World};

/// A runner that is not ours.
pub(crate) struct Rival {
    pub(crate) name: String,
    uuid: String,
    token: String,
}

impl Rival {
    /// Registers one in the organization, with these labels.
    pub(crate) fn join(world: &World, labels: &[&str]) -> Self {
        let name = "rival".to_owned();
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        world.emulator.with_forge(|forge, now| {
            let area = Area::Owner(world.organization);
            let registration = forge.register_runner(now, area, &name, "always here", false).expect("a registration");
            let rival = Self { name, uuid: registration.uuid, token: registration.token };
            forge.declare(now, rival.credentials(), "1", &labels).expect("declared labels");
            rival
        })
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials { uuid: &self.uuid, token: &self.token }
    }

    /// Takes a job.
    #[track_caller]
    pub(crate) fn take(&self, world: &World, job: &Pushed) -> TaskId {
        let ask = FetchAsk { handle: Some(job.handle.as_str()), ..FetchAsk::default() };
        let answer = world.emulator.with_forge(|forge, now| forge.fetch_single_task(now, self.credentials(), ask));
        answer.expect("an answer").tasks.first().expect("a task").id
    }

    /// Reports that a task ended well.
    #[track_caller]
    pub(crate) fn finish(&self, world: &World, task: TaskId) {
        let report = TaskReport { task, result: Some(Status::Success), outputs: std::collections::BTreeMap::new() };
        let update = world.emulator.with_forge(|forge, now| forge.update_task(now, self.credentials(), &report));
        assert_eq!(update.expect("an answer").result, Some(Status::Success));
    }
}
