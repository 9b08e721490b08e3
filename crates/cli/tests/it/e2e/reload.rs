//! The configuration changes while jobs run.

use forge_model::script::{Concurrency, JobSpec};
use forge_model::{Status, TokenScope, TokenSpec};
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
    assert!(ran.out.contains("pool[0].name: \"debian\" -> \"bookworm\""), "{}", ran.out);
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
    world.until_explained(&late, &["pool debian is full: 1 of 0 machines"]);
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
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert_eq!(ran.err.matches("error: ").count(), 3, "{}", ran.err);
    for key in ["pool[0].max", "colour", "limits.settle"] {
        assert!(ran.err.contains(key), "{}", ran.err);
    }
    assert!(world.logged("was not reloaded: nothing has changed"));
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);
    finish(world, running, &[next]);
}

#[test]
fn a_token_may_come_from_another_file() {
    let (world, running) = with_running_job(&Setup::new(2));
    let second = world.emulator.with_forge(|forge, _| {
        let dana = forge.owner_named("dana").expect("dana").id;
        forge.create_token(dana, TokenSpec::new(&[TokenScope::All])).expect("a token")
    });
    super::world::write(&world.place.path().join("token-2"), &second, 0o600);
    world.rewrite("token_file = \"token\"", "token_file = \"token-2\"");
    let ran = ask(&world, "reload");
    check_quiet(&ran);
    world.emulator.with_forge(|forge, _| forge.revoke_token(&world.token));
    let next = push(&world, "debian");
    world.until_is(&next, Status::Success);
    finish(world, running, &[next]);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_used() {
    let (world, running) = with_running_job(&Setup::new(1));
    world.rewrite("state_directory = \"", "state_directory = \"/elsewhere");
    world.rewrite("max = 1", "max = 2");
    for _ in 0..2 {
        let ran = ask_in_place(&world);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        assert!(ran.err.contains("warning: needs a restart"), "{}", ran.err);
        assert!(ran.err.contains("state_directory: "), "{}", ran.err);
    }
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
