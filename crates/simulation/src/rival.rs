//! A persistent runner of somebody else: it takes whatever fits, one job at a time.

use std::collections::BTreeMap;

use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::{Status, TaskId};

use crate::forge::moment;
use crate::happening::Happening;
use crate::judge::Excuse;
use crate::world::{World, note};

impl World {
    pub(crate) fn rival_asks(&mut self) {
        if self.is_quiet() {
            return;
        }
        let (uuid, token) = self.forge.rival.clone();
        let credentials = Credentials { uuid: &uuid, token: &token };
        let answer = if self.forge.is_down(self.now) {
            None
        } else {
            self.forge.model.fetch_task(moment(self.now), credentials, FetchAsk::default(), 1).ok()
        };
        let task = answer.and_then(|answer| answer.tasks.into_iter().next());
        let Some(task) = task else {
            let span = self.dice.rival.between(1, 2 * self.weather.rival_every);
            return self.after(span, Happening::RivalAsks);
        };
        note!(self, "the rival takes {}", task.handle);
        self.judge.excuse(task.handle.as_str(), Excuse::Ended);
        let span = self.dice.rival.between(500, 60_000);
        self.after(span, Happening::RivalEnds { task: task.id.0 });
    }

    pub(crate) fn rival_ends(&mut self, task: i64) {
        let (uuid, token) = self.forge.rival.clone();
        let credentials = Credentials { uuid: &uuid, token: &token };
        let report = TaskReport { task: TaskId(task), result: Some(Status::Success), outputs: BTreeMap::new() };
        // Without an outage of the forge: a rival's troubles are not the subject.
        let _ = self.forge.model.update_task(moment(self.now), credentials, &report);
        self.after(self.weather.rival_every.max(1), Happening::RivalAsks);
    }
}
