//! What holds whatever happens: random lists, answers, losses, pauses and restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::action::Action;
use planner::error_class::ErrorClass;
use planner::event::{Answer, Event};
use planner::ids::{MachineName, RunnerUuid, TaskId};
use planner::policy::{Policy, WarmPolicy};
use planner::seen::{Exit, JobState, MachineSeen, MachineState, RunnerSeen, RunnerStatus};
use planner::state::State;
use planner::step::step;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::scene::{Scene, here, lost, refused};

/// How many jobs a random world has at the most.
const JOBS: u8 = 6;
/// The limits of the random world's pool and repository.
const MAX: u32 = 3;

/// Something that happens in a random world.
#[derive(Debug, Clone)]
enum Happening {
    Waits(u8),
    Contacts(u8),
    Claims(u8),
    RunsElsewhere(u8),
    Leaves(u8),
    LosesRunner(u8),
    Finishes(u8),
    Ends(u8, Exit),
    Stops(u8),
    Orphans(u8),
    Idles(u8),
    ListsJobs { complete: bool },
    ListsRunners { complete: bool },
    ListsMachines { complete: bool },
    Polls,
    Fails,
    Passes(u16),
    Answers { well: u8 },
    Restarts,
    Forgets,
    Drains(bool),
    Max(u32),
    Warm(u32),
    Outdates(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    let job = || 0..JOBS;
    let exit = prop_oneof![Just(Exit::Code(0)), Just(Exit::Code(1)), Just(Exit::Signal(9)), Just(Exit::Unknown)];
    prop_oneof![
        4 => job().prop_map(Happening::Waits),
        3 => job().prop_map(Happening::Contacts),
        3 => job().prop_map(Happening::Claims),
        1 => job().prop_map(Happening::RunsElsewhere),
        2 => job().prop_map(Happening::Leaves),
        1 => job().prop_map(Happening::LosesRunner),
        2 => job().prop_map(Happening::Finishes),
        1 => (job(), exit).prop_map(|(job, exit)| Happening::Ends(job, exit)),
        1 => job().prop_map(Happening::Stops),
        1 => job().prop_map(Happening::Orphans),
        1 => job().prop_map(Happening::Idles),
        1 => any::<bool>().prop_map(|complete| Happening::ListsJobs { complete }),
        1 => any::<bool>().prop_map(|complete| Happening::ListsRunners { complete }),
        1 => any::<bool>().prop_map(|complete| Happening::ListsMachines { complete }),
        12 => Just(Happening::Polls),
        1 => Just(Happening::Fails),
        2 => (0..400_u16).prop_map(Happening::Passes),
        16 => (0..12_u8).prop_map(|well| Happening::Answers { well }),
        1 => Just(Happening::Restarts),
        1 => Just(Happening::Forgets),
        1 => any::<bool>().prop_map(Happening::Drains),
        1 => (1..=MAX).prop_map(Happening::Max),
        1 => (0..=MAX).prop_map(Happening::Warm),
        1 => any::<bool>().prop_map(Happening::Outdates),
    ]
}

fn name(job: u8) -> String {
    format!("h{job}")
}

/// The runner whose process runs on the machine of a job: nothing else calls the forge.
fn living<'a>(scene: &'a mut Scene, handle: &str) -> Option<&'a mut RunnerSeen> {
    let mut machines = scene.machines.iter().map(|(_, row)| row);
    let bound = machines
        .find(|row| row.handle().is_some_and(|of| of.as_str() == handle) && row.state == MachineState::Running)
        .and_then(|row| row.binding.as_ref())?;
    scene.runners.iter_mut().map(|(_, row)| row).find(|row| row.uuid == bound.runner)
}

/// The machine of a job, unless its process has ended.
fn machine<'a>(scene: &'a mut Scene, handle: &str) -> Option<&'a mut MachineSeen> {
    let mut machines = scene.machines.iter_mut().map(|(_, row)| row);
    machines.find(|row| {
        row.handle().is_some_and(|of| of.as_str() == handle) && !matches!(row.state, MachineState::Ended { .. })
    })
}

fn waits(scene: &Scene, handle: &str) -> bool {
    scene.jobs.iter().any(|(_, row)| row.handle.as_str() == handle && row.state == JobState::Waiting)
}

fn has_job(scene: &Scene, handle: &str) -> bool {
    scene.jobs.iter().any(|(_, row)| row.handle.as_str() == handle)
}

/// Lets it happen, where it can, and plans.
fn happens(scene: &mut Scene, happening: &Happening) {
    match happening {
        Happening::Waits(job) if !has_job(scene, &name(*job)) => {
            let labels: &[&str] = if *job == 5 { &["gpu"] } else { &["debian"] };
            scene.waits_as(&name(*job), i64::from(*job), i64::from(job % 2), "build", labels);
        }
        Happening::Contacts(job) => contacts(scene, &name(*job)),
        Happening::Claims(job) if waits(scene, &name(*job)) => claims(scene, &name(*job)),
        Happening::RunsElsewhere(job) if waits(scene, &name(*job)) => {
            scene.job(&name(*job)).state = JobState::Running { task: TaskId(9) };
        }
        Happening::Leaves(job) => scene.leaves(&name(*job)),
        Happening::LosesRunner(job) => scene.loses_runner(&name(*job)),
        Happening::Finishes(job) if living(scene, &name(*job)).is_some() => scene.finishes(&name(*job)),
        Happening::Ends(job, exit) => ends(scene, &name(*job), *exit),
        Happening::Stops(job) => becomes(scene, &name(*job), MachineState::Stopping),
        Happening::Orphans(job) => becomes(scene, &name(*job), MachineState::Orphaned),
        Happening::Idles(job) => {
            if let Some(runner) = living(scene, &name(*job)) {
                runner.status = RunnerStatus::Idle;
            }
        }
        Happening::ListsJobs { complete } => scene.lists_jobs(*complete),
        Happening::ListsRunners { complete } => scene.lists_runners(*complete),
        Happening::ListsMachines { complete } => scene.lists_machines(*complete),
        Happening::Polls => scene.poll(),
        Happening::Fails => scene.nobody_answers(),
        Happening::Passes(seconds) => scene.passes(Duration::from_secs(u64::from(*seconds))),
        Happening::Answers { well } => answers(scene, *well),
        Happening::Restarts => {
            scene.state = State::default();
            scene.open.clear();
        }
        Happening::Forgets => scene.state.journal.credentials.clear(),
        Happening::Drains(draining) => scene.policy.draining = *draining,
        Happening::Max(max) => scene.policy.pools[0].max = *max,
        Happening::Warm(count) => {
            let pool = scene.policy.pools[0].id.clone();
            scene.fold(&Event::WarmCount { pool, count: *count });
        }
        Happening::Outdates(is_other) => scene.policy.pools[0].warm.made_of = is_other.to_string(),
        Happening::Waits(_) | Happening::Claims(_) | Happening::RunsElsewhere(_) | Happening::Finishes(_) => {}
    }
    scene.turn();
}

fn contacts(scene: &mut Scene, handle: &str) {
    if let Some(runner) = living(scene, handle) {
        runner.declared = true;
        runner.status = RunnerStatus::Idle;
    }
}

/// A job is given to its runner, unless that one is fenced.
fn claims(scene: &mut Scene, handle: &str) {
    if let Some(runner) = living(scene, handle).filter(|runner| !runner.fenced) {
        runner.declared = true;
        runner.status = RunnerStatus::Active;
        scene.runs(handle);
    }
}

fn ends(scene: &mut Scene, handle: &str, exit: Exit) {
    if let Some(machine) = machine(scene, handle) {
        let exit = if machine.binding.is_some() { exit } else { Exit::NeverStarted };
        machine.state = MachineState::Ended { exit };
    }
}

fn becomes(scene: &mut Scene, handle: &str, state: MachineState) {
    if let Some(machine) = machine(scene, handle).filter(|machine| machine.state == MachineState::Running) {
        machine.state = state;
    }
}

/// Answers the oldest open call: mostly as it should be, else lost before or after it acted, or refused.
fn answers(scene: &mut Scene, well: u8) {
    let Some((_, action)) = scene.open.first().cloned() else { return };
    let asks = matches!(action, Action::AskWhose { .. });
    let startable = match &action {
        Action::Start { key, machine, .. } => {
            let row = scene.machines.iter().map(|(_, row)| row).find(|row| row.name == *machine);
            let is_its = |row: &MachineSeen| row.handle().is_none_or(|handle| *handle == key.job.handle);
            row.is_some_and(|row| matches!(row.state, MachineState::Ready | MachineState::Running) && is_its(row))
        }
        Action::Release { machine, .. } => {
            let is_it = |row: &MachineSeen| row.name == *machine && row.state == MachineState::Running;
            scene.machines.iter().any(|(_, row)| is_it(row))
        }
        _ => true,
    };
    let answer = match well {
        0 => lost(),
        1 => refused(ErrorClass::Transient),
        2 => refused(ErrorClass::Permanent),
        3 if !asks && startable => {
            scene.carries_out(&action);
            lost()
        }
        _ if asks && well.is_multiple_of(2) => Answer::Ours,
        _ if asks => Answer::Another,
        _ if !startable => refused(ErrorClass::NotFound),
        _ => scene.carries_out(&action),
    };
    scene.answers(action.word(), answer);
}

/// What must hold after every turn.
fn holds(scene: &mut Scene) -> Result<(), TestCaseError> {
    let again = step(&scene.policy, &mut scene.state, scene.now);
    prop_assert_eq!(again.actions, vec![], "a turn without news acts");
    prop_assert_eq!(again.decisions, vec![], "a turn without news decides");
    let journal = &scene.state.journal;
    let assigned = journal.assignments.values().filter(|of| of.parted.is_none());
    let mut machines: Vec<_> = assigned.map(|of| &of.machine_name).collect();
    machines.extend(journal.warm.keys().map(|(_, name)| name));
    let count = machines.len();
    machines.sort();
    machines.dedup();
    prop_assert_eq!(machines.len(), count, "a machine is in the books twice");
    for job in journal.assignments.keys().map(|key| &key.job) {
        // What an earlier life left behind may be more than one: it was not decided in this one.
        let decided = journal.assignments_of(job).filter(|(_, of)| of.keeps_its_job() && !of.adopted).count();
        prop_assert!(decided <= 1, "two tries for {} at once", job);
    }
    let listed = scene.state.seen.scopes.values().map(|seen| seen.jobs.len()).sum::<usize>();
    prop_assert_eq!(again.report.jobs.len(), listed, "a reason for every job");
    Ok(())
}

/// How many machines there may be, as far as the journal knows.
fn occupied(scene: &Scene) -> usize {
    let journal = &scene.state.journal;
    journal.assignments.values().filter(|assignment| assignment.occupies()).count() + journal.warm.len()
}

/// Machines on which a job was seen to run, and with which runner: none of them is given another.
#[derive(Default)]
struct Used(BTreeMap<MachineName, RunnerUuid>);

impl Used {
    fn look(&mut self, scene: &Scene) -> Result<(), TestCaseError> {
        let rows = || scene.machines.iter().map(|(_, row)| row);
        self.0.retain(|name, _| rows().any(|row| row.name == *name));
        for row in rows() {
            let runner = row.binding.as_ref().map(|binding| &binding.runner);
            if let Some(before) = self.0.get(&row.name) {
                prop_assert_eq!(Some(before), runner, "a machine on which a job ran was used again");
            }
            let mut runners = scene.runners.iter().map(|(_, row)| row);
            if let Some(runner) = runner
                && runners.any(|row| row.uuid == *runner && row.status == RunnerStatus::Active)
            {
                self.0.insert(row.name.clone(), runner.clone());
            }
        }
        Ok(())
    }
}

/// A pool that keeps so many machines without a job.
fn keeps(policy: &mut Policy, warm: u32) {
    policy.pools[0].max = MAX;
    policy.pools[0].warm = WarmPolicy { count: warm, max_age: Duration::from_mins(5), made_of: false.to_string() };
}

/// The same worlds in every run, so that a red test is red again.
fn bounded() -> ProptestConfig {
    ProptestConfig { cases: 150, failure_persistence: None, rng_seed: RngSeed::Fixed(12), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn whatever_happens_the_rules_hold(
        happenings in prop::collection::vec(happening(), 1..160),
        warm in 0..=MAX,
    ) {
        let mut used = Used::default();
        let mut scene = Scene::with(|policy| {
            keeps(policy, warm);
            policy.backends.get_mut(&here()).expect("it is there").parallel_creates = 2;
        });
        for happening in &happenings {
            scene.took();
            happens(&mut scene, happening);
            used.look(&scene)?;
            let made = |action: &Action| matches!(action, Action::Create { .. } | Action::CreateWarm { .. });
            let created = scene.took_actions().iter().filter(|action| made(action)).count();
            let max = scene.policy.pools[0].max as usize;
            prop_assert!(created == 0 || occupied(&scene) <= max, "{} machines of {max}", occupied(&scene));
            prop_assert!(created == 0 || !scene.policy.draining);
            holds(&mut scene)?;
        }
    }

    #[test]
    fn once_all_is_well_nothing_is_left(happenings in prop::collection::vec(happening(), 1..100), warm in 0..=MAX) {
        let mut scene = Scene::with(|policy| keeps(policy, warm));
        for happening in &happenings {
            happens(&mut scene, happening);
        }
        scene.jobs.clear();
        scene.policy.draining = true;
        for _ in 0..400 {
            scene.passes(Duration::from_secs(3));
            scene.poll();
            while let Some((_, action)) = scene.open.first().cloned() {
                let answer = match action {
                    Action::AskWhose { .. } => Answer::Another,
                    Action::Start { .. } | Action::Release { .. }
                        if !scene.machines.iter().any(|(_, row)| Some(&row.name) == machine_of(&action)) =>
                    {
                        refused(ErrorClass::NotFound)
                    }
                    _ => scene.carries_out(&action),
                };
                scene.answers(action.word(), answer);
            }
            let journal = &scene.state.journal;
            let is_empty = journal.assignments.is_empty() && journal.warm.is_empty() && journal.strays.is_empty();
            if scene.machines.is_empty() && scene.runners.is_empty() && is_empty {
                break;
            }
        }
        scene.nothing_is_left();
    }

    #[test]
    fn events_that_fit_nothing_change_nothing(id in 1000_u64..2000, seconds in 0_u64..100) {
        let mut scene = Scene::running(&["h1"]);
        scene.passes(Duration::from_secs(seconds % 10));
        let before = scene.state.journal.assignments.clone();
        scene.fold(&Event::Answered { id: planner::ids::ActionId(id), answer: Answer::Destroyed });
        prop_assert_eq!(&scene.state.journal.assignments, &before);
    }
}

fn machine_of(action: &Action) -> Option<&planner::ids::MachineName> {
    match action {
        Action::Start { machine, .. } | Action::Release { machine, .. } => Some(machine),
        _ => None,
    }
}
