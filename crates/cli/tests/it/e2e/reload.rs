//! The configuration changes while jobs run.

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::script::{Concurrency, JobSpec};
use forge_model::{Category, Status, TokenScope, TokenSpec};
use rustix::process::Signal;

use super::config::{Pool, Setup};
use super::control::ask;
use super::world::{Pushed, World};
use crate::check_quiet;

/// A daemon that runs a job which goes on until it is let go.
fn with_running_job(setup: &Setup) -> (World, Pushed) {
    let mut world = World::new(setup);
    let job = world.push("running", &world.held("running"));
    world.start(&[]);
    world.until_is(&job, Status::Running);
    world.until_explained(&job, &["why:        runs on fs-"]);
    (world, job)
}

/// Lets the job end that ran all the time, and checks that it was left alone.
#[track_caller]
fn finish(mut world: World, job: Pushed, others: &[Pushed]) {
    world.let_go("running");
    world.until_is(&job, Status::Success);
    assert_eq!(world.registrations(&job).len(), 1);
    world.check_success(&[job]);
    world.check_success(others);
    world.check_nothing_left();
}

fn push(world: &World, label: &str) -> Pushed {
    world.push_job(JobSpec::shell("build", &[label], "echo served"), Concurrency::unlimited())
}

#[test]
fn a_pool_that_is_added_serves_and_one_that_is_removed_drains() {
    let (world, running) = with_running_job(&Setup::new(2));
    let added = push(&world, "bookworm");
    world.until_explained(&added, &["no pool has the label `bookworm`"]);
    world.rewrite("name = \"debian\"\nlabels = [\"debian:host\"]", "name = \"bookworm\"\nlabels = [\"bookworm:host\"]");
    let ran = ask(&world, "reload");
    check_quiet(&ran);
    assert!(ran.out.contains("  pool debian: removed\n  pool bookworm: added\n"), "{}", ran.out);
    assert!(!ran.out.contains(" -> "), "{}", ran.out);
    assert!(ran.out.contains("pool debian: 1 machine goes on until its job has ended"), "{}", ran.out);
    world.until_is(&added, Status::Success);
    let late = push(&world, "debian");
    world.until_explained(&late, &["no pool has the label `debian`"]);
    assert!(world.is(&running, Status::Running) && world.registrations(&late).is_empty());
    finish(world, running, &[added]);
}

#[test]
fn a_signal_reloads_too_and_a_max_of_nothing_ends_nothing() {
    let (mut world, running) = with_running_job(&Setup::new(2));
    world.rewrite("max = 2", "max = 0");
    world.daemon().signal(Signal::HUP);
    world.until("it is reloaded", || world.logged("the configuration was reloaded"));
    let late = push(&world, "debian");
    world.until_explained(&late, &["pool debian launches nothing: its max is 0 (machines that go on: 1)"]);
    assert!(world.is(&running, Status::Running));
    world.rewrite("max = 0", "max = 3");
    world.daemon().signal(Signal::HUP);
    world.until_is(&late, Status::Success);
    finish(world, running, &[late]);
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_all_of_them_are_told() {
    let (world, running) = with_running_job(&Setup::new(2));
    world.rewrite("max = 2", "max = -2\ncolour = \"red\"");
    world.rewrite("settle = \"500ms\"", "settle = \"often\"");
    let ran = ask(&world, "reload");
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    assert_eq!(ran.err.matches("error: ").count(), 3, "{}", ran.err);
    for key in ["pool[0].max", "colour", "limits.settle"] {
        assert!(ran.err.contains(key), "{}", ran.err);
    }
    assert!(world.logged("was not reloaded: nothing has changed"));
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);
    finish(world, running, &[next]);
}

/// A new token of the organization's owner.
fn token_with(world: &World, scope: TokenScope) -> String {
    world.emulator.with_forge(|forge, _| {
        let dana = forge.owner_named("dana").expect("dana").id;
        forge.create_token(dana, TokenSpec::new(&[scope])).expect("a token")
    })
}

fn write_second(world: &World, token: &str) {
    super::world::write(&world.place.path().join("token-2"), token, 0o600);
}

#[test]
fn a_token_may_come_from_another_file() {
    let (world, running) = with_running_job(&Setup::new(2));
    write_second(&world, &token_with(&world, TokenScope::All));
    world.rewrite("token_file = \"token\"", "token_file = \"token-2\"");
    let ran = ask(&world, "reload");
    check_quiet(&ran);
    let told = world.log_lines("token of org:acme at ");
    let [told] = told.as_slice() else { panic!("{told:#?}") };
    assert!(told.contains("another one, from ") && told.contains("token-2"), "{told}");
    world.emulator.with_forge(|forge, _| forge.revoke_token(&world.token));
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);
    finish(world, running, &[next]);
}

#[test]
fn a_key_that_names_a_token_which_may_less_or_is_not_known_changes_nothing() {
    let (world, running) = with_running_job(&Setup::new(2));
    let reads = token_with(&world, TokenScope::Read(Category::Organization));
    world.rewrite("token_file = \"token\"", "token_file = \"token-2\"");
    world.rewrite("max = 2", "max = 3");
    let all = token_with(&world, TokenScope::All);
    let cases = [(reads.as_str(), "it lacks write:organization"), ("mistyped", "the forge does not know it")];
    for (token, why) in cases {
        write_second(&world, token);
        let ran = ask(&world, "reload");
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
        assert!(ran.err.contains("the new token cannot be used: ") && ran.err.contains(why), "{}", ran.err);
        assert!(ran.err.contains("hint: `forgescale check` tells"), "{}", ran.err);
    }
    // A good one is not used either while the forge does not say whose it is.
    write_second(&world, &all);
    let silent = Matcher::when(|kind, _, _| kind == RouteKind::ScopeId);
    let fault = world.emulator.faults().add(FaultRule::always(silent, Effect::status(500)));
    let ran = ask(&world, "reload");
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains("hint: reload again once the forge answers"), "{}", ran.err);
    world.emulator.faults().remove(fault);
    assert!(world.explain("debian").contains("1 of 2 machines"));
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);

    world.emulator.with_forge(|forge, _| forge.revoke_token(&world.token));
    write_second(&world, &reads);
    let ran = ask(&world, "reload");
    assert_eq!(ran.status, Some(0), "less than all is better than nothing: {}", ran.err);
    assert!(ran.err.contains("the new token is used, since the one before is refused"), "{}", ran.err);
    assert!(ran.out.contains("token of org:acme at "), "{}", ran.out);
    write_second(&world, &all);
    let ran = ask(&world, "reload");
    check_quiet(&ran);
    assert!(ran.out.contains("token of org:acme at "), "{}", ran.out);
    assert!(ran.out.contains("token-2"), "{}", ran.out);
    assert_eq!(world.log_lines("token of org:acme at ").len(), 2, "each that is used, once");
    assert!([&all, &reads, &world.token].iter().all(|token| !world.logged(token)), "a token is in the log");
    finish(world, running, &[next]);
}

#[test]
fn a_worse_token_in_the_same_file_is_not_used_and_the_rest_is() {
    let (mut world, running) = with_running_job(&Setup::new(1));
    let good = world.token.clone();
    world.write_token(&token_with(&world, TokenScope::Read(Category::Organization)));
    world.rewrite("max = 1", "max = 2");
    let ran = ask(&world, "reload");
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(ran.err.contains("the new token is not used, the one before stays in use: it lacks"), "{}", ran.err);
    assert!(ran.out.contains("max: 1 -> 2"), "{}", ran.out);
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);
    world.write_token(&good);
    finish(world, running, &[next]);
}

#[test]
fn a_scope_is_added_unless_the_forge_refuses_its_token_there() {
    let (world, running) = with_running_job(&Setup::new(2));
    world.rewrite("[\"org:acme\"]", "[\"org:acme\", \"org:other\"]");
    let ran = ask(&world, "reload");
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains("org:other at ") && ran.err.contains("its token cannot be used there"), "{}", ran.err);
    let organization_alone = token_with(&world, TokenScope::Write(Category::Organization));
    write_second(&world, &organization_alone);
    world.rewrite("\"org:other\"", "{ scope = \"org:acme\", token_file = \"token-2\", register_at = \"repository\" }");
    world.rewrite("\"org:acme\", {", "{");
    let ran = ask(&world, "reload");
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains("org:acme at "), "{}", ran.err);
    world.rewrite(
        "{ scope = \"org:acme\", token_file = \"token-2\", register_at = \"repository\" }",
        "\"org:acme\", \"user\"",
    );
    check_quiet(&ask(&world, "reload"));
    world.rewrite(", \"user\"", "");
    check_quiet(&ask(&world, "reload"));
    finish(world, running, &[]);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_used() {
    let (world, running) = with_running_job(&Setup::new(1));
    world.rewrite("state_directory = \"", "state_directory = \"/elsewhere");
    world.rewrite("max = 1", "max = 2");
    let mut said = Vec::new();
    for _ in 0..2 {
        let ran = ask_in_place(&world);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        assert!(ran.err.contains("warning: needs a restart"), "{}", ran.err);
        assert!(ran.err.contains("state_directory: "), "{}", ran.err);
        said.push(ran.out);
    }
    assert_eq!(
        said,
        ["reloaded:\n  pool debian: max: 1 -> 2\n", "reloaded: no other key has another value than before\n"]
    );
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);
    world.rewrite("state_directory = \"/elsewhere", "state_directory = \"");
    finish(world, running, &[next]);
}

/// Reloads the daemon of the directory in which it really is.
fn ask_in_place(world: &World) -> crate::Ran {
    crate::run(crate::forgescale(["reload", "--state-directory"]).arg(world.state()))
}

#[test]
fn a_scope_or_a_backend_with_a_running_job_cannot_be_removed() {
    let mut setup = Setup::new(2);
    setup.scopes = "[\"org:acme\", \"user\"]";
    setup.pools.push(Pool { backend: "broken", ..Pool::new("other", 1) });
    setup.broken_runner = Some("#!/bin/sh\nexit 3\n");
    let (world, running) = with_running_job(&setup);
    world.rewrite("[\"org:acme\", \"user\"]", "[\"user\"]");
    world.rewrite("backend = \"here\"", "backend = \"broken\"");
    world.rewrite("[backend.here]", "[backend.there]");
    let ran = ask(&world, "reload");
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains(" cannot be removed yet: 1 assignment of ours is there"), "{}", ran.err);
    assert!(ran.err.contains("backend here cannot be removed yet: 1 machine of ours is there"), "{}", ran.err);
    finish(world, running, &[]);
}

#[test]
fn a_backend_that_is_configured_in_another_way_keeps_its_machines() {
    let (world, running) = with_running_job(&Setup::new(2));
    world.rewrite("[backend.here]\n", "[backend.here]\nlog_limit = \"1MiB\"\n");
    let ran = ask(&world, "reload");
    check_quiet(&ran);
    assert!(ran.out.contains("backend.here.log_limit: "), "{}", ran.out);
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);
    assert!(world.is(&running, Status::Running));
    finish(world, running, &[next]);
}
