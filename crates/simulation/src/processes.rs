//! Runner processes: what `one-job --wait` does, with drawn mishaps (protocol 3.6).
//!
//! ```text
//! declare ─► fetch ─► fetch … ─► job ─► report ─► exit
//! ```

use std::collections::BTreeMap;

use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::{Status, TaskId};
use planner::ids::{BackendId, MachineName, RunnerUuid};
use planner::seen::Exit;

use crate::forge::moment;
use crate::happening::{Happening, Step};
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
    pub(crate) uuid: String,
    pub(crate) handle: String,
    token: String,
    labels: Vec<String>,
    fate: Fate,
    declared: bool,
    /// Its job, once it knows that it has it.
    pub(crate) task: Option<TaskId>,
    /// Since when it tries to report.
    reporting_since: Option<u64>,
    /// Whether its job is over and it does nothing any more.
    hung: bool,
    terminated: bool,
    /// What was believed when we told it to stop.
    pub(crate) stop: Option<Belief>,
}

/// What will become of a process, drawn at its start.
#[derive(Debug, Clone)]
struct Fate {
    mishap: Mishap,
    fetch_lost: bool,
    fails: bool,
    runs_ms: u64,
}

/// What goes wrong with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    Nothing,
    /// The process is killed in its middle.
    Dies,
    /// It does not end by itself.
    Endless,
    /// Its process does not exit after it.
    Hangs,
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
        runner: &RunnerUuid,
        token: String,
        labels: Vec<String>,
        handle: &str,
    ) {
        let weather = self.weather.clone();
        let quiet = self.is_quiet();
        let dice = &mut self.dice.processes;
        let mut chance = |rate: u64| dice.chance(rate) && !quiet;
        let (never, late, early) =
            (chance(weather.never_contacts), chance(weather.contacts_late), chance(weather.dies_early));
        let mishap = match (chance(weather.dies_mid_job), chance(weather.hangs_after), chance(weather.endless)) {
            (true, ..) => Mishap::Dies,
            (_, true, _) => Mishap::Hangs,
            (.., true) => Mishap::Endless,
            (false, false, false) => Mishap::Nothing,
        };
        let fate = Fate {
            mishap,
            fetch_lost: chance(weather.fetch_lost),
            fails: dice.chance(200),
            runs_ms: dice.between(500, 40_000),
        };
        let contact = if late { dice.between(25_000, 90_000) } else { dice.between(50, 4_000) };
        let death = dice.between(1, 4_000);
        self.last_process += 1;
        let id = self.last_process;
        let process = Process {
            id,
            uuid: runner.as_str().to_owned(),
            handle: handle.to_owned(),
            token,
            labels,
            fate,
            declared: false,
            task: None,
            reporting_since: None,
            hung: false,
            terminated: false,
            stop: None,
        };
        if let Some(machine) = self.machine(backend, name) {
            machine.process = Some(process);
        }
        if !never {
            self.process_after(contact, backend, name, id, Step::Declare);
        }
        if early {
            self.process_after(death, backend, name, id, Step::Die);
        }
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
            Step::Exit { code } => self.end_process(backend, name, Exit::Code(code)),
            Step::Die => {
                self.note_killed(&handle, &uuid);
                self.end_process(backend, name, Exit::Signal(9));
            }
            Step::Term => self.term(backend, name, id),
            Step::Kill => {
                self.judge_stopped(backend, name);
                self.end_process(backend, name, Exit::Signal(9));
            }
        }
    }

    pub(crate) fn end_process(&mut self, backend: &BackendId, name: &MachineName, exit: Exit) {
        if let Some(model) = self.backends.get_mut(backend) {
            model.ended(name, exit);
        }
    }

    fn declare(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        let now = self.now;
        let down = self.forge.is_down(now);
        let Some(process) = self.process(backend, name, id) else { return };
        let (uuid, token, labels) = (process.uuid.clone(), process.token.clone(), process.labels.clone());
        process.declared = true;
        let handle = process.handle.clone();
        let credentials = Credentials { uuid: &uuid, token: &token };
        if down || self.forge.model.declare(moment(now), credentials, "v12", &labels).is_err() {
            return self.end_process(backend, name, Exit::Code(1));
        }
        self.judge_doors(&handle);
        self.process_after(5, backend, name, id, Step::Fetch);
    }

    fn send_fetch(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        let slow = self.dice.processes.chance(20);
        let there = self.dice.processes.between(2, if slow { 2_000 } else { 60 });
        let Some(process) = self.process(backend, name, id) else { return };
        if process.task.is_some() {
            return;
        }
        let happening = Happening::Fetch {
            backend: backend.clone(),
            machine: name.clone(),
            process: id,
            uuid: process.uuid.clone(),
            token: process.token.clone(),
            handle: process.handle.clone(),
        };
        self.after(there, happening);
    }

    /// A fetch arrives, whether its sender still lives or not.
    pub(crate) fn fetch_arrives(
        &mut self,
        backend: &BackendId,
        name: &MachineName,
        id: u64,
        uuid: &str,
        token: &str,
        handle: &str,
    ) {
        let key = format!("process-{id}");
        let ask = FetchAsk { tasks_version: 0, handle: Some(handle), request_key: Some(&key) };
        let task = if self.forge.is_down(self.now) {
            None
        } else {
            let credentials = Credentials { uuid, token };
            let answer = self.forge.model.fetch_single_task(moment(self.now), credentials, ask);
            answer.ok().and_then(|answer| answer.tasks.first().map(|task| task.id))
        };
        let quiet = self.is_quiet();
        let Some(process) = self.process(backend, name, id) else {
            if task.is_some() {
                self.judge_handed_to_the_dead(handle, uuid);
            }
            return;
        };
        let Some(task) = task else { return self.process_after(FETCH_MS, backend, name, id, Step::Fetch) };
        if process.fate.fetch_lost && !quiet {
            process.fate.fetch_lost = false;
            note!(self, "    process {id} of {name} ({handle}) was given its job and does not know it yet");
            return self.process_after(FETCH_MS, backend, name, id, Step::Fetch);
        }
        process.task = Some(task);
        let fate = process.fate.clone();
        note!(self, "    process {id} of {name} ({handle}) has its job: {fate:?}");
        self.process_after(BEAT_MS, backend, name, id, Step::Beat);
        match fate.mishap {
            Mishap::Dies => self.process_after(fate.runs_ms / 2, backend, name, id, Step::Die),
            Mishap::Endless => {}
            Mishap::Nothing | Mishap::Hangs => self.process_after(fate.runs_ms, backend, name, id, Step::Finish),
        }
    }

    fn beat(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        if self.report(backend, name, id, None).is_some() {
            self.process_after(BEAT_MS, backend, name, id, Step::Beat);
        }
    }

    /// Reports about its job. `None`: it has none, or it is over. `Some(false)`: the forge did not take it.
    fn report(&mut self, backend: &BackendId, name: &MachineName, id: u64, result: Option<Status>) -> Option<bool> {
        let now = self.now;
        let down = self.forge.is_down(now);
        let process = self.process(backend, name, id).filter(|process| !process.hung)?;
        let task = process.task?;
        let (uuid, token) = (process.uuid.clone(), process.token.clone());
        let credentials = Credentials { uuid: &uuid, token: &token };
        let report = TaskReport { task, result, outputs: BTreeMap::new() };
        Some(!down && self.forge.model.update_task(moment(now), credentials, &report).is_ok())
    }

    fn finish(&mut self, backend: &BackendId, name: &MachineName, id: u64) {
        let now = self.now;
        let Some(process) = self.process(backend, name, id) else { return };
        let result = if process.fate.fails { Status::Failure } else { Status::Success };
        let since = *process.reporting_since.get_or_insert(now);
        let (hangs, handle) = (process.fate.mishap == Mishap::Hangs, process.handle.clone());
        let taken = self.report(backend, name, id, Some(result)) == Some(true);
        if taken {
            self.judge.excuse(&handle, Excuse::Ended);
        } else if now < since + REPORT_MS {
            return self.process_after(5_000, backend, name, id, Step::Finish);
        } else {
            self.judge.excuse(&handle, Excuse::ForgeAway);
        }
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
        process.terminated = true;
        if process.hung {
            return;
        }
        let (declared, works) = (process.declared, process.task.is_some());
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
