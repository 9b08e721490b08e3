//! Plays runners towards the emulated forge, without processes: contacts, takes the job, reports its end.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use backend::Launch;
use emulator::Emulator;
use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::{Status, TaskId};
use planner::ids::MachineName;
use secrecy::ExposeSecret as _;

use crate::stage::LABEL;

/// A runner as a launch makes it.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) machine: String,
    pub(crate) uuid: String,
    pub(crate) token: String,
    pub(crate) handle: String,
}

impl Played {
    /// The one that a machine was started with.
    pub(crate) fn of(machine: &MachineName, launch: &Launch) -> Self {
        Self {
            machine: machine.as_str().to_owned(),
            uuid: launch.uuid.as_str().to_owned(),
            token: launch.token.expose_secret().to_owned(),
            handle: launch.handle.as_str().to_owned(),
        }
    }

    /// As one line of text; [`Played::parse`] reads it.
    pub(crate) fn line(&self) -> String {
        let Self { machine, uuid, token, handle } = self;
        format!("{machine} {uuid} {token} {handle}")
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let [machine, uuid, token, handle] =
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().try_into().ok()?;
        Some(Self { machine, uuid, token, handle })
    }

    /// Contacts the forge and takes the job.
    pub(crate) fn take_job(&self, emulator: &Emulator) -> anyhow::Result<TaskId> {
        let ask = FetchAsk { tasks_version: 0, handle: Some(&self.handle), request_key: None };
        let answer = emulator.with_forge(|forge, now| {
            let labels = [LABEL.to_owned()];
            forge.declare(now, self.credentials(), "v12.8.2", &labels)?;
            forge.fetch_single_task(now, self.credentials(), ask)
        });
        let answer = answer.map_err(|refusal| anyhow!("a runner was refused: {refusal}"))?;
        let task = answer.tasks.first().with_context(|| format!("no task for {}", self.handle))?;
        Ok(task.id)
    }

    /// Reports that the job has succeeded.
    pub(crate) fn succeed(&self, emulator: &Emulator, task: TaskId) -> anyhow::Result<()> {
        let report = TaskReport { task, result: Some(Status::Success), outputs: BTreeMap::new() };
        let update = emulator.with_forge(|forge, now| forge.update_task(now, self.credentials(), &report));
        update.map(|_| ()).map_err(|refusal| anyhow!("a result was refused: {refusal}"))
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials { uuid: &self.uuid, token: &self.token }
    }
}
