//! Rules that hardly any defect of the planner breaks, since something else is in its way: the judge is shown a world in
//! which they are broken, and must object. `docs/concepts/safety.md` names these tests.

use std::collections::BTreeMap;

use forge_model::Status;
use planner::action::Action;
use planner::event::Decision;
use planner::identity::RunnerIdentity;
use planner::ids::{AssignmentKey, BackendId, ForgeId, MachineName, Ordinal, TaskId, Try};
use planner::seen::MachineState;
use planner::step::step;
use planner::time::Tick;

use super::bounds::{Bound, Standing};
use super::{Belief, Death, Rule};
use crate::scenario::Scenario;
use crate::world::{World, note};

/// A job runs on a machine that waited for one, and another waits.
const WARM: &str = "quick\npool max 4 run 5m warm 1\nat 20s push build for 60s\nquiet at 90s";
/// A job runs, and two like it wait with a runner each.
const HELD_BACK: &str = "quick\npool max 4 run 5m\nat 0 push build for 60s group production alike 3\nquiet at 90s";
/// Looks like the token of a runner.
const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// The world of a script at a moment when nothing is broken, which goes on whatever breaks.
fn at(seconds: u64, script: &str) -> World {
    let mut world = Scenario::parse(script).expect("a script").world();
    while world.now < seconds * 1_000 && world.advance() {}
    assert_eq!(world.judge.broken, None);
    world.judge.all_broken = Some(BTreeMap::new());
    world
}

#[track_caller]
fn objects(world: &World, rule: Rule) {
    let all = world.judge.all_broken.as_ref().expect("a world that goes on");
    assert!(all.contains_key(&rule), "{all:?}");
}

#[track_caller]
fn is_content(world: &World) {
    assert_eq!(world.judge.all_broken, Some(BTreeMap::new()));
}

/// The machines with a process whose job has this status, and those jobs.
fn with_a_job(world: &World, status: Status) -> Vec<(BackendId, MachineName, String)> {
    let machines = world.backends.iter().flat_map(|(id, model)| model.machines.iter().map(move |one| (id, one)));
    let processes = machines.filter_map(|(id, (name, of))| Some((id, name, of.process.as_ref()?)));
    let such = processes.filter(|(.., process)| world.status_of(&process.handle) == Some(status));
    such.map(|(id, name, process)| (id.clone(), name.clone(), process.handle.clone())).collect()
}

/// The machine on which a job runs.
fn busy(world: &World) -> (BackendId, MachineName, AssignmentKey) {
    let (backend, name, _) = with_a_job(world, Status::Running).swap_remove(0);
    let assignments = &world.daemon.state.journal.assignments;
    let key = assignments.iter().find(|(_, of)| of.has_machine(&name)).map(|(key, _)| key.clone());
    (backend, name, key.expect("its assignment"))
}

fn forge(world: &World) -> ForgeId {
    world.forges.keys().next().cloned().expect("a forge")
}

#[test]
fn to_a_second_runner_that_could_be_given_a_job() {
    let mut world = at(10, HELD_BACK);
    let forge = forge(&world);
    let waiting = with_a_job(&world, Status::Waiting);
    let [(_, _, handle), (backend, name, _)] = &waiting[..] else { panic!("{waiting:?}") };
    world.judge_doors(&forge, handle);
    is_content(&world);
    world.machine(backend, name).and_then(|of| of.process.as_mut()).expect("a process").handle.clone_from(handle);
    world.judge_doors(&forge, handle);
    objects(&world, Rule::OneTaker);
}

#[test]
fn to_a_job_that_a_stopped_runner_is_given() {
    let mut world = at(10, HELD_BACK);
    world.judge_handed_to_the_dead("job", "runner");
    is_content(&world);
    let death = Death { at: world.now, ours: Some(Belief::default()) };
    world.judge.deaths.insert("runner".to_owned(), death);
    world.judge_handed_to_the_dead("job", "runner");
    objects(&world, Rule::FencedInVain);
}

#[test]
fn to_a_machine_that_is_bound_twice() {
    let mut world = at(30, WARM);
    world.judge_bindings();
    is_content(&world);
    let (.., key) = busy(&world);
    let assignments = &mut world.daemon.state.journal.assignments;
    let of = assignments[&key].clone();
    assignments.insert(AssignmentKey { attempt: Try(9), ..key }, of);
    world.judge_bindings();
    objects(&world, Rule::OneBinding);
}

#[test]
fn to_a_stop_of_a_process_whose_job_runs() {
    let mut world = at(30, WARM);
    let (backend, name, _) = busy(&world);
    world.judge_stopped(&backend, &name);
    objects(&world, Rule::Stopped);
}

#[test]
fn to_another_use_of_a_machine_on_which_a_job_ran() {
    let mut world = at(30, WARM);
    let (backend, name, key) = busy(&world);
    world.judge_released(&backend, &name);
    objects(&world, Rule::ReleasedUsed);
    world.judge_started(&backend, &name, &key.job);
    objects(&world, Rule::UsedTwice);
}

#[test]
fn to_a_runner_of_a_machine_that_waits() {
    let mut world = at(30, WARM);
    let (backend, name, key) = busy(&world);
    let of = &world.daemon.state.journal.assignments[&key];
    let (scope, pool) = (of.scope.clone(), of.pool.clone());
    let (handle, attempt, ordinal) = (key.job.handle.clone(), key.attempt, Ordinal(2));
    let identity = RunnerIdentity { pool, handle, attempt, ordinal };
    let register = Action::Register { key, scope, machine: name.clone(), identity };
    world.judge_registered(&register);
    is_content(&world);
    let machine = world.machine(&backend, &name).expect("a machine");
    (machine.state, machine.binding, machine.promised) = (MachineState::Ready, None, None);
    world.judge_registered(&register);
    objects(&world, Rule::SpareRegistered);
}

#[test]
fn to_machines_without_a_job_that_are_made_round_and_round() {
    let mut world = at(30, WARM);
    let (backend, machine, _) = busy(&world);
    let tags = world.machine_at(&backend, &machine).and_then(|of| of.tags.warm()).cloned().expect("a warm machine");
    let create = Action::CreateWarm { backend, machine, tags, stop_grace: std::time::Duration::ZERO };
    for _ in 0..15 {
        world.judge_stocking(&create);
    }
    is_content(&world);
    for _ in 0..10 {
        world.judge_stocking(&create);
    }
    objects(&world, Rule::HotLoop);
}

#[test]
fn to_too_few_machines_without_a_job_in_the_end() {
    let mut world = at(30, WARM);
    assert_eq!(world.spares_left(), None);
    let (backend, name) = world.spares().next().map(|(id, name, _)| (id.clone(), name.clone())).expect("a spare");
    world.machine(&backend, &name).expect("a machine").stopping = true;
    assert!(matches!(world.spares_left(), Some((Rule::SparesKept, _))), "{:?}", world.spares_left());
}

#[test]
fn to_what_is_left_in_the_end() {
    let mut world = at(30, WARM);
    let is_left = |world: &World| world.what_is_left().map(|(rule, _)| rule);
    assert_eq!(is_left(&world), Some(Rule::JobsLeft));
    let (backend, name, key) = busy(&world);
    let run = world.forge(&key.job.forge).model.books().attempts().first().map(|attempt| attempt.run).expect("a run");
    world.forge_mut(&key.job.forge).expect("a forge").unservable.insert(run);
    assert_eq!(is_left(&world), Some(Rule::MachinesLeft));
    world.backends.get_mut(&backend).expect("a backend").machines.remove(&name);
    assert_eq!(is_left(&world), Some(Rule::RunnersLeft));
    let forge = world.forge_mut(&key.job.forge).expect("a forge");
    forge.foreign.extend(forge.model.runners_now());
    assert_eq!(is_left(&world), Some(Rule::BooksLeft));
}

#[test]
fn to_what_is_remembered_for_ever() {
    let mut world = at(30, WARM);
    let (backend, ..) = busy(&world);
    let buried = (0..100).map(|number| ((backend.clone(), MachineName::new(format!("fs-{number}"))), Tick::default()));
    world.daemon.state.journal.buried.extend(buried);
    world.judge_end();
    objects(&world, Rule::Remembered);
    world.judge_emptiness();
    objects(&world, Rule::Forgotten);
}

#[test]
fn to_a_token_in_books_or_trace() {
    let mut world = at(30, WARM);
    let (backend, ..) = busy(&world);
    world.judge.tokens.insert(TOKEN.to_owned());
    world.judge_secrets(None);
    world.judge_trace();
    is_content(&world);
    world.daemon.state.journal.buried.insert((backend, MachineName::new(TOKEN)), Tick::default());
    world.judge_secrets(None);
    objects(&world, Rule::TokenInBooks);
    note!(world, "token {TOKEN}");
    world.judge_trace();
    objects(&world, Rule::TokenInTrace);
}

#[test]
fn to_a_turn_that_comes_to_too_much() {
    let mut world = at(30, WARM);
    let (.., key) = busy(&world);
    let now = world.tick();
    let policy = world.policy.clone();
    let mut turn = step(&policy, &mut world.daemon.state, now);
    world.judge_size(&turn);
    is_content(&world);
    turn.decisions.extend(std::iter::repeat_n(Decision::HandBack { key }, 1_000));
    world.judge_size(&turn);
    objects(&world, Rule::Size);
}

#[test]
fn to_a_job_that_is_ended_without_a_word() {
    let mut world = at(30, WARM);
    let forge = forge(&world);
    world.judge_told(&forge, TaskId(1), "");
    objects(&world, Rule::Told);
}

#[test]
fn to_a_world_that_panics() {
    let mut world = at(30, WARM);
    world.guarded(|_| std::panic::resume_unwind(Box::new("on purpose")));
    objects(&world, Rule::Panic);
}

#[test]
fn to_whatever_lasts_longer_than_its_bound() {
    for bound in Bound::ALL {
        let mut world = at(30, WARM);
        let lasts = |ms: u64| Standing { bound, subject: "it".to_owned(), since: world.now - ms, limit: 1_000 };
        let (short, long) = (lasts(1_000), lasts(1_001));
        world.judge_standing(vec![short]);
        is_content(&world);
        world.judge_standing(vec![long]);
        objects(&world, bound.rule(false));
        // What is broken elsewhere excuses no launch.
        world.judge.calm.ends(world.now);
        world.judge_standing(vec![Standing {
            bound,
            subject: "it".to_owned(),
            since: world.now - 2_000,
            limit: 1_000,
        }]);
        objects(&world, bound.rule(true));
    }
}
