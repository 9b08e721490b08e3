//! Spare machines yield to demand (invariant 14).

use planner::action::Leaving;
use planner::event::Answer;
use planner::ids::BackendId;
use planner::policy::Policy;
use planner::report::Reason;

use super::{changed, keeping, kept};
use crate::scene::{Scene, backend, here, pool};

/// Two pools, `debian` with so many spare machines, and `other` with none, under a limit.
fn beside(count: u32, limit: impl FnOnce(&mut Policy)) -> Scene {
    kept(changed(count, |policy| {
        policy.pools.push(pool("other", &["other:docker"], &here()));
        limit(policy);
    }))
}

fn limits() -> [fn(&mut Policy); 2] {
    [|policy| policy.max = Some(3), |policy| policy.backends.get_mut(&here()).expect("it is there").max = Some(3)]
}

#[test]
fn one_goes_for_each_job_that_lacks_its_room_and_is_not_replaced_meanwhile() {
    for limit in limits() {
        let mut scene = beside(3, limit);
        scene.waits_for("h1", "other");
        scene.waits_for("h2", "other");
        scene.poll();
        assert_eq!(scene.left_for(), [Leaving::MakesRoom; 2]);
        for handle in ["h1", "h2"] {
            assert!(matches!(scene.reason(handle), Reason::MakingRoom { .. }), "{}", scene.reason(handle));
        }
        scene.polls(3);
        assert_eq!(scene.took(), [""; 0], "those that go are enough");
        scene.answers("destroy_warm", Answer::Stopping);
        scene.poll();
        assert_eq!(scene.took(), [""; 0]);
        scene.does("destroy_warm");
        assert_eq!(scene.created(), ["h1"]);
        scene.goes_on(15);
        assert_eq!((scene.waiting(), scene.machines.len()), (1, 3));
    }
}

#[test]
fn where_there_is_demand_again_nothing_is_kept_until_it_is_over() {
    let mut scene = beside(2, |policy| policy.max = Some(2));
    scene.waits_for("h1", "other");
    scene.waits_for("h2", "other");
    scene.waits_for("h3", "other");
    scene.goes_on(3);
    assert_eq!(scene.waiting(), 0);
    for handle in ["h1", "h2"] {
        scene.contacts(handle);
        scene.claims(handle);
    }
    scene.goes_on(2);
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.waiting(), 0, "the third job has that room");
    scene.contacts("h3");
    scene.claims("h3");
    scene.goes_on(1);
    scene.finishes("h3");
    scene.goes_on(4);
    assert_eq!(scene.waiting(), 1);
}

#[test]
fn in_a_full_pool_one_of_another_image_goes() {
    let mut scene = changed(2, |policy| policy.pools[0].max = 2);
    scene = kept(scene);
    scene.waits_for("h1", "old");
    scene.poll();
    assert_eq!(scene.left_for(), [Leaving::MakesRoom]);
    scene.does_all();
    assert_eq!(scene.images(), ["none"]);
    assert_eq!(scene.assignment("h1").warm.as_ref().and_then(|tags| tags.image.as_deref()), Some("old:1"));
}

#[test]
fn what_the_job_itself_can_use_does_not_go() {
    let mut scene = changed(1, |policy| policy.pools[0].max = 1);
    scene.poll();
    scene.waits("h1");
    scene.poll();
    assert_eq!(scene.took(), ["check_scope", "create_warm"]);
    assert!(matches!(scene.reason("h1"), Reason::PoolFull { .. }));
    scene.does("create_warm");
    assert_eq!(scene.took(), ["register"]);
}

#[test]
fn one_that_serves_another_job_does_not_go() {
    let mut scene = beside(1, |policy| policy.max = Some(1));
    scene.waits_for("h1", "other");
    scene.waits_for("h2", "debian");
    scene.poll();
    assert_eq!(scene.took(), ["register"]);
    assert!(matches!(scene.reason("h1"), Reason::DeploymentFull { .. }));
}

#[test]
fn none_goes_where_that_would_not_help() {
    let mut scene = beside(2, |policy| {
        policy.max = Some(3);
        policy.pools[1].max = 1;
    });
    scene.waits_for("h1", "other");
    scene.goes_on(1);
    scene.waits_for("h2", "other");
    scene.poll();
    assert_eq!(scene.left_for(), [], "its pool is full of jobs");
    assert!(matches!(scene.reason("h2"), Reason::PoolFull { used: 1, max: 1, .. }));

    let mut scene = beside(2, |policy| {
        policy.max = Some(2);
        policy.backends.insert(BackendId::new("there"), backend());
        policy.pools[1].backend = BackendId::new("there");
        policy.backends.get_mut(&BackendId::new("there")).expect("it is there").max = Some(0);
    });
    scene.waits_for("h1", "other");
    scene.poll();
    assert_eq!(scene.left_for(), [], "its backend takes none");
}

#[test]
fn a_job_that_rests_takes_no_room_from_them() {
    let mut scene = beside(1, |policy| {
        policy.max = Some(1);
        policy.pools[1].max_per_repository = Some(0);
    });
    scene.waits_for("h1", "other");
    scene.polls(3);
    assert_eq!(scene.left_for(), []);
}

#[test]
fn outdated_ones_and_then_the_oldest_go_first() {
    let mut scene = keeping(2);
    let oldest = scene.state.journal.warm.iter().min_by_key(|(_, of)| of.since).map(|(key, _)| key.1.clone());
    scene.policy.max = Some(2);
    scene.policy.pools.push(pool("other", &["other:docker"], &here()));
    scene.waits_for("h1", "other");
    scene.poll();
    let reason = scene.reason("h1").clone();
    assert!(matches!(&reason, Reason::MakingRoom { machine, .. } if Some(machine) == oldest.as_ref()), "{reason}");
    let told = format!(
        "machine {}, which waits without a job, is being removed to make room in pool other",
        oldest.expect("it is there")
    );
    assert_eq!(reason.to_string(), told);
}

#[test]
fn one_that_cannot_be_removed_is_no_room_for_anybody_and_the_next_goes() {
    let mut scene = beside(2, |policy| policy.max = Some(2));
    scene.waits_for("h1", "other");
    scene.poll();
    for _ in 0..300 {
        if scene.open.iter().any(|(_, action)| action.word() == "destroy_warm") {
            if scene.open.len() > 1 || scene.state.journal.warm.values().filter(|of| of.destroys > 0).count() > 1 {
                break;
            }
            scene.answers("destroy_warm", crate::scene::refused(planner::error_class::ErrorClass::Transient));
        }
        scene.poll();
    }
    let told_to_go = scene.state.journal.warm.values().filter(|of| of.destroys > 0).count();
    assert_eq!(told_to_go, 2);
}

#[test]
fn one_that_an_earlier_life_may_just_be_starting_does_not_go_before_a_list_tells_that_it_is_not() {
    for comes_late in [false, true] {
        let mut scene = beside(1, |policy| policy.max = Some(1));
        let name = scene.names().pop_first().expect("one waits").to_string();
        scene.waits("h1");
        scene.waits_for("h2", "other");
        scene.leaves("h1");
        scene.restarts();
        scene.poll();
        assert!(matches!(scene.reason("h2"), Reason::MakingRoom { .. }), "{}", scene.reason("h2"));
        scene.poll();
        assert_eq!(scene.left_for(), []);
        if comes_late {
            let row = scene.row(&name);
            (row.binding, row.state) = (Some(super::books::binding("h1")), planner::seen::MachineState::Running);
        }
        scene.polls(2);
        let left = scene.left_for();
        if comes_late {
            assert_eq!(left, [], "its job may run");
            assert!(scene.assignment("h1").adopted);
        } else {
            assert_eq!(left, [Leaving::MakesRoom]);
        }
    }
}
