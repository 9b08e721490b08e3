//! Invariant 5, list by list: what has reached the daemon about each thing, kept apart from its own books, and whether that
//! is enough for what it decides.
//!
//! A list says nothing of a thing whose last call was answered after the list was begun; an incomplete one shows what is
//! there and not what is lacking; one that failed says nothing. Whatever is stopped or deleted needs two that agree, or
//! a proof: an end that a backend lists, or what the forge has answered about exactly this runner.

use std::collections::{BTreeMap, BTreeSet};

use planner::action::Action;
use planner::event::{Answer, EndReason, Event};
use planner::ids::{AssignmentKey, BackendId, ForgeId, JobKey, MachineName, RunnerId, RunnerUuid, ScopeKey};
use planner::seen::{JobSeen, JobState, Listing, MachineSeen, MachineState, RunnerSeen};
use planner::state::Assignment;
use planner::time::Tick;

use super::Rule;
use crate::world::World;

/// When the last two lists were begun that say the same.
#[derive(Debug, Clone, Copy, Default)]
struct Agreeing(Option<Tick>, Option<Tick>);

impl Agreeing {
    fn add(&mut self, begun_at: Tick) {
        if self.1.is_none_or(|newest| begun_at > newest) {
            *self = Self(self.1, Some(begun_at));
        }
    }

    fn twice_after(self, moment: Tick) -> bool {
        self.0.is_some_and(|before| before > moment)
    }
}

/// What has been said of one job.
#[derive(Debug, Clone, Default)]
struct JobFacts {
    waiting: Agreeing,
    /// Whether it was ever shown running.
    ran: bool,
    /// By scope: when the newest list was begun that shows it.
    shown: BTreeMap<ScopeKey, Tick>,
}

/// What has been said of one machine: two backends may hold one of the same name.
#[derive(Debug, Clone, Default)]
struct MachineFacts {
    /// When the newest list was begun that shows it.
    shown: Option<Tick>,
    /// Since when its process is known to be over.
    over: Option<Tick>,
    /// When a call for it was last answered.
    touched: Tick,
}

/// What has been said of one registration.
#[derive(Debug, Clone, Default)]
struct RunnerFacts {
    /// The job that it was made for.
    job: Option<JobKey>,
    shown: Agreeing,
    undeclared: Agreeing,
    /// Whether its door is closed.
    fenced: bool,
    /// Whether the forge has answered that it is not there, or that the running task is not its own.
    is_gone: bool,
    has_nothing: bool,
}

/// Lists of one place.
#[derive(Debug, Clone, Copy, Default)]
struct Lists {
    newest: Option<Tick>,
    /// Those that were complete.
    complete: Agreeing,
}

/// A place and what is listed there.
type Kind = (&'static str, String);

/// All that one life has learned.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    lists: BTreeMap<Kind, Lists>,
    /// By scope: the repositories of the jobs that the newest complete list has shown, and those since.
    listed: BTreeMap<ScopeKey, BTreeMap<JobKey, i64>>,
    /// When a job of a repository was last lacking in a complete list that the one before had shown.
    left: BTreeMap<(ForgeId, i64), Tick>,
    jobs: BTreeMap<JobKey, JobFacts>,
    machines: BTreeMap<(BackendId, MachineName), MachineFacts>,
    runners: BTreeMap<RunnerUuid, RunnerFacts>,
    ids: BTreeMap<(ForgeId, RunnerId), RunnerUuid>,
    /// Registrations that this life has made.
    registered: BTreeSet<RunnerUuid>,
    /// Assignments of which a call has failed.
    failed: BTreeSet<AssignmentKey>,
    /// By when the last call of an assignment counts as failed, unless it is answered.
    open: BTreeMap<AssignmentKey, Tick>,
}

impl Ledger {
    /// Takes note of a list, if it is newer than the last of its kind.
    fn is_news<T>(&mut self, what: &'static str, of: &impl ToString, listing: &Listing<T>) -> bool {
        let lists = self.lists.entry((what, of.to_string())).or_default();
        if lists.newest.is_some_and(|newest| listing.begun_at <= newest) {
            return false;
        }
        lists.newest = Some(listing.begun_at);
        if listing.complete {
            lists.complete.add(listing.begun_at);
        }
        true
    }

    fn complete(&self, what: &'static str, of: &impl ToString) -> Agreeing {
        self.lists.get(&(what, of.to_string())).copied().unwrap_or_default().complete
    }

    fn learn_jobs(&mut self, scope: &ScopeKey, listing: &Listing<JobSeen>, now: Tick) {
        let key_of = |row: &JobSeen| JobKey { forge: scope.forge.clone(), handle: row.handle.clone() };
        let rows: BTreeMap<JobKey, i64> = listing.rows.iter().map(|row| (key_of(row), row.repository)).collect();
        let listed = self.listed.entry(scope.clone()).or_default();
        if listing.complete {
            let lacking = listed.iter().filter(|(job, _)| !rows.contains_key(job));
            self.left.extend(lacking.map(|(_, repository)| ((scope.forge.clone(), *repository), now)));
            listed.clear();
        }
        listed.extend(rows);
        for row in &listing.rows {
            let key = key_of(row);
            let facts = self.jobs.entry(key).or_default();
            facts.shown.insert(scope.clone(), listing.begun_at);
            match row.state {
                JobState::Waiting => facts.waiting.add(listing.begun_at),
                JobState::Running { .. } => facts.ran = true,
                JobState::Unknown => {}
            }
        }
    }

    fn learn_machines(&mut self, backend: &BackendId, listing: &Listing<MachineSeen>, now: Tick) {
        for row in &listing.rows {
            let facts = self.machines.entry((backend.clone(), row.name.clone())).or_default();
            if listing.begun_at <= facts.touched {
                continue;
            }
            facts.shown = Some(listing.begun_at);
            match row.state {
                MachineState::Ended { .. } | MachineState::Orphaned => facts.over = facts.over.or(Some(now)),
                MachineState::Creating | MachineState::Ready | MachineState::Running | MachineState::Stopping => {
                    facts.over = None;
                }
            }
        }
    }

    fn learn_runners(&mut self, scope: &ScopeKey, listing: &Listing<RunnerSeen>) {
        for row in &listing.rows {
            self.ids.insert((scope.forge.clone(), row.id), row.uuid.clone());
            let facts = self.runners.entry(row.uuid.clone()).or_default();
            facts.job = Some(JobKey { forge: scope.forge.clone(), handle: row.identity.handle.clone() });
            facts.shown.add(listing.begun_at);
            facts.fenced |= row.fenced;
            if !row.declared {
                facts.undeclared.add(listing.begun_at);
            }
        }
    }

    fn learn_answer(&mut self, action: &Action, answer: &Answer, runner: Option<&RunnerUuid>, now: Tick) {
        if let Some(key) = action.key() {
            self.open.remove(key);
            if matches!(answer, Answer::Failed(_)) {
                self.failed.insert(key.clone());
            }
        }
        if let Answer::Registered { uuid, .. } = answer {
            self.registered.insert(uuid.clone());
        }
        if let Some(uuid) = runner {
            let facts = self.runners.entry(uuid.clone()).or_default();
            facts.is_gone |= matches!(answer, Answer::RunnerGone | Answer::Deleted | Answer::EndedEarly);
            facts.has_nothing |= matches!(answer, Answer::Another);
            facts.fenced |= matches!(answer, Answer::Fenced);
        }
        let (Action::Create { backend, machine, .. }
        | Action::CreateWarm { backend, machine, .. }
        | Action::Start { backend, machine, .. }
        | Action::Release { backend, machine, .. }
        | Action::DestroyWarm { backend, machine, .. }
        | Action::Destroy { backend, machine, .. }) = action
        else {
            return;
        };
        let facts = self.machines.entry((backend.clone(), machine.clone())).or_default();
        match answer {
            Answer::Destroyed => facts.over = facts.over.or(Some(now)),
            _ => facts.touched = now,
        }
    }

    /// Whether two complete lists of its own scope, and of every other that has shown it since its machine was asked for,
    /// lack a job.
    fn has_left(&self, job: &JobKey, assignment: &Assignment) -> bool {
        let shown = self.jobs.get(job).map(|facts| facts.shown.clone()).unwrap_or_default();
        let own = assignment.scope.watched();
        let have_shown = shown.iter().filter(|(_, at)| **at > assignment.begun_at).map(|(scope, _)| scope);
        let scopes: BTreeSet<&ScopeKey> = have_shown.chain([&own]).collect();
        scopes.into_iter().all(|scope| {
            let since = shown.get(scope).copied().unwrap_or_default().max(assignment.begun_at);
            self.complete("jobs", scope).twice_after(since)
        })
    }

    /// Whether a runner was seen to be fenced.
    pub(super) fn is_fenced(&self, runner: &RunnerUuid) -> bool {
        self.runners.get(runner).is_some_and(|facts| facts.fenced)
    }

    /// When a job of a repository was last seen to have left.
    pub(super) fn left_at(&self, forge: &ForgeId, repository: i64) -> Option<Tick> {
        self.left.get(&(forge.clone(), repository)).copied()
    }

    /// Whether two lists show a job waiting.
    fn waits(&self, job: &JobKey, since: Tick) -> bool {
        self.jobs.get(job).is_some_and(|facts| facts.waiting.twice_after(since))
    }

    /// Whether this life has made a registration: credentials of others it has found at its beginning.
    pub(super) fn has_made(&self, runner: &RunnerUuid) -> bool {
        self.registered.contains(runner)
    }

    fn machine(&self, assignment: &Assignment) -> MachineFacts {
        self.machines.get(&(assignment.backend.clone(), assignment.machine_name.clone())).cloned().unwrap_or_default()
    }

    /// Complete lists that lack a machine since it was last shown, or a call for it was answered.
    fn lacks_machine(&self, assignment: &Assignment) -> (Agreeing, Tick) {
        let facts = self.machine(assignment);
        (self.complete("machines", &assignment.backend), facts.shown.unwrap_or_default().max(facts.touched))
    }

    fn runner(&self, assignment: &Assignment) -> RunnerFacts {
        let uuid = assignment.registration.known().map(|registered| &registered.uuid);
        uuid.and_then(|uuid| self.runners.get(uuid)).cloned().unwrap_or_default()
    }

    /// Whether the forge has said that a registration is not there, or two complete lists lack it.
    fn runner_is_gone(&self, assignment: &Assignment) -> bool {
        let facts = self.runner(assignment);
        let since = facts.shown.1.unwrap_or_default();
        facts.is_gone || self.complete("runners", &assignment.scope).twice_after(since)
    }
}

impl World {
    /// Something reaches the daemon.
    pub(crate) fn judge_news(&mut self, event: &Event) {
        let now = self.tick();
        self.judge.unheard.learn(event);
        let ledger = &mut self.judge.ledger;
        match event {
            Event::JobsListed { scope, listing } if ledger.is_news("jobs", scope, listing) => {
                ledger.learn_jobs(scope, listing, now);
            }
            Event::RunnersListed { scope, listing } if ledger.is_news("runners", scope, listing) => {
                ledger.learn_runners(scope, listing);
            }
            Event::MachinesListed { backend, listing } if ledger.is_news("machines", backend, listing) => {
                ledger.learn_machines(backend, listing, now);
            }
            Event::Answered { id, answer } => {
                let Some(flight) = self.daemon.state.journal.in_flight.get(id) else { return };
                let assignment = flight.action.key().and_then(|key| self.daemon.state.journal.assignments.get(key));
                let runner = assignment.and_then(|of| of.registration.known()).map(|registered| &registered.uuid);
                ledger.learn_answer(&flight.action, answer, runner, now);
            }
            _ => {}
        }
    }

    /// Invariant 5: the reason that the daemon has for an end is backed by what has reached it.
    pub(super) fn judge_reason(&mut self, key: &AssignmentKey, reason: &EndReason) {
        let Some(assignment) = self.daemon.state.journal.assignments.get(key) else { return };
        let ledger = &self.judge.ledger;
        let begun = assignment.begun_at;
        let (lists, since) = ledger.lacks_machine(assignment);
        let is_backed = match reason {
            EndReason::Gone => ledger.has_left(&key.job, assignment) && ledger.runner_is_gone(assignment),
            // Where a scope may mean another one, its answers tell that nothing of ours will be seen there again.
            EndReason::EndedElsewhere | EndReason::LeftBeforeStart => {
                ledger.has_left(&key.job, assignment) || self.judge.calm.swapped
            }
            EndReason::HeldBack => ledger.waits(&key.job, begun) || ledger.runner(assignment).fenced,
            EndReason::BootOver => ledger.waits(&key.job, begun),
            EndReason::MachineVanished => lists.twice_after(since),
            EndReason::TakenElsewhere => ledger.jobs.get(&key.job).is_some_and(|job| job.ran),
            EndReason::ProcessEnded { .. } => ledger.machine(assignment).over.is_some() || lists.1 > Some(since),
            EndReason::LaunchFailed { .. } => {
                let is_late = ledger.open.get(key).is_some_and(|deadline| *deadline <= self.tick());
                is_late || ledger.failed.contains(key) || self.changes > 0
            }
            EndReason::RegistrationRemoved => ledger.runner_is_gone(assignment),
            EndReason::RunOver | EndReason::NeverStarted => ledger.machine(assignment).shown.is_some(),
        };
        if !is_backed {
            let what = format!("{key} ends for {reason:?}, and what has reached the daemon does not say so");
            self.judge.breaks(Rule::EndBacked, what);
        }
    }

    /// A call of an assignment is begun, and counts as failed from its deadline on.
    pub(super) fn note_open(&mut self, action: &Action) {
        if let Some(key) = action.key() {
            let deadline = self.tick().plus(action.deadline(&self.policy.limits));
            self.judge.ledger.open.insert(key.clone(), deadline);
        }
    }

    /// Invariant 5: a registration is deleted only after two looks that agree, or a proof. Called when that is begun.
    pub(super) fn judge_deletion_begun(&mut self, action: &Action) {
        let ledger = &self.judge.ledger;
        let is_backed = match action {
            Action::DeleteRunner { key, .. } => {
                let Some(assignment) = self.daemon.state.journal.assignments.get(key) else { return };
                let runner = ledger.runner(assignment);
                // Two lists without a machine that was told to go are a death as well, before one shows that it has ended.
                let believed = assignment.death.map(|death| death.at);
                let over = ledger.machine(assignment).over;
                let died_at = over.into_iter().chain(believed).min().unwrap_or(assignment.begun_at);
                !assignment.may_have_started()
                    || ledger.waits(&key.job, died_at)
                    || ledger.has_left(&key.job, assignment)
                    || runner.has_nothing
                    || runner.undeclared.twice_after(died_at)
            }
            Action::Sweep { scope, id } => {
                let uuid = ledger.ids.get(&(scope.forge.clone(), *id));
                let polls = ledger.complete("jobs", &scope.watched());
                // It was shown twice, or polls agree on where its job stands: of its scope, or of whichever shows it waiting.
                let runner = uuid.and_then(|uuid| ledger.runners.get(uuid));
                let waits = |job: &JobKey| ledger.jobs.get(job).is_some_and(|job| job.waiting.0.is_some());
                runner.is_some_and(|runner| {
                    runner.shown.0.is_some() || polls.0.is_some() || runner.job.as_ref().is_some_and(waits)
                })
            }
            _ => return,
        };
        if !is_backed {
            self.judge
                .breaks(Rule::DeletionBacked, format!("{action:?}: what has reached the daemon is not enough for it"));
        }
    }
}
