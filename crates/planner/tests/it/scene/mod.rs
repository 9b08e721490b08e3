//! A scene: what the lists show, what was answered, and a clock that only the test moves.
//!
//! A test changes the rows, lets the planner read them ([`Scene::poll`]) and answers its calls, either as a well-behaved
//! forge and backend would ([`Scene::does`]) or in any other way ([`Scene::answers`]). Nothing happens by itself, and every
//! turn fails the test if the planner wanted something that its own checker refuses.

mod looks;

use std::collections::BTreeMap;
use std::time::Duration;

use planner::action::Action;
use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::{Answer, Event, Outcome};
use planner::fold::fold;
use planner::ids::{
    ActionId, AssignmentKey, BackendId, DeploymentId, ForgeId, Handle, JobKey, JobName, PoolId, RunnerId, RunnerUuid,
    ScopeId, ScopeKey, TaskId, Try,
};
use planner::label::Label;
use planner::policy::{BackendPolicy, Clocks, Limits, Policy, PoolPolicy, ScopePolicy, WarmPolicy};
use planner::report::Report;
use planner::seen::{
    Binding, Exit, JobSeen, JobState, Listing, MachineSeen, MachineState, MachineTags, RunnerSeen, RunnerStatus,
};
use planner::state::State;
use planner::step::{Turn, step};
use planner::time::Tick;

/// How often the scene's lists are read.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3);

/// See the module.
pub(crate) struct Scene {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) now: Tick,
    pub(crate) jobs: Vec<(ScopeKey, JobSeen)>,
    pub(crate) runners: Vec<(ScopeKey, RunnerSeen)>,
    pub(crate) machines: Vec<(BackendId, MachineSeen)>,
    /// The id that the forge has for every scope.
    pub(crate) scope_id: i64,
    /// Calls that are not answered yet, oldest first.
    pub(crate) open: Vec<(ActionId, Action)>,
    /// What came of the assignments that are over.
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) report: Report,
    begun: Vec<Action>,
    rows: i64,
}

pub(crate) fn scope(name: &str) -> ScopeKey {
    ScopeKey { forge: ForgeId::new("https://forge.example"), scope: ScopeId::new(name) }
}

pub(crate) fn acme() -> ScopeKey {
    scope("org:acme")
}

pub(crate) fn here() -> BackendId {
    BackendId::new("here")
}

pub(crate) fn job_key(handle: &str) -> JobKey {
    JobKey { forge: acme().forge, handle: Handle::new(handle) }
}

pub(crate) fn key(handle: &str, attempt: u32) -> AssignmentKey {
    AssignmentKey { job: job_key(handle), attempt: Try(attempt) }
}

pub(crate) fn pool(name: &str, labels: &[&str], backend: &BackendId) -> PoolPolicy {
    PoolPolicy {
        id: PoolId::new(name),
        labels: labels.iter().map(|label| Label::parse(label).expect("a label of a test is well-formed")).collect(),
        backend: backend.clone(),
        max: 4,
        priority: 0,
        max_per_repository: None,
        clocks: Clocks::default(),
        warm: WarmPolicy::default(),
    }
}

pub(crate) fn backend() -> BackendPolicy {
    BackendPolicy { max: None, interval: INTERVAL, parallel_creates: 64 }
}

/// The answer was lost: nobody knows whether the call acted.
pub(crate) fn lost() -> Answer {
    failed(ErrorClass::Transient, Acted::Maybe)
}

/// The call certainly did nothing.
pub(crate) fn refused(class: ErrorClass) -> Answer {
    failed(class, Acted::No)
}

fn failed(class: ErrorClass, acted: Acted) -> Answer {
    Answer::Failed(failure(class, acted))
}

pub(crate) fn failure(class: ErrorClass, acted: Acted) -> Failure {
    Failure { class, acted, concerns: Concerns::All, message: "it says no".to_owned() }
}

impl Scene {
    /// One scope, one pool `debian` of four machines on one backend, nothing listed yet.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same, with another policy.
    pub(crate) fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut scene = Self::unplanned();
        change(&mut scene.policy);
        scene.restarts();
        scene
    }

    fn unplanned() -> Self {
        let policy = Policy {
            deployment: DeploymentId::new("ci"),
            max: None,
            scopes: BTreeMap::from([(
                acme(),
                ScopePolicy { width: 2, interval: INTERVAL, has_identity: true, at_repository: false },
            )]),
            pools: vec![pool("debian", &["debian:host"], &here())],
            backends: BTreeMap::from([(here(), backend())]),
            limits: Limits::default(),
            draining: false,
            retired: BTreeMap::new(),
        };
        Self {
            policy,
            state: State::default(),
            now: Tick(1_000),
            jobs: Vec::new(),
            runners: Vec::new(),
            machines: Vec::new(),
            scope_id: 1,
            open: Vec::new(),
            outcomes: Vec::new(),
            report: Report::default(),
            begun: Vec::new(),
            rows: 0,
        }
    }

    /// A new life begins, which remembers nothing, and is told at once whom its scopes mean.
    pub(crate) fn restarts(&mut self) {
        self.begins_again();
        for _ in 0..self.open.len() {
            self.does("check_scope");
        }
    }

    /// A new life begins, which remembers nothing.
    pub(crate) fn begins_again(&mut self) {
        self.state = State::default();
        self.open.clear();
        self.turn();
    }

    /// A scene in which the runners of these jobs were started and have not contacted the forge.
    pub(crate) fn started(handles: &[&str]) -> Self {
        let mut scene = Self::with(|policy| policy.pools[0].max = 100);
        for handle in handles {
            scene.waits(handle);
        }
        scene.poll();
        scene.does_all();
        scene.took();
        scene
    }

    /// A scene in which the runners of these jobs have contacted the forge and wait for them.
    pub(crate) fn claiming(handles: &[&str]) -> Self {
        let mut scene = Self::started(handles);
        for handle in handles {
            scene.contacts(handle);
        }
        scene.poll();
        scene.took();
        scene
    }

    /// A scene in which these jobs run.
    pub(crate) fn running(handles: &[&str]) -> Self {
        let mut scene = Self::claiming(handles);
        for handle in handles {
            scene.claims(handle);
        }
        scene.poll();
        scene.took();
        scene
    }

    // What the forge and the backends show.

    /// A job waits, younger than all before it.
    pub(crate) fn waits(&mut self, handle: &str) {
        self.rows += 1;
        self.waits_as(handle, self.rows, 1, "build", &["debian"]);
    }

    pub(crate) fn waits_as(&mut self, handle: &str, id: i64, repository: i64, name: &str, runs_on: &[&str]) {
        let row = JobSeen {
            handle: Handle::new(handle),
            id,
            repository,
            run: None,
            name: JobName::new(name),
            runs_on: runs_on.iter().map(|&label| label.to_owned()).collect::<Vec<_>>().into(),
            state: JobState::Waiting,
        };
        self.jobs.push((acme(), row));
    }

    pub(crate) fn job(&mut self, handle: &str) -> &mut JobSeen {
        let mut rows = self.jobs.iter_mut().map(|(_, row)| row);
        rows.find(|row| row.handle.as_str() == handle).expect("the job is listed")
    }

    pub(crate) fn runner(&mut self, handle: &str) -> &mut RunnerSeen {
        let mut rows = self.runners.iter_mut().map(|(_, row)| row);
        rows.rfind(|row| row.identity.handle.as_str() == handle).expect("the runner is listed")
    }

    pub(crate) fn machine(&mut self, handle: &str) -> &mut MachineSeen {
        let mut rows = self.machines.iter_mut().map(|(_, row)| row);
        rows.find(|row| row.handle().is_some_and(|of| of.as_str() == handle)).expect("the machine is listed")
    }

    /// The runner of a job contacts the forge.
    pub(crate) fn contacts(&mut self, handle: &str) {
        let runner = self.runner(handle);
        runner.declared = true;
        runner.status = RunnerStatus::Idle;
    }

    /// The runner of a job is given it.
    pub(crate) fn claims(&mut self, handle: &str) {
        self.runs(handle);
        self.runner(handle).status = RunnerStatus::Active;
    }

    /// A job runs, wherever.
    pub(crate) fn runs(&mut self, handle: &str) {
        let job = self.job(handle);
        job.state = JobState::Running { task: TaskId(job.id + 500) };
    }

    /// The process on the machine of a job ends.
    pub(crate) fn ends(&mut self, handle: &str, exit: Exit) {
        self.machine(handle).state = MachineState::Ended { exit };
    }

    /// A job leaves the list.
    pub(crate) fn leaves(&mut self, handle: &str) {
        self.jobs.retain(|(_, row)| row.handle.as_str() != handle);
    }

    /// The registrations for a job are gone.
    pub(crate) fn loses_runner(&mut self, handle: &str) {
        self.runners.retain(|(_, row)| row.identity.handle.as_str() != handle);
    }

    /// A job ends as it should: the forge drops job and runner, the process ends with 0.
    pub(crate) fn finishes(&mut self, handle: &str) {
        self.leaves(handle);
        self.loses_runner(handle);
        self.ends(handle, Exit::Code(0));
    }

    // What the planner reads.

    pub(crate) fn fold(&mut self, event: &Event) {
        fold(&mut self.state, &self.policy, event, self.now);
    }

    /// Time passes; the planner is not woken.
    pub(crate) fn passes(&mut self, span: Duration) {
        self.now = self.now.plus(span);
    }

    fn moment_later(&mut self) -> Tick {
        self.now.0 += 1;
        self.now
    }

    /// Reads the job lists of all scopes.
    pub(crate) fn lists_jobs(&mut self, complete: bool) {
        let begun_at = self.moment_later();
        for scope in self.policy.scopes.keys().cloned().collect::<Vec<_>>() {
            let rows = self.jobs.iter().filter(|(of, _)| *of == scope).map(|(_, row)| row.clone()).collect();
            self.fold(&Event::JobsListed { scope, listing: Listing { begun_at, complete, rows } });
        }
    }

    /// Reads the runner lists of all scopes.
    pub(crate) fn lists_runners(&mut self, complete: bool) {
        let begun_at = self.moment_later();
        for scope in self.policy.scopes.keys().cloned().collect::<Vec<_>>() {
            let rows = self.runners.iter().filter(|(of, _)| *of == scope).map(|(_, row)| row.clone()).collect();
            self.fold(&Event::RunnersListed { scope, listing: Listing { begun_at, complete, rows } });
        }
    }

    /// Reads the machines of one backend, in a listing begun at `begun_at`.
    pub(crate) fn lists_machines_of(&mut self, backend: &BackendId, begun_at: Tick, complete: bool) {
        let rows = self.machines.iter().filter(|(of, _)| of == backend).map(|(_, row)| row.clone()).collect();
        let listing = Listing { begun_at, complete, rows };
        self.fold(&Event::MachinesListed { backend: backend.clone(), listing });
    }

    /// Reads the machines of all backends.
    pub(crate) fn lists_machines(&mut self, complete: bool) {
        let begun_at = self.moment_later();
        for backend in self.policy.backends.keys().cloned().collect::<Vec<_>>() {
            self.lists_machines_of(&backend, begun_at, complete);
        }
    }

    /// An interval later: reads everything and plans.
    pub(crate) fn poll(&mut self) {
        self.passes(INTERVAL);
        self.lists_jobs(true);
        self.lists_runners(true);
        self.lists_machines(true);
        self.turn();
    }

    pub(crate) fn polls(&mut self, count: usize) {
        for _ in 0..count {
            self.poll();
        }
    }

    /// Polls and answers every call at once, `count` times.
    pub(crate) fn goes_on(&mut self, count: usize) {
        for _ in 0..count {
            self.poll();
            self.does_all();
        }
    }

    /// All scopes and backends fail to answer.
    pub(crate) fn nobody_answers(&mut self) {
        self.passes(INTERVAL);
        let failure = failure(ErrorClass::Transient, Acted::No);
        for scope in self.policy.scopes.keys().cloned().collect::<Vec<_>>() {
            self.fold(&Event::JobsNotListed { scope, failure: failure.clone() });
        }
        for backend in self.policy.backends.keys().cloned().collect::<Vec<_>>() {
            self.fold(&Event::MachinesNotListed { backend, failure: failure.clone() });
        }
        self.turn();
    }

    /// Plans; what it wants done is open from now on.
    pub(crate) fn turn(&mut self) -> Turn {
        let turn = step(&self.policy, &mut self.state, self.now);
        assert_eq!(turn.violations, [], "the planner wants what its checker refuses");
        let again = step(&self.policy, &mut self.state.clone(), self.now);
        let comes_to_nothing = again.actions.is_empty() && again.decisions.is_empty();
        assert!(comes_to_nothing, "a turn without news: {:?} {:?}", again.actions, again.decisions);
        let in_flight = &self.state.journal.in_flight;
        self.open.extend(turn.actions.iter().cloned());
        self.open.retain(|(id, _)| in_flight.contains_key(id));
        self.begun.extend(turn.actions.iter().map(|(_, action)| action.clone()));
        self.outcomes.extend(turn.ended.iter().map(|ended| ended.outcome.clone()));
        self.report = turn.report.clone();
        turn
    }

    // What is answered.

    /// Answers the oldest open call of that kind, and plans.
    pub(crate) fn answers(&mut self, word: &str, answer: Answer) -> Action {
        let at = self.open.iter().position(|(_, action)| action.word() == word);
        let (id, action) = self.open.remove(at.unwrap_or_else(|| panic!("no {word} is open: {:?}", self.open)));
        self.moment_later();
        self.fold(&Event::Answered { id, answer });
        self.turn();
        action
    }

    /// Carries out the oldest open call of that kind as it should be, and answers it.
    pub(crate) fn does(&mut self, word: &str) {
        let found = self.open.iter().find(|(_, action)| action.word() == word).map(|(_, action)| action.clone());
        let action = found.unwrap_or_else(|| panic!("no {word} is open: {:?}", self.open));
        let answer = self.carries_out(&action);
        self.answers(word, answer);
    }

    /// Carries out what is open and what follows from it, until nothing is open.
    pub(crate) fn does_all(&mut self) {
        for _ in 0..10_000 {
            let Some((_, action)) = self.open.first().cloned() else { return };
            self.does(action.word());
        }
        panic!("calls without end: {:?}", self.open);
    }

    /// What a well-behaved forge or backend makes of a call.
    pub(crate) fn carries_out(&mut self, action: &Action) -> Answer {
        match action {
            Action::Create { backend, machine, tags, warm, .. } => {
                let state = MachineState::Ready;
                let tags = warm.clone().map_or_else(|| tags.clone().into(), MachineTags::from);
                let row = MachineSeen { name: machine.clone(), tags, binding: None, state };
                self.machines.push((backend.clone(), row));
                Answer::Created
            }
            Action::Register { scope, identity, .. } => {
                self.rows += 1;
                let (id, uuid) = (RunnerId(self.rows), RunnerUuid::new(format!("uuid-{}", self.rows)));
                let row = RunnerSeen {
                    id,
                    uuid: uuid.clone(),
                    identity: identity.clone(),
                    declared: false,
                    fenced: false,
                    status: RunnerStatus::Offline,
                };
                self.runners.push((scope.clone(), row));
                Answer::Registered { id, uuid }
            }
            Action::Start { key, machine, runner, at, .. } => {
                let found = self.machines.iter_mut().map(|(_, row)| row).find(|row| row.name == *machine);
                let row = found.expect("the machine exists");
                let binding = Binding {
                    handle: key.job.handle.clone(),
                    attempt: key.attempt,
                    runner: runner.clone(),
                    at: at.clone(),
                };
                row.binding = Some(binding);
                row.state = MachineState::Running;
                Answer::Started
            }
            Action::CreateWarm { backend, machine, tags, .. } => {
                let state = MachineState::Ready;
                let row = MachineSeen { name: machine.clone(), tags: tags.clone().into(), binding: None, state };
                self.machines.push((backend.clone(), row));
                Answer::Created
            }
            Action::Release { machine, .. } => {
                let found = self.machines.iter_mut().map(|(_, row)| row).find(|row| row.name == *machine);
                let row = found.expect("the machine exists");
                (row.binding, row.state) = (None, MachineState::Ready);
                Answer::Released
            }
            Action::Destroy { machine, .. } | Action::DestroyWarm { machine, .. } => {
                self.machines.retain(|(_, row)| row.name != *machine);
                Answer::Destroyed
            }
            Action::DeleteRunner { id, .. } | Action::Sweep { id, .. } => {
                self.runners.retain(|(_, row)| row.id != *id);
                Answer::Deleted
            }
            Action::LookUpRunner { id, .. } => {
                let row = self.runners.iter().map(|(_, row)| row).find(|row| row.id == *id);
                row.map_or(Answer::RunnerGone, |row| Answer::RunnerExists { declared: row.declared })
            }
            Action::Fence { runner, .. } => {
                let row = self.runners.iter_mut().map(|(_, row)| row).find(|row| row.uuid == *runner);
                row.map_or(Answer::RunnerGone, |row| {
                    row.fenced = true;
                    Answer::Fenced
                })
            }
            Action::EndEarly { key, runner, .. } => {
                self.runners.retain(|(_, row)| row.uuid != *runner);
                let handle = key.job.handle.clone();
                self.leaves(handle.as_str());
                Answer::EndedEarly
            }
            Action::AskWhose { .. } => panic!("the test says whose the task is"),
            Action::ReadLog { .. } => Answer::Log { lines: vec!["last words".to_owned()] },
            Action::CheckScope { .. } => Answer::ScopeId { id: self.scope_id },
        }
    }
}
