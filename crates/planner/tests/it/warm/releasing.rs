//! A machine on which no code of a job ran waits for another job; one on which it may have is removed.

use planner::action::{Action, Leaving};
use planner::error_class::ErrorClass;
use planner::event::{Answer, EndReason, Outcome};
use planner::report::{MachineReason, Reason};
use planner::seen::{JobState, MachineSeen, MachineState};
use planner::state::MachineFact;

use super::{changed, keeping, kept, wanting};
use crate::scene::{Scene, lost, refused};

/// A scene in which `h1` was bound to the one machine that waited, and its runner has contacted the forge.
fn claiming() -> Scene {
    let mut scene = kept(changed(1, |policy| policy.pools[0].max = 1));
    scene.waits("h1");
    scene.poll();
    scene.does_all();
    scene.contacts("h1");
    scene.poll();
    scene.took();
    scene
}

/// The same, and the forge holds the job back: its runner was just fenced.
fn fenced() -> Scene {
    let mut scene = claiming();
    scene.polls(5);
    scene.does("fence");
    assert_eq!(scene.took(), ["fence"]);
    scene
}

/// The same, and its runner is being taken back.
fn releasing() -> Scene {
    let mut scene = fenced();
    scene.polls(2);
    assert_eq!(scene.took(), ["release"]);
    scene
}

#[test]
fn the_machine_of_a_job_that_is_held_back_waits_for_another() {
    let mut scene = releasing();
    assert_eq!(*scene.machine_reason("h1"), MachineReason::Releasing);
    let machine = scene.names();
    scene.does("release");
    assert_eq!(scene.report.machines[0].reason, MachineReason::WarmInDoubt);
    scene.goes_on(4);
    assert_eq!(scene.took(), ["delete_runner"]);
    assert_eq!(scene.outcomes, [Outcome::Released]);
    assert!(matches!(scene.reason("h1"), Reason::HeldBack { releases: 1, .. }));
    assert_eq!(scene.report.machines[0].reason, MachineReason::Warm);
    scene.waits_for("h2", "debian");
    scene.goes_on(1);
    assert_eq!(scene.took(), ["register", "start"]);
    assert_eq!(scene.names(), machine);
    scene.contacts("h2");
    scene.claims("h2");
    scene.goes_on(2);
    scene.finishes("h2");
    scene.goes_on(4);
    assert_eq!(scene.took()[..2], ["destroy", "create_warm"], "once its job has run it is removed");
    assert!(scene.names().is_disjoint(&machine));
}

#[test]
fn nothing_is_bound_to_it_before_its_release_is_answered_and_a_list_shows_it_unbound() {
    let mut scene = releasing();
    scene.waits_for("h2", "debian");
    scene.polls(2);
    assert_eq!(scene.took(), [""; 0], "not answered");
    scene.does("release");
    scene.poll();
    assert_eq!(scene.took(), [""; 0], "the call may be delivered a second time");
    scene.machines[0].1.state = MachineState::Stopping;
    scene.goes_on(3);
    assert_eq!(scene.took(), ["delete_runner"], "it is not listed as ready");
    scene.machines[0].1.state = MachineState::Ready;
    scene.poll();
    assert_eq!(scene.took(), ["register"]);
}

#[test]
fn one_that_may_come_to_serve_another_repository_has_nothing_of_the_first() {
    let mut scene = wanting(1);
    scene.waits("h1");
    scene.waits("h2");
    scene.goes_on(1);
    let of = |action: &Action| match action {
        Action::Create { warm, repository, .. } => Some((warm.is_some(), repository.is_some())),
        _ => None,
    };
    let made: Vec<_> = scene.took_actions().iter().filter_map(of).collect();
    assert!(!made.is_empty() && made.iter().all(|made| *made == (true, false)), "{made:?}");
}

#[test]
fn it_is_not_replaced_while_it_may_come_back_and_serves_the_next_try() {
    let mut scene = kept(changed(1, |policy| policy.pools[0].max = 4));
    scene.waits("h1");
    scene.goes_on(1);
    scene.contacts("h1");
    let machine = scene.names();
    scene.goes_on(30);
    let took = scene.took();
    assert_eq!(took, ["register", "start", "fence", "release", "delete_runner", "register", "start"]);
    assert_eq!(scene.names(), machine);
}

#[test]
fn what_comes_back_beyond_what_is_wanted_stays_for_jobs_that_wait_for_their_turn_and_no_longer() {
    let mut scene = kept(changed(1, |policy| policy.pools[0].max = 4));
    let handles = ["h1", "h2", "h3"];
    for handle in handles {
        scene.waits(handle);
    }
    scene.goes_on(1);
    for handle in handles {
        scene.contacts(handle);
    }
    scene.goes_on(11);
    assert_eq!(scene.waiting(), 3);
    assert_eq!(scene.left_for(), [], "each of them is wanted again soon");
    assert!(matches!(scene.reason("h3"), Reason::Suspect { .. } | Reason::HeldBack { .. }));
    let before = scene.names();
    scene.policy.pools[0].warm.max_age = std::time::Duration::from_secs(1);
    scene.polls(1);
    assert_eq!(scene.left_for(), [Leaving::TooOld], "but none for ever");
    scene.policy.pools[0].warm.max_age = std::time::Duration::ZERO;
    scene.does_all();
    for handle in handles {
        scene.leaves(handle);
    }
    scene.goes_on(3);
    assert_eq!((scene.waiting(), scene.left_for()), (1, vec![Leaving::Surplus]));
    assert!(scene.names().is_subset(&before));
}

#[test]
fn a_list_begun_before_the_release_was_answered_proves_nothing() {
    let mut scene = releasing();
    let rows = scene.machines.clone();
    scene.does("release");
    let after = std::mem::replace(&mut scene.machines, rows);
    let begun_at = planner::time::Tick(scene.now.0 - 1);
    scene.lists_machines_of(&crate::scene::here(), begun_at, true);
    scene.machines = after;
    scene.turn();
    assert!(scene.state.journal.assignments.values().all(|of| of.machine == MachineFact::Gone && of.parted.is_some()));
    scene.goes_on(4);
    assert_eq!(scene.waiting(), 1);
    assert!(scene.took().iter().all(|word| *word == "delete_runner"));
}

#[test]
fn a_release_that_fails_or_whose_answer_is_lost_ends_in_a_removal() {
    for answer in [refused(ErrorClass::Permanent), lost()] {
        let mut scene = releasing();
        scene.answers("release", answer);
        scene.goes_on(5);
        assert_eq!(scene.took()[..2], ["destroy", "create_warm"]);
        scene.goes_on(5);
        assert_eq!((scene.outcomes.clone(), scene.machines.len()), (vec![Outcome::Released], 1));
    }
    let mut scene = releasing();
    let (_, release) = scene.open[0].clone();
    scene.carries_out(&release);
    scene.answers("release", lost());
    scene.goes_on(5);
    assert_eq!(scene.took()[..2], ["destroy", "create_warm"], "it did what nobody knows");
}

#[test]
fn one_whose_runner_was_never_asked_for_waits_again_at_once() {
    let mut scene = keeping(1);
    scene.waits("h1");
    scene.poll();
    scene.leaves("h1");
    scene.does("register");
    let is_started = scene.open.iter().any(|(_, action)| action.word() == "start");
    assert!(is_started, "nobody knows yet that it has left");

    let mut scene = keeping(1);
    let machine = scene.names();
    scene.waits("h1");
    scene.poll();
    scene.leaves("h1");
    scene.polls(2);
    scene.does("register");
    assert_eq!(scene.outcomes, [], "its registration is there");
    scene.goes_on(3);
    let took = scene.took();
    assert!(took.contains(&"delete_runner") && !took.contains(&"release") && !took.contains(&"destroy"), "{took:?}");
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
    assert!(scene.names().is_superset(&machine) || scene.waiting() == 1);
    assert!(scene.runners.is_empty());
}

#[test]
fn one_whose_registration_is_refused_waits_again_at_once() {
    let mut scene = kept(changed(1, |policy| policy.pools[0].max = 1));
    let machine = scene.names();
    scene.waits("h1");
    scene.poll();
    scene.answers("register", refused(ErrorClass::Forbidden));
    assert_eq!(scene.took(), ["register"]);
    assert_eq!(scene.names(), machine);
    assert_eq!(scene.report.machines[0].reason, MachineReason::Warm, "no runner can be on it");
}

#[test]
fn one_on_which_a_start_failed_is_removed() {
    for answer in [refused(ErrorClass::Permanent), lost()] {
        let mut scene = keeping(1);
        let machine = scene.names();
        scene.waits("h1");
        scene.poll();
        scene.does("register");
        scene.answers("start", answer);
        scene.leaves("h1");
        scene.goes_on(25);
        let took = scene.took();
        assert!(took.contains(&"destroy") && !took.contains(&"release"), "{took:?}");
        assert!(scene.names().is_disjoint(&machine));
    }
}

#[test]
fn one_whose_job_was_seen_running_is_removed_whoever_ran_it() {
    let mut scene = fenced();
    scene.claims("h1");
    scene.polls(3);
    scene.answers("ask_whose", Answer::Another);
    scene.goes_on(5);
    let took = scene.took();
    assert!(took.contains(&"destroy") && !took.contains(&"release"), "{took:?}");
}

#[test]
fn one_whose_job_has_left_is_removed_though_its_registration_is_there() {
    let mut scene = claiming();
    scene.leaves("h1");
    scene.polls(3);
    scene.does_all();
    assert!(matches!(scene.ending("h1"), Some(EndReason::EndedElsewhere)));
    scene.goes_on(40);
    let took = scene.took();
    assert!(took.contains(&"destroy") && !took.contains(&"release"), "{took:?}");
}

#[test]
fn what_an_earlier_life_has_started_is_removed() {
    let mut scene = fenced();
    let credentials = scene.state.journal.credentials.clone();
    scene.begins_again();
    for runner in credentials {
        scene.fold(&planner::event::Event::CredentialsFound { runner });
    }
    scene.goes_on(12);
    let took = scene.took();
    assert!(took.contains(&"destroy") && !took.contains(&"release"), "{took:?}");
}

#[test]
fn without_credentials_to_fence_it_with_it_is_removed() {
    let mut scene = claiming();
    scene.state.journal.credentials.clear();
    scene.goes_on(8);
    let took = scene.took();
    assert!(took.contains(&"destroy") && !took.contains(&"release"), "{took:?}");
}

/// A concurrency group: one job of it runs at a time, the oldest first, and each takes eight polls.
fn group(scene: &mut Scene, finished: &mut u32, ran: &mut u32) {
    let running = scene.jobs.iter().find(|(_, job)| matches!(job.state, JobState::Running { .. }));
    if let Some(handle) = running.map(|(_, job)| job.handle.to_string()) {
        *ran += 1;
        if *ran > 8 {
            scene.finishes(&handle);
            (*finished, *ran) = (*finished + 1, 0);
        }
        return;
    }
    let is_able = |handle: &str| {
        let mut runners = scene.runners.iter().map(|(_, row)| row);
        runners.any(|row| row.identity.handle.as_str() == handle && row.declared && !row.fenced)
    };
    let first = scene.jobs.iter().map(|(_, job)| job.handle.to_string()).next();
    if let Some(handle) = first.filter(|handle| is_able(handle)) {
        scene.claims(&handle);
    }
}

#[test]
fn thirty_jobs_of_one_group_cost_as_many_machines_and_those_that_are_kept() {
    let mut scene = kept(changed(3, |policy| policy.pools[0].max = 3));
    let mut created = 3;
    for job in 1..=30 {
        scene.waits(&format!("h{job}"));
    }
    let (mut finished, mut ran, mut idle, mut longest, mut slow) = (0, 0, 0, 0, 0);
    for _ in 0..2_000 {
        let is_bound = |row: &MachineSeen| row.binding.as_ref().map(|binding| binding.handle.to_string());
        let bound: Vec<String> = scene.machines.iter().filter_map(|(_, row)| is_bound(row)).collect();
        for handle in bound {
            let mut runners = scene.runners.iter().map(|(_, row)| row);
            if runners.any(|row| row.identity.handle.as_str() == handle) {
                scene.contacts(&handle);
            }
        }
        group(&mut scene, &mut finished, &mut ran);
        scene.goes_on(1);
        created += scene
            .took_actions()
            .iter()
            .filter(|action| matches!(action, Action::Create { .. } | Action::CreateWarm { .. }))
            .count();
        let runs = scene.jobs.iter().any(|(_, job)| matches!(job.state, JobState::Running { .. }));
        idle = if runs || scene.jobs.is_empty() { 0 } else { idle + 1 };
        slow += u32::from(idle == 2);
        longest = longest.max(idle);
        if scene.jobs.is_empty() && scene.waiting() == 3 && scene.state.journal.assignments.is_empty() {
            break;
        }
    }
    assert_eq!(finished, 30);
    assert!(created <= 33, "{created} machines for thirty jobs");
    assert!(longest <= 2 && slow <= 1, "{longest} polls before the next one ran, {slow} times two");
}
