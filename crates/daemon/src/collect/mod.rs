//! Cleaning up by hand: a life of the daemon that launches nothing, and ends when nothing more can go.
//!
//! ```text
//! everything listed completely ─► sweeps and ends, as always ─► only running jobs are left ─► told
//!                  │                    └► it takes too long ─► told what is left
//!                  └► told what is waited for, all the time
//! ```
//!
//! Promises: the rules are the planner's, so that no running job is touched. Of *another* deployment, which may have a
//! living daemon somewhere, nothing that shows life is touched unless that is forced: only machines whose process is
//! dead and registrations whose runner is offline. A dry run promises what the same call without it does, and no more.

mod waiting;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use backend_docker::{WithCaches, WithUnstarted};
use planner::action::Action;
use planner::event::Decision;
use planner::ids::{AssignmentKey, BackendId, MachineName, RunnerId, ScopeKey};
use planner::policy::Policy;
use planner::report::MachineReason;
use planner::seen::JobState;
use planner::state::{Assignment, MachineFact, State};
use planner::step::Turn;
use tokio::sync::{oneshot, watch};

use crate::control::Left;
use crate::daemon::Daemon;
use crate::left;
use crate::machines::ForWhat;
use waiting::Waited;
pub use waiting::Waiting;

/// How long all of it may take. Sweeps need a few polls and the settle time; what is slower than this waits for a forge or
/// a backend that does not answer.
const TOGETHER: Duration = Duration::from_mins(5);

/// How to clean up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collect {
    /// Change nothing: find out what would be done.
    pub dry_run: bool,
    /// The deployment is another than the configuration's, and may have a daemon of its own.
    pub another: bool,
    /// Of another deployment take what shows life, too.
    pub force: bool,
}

impl Collect {
    /// What backends are made for. Proof that a machine never ran is made by removing it: that changes something, and is
    /// for its own daemon alone.
    pub(crate) fn for_what(self) -> ForWhat {
        let leave = self.dry_run || self.another;
        ForWhat::Cleaning(if leave { WithUnstarted::Leave } else { WithUnstarted::Settle })
    }

    /// Whether all of the deployment is ours to take: another one may have a daemon of its own.
    fn takes_all(self) -> bool {
        !self.another || self.force
    }

    /// Whether what machines share, and credentials that nothing refers to, go when all was seen: a daemon of the
    /// deployment could be about to use them.
    pub(crate) fn takes_what_is_shared(self) -> bool {
        !self.dry_run && self.takes_all()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// What was removed, one line each.
    pub removed: Vec<String>,
    /// What would have been removed, were it no dry run.
    pub would_go: Vec<String>,
    /// What was left alone, since it shows life and is another deployment's.
    pub alive: Vec<String>,
    /// What is left.
    pub left: Left,
    /// Machines whose jobs run on.
    pub running: u32,
    /// Whether all was seen, and nothing is left that could still go.
    pub finished: bool,
}

/// A cleaning that has begun.
#[derive(Debug)]
pub struct Collection {
    /// The daemon that cleans up, and ends when that is over.
    pub daemon: Daemon,
    /// What came of it.
    pub collected: oneshot::Receiver<Collected>,
    /// What is waited for just now.
    pub waiting: watch::Receiver<Waiting>,
}

/// A cleaning that is under way.
#[derive(Debug)]
pub(crate) struct Collecting {
    how: Collect,
    until: Instant,
    removed: Vec<String>,
    sweeps: BTreeMap<(ScopeKey, RunnerId), String>,
    /// Machines without a job that were told to go.
    spares: BTreeMap<(BackendId, MachineName), String>,
    /// Machines that cannot be removed so far.
    set_aside: BTreeMap<AssignmentKey, String>,
    withheld: BTreeMap<Whose, Withheld>,
    answer: oneshot::Sender<Collected>,
    waiting: watch::Sender<Waiting>,
}

/// How it came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// All was seen, and nothing is left that could still go.
    Finished,
    /// It took too long.
    TooLong,
}

/// What came of it, to be told.
#[derive(Debug)]
pub(crate) struct Done {
    how: Collect,
    collected: Collected,
    /// Whether there is a machine that would not go.
    machines_stay: bool,
    answer: oneshot::Sender<Collected>,
}

impl Done {
    /// Whether it is to be told what machines share though none of it is removed.
    pub(crate) fn asks_what_is_shared(&self) -> bool {
        self.collected.finished && !self.machines_stay && !self.how.takes_what_is_shared()
    }

    /// Caches are for the jobs to come; a deployment that is another one's by name has none to come, as far as we may take all
    /// of it.
    pub(crate) fn with_caches(&self) -> WithCaches {
        if self.how.another { WithCaches::Remove } else { WithCaches::Keep }
    }

    /// Tells it, with what machines share: removed, or asked for.
    pub(crate) fn tell(self, shared: Vec<String>) {
        let mut collected = self.collected;
        let of = match self.how {
            how if how.takes_what_is_shared() => &mut collected.removed,
            how if how.takes_all() => &mut collected.would_go,
            _ => &mut collected.alive,
        };
        of.extend(shared);
        // Whoever asked may have gone.
        let _ = self.answer.send(collected);
    }
}

/// Whose action was withheld.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Assignment(AssignmentKey),
    Stray(ScopeKey, RunnerId),
    /// A machine without a job.
    Spare(BackendId, MachineName),
}

/// What was withheld, and why.
#[derive(Debug)]
struct Withheld {
    text: String,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    DryRun,
    ShowsLife,
}

impl Collecting {
    /// With the ends at which what comes of it and what is waited for can be heard.
    pub(crate) fn new(how: Collect) -> (Self, oneshot::Receiver<Collected>, watch::Receiver<Waiting>) {
        let (answer, collected) = oneshot::channel();
        let (waiting, waits_for) = watch::channel(Waiting::default());
        let collecting = Self {
            how,
            until: Instant::now() + TOGETHER,
            removed: Vec::new(),
            sweeps: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            spares: BTreeMap::new(),
            withheld: BTreeMap::new(),
            answer,
            waiting,
        };
        (collecting, collected, waits_for)
    }

    /// How it cleans up.
    pub(crate) fn how(&self) -> Collect {
        self.how
    }

    /// Whether an action may be begun.
    pub(crate) fn allows(&self, state: &State, action: &Action) -> bool {
        self.why_withheld(state, action).is_none()
    }

    /// Looks change nothing and are always allowed. What shows life is left alone by a dry run as it is without.
    fn why_withheld(&self, state: &State, action: &Action) -> Option<Why> {
        let is_dead = match action {
            Action::CheckScope { .. }
            | Action::LookUpRunner { .. }
            | Action::ReadLog { .. }
            | Action::AskWhose { .. } => return None,
            _ if self.how.takes_all() => true,
            Action::Sweep { scope, id } => {
                state.journal.strays.get(&(scope.forge.clone(), *id)).is_some_and(|stray| !stray.online)
            }
            // One that waits for a job may get it any moment, from a daemon that lives.
            Action::DestroyWarm { backend, machine, .. } => {
                let spare = state.journal.warm.get(&(backend.clone(), machine.clone()));
                spare.is_some_and(|spare| spare.machine == MachineFact::Ended)
            }
            _ => {
                let assignment = action.key().and_then(|key| state.journal.assignments.get(key));
                assignment.is_some_and(Assignment::is_dead)
            }
        };
        match (is_dead, self.how.dry_run) {
            (false, _) => Some(Why::ShowsLife),
            (true, true) => Some(Why::DryRun),
            (true, false) => None,
        }
    }

    /// Takes note of what a turn did and did not.
    pub(crate) fn note(&mut self, state: &State, turn: &Turn) {
        for ended in &turn.ended {
            let (key, of) = (&ended.key, &ended.assignment);
            self.withheld.remove(&Whose::Assignment(key.clone()));
            if state.journal.assignments.contains_key(key) {
                self.set_aside.insert(key.clone(), machine(key, of));
            } else {
                self.removed.push(format!("{}, with all of it", machine(key, of)));
            }
        }
        for decision in &turn.decisions {
            if let Decision::Forget { key, .. } = decision
                && let Some(text) = self.set_aside.remove(key)
            {
                self.removed.push(format!("{text}, after it could not be removed for a while"));
            }
        }
        for (_, action) in &turn.actions {
            match action {
                Action::Sweep { scope, id } => {
                    self.withheld.remove(&Whose::Stray(scope.clone(), *id));
                    self.sweeps.insert((scope.clone(), *id), registration(state, scope, *id));
                }
                Action::DestroyWarm { backend, machine, .. } => {
                    self.withheld.remove(&Whose::Spare(backend.clone(), machine.clone()));
                    let told = spare(state, backend, machine).map(|text| ((backend.clone(), machine.clone()), text));
                    self.spares.extend(told);
                }
                _ => {}
            }
        }
        for action in &turn.withheld {
            let Some(why) = self.why_withheld(state, action) else { continue };
            let (whose, text) = match action {
                Action::Sweep { scope, id } => (Whose::Stray(scope.clone(), *id), registration(state, scope, *id)),
                Action::DestroyWarm { backend, machine, .. } => {
                    let Some(text) = spare(state, backend, machine) else { continue };
                    (Whose::Spare(backend.clone(), machine.clone()), text)
                }
                _ => {
                    let Some(key) = action.key() else { continue };
                    let Some(of) = state.journal.assignments.get(key) else { continue };
                    (Whose::Assignment(key.clone()), machine(key, of))
                }
            };
            self.withheld.insert(whose, Withheld { text, why });
        }
    }

    /// What it comes to, once it is over: nothing more can go, or it takes too long. Says what it waits for otherwise.
    pub(crate) fn over(&self, policy: &Policy, state: &State, turn: &Turn) -> Option<Over> {
        let held = if state.journal.kills_held() > 0 { policy.limits.hold } else { Duration::ZERO };
        let waited = self.waited_for(policy, state, turn);
        let finished = waited.is_empty();
        self.waiting.send_replace(Waiting::new(waited));
        let over = if finished { Over::Finished } else { Over::TooLong };
        (finished || Instant::now() >= self.until + held).then_some(over)
    }

    /// All that is waited for; nothing when nothing more can go.
    fn waited_for(&self, policy: &Policy, state: &State, turn: &Turn) -> Vec<Waited> {
        let mut waited = waiting::unseen(policy, state);
        waited.extend(self.assignments(state, turn));
        waited.extend(self.strays(state, turn));
        waited.extend(self.spares(state));
        // Forgetting is the last of an assignment; other decisions have something follow.
        let settled = turn.actions.is_empty()
            && state.journal.in_flight.is_empty()
            && turn.decisions.iter().all(|decision| matches!(decision, Decision::Forget { .. }));
        if waited.is_empty() && !settled {
            waited.push(Waited::Answers);
        }
        waited
    }

    /// Assignments that neither run their job nor are withheld.
    fn assignments(&self, state: &State, turn: &Turn) -> Vec<Waited> {
        let machines: BTreeMap<_, _> = turn.report.machines.iter().map(|machine| (&machine.name, machine)).collect();
        let withheld = |key: &AssignmentKey| self.withheld.contains_key(&Whose::Assignment(key.clone()));
        let waits_for = |(key, assignment): (&AssignmentKey, &Assignment)| match machines.get(&assignment.machine_name)
        {
            _ if withheld(key) => None,
            Some(machine) if matches!(machine.reason, MachineReason::Running | MachineReason::Vanished) => None,
            Some(machine) => Some(Waited::Machine((*machine).clone())),
            None => Some(Waited::Registration(key.clone())),
        };
        state.journal.assignments.iter().filter_map(waits_for).collect()
    }

    /// Registrations without a machine whose job does not run, and that are not withheld.
    fn strays(&self, state: &State, turn: &Turn) -> Vec<Waited> {
        let runners = turn.report.runners.iter().map(|runner| ((&runner.scope.forge, runner.id), runner));
        let runners: BTreeMap<_, _> = runners.collect();
        let waits = state.journal.strays.iter().filter(|((_, id), stray)| {
            !matches!(stray.job, JobState::Running { .. })
                && !self.withheld.contains_key(&Whose::Stray(stray.scope.clone(), *id))
        });
        let waited = waits.filter_map(|((forge, id), _)| runners.get(&(forge, *id)));
        waited.map(|runner| Waited::Runner((*runner).clone())).collect()
    }

    /// Machines without a job that are not withheld: each can go.
    fn spares(&self, state: &State) -> Vec<Waited> {
        let is_withheld = |backend: &BackendId, machine: &MachineName| {
            self.withheld.contains_key(&Whose::Spare(backend.clone(), machine.clone()))
        };
        let spares = state.journal.warm.iter().filter(|((backend, machine), _)| !is_withheld(backend, machine));
        spares.map(|((backend, machine), of)| Waited::Spare(left::spare(machine, backend, &of.tags.pool))).collect()
    }

    /// What came of it, but for what machines share.
    pub(crate) fn done(self, over: Over, state: &State, turn: &Turn) -> Done {
        let swept = self
            .sweeps
            .iter()
            .filter(|((scope, id), _)| !state.journal.strays.contains_key(&(scope.forge.clone(), *id)));
        let mut removed = self.removed.clone();
        removed.extend(swept.map(|(_, text)| text.clone()));
        let gone = self.spares.iter().filter(|(of, _)| !state.journal.warm.contains_key(of));
        removed.extend(gone.map(|(_, text)| text.clone()));
        let running = turn.report.machines.iter().filter(|machine| machine.reason == MachineReason::Running).count();
        let collected = Collected {
            removed,
            would_go: self.texts(Why::DryRun),
            alive: self.texts(Why::ShowsLife),
            left: left::told(&turn.report),
            running: u32::try_from(running).unwrap_or(u32::MAX),
            finished: over == Over::Finished,
        };
        let would_go = |whose: Whose| self.withheld.get(&whose).is_some_and(|withheld| withheld.why == Why::DryRun);
        let all_jobs = state.journal.assignments.keys().all(|key| would_go(Whose::Assignment(key.clone())));
        let spares = state.journal.warm.keys();
        let all_spares = spares.cloned().all(|(backend, machine)| would_go(Whose::Spare(backend, machine)));
        let machines_stay = !(all_jobs && all_spares);
        Done { how: self.how, collected, machines_stay, answer: self.answer }
    }

    fn texts(&self, why: Why) -> Vec<String> {
        let withheld = self.withheld.values().filter(|withheld| withheld.why == why);
        withheld.map(|withheld| withheld.text.clone()).collect()
    }
}

fn machine(key: &AssignmentKey, of: &Assignment) -> String {
    left::machine(&of.machine_name, &of.backend, &of.pool, &key.job.handle, key.attempt)
}

/// A machine without a job, if the books have it.
fn spare(state: &State, backend: &BackendId, machine: &MachineName) -> Option<String> {
    let of = state.journal.warm.get(&(backend.clone(), machine.clone()))?;
    Some(left::spare(machine, backend, &of.tags.pool))
}

fn registration(state: &State, scope: &ScopeKey, id: RunnerId) -> String {
    let stray = state.journal.strays.get(&(scope.forge.clone(), id));
    left::registration(scope, id, stray.map(|stray| (&stray.identity.handle, stray.identity.attempt)))
}

#[cfg(test)]
mod tests {
    use planner::action::Leaving;
    use planner::event::{Event, Outcome};
    use planner::fold::fold;
    use planner::ids::{ActionId, BackendId, ForgeId, Handle, JobKey, MachineName, PoolId, ScopeId, Try};
    use planner::seen::{Listing, MachineSeen, MachineState, WarmTags};
    use planner::step::Ended;
    use planner::time::Tick;

    use super::*;
    use crate::config::Config;
    use crate::config::tests::{Place, surroundings};

    #[test]
    fn a_machine_that_was_set_aside_and_then_removed_is_told_once_as_removed() {
        let (mut collecting, _collected, _waiting) =
            Collecting::new(Collect { dry_run: false, another: false, force: false });
        let forge = ForgeId::new("http://f");
        let scope = ScopeKey { forge: forge.clone(), scope: ScopeId::new("user") };
        let key = AssignmentKey { job: JobKey { forge, handle: Handle::new("h") }, attempt: Try(1) };
        let (pool, backend, name) = (PoolId::new("p"), BackendId::new("b"), MachineName::new("fs-1"));
        let assignment = Assignment::new(scope, pool, backend, name, Tick(0));
        let mut state = State::default();
        state.journal.assignments.insert(key.clone(), assignment.clone());
        let outcome = Outcome::Completed;
        let ended = vec![Ended { key: key.clone(), assignment, outcome: outcome.clone() }];
        collecting.note(&state, &Turn { ended, ..Turn::default() });
        assert!(collecting.removed.is_empty(), "it is still there");

        state.journal.assignments.clear();
        let decisions = vec![Decision::Forget { key, outcome }];
        for _ in 0..2 {
            collecting.note(&state, &Turn { decisions: decisions.clone(), ..Turn::default() });
        }
        assert_eq!(
            collecting.removed,
            ["machine fs-1 on backend b (pool p) for h try 1, after it could not be removed for a while"]
        );
    }

    #[test]
    fn a_machine_without_a_job_is_waited_for_until_it_is_gone_and_then_told_as_removed() {
        let (mut collecting, _collected, _waiting) =
            Collecting::new(Collect { dry_run: false, another: false, force: false });
        let place = Place::new();
        let text = "deployment = \"d\"\n[[forge]]\nurl = \"https://f\"\ntoken_file = \"token\"\nscopes = [\"user\"]\n\
            [[pool]]\nname = \"p\"\nlabels = [\"x:docker://x\"]\nbackend = \"b\"\nmax = 1\n[backend.b]\nkind = \"docker\"";
        let mut policy = Config::parse(text, place.path(), &surroundings(&place)).unwrap().policy();
        policy.scopes.clear();
        let (backend, machine) = (BackendId::new("b"), MachineName::new("fs-1"));
        let tags = WarmTags { pool: PoolId::new("p"), image: None, made_of: String::new() };
        let row = MachineSeen { name: machine.clone(), tags: tags.into(), binding: None, state: MachineState::Ready };
        let listing = Listing { begun_at: Tick(1), complete: true, rows: vec![row] };
        let mut state = State::default();
        fold(&mut state, &policy, &Event::MachinesListed { backend: backend.clone(), listing }, Tick(2));
        assert_eq!(state.journal.warm.len(), 1);
        let nothing = Turn::default();
        assert_eq!(collecting.over(&policy, &state, &nothing), None, "its removal is tried again later");
        let destroy = Action::DestroyWarm { backend, machine, why: Leaving::Surplus };
        collecting.note(&state, &Turn { actions: vec![(ActionId(1), destroy)], ..Turn::default() });
        state.journal.warm.clear();
        assert_eq!(collecting.over(&policy, &state, &nothing), Some(Over::Finished));
        let done = collecting.done(Over::Finished, &state, &nothing);
        assert_eq!(done.collected.removed, ["machine fs-1 on backend b (pool p), without a job"]);
    }
}
