//! The owner task: the only one that holds the planner's state.
//!
//! ```text
//! events ─► fold all that wait ─► step (plan, fold what is begun) ─► lanes
//!                                     └► report.json, history, memory
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use planner::action::Action;
use planner::event::{Decision, EndReason, Event};
use planner::fold::fold;
use planner::ids::{AssignmentKey, RunnerUuid, ScopeKey};
use planner::policy::Policy;
use planner::report::Report;
use planner::state::{State, WarmMachine};
use planner::step::{Turn, step, step_within};
use store::Store;
use tokio::sync::{mpsc, watch};

use backend_docker::WithCaches;

use crate::alerts::Alerts;
use crate::clock::Clock;
use crate::collect::{Collecting, Done, Over};
use crate::control::Order;
use crate::fresh_start::FreshStart;
use crate::history::{self, JobInLog};
use crate::hours::Hours;
use crate::lanes::Lanes;
use crate::names::Names;
use crate::notify::Notifier;
use crate::observing::Observing;
use crate::orders::Asked;
use crate::remembered::Remembered;
use crate::remembered_pools::RememberedPools;
use crate::report_file::{self, ReportFile};
use crate::tending::Tending;
use crate::wall_ms;

/// The longest pause between two plans: clocks and rests end without an event.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// How many events are folded before the next plan.
const BATCH: usize = 1024;

/// At most this often the report and the memory are written.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// At least this often the report is written, so that its age tells whether the daemon lives.
const WRITE_AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// How the owner is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// Go on.
    Run,
    /// Launch nothing more; end when no assignment is left.
    Drain,
    /// End now; running jobs go on without us.
    Stop,
}

/// All that the owner owns.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) clock: Clock,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) store: Store,
    pub(crate) remembered: Remembered,
    pub(crate) remembered_pools: RememberedPools,
    pub(crate) names: Names,
    pub(crate) hours: Hours,
    pub(crate) directory: PathBuf,
    pub(crate) runners_wanted: watch::Sender<BTreeSet<ScopeKey>>,
    pub(crate) reports: watch::Sender<Arc<Report>>,
    pub(crate) observing: Observing,
    pub(crate) tending: Tending,
    pub(crate) purpose: Purpose,
    /// Who waits for a look at everything.
    pub(crate) asked: Vec<Asked>,
    pub(crate) written: Written,
    /// What the log was told of alerts.
    pub(crate) alerts: Alerts,
    /// What the service manager is told.
    pub(crate) notifier: Notifier,
}

/// What the daemon is there for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// Serving jobs until it is told to end.
    Serve,
    /// The same, but it ends as soon as everything was listed once and nothing is left to begin.
    Once,
    /// Cleaning up. Nothing once it has told what came of it.
    Collect(Option<Box<Collecting>>),
}

impl Purpose {
    /// Whether what machines share goes at the end, if none is left.
    fn closes_backends(&self) -> bool {
        match self {
            Self::Serve | Self::Once => true,
            Self::Collect(collecting) => collecting.as_ref().is_some_and(|it| it.how().takes_what_is_shared()),
        }
    }
}

/// What was written last, and when.
#[derive(Debug, Default)]
pub(crate) struct Written {
    at: Option<Instant>,
    report: Report,
    report_at: Option<Instant>,
    /// How many writes the store had dropped then.
    dropped: u64,
}

impl Owner {
    /// Runs until it is told to end. Events that wait then are lost; listings tell their content again. False when an
    /// observer died: a daemon that sees only a part of its world is stopped rather than left to guess.
    pub(crate) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut orders: mpsc::Receiver<Order>,
        mut wishes: watch::Receiver<Wish>,
    ) -> bool {
        let mut well = true;
        let mut done = None;
        let closes_backends = self.purpose.closes_backends();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.fold(&event),
                    None => break,
                },
                Some(order) = orders.recv() => self.obey(order),
                () = self.observing.died() => {
                    well = false;
                    break;
                }
                _ = heartbeat.tick() => {}
                changed = wishes.changed() => if changed.is_err() { break },
            }
            for _ in 1..BATCH {
                let Ok(event) = events.try_recv() else { break };
                self.fold(&event);
            }
            let wish = *wishes.borrow_and_update();
            if wish == Wish::Stop {
                break;
            }
            for event in self.hours.due(Timestamp::now()) {
                self.fold(&event);
            }
            self.policy.draining = wish == Wish::Drain || matches!(self.purpose, Purpose::Collect(_));
            let turn = self.turn();
            let drained = wish == Wish::Drain && self.is_idle() && self.has_no_machine();
            let once_done = matches!(self.purpose, Purpose::Once)
                && turn.actions.is_empty()
                && self.is_idle()
                && self.has_seen_everything();
            done = self.collected(&turn);
            let draining = self.policy.draining;
            self.notifier.turn(&turn.report, self.has_seen_everything(), draining, Instant::now());
            self.write(&turn.report, false).await;
            self.answer_asked();
            if drained || once_done || done.is_some() {
                break;
            }
        }
        self.notifier.stopping();
        // Nobody reads answers and listings any more; what is under way must not outlive us.
        drop((events, orders));
        self.lanes.finish().await;
        let report = self.reports.borrow().as_ref().clone();
        self.write(&report, true).await;
        let wish = *wishes.borrow();
        if well && matches!(wish, Wish::Drain | Wish::Stop) {
            self.store.remember(vec![FreshStart::mark()]);
        }
        let store = self.store;
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
        // Last, since an engine that hangs takes its time.
        let mut shared = Vec::new();
        let caches = done.as_ref().map_or(WithCaches::Keep, Done::with_caches);
        for (id, backend) in &self.lanes.backends {
            let things = match &done {
                _ if closes_backends => backend.close(caches).await,
                Some(done) if done.asks_what_is_shared() => backend.shared(caches).await,
                _ => Vec::new(),
            };
            shared.extend(things.into_iter().map(|thing| format!("{thing} on backend {id}, which machines share")));
        }
        if let Some(done) = done {
            done.tell(shared);
        }
        well
    }

    pub(crate) fn fold(&mut self, event: &Event) {
        fold(&mut self.state, &self.policy, event, self.clock.now());
    }

    /// Plans, begins what is to be begun, and tells everybody.
    fn turn(&mut self) -> Turn {
        let now = self.clock.now();
        let turn = match &self.purpose {
            Purpose::Serve | Purpose::Once | Purpose::Collect(None) => step(&self.policy, &mut self.state, now),
            Purpose::Collect(Some(collecting)) => {
                step_within(&self.policy, &mut self.state, now, |state, action| collecting.allows(state, action))
            }
        };
        if let Purpose::Collect(Some(collecting)) = &mut self.purpose {
            collecting.note(&self.state, &turn);
        }
        for (action, violation) in &turn.violations {
            tracing::error!(action = action.word(), %violation, "an action was dropped: please report this defect");
        }
        for (id, action) in &turn.actions {
            self.log_action(action);
            self.lanes.begin(*id, action.clone());
        }
        self.alerts.tell(&turn.report.alerts);
        for decision in &turn.decisions {
            self.log_decision(decision);
        }
        for ended in &turn.ended {
            history::log(ended, &self.names);
            self.store.record(history::row(ended, wall_ms()));
            if let Some(registered) = ended.assignment.registration.known() {
                self.lanes.vault.drop_runner(&registered.uuid);
            }
        }
        let mut wanted = self.state.wanted_repositories(&self.policy);
        let scopes = self.policy.scopes.keys();
        wanted.extend(scopes.filter(|scope| self.state.wants_runners(&self.policy, scope)).cloned());
        self.runners_wanted.send_if_modified(|current| {
            let changed = *current != wanted;
            *current = wanted;
            changed
        });
        self.reports.send_replace(Arc::new(turn.report.clone()));
        turn
    }

    /// What came of a cleaning, once it is over.
    fn collected(&mut self, turn: &Turn) -> Option<Done> {
        let Purpose::Collect(collecting) = &mut self.purpose else { return None };
        let over = collecting.as_ref()?.over(&self.policy, &self.state, turn)?;
        let collected = collecting.take()?;
        if over == Over::Finished && collected.how().takes_what_is_shared() {
            let in_use = self.credentials_in_use();
            self.lanes.vault.retain_only(|uuid| in_use.contains(uuid));
        }
        Some(collected.done(over, &self.state, turn))
    }

    /// Whether no assignment is left, and no machine without a job but what cannot be removed.
    fn has_no_machine(&self) -> bool {
        let journal = &self.state.journal;
        journal.assignments.is_empty() && journal.warm.values().all(WarmMachine::is_set_aside)
    }

    /// Whether no call is under way.
    fn is_idle(&self) -> bool {
        self.state.journal.in_flight.is_empty()
    }

    /// Whether every scope and every backend was listed since the start.
    fn has_seen_everything(&self) -> bool {
        let scopes = self.policy.scopes.keys().all(|scope| {
            self.state.seen.scopes.get(scope).is_some_and(|seen| seen.listed_at.is_some() || seen.failures > 0)
        });
        let backends = self.policy.backends.keys().all(|backend| self.state.seen.backends.contains_key(backend));
        scopes && backends
    }

    /// Writes the report and the memory, at most once a second.
    async fn write(&mut self, report: &Report, last: bool) {
        if !last && self.written.at.is_some_and(|at| at.elapsed() < WRITE_EVERY) {
            return;
        }
        self.written.at = Some(Instant::now());
        let now = self.clock.now();
        let handles = &self.state.journal.handles;
        let breakers = &self.state.journal.breakers;
        let mut changes = self.remembered.changes(handles, now, wall_ms());
        changes.extend(self.remembered_pools.changes(breakers, self.remembered.configured(), now, wall_ms()));
        if self.store.remember(changes) {
            self.remembered.were_saved(handles);
            self.remembered_pools.were_saved(breakers);
        }
        // What new tokens are compared with.
        for (scope, id) in self.state.scope_ids() {
            if let Some(scope) = self.lanes.forges.scope(&scope) {
                scope.id.set(id);
            }
        }
        let dropped = self.store.dropped();
        if dropped > self.written.dropped {
            tracing::warn!(dropped, "the store is too slow: history and back-off memory are lost");
            self.written.dropped = dropped;
        }
        self.tidy_vault();
        let stale = self.written.report_at.is_none_or(|at| at.elapsed() >= WRITE_AT_LEAST_EVERY);
        let same = Report { at: self.written.report.at, ..report.clone() } == self.written.report;
        if same && !stale && !last {
            return;
        }
        self.written.report_at = Some(Instant::now());
        self.written.report = report.clone();
        let file = ReportFile {
            version: report_file::VERSION,
            written_at_ms: wall_ms(),
            pid: std::process::id(),
            deployment: self.policy.deployment.clone(),
            repositories: self.names.of(report),
            report: report.clone(),
        };
        let directory = self.directory.clone();
        match tokio::task::spawn_blocking(move || file.write(&directory)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = crate::chain(&error), "the report could not be written");
            }
            Err(error) => tracing::error!(%error, "the report could not be written"),
        }
    }

    fn log_action(&self, action: &Action) {
        let of = |key: &AssignmentKey| {
            let assignment = self.state.journal.assignments.get(key)?;
            Some(JobInLog::of(key, assignment, &self.names))
        };
        match action {
            Action::Create { key, machine, tags, .. } => {
                let JobInLog { job, repository, run } = of(key).unwrap_or_default();
                tracing::info!(handle = %key.job.handle, job, repository, run, attempt = key.attempt.0, %machine, pool = %tags.pool, "launching");
            }
            Action::CreateWarm { machine, tags, .. } => {
                tracing::info!(%machine, pool = %tags.pool, image = tags.image, "making a machine ahead of any job");
            }
            Action::DestroyWarm { machine, why, .. } => {
                tracing::info!(%machine, %why, "removing a machine without a job");
            }
            Action::Release { key, machine, .. } => {
                let JobInLog { job, repository, run } = of(key).unwrap_or_default();
                tracing::info!(handle = %key.job.handle, job, repository, run, %machine, "taking the machine of a job that does not begin back, for another one");
            }
            Action::EndEarly { key, reason, .. } => {
                let JobInLog { job, repository, run } = of(key).unwrap_or_default();
                tracing::warn!(handle = %key.job.handle, job, repository, run, reason, "failing a job whose process is dead");
            }
            Action::Sweep { scope, id } => {
                tracing::info!(%scope, runner = id.0, "deleting a registration without a machine");
            }
            _ => tracing::debug!(action = action.word(), of = action.key().map(ToString::to_string), "calling"),
        }
    }

    /// Credentials that nothing refers to any more are dropped, once it is known what is there.
    fn tidy_vault(&self) {
        let known = self.policy.backends.keys().all(|backend| self.state.seen.machines_listed(backend));
        if !known {
            return;
        }
        let in_use = self.credentials_in_use();
        self.lanes.vault.retain(|uuid| in_use.contains(uuid));
    }

    fn credentials_in_use(&self) -> BTreeSet<&RunnerUuid> {
        let journal = &self.state.journal;
        journal
            .assignments
            .values()
            .filter_map(|assignment| assignment.registration.known())
            .map(|registered| &registered.uuid)
            .chain(journal.strays.values().map(|stray| &stray.uuid))
            .collect()
    }

    fn log_decision(&self, decision: &Decision) {
        match decision {
            Decision::Bind { key, machine, tags, .. } => {
                let assignment = self.state.journal.assignments.get(key);
                let of = assignment.map(|assignment| JobInLog::of(key, assignment, &self.names));
                let JobInLog { job, repository, run } = of.unwrap_or_default();
                tracing::info!(handle = %key.job.handle, job, repository, run, attempt = key.attempt.0, %machine, pool = %tags.pool, "launching on a machine that was ready");
            }
            Decision::HandBack { key } => {
                tracing::info!(of = %key, "its machine waits for another job: nothing was started on it");
            }
            Decision::Conclude { key, reason: EndReason::ProcessEnded { .. } } => {
                tracing::debug!(of = %key, "its process has ended");
            }
            Decision::Conclude { key, reason } => tracing::info!(of = %key, %reason, "an assignment shall end"),
            Decision::Reinstate { key } => tracing::info!(of = %key, "its job runs after all"),
            Decision::SetAside { key, .. } => {
                tracing::warn!(of = %key, "its machine cannot be removed: it is tried on, and nothing waits for it");
            }
            Decision::Forget { .. } => {}
        }
    }
}
