//! Others who take jobs: a persistent runner that takes whatever fits, and another autoscaler whose names and
//! descriptions are almost ours.

use std::collections::BTreeMap;

use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::{Area, Status, TaskId};
use planner::ids::ForgeId;

use crate::fault::Fault;
use crate::forge::moment;
use crate::happening::Happening;
use crate::judge::Excuse;
use crate::setting::LABELS;
use crate::world::World;

impl World {
    /// The persistent runner of a forge asks for a job, unless it has one.
    pub(crate) fn rival_asks(&mut self) {
        let forges: Vec<ForgeId> = self.forges.keys().cloned().collect();
        let id = self.dice.rivals.pick(&forges).clone();
        let now = self.now;
        let Some(forge) = self.forges.get_mut(&id).filter(|forge| !forge.is_down(now) && !forge.rival_is_busy) else {
            return;
        };
        let (uuid, token) = forge.rival.clone();
        let credentials = Credentials { uuid: &uuid, token: &token };
        let answer = forge.model.fetch_task(moment(now), credentials, FetchAsk::default(), 1).ok();
        let Some(task) = answer.and_then(|answer| answer.tasks.into_iter().next()) else { return };
        forge.rival_is_busy = true;
        self.note_fault(Fault::Rival, task.handle.as_str());
        self.rival_has(&id, (uuid, token), task.handle.as_str(), task.id);
    }

    fn rival_has(&mut self, forge: &ForgeId, (uuid, token): (String, String), handle: &str, task: TaskId) {
        self.judge.excuse(handle, Excuse::Ended);
        let span = self.dice.rivals.between(500, 60_000);
        self.after(span, Happening::RivalEnds { forge: forge.clone(), uuid, token, task: task.0 });
    }

    /// Another autoscaler registers a runner for a waiting job and lets it ask at once. What it gets it ends; what it does
    /// not get leaves a registration behind.
    pub(crate) fn rival_autoscaler_acts(&mut self) {
        let forges: Vec<ForgeId> = self.forges.keys().cloned().collect();
        let id = self.dice.rivals.pick(&forges).clone();
        let now = self.now;
        let number = self.dice.rivals.between(0, 0xffff);
        let Some(forge) = self.forges.get_mut(&id).filter(|forge| !forge.is_down(now)) else { return };
        let attempts = forge.model.books().attempts().iter();
        let waiting: Vec<String> = attempts
            .filter(|attempt| attempt.status == Status::Waiting)
            .map(|attempt| attempt.handle.as_str().to_owned())
            .collect();
        if waiting.is_empty() {
            return;
        }
        let handle = self.dice.rivals.pick(&waiting).clone();
        let name = format!("fs-{number:016x}-1");
        let description = format!("forgescale deployment=ci2 pool=pool-0 try=1 ordinal=1 handle={handle}");
        let area = Area::Owner(forge.owner);
        let Ok(made) = forge.model.register_runner(moment(now), area, &name, &description, true) else { return };
        forge.foreign.insert(made.id);
        let credentials = Credentials { uuid: &made.uuid, token: &made.token };
        let labels: Vec<String> = LABELS.iter().map(|label| (*label).to_owned()).collect();
        let _ = forge.model.declare(moment(now), credentials, "rival", &labels);
        let ask = FetchAsk { tasks_version: 0, handle: Some(&handle), request_key: None };
        let answer = forge.model.fetch_single_task(moment(now), credentials, ask).ok();
        self.note_fault(Fault::RivalAutoscaler, &handle);
        if let Some(task) = answer.and_then(|answer| answer.tasks.into_iter().next()) {
            self.rival_has(&id, (made.uuid, made.token), &handle, task.id);
        }
    }

    /// A rival's job ends, once its forge can be told.
    pub(crate) fn rival_ends(&mut self, id: &ForgeId, uuid: String, token: String, task: i64) {
        let now = self.now;
        let Some(forge) = self.forges.get_mut(id) else { return };
        if forge.is_down(now) {
            let again = forge.down_until - now + 1_000;
            return self.after(again, Happening::RivalEnds { forge: id.clone(), uuid, token, task });
        }
        if uuid == forge.rival.0 {
            forge.rival_is_busy = false;
        }
        let credentials = Credentials { uuid: &uuid, token: &token };
        let report = TaskReport { task: TaskId(task), result: Some(Status::Success), outputs: BTreeMap::new() };
        let _ = forge.model.update_task(moment(now), credentials, &report);
    }
}
