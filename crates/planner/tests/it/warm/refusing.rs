//! What the checker refuses of machines without a job: one broken plan for each thing that it knows.

use std::time::Duration;

use planner::action::{Action, Leaving};
use planner::check::check;
use planner::event::EndReason;
use planner::ids::{BackendId, MachineName, PoolId};
use planner::seen::{MachineState, WarmTags};
use planner::state::{Fence, MachineFact};
use planner::time::Tick;

use super::{keeping, tags};
use crate::scene::{Scene, here, key};

/// Which invariant an action would break, if any.
fn breaks(scene: &Scene, action: &Action) -> Option<u8> {
    check(&scene.policy, &scene.state, action).err().map(|violation| violation.invariant)
}

fn create(machine: MachineName, backend: BackendId, tags: WarmTags) -> Action {
    Action::CreateWarm { backend, machine, tags, stop_grace: Duration::ZERO }
}

fn destroy(machine: MachineName) -> Action {
    Action::DestroyWarm { backend: here(), machine, why: Leaving::Surplus }
}

/// The one machine that waits in a scene.
fn waiting(scene: &Scene) -> MachineName {
    scene.names().pop_first().expect("one waits")
}

/// A scene whose job `h1` was bound to the machine that waited, and the start of its runner, which is not answered.
fn starting() -> (Scene, Action) {
    let mut scene = keeping(1);
    scene.waits("h1");
    scene.poll();
    scene.does("register");
    let start = scene.open[0].1.clone();
    assert_eq!(start.word(), "start");
    scene.state.journal.in_flight.clear();
    scene.books("h1").busy = None;
    assert_eq!(breaks(&scene, &start), None);
    (scene, start)
}

/// A scene in which the runner of `h1` was fenced on its machine and its job was seen waiting since, and the release.
fn releasing() -> (Scene, Action) {
    let mut scene = keeping(1);
    scene.waits("h1");
    scene.goes_on(1);
    scene.contacts("h1");
    for _ in 0..20 {
        scene.poll();
        let Some((_, action)) = scene.open.first().cloned() else { continue };
        if action.word() == "release" {
            scene.state.journal.in_flight.clear();
            scene.books("h1").busy = None;
            assert_eq!(breaks(&scene, &action), None);
            return (scene, action);
        }
        scene.does_all();
    }
    panic!("it is not taken back");
}

#[test]
fn one_for_a_pool_that_wants_none_there() {
    let (name, other) = (MachineName::new("w1"), BackendId::new("there"));
    let mut scene = Scene::new();
    scene.poll();
    assert_eq!(breaks(&scene, &create(name.clone(), here(), tags())), None);
    assert_eq!(breaks(&scene, &create(name.clone(), other, tags())), Some(14));
    let unknown = WarmTags { pool: PoolId::new("gone"), ..tags() };
    assert_eq!(breaks(&scene, &create(name.clone(), here(), unknown)), Some(14));
    scene.policy.draining = true;
    assert_eq!(breaks(&scene, &create(name, here(), tags())), Some(14));
}

#[test]
fn one_over_the_max_of_its_pool() {
    let mut scene = keeping(1);
    scene.policy.pools[0].max = 1;
    assert_eq!(breaks(&scene, &create(MachineName::new("w2"), here(), tags())), Some(4));
}

#[test]
fn one_under_a_name_that_is_in_the_books() {
    let (scene, _) = starting();
    let bound = scene.assignment("h1").machine_name.clone();
    assert_eq!(breaks(&scene, &create(bound, here(), tags())), Some(1));
    let waits = keeping(1);
    assert_eq!(breaks(&waits, &create(waiting(&waits), here(), tags())), Some(1));
}

#[test]
fn a_removal_of_what_is_bound_busy_or_not_ours() {
    let mut scene = keeping(1);
    let name = waiting(&scene);
    assert_eq!(breaks(&scene, &destroy(name.clone())), None);
    assert_eq!(breaks(&scene, &destroy(MachineName::new("w9"))), Some(7));
    let of = scene.state.journal.warm.get_mut(&(here(), name.clone())).expect("it is in the books");
    of.is_bound = true;
    assert_eq!(breaks(&scene, &destroy(name.clone())), Some(2));
    let of = scene.state.journal.warm.get_mut(&(here(), name.clone())).expect("it is in the books");
    (of.is_bound, of.doubted_until) = (false, Some(scene.now));
    assert_eq!(breaks(&scene, &destroy(name.clone())), Some(2));
    scene.begins(destroy(name.clone()));
    assert_eq!(breaks(&scene, &destroy(name)), Some(1));
}

#[test]
fn a_start_on_a_machine_that_another_has_that_is_parted_with_or_going() {
    let (scene, start) = starting();
    let name = scene.assignment("h1").machine_name.clone();

    let mut twice = scene.state.journal.assignments.get(&key("h1", 1)).cloned().expect("it is there");
    twice.registration = planner::state::Registration::None;
    let (mut another, _) = starting();
    another.state.journal.assignments.insert(key("h2", 1), twice);
    assert_eq!(breaks(&another, &start), Some(1));

    let (mut parted, _) = starting();
    parted.books("h1").parted = Some(Tick(1));
    assert_eq!(breaks(&parted, &start), Some(1));

    let (mut going, _) = starting();
    going.begins(destroy(name));
    assert_eq!(breaks(&going, &start), Some(1));
}

#[test]
fn taking_a_runner_back_of_whose_machine_it_is_not_known_that_no_job_ran_there() {
    let changes: [fn(&mut planner::state::Assignment); 6] = [
        |of| of.fence = Fence::Open,
        |of| of.fence = Fence::Closed { at: Tick(u64::MAX) },
        |of| of.track.running_since = Some(Tick(1)),
        |of| of.whose = Some((Tick(1), true)),
        |of| of.spoilt = Some(Tick(1)),
        |of| of.machine = MachineFact::Exists { state: MachineState::Stopping },
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let (mut scene, release) = releasing();
        assert_eq!(scene.assignment("h1").ending.as_ref().map(|end| &end.reason), Some(&EndReason::HeldBack));
        change(scene.books("h1"));
        let broken = breaks(&scene, &release);
        assert!(matches!(broken, Some(2 | 3)), "{place}: {broken:?}");
    }
}
