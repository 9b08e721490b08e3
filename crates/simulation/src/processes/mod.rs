//! Runner processes: what `one-job --wait` does, with drawn mishaps (protocol 3.6).
//!
//! ```text
//! declare ─► fetch ─► fetch … ─► job ─► report ─► exit
//! ```

mod fate;

use std::collections::BTreeMap;

use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::{Status, TaskId};
use planner::ids::{BackendId, ForgeId, MachineName, RunnerUuid};
use planner::seen::Exit;

pub(crate) use fate::{Fate, Mishap};

use crate::fault::Fault;
use crate::forge::moment;
use crate::happening::{Fetch, Happening, Step};
use crate::judge::{Belief, Excuse};
use crate::world::{World, note};

/// Time between two fetches (protocol 3.6).
const FETCH_MS: u64 = 2_000;
/// Time between two reports of a running job; the forge shows a runner as idle after 10 s without one.
const BEAT_MS: u64 = 6_000;
/// How long a runner tries to report its result (protocol 3.6: about 51 s).
const REPORT_MS: u64 = 51_000;

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: u64,
    pub(crate) forge: ForgeId,
    pub(crate) uuid: String,
    pub(crate) handle: String,
    token: String,
    labels: Vec<String>,
    fate: Fate,
    /// When it was started.
    pub(crate) since: u64,
    /// When it declared its labels.
    pub(crate) declared_at: Option<u64>,
    /// Its job, once it knows that it has it.
    pub(crate) task: Option<TaskId>,
    /// Since when it tries to report.
    reporting_since: Option<u64>,
    /// Whether its job is over and it does nothing any more.
    hung: bool,
    /// How often its machine has started it.
    pub(crate) boots: u32,
    /// What was believed when we told it to stop.
    pub(crate) stop: Option<Belief>,
}

impl World {
    pub(crate) fn process_after(
        &mut self,
        span: u64,
        backend: &BackendId,
        machine: &MachineName,
        process: u64,
        step: Step,
    ) {
        let happening = Happening::Process { backend: backend.clone(), machine: machine.clone(), process, step };
        self.after(span, happening);
    }

    /// Starts a process on a machine.
    pub(crate) fn spawn(
        &mut self,
        backend: &BackendId,
        name: &MachineName,
        key: &planner::ids::JobKey,
        runner: &RunnerUuid,
        token: String,
        labels: Vec<String>,
    ) {
        let handle = key.handle.as_str();
        let job = self.name_of(&key.forge, handle);
        let fate = self.draw_fate(&job);
        self.last_process += 1;
        let id = self.last_process;
        let process = Process {
            id,
            forge: key.forge.clone(),
            uuid: runner.as_str().to_owned(),
            handle: handle.to_owned(),
            token,
            labels,
            fate,
            since: self.now,
            declared_at: None,
            task: None,
            reporting_since: None,
            hung: false,
            boots: 1,
            stop: None,
        };
        if let Some(machine) = self.machine(backend, name) {
            machine.process = Some(process);
        }
        self.begin_process(backend, name, id, &job);
    }

    /// The name of a handle's job.
    pub(crate) fn name_of(&self, forge: &ForgeId, handle: &str) -> String {
        let attempt = self.forge(forge).model.books().attempt(&forge_model::Handle(handle.to_owned()));
        attempt.map(|attempt| attempt.name.clone()).unwrap_or_default()
    }

    pub(crate) fn machine_at(&self, backend: &BackendId, name: &MachineName) -> Option<&crate::backends::Machine> {
        self.backends.get(backend)?.machines.get(name)
    }

    pub(crate) fn machine(&mut self, backend: &BackendId, name: &MachineName) -> Option<&mut crate::backends::Machine> {
        self.backends.get_mut(backend)?.machines.get_mut(name)
    }

    pub(crate) fn process(&mut self, backend: &BackendId, name: &MachineName, id: u64) -> Option<&mut Process> {
        self.machine(backend, name)?.process.as_mut().filter(|process| process.id == id)
    }

    pub(crate) fn process_step(&mut self, backend: &BackendId, name: &MachineName, id: u64, step: Step) {
        let Some(process) = self.process(backend, name, id) else { return };
        let (handle, uuid) = (process.handle.clone(), process.uuid.clone());
        if !matches!(step, Step::Fetch | Step::Beat) {
            note!(self, "    process {id} of {name} ({handle}): {step:?}");
        }
        match step {
            Step::Declare => self.declare(backend, name, id),
            Step::Fetch => self.send_fetch(backend, name, id),
            Step::Beat => self.beat(backend, name, id),
            Step::Finish => self.finish(backend, name, id),
            Step::Exit { code } => {
                self.note_killed(&handle, &uuid);
                self.end_process(backend, name, Exit::Code(code));
            }
            Step::Die => {
                self.note_killed(&handle, &uuid);
                self.end_process(backend, name, Exit::Signal(9));
            }
            Step::Fail => {
                self.note_killed(&handle, &uuid);
                self.end_process(backend, name, Exit::Unknown);
            }
            Step::DieSilently => {
                self.note_killed(&handle, &uuid);
                if let Some(machine) = self.machine(backend, name) {
                    machine.process = None;
                }
            }
            Step::Reboot => self.reboot(backend, name, id),
            Step::Term => self.term(backend, name, id),
            Step::Kill => {
                self.judge_stopped(backend, name);
                self.end_process(backend, name, Exit::Signal(9));
            }
        }
    }

    pub(crate) fn end_process(&mut self, backend: &BackendId, name: &MachineName, exit: Exit) {
        self.note_ended(backend, name, exit);
        if let Some(model) = self.backends.get_mut(backend) {
            model.ended(name, exit);
        }
    }

    /// The machine starts its runner anew, with the same credentials. What it had is lost.
    fn reboot(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        self.last_process += 1;
        let next = self.last_process;
        let now = self.now;
        let Some(process) = self.process(backend, name, id) else { return };
        let (handle, uuid) = (process.handle.clone(), process.uuid.clone());
        process.id = next;
        process.task = None;
        process.reporting_since = None;
        process.declared_at = None;
        process.since = now;
        process.boots += 1;
        self.note_killed(&handle, &uuid);
        self.judge.excuse(&handle, Excuse::Killed);
        self.process_after(2_000, backend, name, next, Step::Declare);
    }

    fn declare(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        let now = self.now;
        let Some(process) = self.process(backend, name, id) else { return };
        let (uuid, token, labels) = (process.uuid.clone(), process.token.clone(), process.labels.clone());
        process.declared_at = Some(now);
        let (handle, forge) = (process.handle.clone(), process.forge.clone());
        let credentials = Credentials { uuid: &uuid, token: &token };
        let Some(side) = self.forge_mut(&forge) else { return };
        if side.is_down(now) || side.model.declare(moment(now), credentials, "v12", &labels).is_err() {
            return self.end_process(backend, name, Exit::Code(1));
        }
        self.judge_doors(&forge, &handle);
        self.process_after(5, backend, name, id, Step::Fetch);
    }

    fn send_fetch(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        let slow = self.dice.processes.chance(20);
        let there = self.dice.processes.between(2, if slow { 2_000 } else { 60 });
        let Some(process) = self.process(backend, name, id) else { return };
        if process.task.is_some() {
            return;
        }
        let fetch = Fetch {
            process: id,
            forge: process.forge.clone(),
            uuid: process.uuid.clone(),
            token: process.token.clone(),
            handle: process.handle.clone(),
        };
        self.after(there, Happening::Fetch { backend: backend.clone(), machine: name.clone(), fetch });
    }

    /// A fetch arrives, whether its sender still lives or not.
    pub(crate) fn fetch_arrives(&mut self, backend: &BackendId, name: &MachineName, fetch: &Fetch) {
        let (id, now) = (fetch.process, self.now);
        let key = format!("process-{id}");
        let ask = FetchAsk { tasks_version: 0, handle: Some(&fetch.handle), request_key: Some(&key) };
        let Some(side) = self.forges.get_mut(&fetch.forge) else { return };
        let task = if side.is_down(now) {
            None
        } else {
            let credentials = Credentials { uuid: &fetch.uuid, token: &fetch.token };
            let answer = side.model.fetch_single_task(moment(now), credentials, ask);
            answer.ok().and_then(|answer| answer.tasks.first().map(|task| task.id))
        };
        if task.is_some() {
            self.judge_hand_outs(&fetch.forge, &fetch.handle);
        }
        let quiet = self.is_quiet();
        if task.is_some()
            && let Some(machine) = self.machine(backend, name)
        {
            machine.has_run |= machine.process.as_ref().is_some_and(|process| process.id == id);
        }
        let Some(process) = self.process(backend, name, id) else {
            if task.is_some() {
                self.judge_handed_to_the_dead(&fetch.handle, &fetch.uuid);
            }
            return;
        };
        let Some(task) = task else { return self.process_after(FETCH_MS, backend, name, id, Step::Fetch) };
        if process.fate.fetch_lost && !quiet {
            process.fate.fetch_lost = false;
            note!(self, "    process {id} of {name} ({}) was given its job and does not know it yet", fetch.handle);
            return self.process_after(FETCH_MS, backend, name, id, Step::Fetch);
        }
        process.task = Some(task);
        let fate = process.fate.clone();
        if now < self.host_pause.1 {
            // It was on its way as the host came to a standstill, and now nobody reports.
            self.judge.excuse(&fetch.handle, Excuse::Paused);
        }
        note!(self, "    process {id} of {name} ({}) has its job: {fate:?}", fetch.handle);
        self.process_after(BEAT_MS, backend, name, id, Step::Beat);
        let (span, step) = match fate.mishap {
            Mishap::Dies => (fate.runs_ms / 2, Step::Die),
            Mishap::MachineFails => (fate.runs_ms / 2, Step::Fail),
            Mishap::DiesSilently => (fate.runs_ms / 2, Step::DieSilently),
            Mishap::BootsTwice => (fate.runs_ms / 2, Step::Reboot),
            Mishap::Endless => return,
            Mishap::Nothing | Mishap::Hangs | Mishap::LosesEnd => (fate.runs_ms, Step::Finish),
        };
        self.process_after(span, backend, name, id, step);
    }

    fn beat(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        if self.report(backend, name, id, None).is_some() {
            self.process_after(BEAT_MS, backend, name, id, Step::Beat);
        }
    }

    /// Reports about its job. `None`: it has none, or it is over. `Some(false)`: the forge did not take it.
    fn report(&mut self, backend: &BackendId, name: &MachineName, id: u64, result: Option<Status>) -> Option<bool> {
        let now = self.now;
        let process = self.process(backend, name, id).filter(|process| !process.hung)?;
        let task = process.task?;
        let (uuid, token, forge) = (process.uuid.clone(), process.token.clone(), process.forge.clone());
        let credentials = Credentials { uuid: &uuid, token: &token };
        let report = TaskReport { task, result, outputs: BTreeMap::new() };
        let side = self.forge_mut(&forge)?;
        Some(!side.is_down(now) && side.model.update_task(moment(now), credentials, &report).is_ok())
    }

    fn finish(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        let now = self.now;
        let Some(process) = self.process(backend, name, id) else { return };
        let result = if process.fate.fails { Status::Failure } else { Status::Success };
        let since = *process.reporting_since.get_or_insert(now);
        let (mishap, handle) = (process.fate.mishap, process.handle.clone());
        if mishap == Mishap::LosesEnd {
            self.judge.excuse(&handle, Excuse::Killed);
            let code = i32::try_from(self.dice.fault(Fault::LosesEnd).between(0, 3)).unwrap_or(0);
            return self.process_after(50, backend, name, id, Step::Exit { code });
        }
        let taken = self.report(backend, name, id, Some(result)) == Some(true);
        if taken {
            self.judge.excuse(&handle, Excuse::Ended);
        } else if now < since + REPORT_MS {
            return self.process_after(5_000, backend, name, id, Step::Finish);
        } else {
            self.judge.excuse(&handle, Excuse::ForgeAway);
        }
        let hangs = mishap == Mishap::Hangs;
        if hangs {
            note!(self, "    process {id} of {name} ({handle}) hangs after its job");
            if let Some(process) = self.process(backend, name, id) {
                process.hung = true;
            }
            return;
        }
        let span = self.dice.processes.between(20, 1_000);
        self.process_after(span, backend, name, id, Step::Exit { code: 0 });
    }

    /// Told to stop: a runner that waits goes at once, one with a job reports a failure.
    fn term(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        let Some(process) = self.process(backend, name, id) else { return };
        if process.hung {
            return;
        }
        let (declared, works) = (process.declared_at.is_some(), process.task.is_some());
        if !works {
            let code = i32::from(!declared);
            self.judge_stopped(backend, name);
            return self.end_process(backend, name, Exit::Code(code));
        }
        self.judge_stopped(backend, name);
        if self.report(backend, name, id, Some(Status::Failure)) == Some(true) {
            self.end_process(backend, name, Exit::Code(0));
        }
    }
}
