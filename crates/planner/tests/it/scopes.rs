//! Whom the forge means by a scope: another user's token, an organization under a name that another one had.

use std::time::Duration;

use planner::action::Action;
use planner::check::check;
use planner::error_class::ErrorClass;
use planner::event::{Answer, Event, Outcome};
use planner::report::{Alert, Reason};
use planner::seen::{Exit, Listing};

use crate::scene::{Scene, acme, here, key, refused, scope};

/// Long enough that an id that was another is asked for again.
const LONG: Duration = Duration::from_mins(7);

/// A life begins in which the lists show nothing of what there is, as under another user's token.
fn begins_blind(scene: &mut Scene) {
    scene.jobs.clear();
    scene.runners.clear();
    scene.took();
    scene.begins_again();
}

#[track_caller]
fn check_nothing_done(scene: &mut Scene) {
    let words = scene.took();
    assert!(words.iter().all(|word| *word == "check_scope"), "{words:?}");
}

#[test]
fn after_a_restart_with_another_users_token_nothing_is_concluded() {
    let mut scene = Scene::running(&["h1"]);
    let (jobs, runners) = (scene.jobs.clone(), scene.runners.clone());
    begins_blind(&mut scene);
    scene.scope_id = 2;
    scene.waits("another's");
    scene.goes_on(100);
    check_nothing_done(&mut scene);
    let since = scene.assignment("h1").track.missing[&acme()].since;
    assert_eq!((scene.ending("h1"), since), (None, None));
    assert!(scene.report.alerts.contains(&Alert::ScopeChanged { scope: acme() }));
    assert!(matches!(scene.reason("another's"), Reason::ForgeUnreachable { .. }));

    (scene.scope_id, scene.jobs, scene.runners) = (1, jobs, runners);
    scene.passes(LONG);
    scene.goes_on(5);
    check_nothing_done(&mut scene);
    assert!(scene.report.alerts.is_empty(), "{:?}", scene.report.alerts);
    scene.finishes("h1");
    scene.goes_on(4);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    scene.nothing_is_left();
}

#[test]
fn a_machine_that_vanished_keeps_no_scope_whose_id_is_another() {
    let mut scene = Scene::running(&["h1"]);
    begins_blind(&mut scene);
    scene.scope_id = 2;
    scene.goes_on(5);
    scene.machines.clear();
    scene.goes_on(10);
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
    scene.waits("h2");
    scene.goes_on(3);
    assert!(scene.took().contains(&"create"));
}

/// The scope's name means another one from now on; the jobs are shown by the list of a repository all the same.
fn becomes_another(scene: &mut Scene) {
    let site = scope("repo:acme/site");
    let policy_of_site = scene.policy.scopes[&acme()].clone();
    scene.policy.scopes.insert(site.clone(), policy_of_site);
    for (place, _) in &mut scene.jobs {
        *place = site.clone();
    }
    for (place, _) in &mut scene.runners {
        *place = scope("org:acme-of-before");
    }
    scene.scope_id = 2;
    scene.fold(&Event::TokenReplaced { scope: acme() });
    scene.goes_on(1);
    scene.took();
}

fn took_but_checks(scene: &mut Scene) -> Vec<&'static str> {
    let mut words = scene.took();
    words.retain(|word| *word != "check_scope");
    words
}

#[test]
fn a_vanished_machine_of_a_scope_that_is_another_is_fenced_while_another_scope_shows_its_job() {
    let mut scene = Scene::claiming(&["h1"]);
    becomes_another(&mut scene);
    scene.machines.clear();
    scene.goes_on(8);
    assert!(took_but_checks(&mut scene).starts_with(&["fence", "destroy", "create"]));
}

#[test]
fn a_vanished_machine_whose_runner_cannot_be_looked_up_is_stopped_before_another_try() {
    let mut scene = Scene::started(&["h1"]);
    becomes_another(&mut scene);
    scene.machines.clear();
    scene.goes_on(8);
    assert!(took_but_checks(&mut scene).starts_with(&["destroy", "create"]));
}

#[test]
fn a_vanished_machine_of_a_scope_that_is_another_is_kept_until_no_other_scope_shows_its_job() {
    let mut scene = Scene::running(&["h1"]);
    becomes_another(&mut scene);
    scene.machines.clear();
    scene.goes_on(20);
    assert_eq!(took_but_checks(&mut scene), [""; 0]);
    assert_eq!(scene.outcomes, []);
    scene.leaves("h1");
    scene.goes_on(1);
    assert_eq!(scene.outcomes, [], "one poll without it is not enough");
    scene.goes_on(1);
    assert_eq!(scene.outcomes, [Outcome::EndedElsewhere]);
}

/// Reads everything but the jobs of the other scopes, and the organization has none.
fn lists_acme_alone(scene: &mut Scene) {
    let listing = Listing { begun_at: scene.now, complete: true, rows: Vec::new() };
    scene.fold(&Event::JobsListed { scope: acme(), listing });
    scene.lists_runners(true);
    scene.lists_machines(true);
    scene.turn();
}

#[test]
fn a_vanished_machine_is_kept_while_a_scope_that_may_show_its_job_was_never_listed() {
    let mut scene = Scene::started(&["h1"]);
    becomes_another(&mut scene);
    let shown = std::mem::take(&mut scene.jobs);
    let machines = scene.machines.clone();
    scene.begins_again();
    scene.lists_machines(true);
    scene.does_all();
    scene.machines.clear();
    for _ in 0..5 {
        scene.passes(Duration::from_secs(3));
        lists_acme_alone(&mut scene);
    }
    assert_eq!(scene.outcomes, []);
    (scene.jobs, scene.machines) = (shown, machines);
    scene.poll();
    assert!(scene.created().is_empty());
}

#[test]
fn a_machine_that_is_found_late_is_kept_until_every_scope_lacks_its_job_that_has_shown_it_meanwhile() {
    let mut scene = Scene::running(&["h1"]);
    let site = scope("repo:acme/site");
    let policy_of_site = scene.policy.scopes[&acme()].clone();
    scene.policy.scopes.insert(site.clone(), policy_of_site);
    let row = scene.job("h1").clone();
    scene.jobs.push((site, row));
    scene.begins_again();
    scene.does_all();
    let begun_at = scene.now;
    scene.lists_jobs(true);
    scene.lists_machines_of(&here(), begun_at, true);
    scene.took();
    scene.loses_runner("h1");
    for _ in 0..5 {
        scene.passes(Duration::from_secs(3));
        lists_acme_alone(&mut scene);
        scene.does_all();
    }
    check_nothing_done(&mut scene);
    assert_eq!(scene.ending("h1"), None);
    scene.leaves("h1");
    scene.goes_on(40);
    assert!(scene.took().contains(&"destroy"));
    scene.nothing_is_left();
}

#[test]
fn a_job_that_another_scope_shows_is_failed_when_its_machine_of_a_scope_that_is_another_has_died() {
    let mut scene = Scene::running(&["h1"]);
    becomes_another(&mut scene);
    scene.ends("h1", Exit::Signal(9));
    scene.goes_on(6);
    assert_eq!(took_but_checks(&mut scene), ["destroy", "end_early"]);
    assert_eq!(scene.outcomes, [Outcome::Lost]);
}

#[test]
fn a_launch_that_fails_in_a_scope_that_is_another_leaves_its_job_to_the_scope_that_shows_it() {
    let mut scene = Scene::claiming(&["h1"]);
    becomes_another(&mut scene);
    scene.ends("h1", Exit::Code(1));
    scene.goes_on(4);
    assert_eq!(took_but_checks(&mut scene), ["read_log", "destroy"], "nothing is deleted there");
    assert!(matches!(scene.outcomes[..], [Outcome::LaunchFailed { charged: true, .. }]), "{:?}", scene.outcomes);
}

#[test]
fn a_runner_that_died_in_a_scope_that_is_another_has_not_completed_its_job() {
    for (exit, outcome) in [(Exit::Signal(9), Outcome::Lost), (Exit::Code(0), Outcome::Completed)] {
        let mut scene = Scene::running(&["h1"]);
        becomes_another(&mut scene);
        scene.leaves("h1");
        scene.ends("h1", exit);
        scene.goes_on(4);
        assert_eq!(took_but_checks(&mut scene), ["destroy"]);
        assert_eq!(scene.outcomes, [outcome]);
    }
}

#[test]
fn an_answer_to_the_token_before_says_nothing_of_the_one_in_use() {
    for answer in [Answer::ScopeId { id: 1 }, refused(ErrorClass::Auth)] {
        let mut scene = Scene::new();
        scene.waits("h1");
        scene.begins_again();
        scene.polls(2);
        scene.fold(&Event::TokenReplaced { scope: acme() });
        scene.took();
        scene.answers("check_scope", answer);
        assert_eq!(scene.took(), ["check_scope"], "it is asked for again at once, and nothing is launched");
        scene.scope_id = 2;
        scene.does("check_scope");
        scene.goes_on(2);
        assert_eq!(scene.machine("h1").tags.job().unwrap().scope_id, Some(2));
    }
}

#[test]
fn what_lists_lack_counts_only_once_the_id_is_known() {
    let mut scene = Scene::running(&["h1"]);
    begins_blind(&mut scene);
    scene.polls(50);
    check_nothing_done(&mut scene);
    scene.does("check_scope");
    scene.poll();
    assert_eq!(scene.took(), [""; 0], "one poll is not enough");
    scene.goes_on(40);
    assert!(scene.took().contains(&"destroy"));
}

#[test]
fn what_a_list_lacked_before_another_id_was_known_counts_for_nothing() {
    let mut scene = Scene::running(&["h1"]);
    let jobs = scene.jobs.clone();
    scene.jobs.clear();
    scene.polls(2);
    scene.scope_id = 2;
    scene.does("check_scope");
    scene.scope_id = 1;
    scene.passes(LONG);
    scene.poll();
    scene.does("check_scope");
    scene.poll();
    scene.does_all();
    check_nothing_done(&mut scene);
    scene.jobs = jobs;
    scene.goes_on(20);
    assert_eq!((scene.took(), scene.ending("h1")), (Vec::new(), None));
}

#[test]
fn a_list_begun_before_the_answer_that_the_id_is_another_proves_nothing() {
    let mut scene = Scene::running(&["h1"]);
    begins_blind(&mut scene);
    scene.lists_machines(true);
    let begun_at = scene.now.plus(Duration::from_millis(1));
    scene.scope_id = 2;
    scene.does("check_scope");
    scene.passes(LONG);
    scene.turn();
    scene.scope_id = 1;
    scene.does("check_scope");
    for begun_at in [begun_at, begun_at.plus(Duration::from_millis(1))] {
        let listing = Listing { begun_at, complete: true, rows: Vec::new() };
        scene.fold(&Event::JobsListed { scope: acme(), listing });
    }
    assert_eq!(scene.assignment("h1").track.missing[&acme()].since, None);
}

#[test]
fn nothing_is_launched_before_the_id_is_known_and_machines_carry_it() {
    let mut scene = Scene::new();
    scene.scope_id = 7;
    scene.waits("h1");
    scene.begins_again();
    scene.polls(2);
    assert_eq!(scene.took().last(), Some(&"check_scope"));
    assert_eq!(
        *scene.reason("h1"),
        Reason::NotListedYet { of: "the id of org:acme at https://forge.example".to_owned() }
    );
    scene.answers("check_scope", refused(ErrorClass::Forbidden));
    assert!(scene.reason("h1").to_string().contains("(it says no)"), "{}", scene.reason("h1"));
    scene.passes(LONG);
    scene.poll();
    scene.does_all();
    assert_eq!(scene.machine("h1").tags.job().unwrap().scope_id, Some(7));
}

#[test]
fn a_machine_that_is_found_late_is_judged_by_the_id_that_it_carries() {
    let mut scene = Scene::running(&["h1"]);
    begins_blind(&mut scene);
    scene.scope_id = 2;
    scene.does("check_scope");
    let machines = std::mem::take(&mut scene.machines);
    scene.waits("another's");
    scene.goes_on(5);
    assert!(scene.took().contains(&"start"), "nothing is known to stand in its way");
    scene.contacts("another's");
    scene.claims("another's");
    scene.machines.extend(machines);
    scene.goes_on(100);
    check_nothing_done(&mut scene);
    assert_eq!(scene.ending("h1"), None);
    scene.finishes("another's");
    scene.goes_on(5);
    assert_eq!(scene.outcomes, [Outcome::Completed], "the lists are of its scope");
}

#[test]
fn once_nothing_of_the_old_one_is_left_the_new_one_is_served() {
    let mut scene = Scene::running(&["h1"]);
    begins_blind(&mut scene);
    scene.scope_id = 2;
    scene.waits("another's");
    scene.goes_on(10);
    check_nothing_done(&mut scene);
    scene.ends("h1", Exit::Code(0));
    scene.goes_on(3);
    let mut words = scene.took();
    words.retain(|word| *word != "check_scope");
    assert_eq!(words, ["destroy", "create", "register", "start"]);
    assert_eq!(scene.outcomes, [Outcome::Completed]);
    assert!(scene.report.alerts.is_empty());
}

#[test]
fn a_launch_on_its_way_is_given_up_in_a_scope_that_is_another_one_now() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.does("create");
    scene.scope_id = 2;
    scene.fold(&Event::TokenReplaced { scope: acme() });
    scene.answers("register", refused(ErrorClass::NotFound));
    scene.leaves("h1");
    scene.goes_on(5);
    let mut took = scene.took().into_iter().filter(|word| *word != "check_scope");
    assert_eq!(took.next_back(), Some("destroy"));
    scene.nothing_is_left();
}

#[test]
fn with_another_token_nothing_is_registered_before_the_id_is_asked_for_again() {
    let mut scene = Scene::new();
    scene.waits("h1");
    scene.poll();
    scene.took();
    scene.fold(&Event::TokenReplaced { scope: acme() });
    scene.turn();
    scene.does("create");
    assert_eq!(scene.took(), ["check_scope"]);
    let waiting = "waiting until org:acme at https://forge.example is known to be the one that it was made for";
    assert_eq!(scene.machine_reason("h1").to_string(), waiting);
    scene.answers("check_scope", refused(ErrorClass::Transient));
    assert_eq!(scene.took(), [""; 0]);
    assert_eq!(scene.machine_reason("h1").to_string(), format!("{waiting}: it says no"));
    assert_eq!(
        scene.reason("h1").to_string(),
        "nothing is launched before the id of org:acme at https://forge.example (it says no) was listed"
    );
    scene.passes(LONG);
    scene.turn();
    scene.does("check_scope");
    assert_eq!(scene.took(), ["check_scope", "register"]);
}

#[test]
fn the_checker_refuses_to_register_or_delete_in_a_scope_that_may_be_another() {
    let mut scene = Scene::started(&["h1"]);
    let id = scene.runner("h1").id;
    scene.fold(&Event::TokenReplaced { scope: acme() });
    let delete = Action::DeleteRunner { key: key("h1", 1), scope: acme(), id };
    let refusal = check(&scene.policy, &scene.state, &delete).expect_err("a scope that is not known to be ours");
    assert_eq!(refusal.invariant, 7);
}
