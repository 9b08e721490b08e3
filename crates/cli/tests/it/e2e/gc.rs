//! Cleaning up by hand.

use std::fs::{self, File};
use std::process::Stdio;

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::script::{Concurrency, JobSpec};
use forge_model::{RegistrationEnd, Status};
use planner::ids::DeploymentId;

use super::config::Setup;
use super::foreign;
use super::leftovers::names;
use super::processes;
use super::world::World;
use crate::{Ran, check_quiet, forgescale, run};

fn gc(world: &World, arguments: &[&str]) -> Ran {
    run(forgescale(["gc", "--config"]).arg(world.config()).args(arguments).env("PATH", "/usr/local/bin:/usr/bin:/bin"))
}

/// Checks that it has done what it was asked for, and has said nothing but what it waited for.
#[track_caller]
fn check_done(ran: &Ran) {
    let said_more = ran.err.lines().any(|line| !line.starts_with("waiting for "));
    assert!(ran.status == Some(0) && !said_more, "{:?}: {}\n{}", ran.status, ran.out, ran.err);
}

/// The lines below a title.
fn listed<'a>(ran: &'a Ran, title: &str) -> Vec<&'a str> {
    let below = ran.out.lines().skip_while(|line| *line != format!("{title}:")).skip(1);
    below.take_while(|line| line.starts_with("  ")).map(|line| line.trim_end_matches(", with all of it")).collect()
}

fn machines(world: &World) -> usize {
    names(&world.machines()).iter().filter(|name| name.starts_with("fs-")).count()
}

#[test]
fn what_a_dead_daemon_has_left_is_removed_and_running_jobs_are_left_alone() {
    let mut world = World::new(&Setup::new(2));
    let done = world.push("done", &world.held("done"));
    let running = world.push("running", &world.held("running"));
    world.start(&[]);
    world.until_is(&done, Status::Running);
    world.until_is(&running, Status::Running);
    world.kill();
    world.let_go("done");
    world.until_is(&done, Status::Success);
    let stray = foreign::register(&world, &DeploymentId::new(world.deployment.clone()), &done);
    let credentials = names(&world.credentials());
    let stale = world.credentials().join("0c4f8f5e-5d0b-4f6e-9d55-5a4b2f1d9a10");
    fs::write(&stale, "of a runner that nobody knows any more").expect("a file");

    let ran = gc(&world, &["--dry-run"]);
    check_done(&ran);
    assert!(ran.out.contains("would be removed, or stopped and removed:\n"), "{}", ran.out);
    assert_eq!(ran.out.matches(&format!("for {}", done.handle)).count(), 2, "machine and registration: {}", ran.out);
    assert!(ran.out.contains("1 machine runs its job and is left alone"), "{}", ran.out);
    assert_eq!(machines(&world), 2);
    assert_eq!(end_of(&world, &stray), Some(RegistrationEnd::StillThere));

    let ran = gc(&world, &[]);
    check_done(&ran);
    assert_eq!(ran.out.matches(&format!("for {}", done.handle)).count(), 2, "{}", ran.out);
    assert!(
        ran.out.contains("removed:\n") && ran.out.contains("1 machine runs its job and is left alone"),
        "{}",
        ran.out
    );
    assert_eq!(machines(&world), 1);
    assert!(matches!(end_of(&world, &stray), Some(RegistrationEnd::Deleted(_))));
    assert!(world.is(&running, Status::Running));
    // None were kept where there is no file system in memory.
    assert!(credentials.is_empty() || names(&world.credentials()).len() == 1, "{:?}", names(&world.credentials()));

    world.start(&[]);
    world.let_go("running");
    world.until_is(&running, Status::Success);
    world.check_success(&[running, done]);
    world.check_nothing_left();
    let ran = gc(&world, &[]);
    check_done(&ran);
    assert!(ran.out.contains("there is nothing to clean up"), "{}", ran.out);
}

fn end_of(world: &World, runner: &str) -> Option<RegistrationEnd> {
    world
        .emulator
        .with_forge(|forge, _| forge.books().registrations().iter().rfind(|row| row.name == runner).map(|row| row.end))
}

#[test]
fn a_daemon_that_runs_cleans_up_by_itself_and_says_so() {
    let mut world = World::new(&Setup::new(1));
    let job = world.push("job", "echo served");
    world.start(&[]);
    world.until_is(&job, Status::Success);
    for arguments in [&[][..], &["--dry-run"]] {
        let ran = gc(&world, arguments);
        check_quiet(&ran);
        assert!(ran.out.starts_with("the daemon is running and cleans up by itself"), "{}", ran.out);
    }
    let unseen = FaultRule::always(Matcher::kind(RouteKind::ListJobs), Effect::status(500));
    let fault = world.emulator.faults().add(unseen);
    world.until("its last look has failed", || gc(&world, &["--dry-run"]).out.contains("could not be looked at"));
    assert_eq!(gc(&world, &["--dry-run"]).status, Some(1), "not everything was seen");
    world.emulator.faults().remove(fault);
    world.check_success(&[job]);
    world.check_nothing_left();
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let world = World::new(&Setup::new(1));
    let ran = gc(&world, &["--force"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    assert!(ran.err.contains("--force is for another deployment"), "{}", ran.err);
    let ran = gc(&world, &["--deployment", "No Name"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    assert!(ran.err.contains("is no name of a deployment"), "{}", ran.err);
}

#[test]
fn of_another_deployment_only_what_is_dead_goes_and_the_rest_by_force() {
    let mut world = World::new(&Setup::new(3));
    let old = world.deployment.clone();
    let done = world.push("done", &world.held("done"));
    let running = world.push("running", &world.held("running"));
    let deploy = |label: &str| JobSpec::shell("deploy", &[label], "echo deployed");
    let blocker = world.push_job(deploy("elsewhere"), Concurrency::queue("production"));
    let held_back = world.push_job(deploy("debian"), Concurrency::queue("production"));
    world.start(&[]);
    world.until_is(&done, Status::Running);
    world.until_is(&running, Status::Running);
    world.until("a runner waits", || world.registrations(&held_back).iter().any(|row| row.contacted.is_some()));
    world.kill();
    world.let_go("done");
    world.until_is(&done, Status::Success);
    let stray = foreign::register(&world, &DeploymentId::new(old.clone()), &blocker);

    // The new deployment's daemon runs all the time, and launches nothing.
    world.rewrite(&format!("deployment = \"{old}\""), &format!("deployment = \"{old}-new\""));
    world.rewrite("max = 3", "max = 0");
    world.rewrite("claim = \"30s\"", "claim = \"1s\"");
    world.start(&[]);
    world.until_explained(&blocker, &["no pool has the label `elsewhere`"]);

    let ran = gc(&world, &["--deployment", &old, "--dry-run"]);
    check_done(&ran);
    assert!(ran.out.starts_with(&format!("deployment {old}\nwould be removed, or stopped")), "{}", ran.out);
    assert_eq!((machines(&world), end_of(&world, &stray)), (3, Some(RegistrationEnd::StillThere)));
    let promised = ran;

    let ran = gc(&world, &["--deployment", &old]);
    check_done(&ran);
    let mut removed = listed(&ran, "removed");
    removed.sort_unstable();
    assert_eq!(listed(&promised, "would be removed, or stopped and removed"), removed, "{}", promised.out);
    let alone = "left alone, since it may be in use (--force takes it)";
    assert_eq!(listed(&promised, alone), listed(&ran, alone), "{}", promised.out);
    let (removed, rest) =
        ran.out.split_once("left alone, since it may be in use (--force takes it):").expect("two parts");
    assert!(removed.contains(done.handle.as_str()) && removed.contains(blocker.handle.as_str()), "{}", ran.out);
    assert!(rest.contains(held_back.handle.as_str()), "{}", ran.out);
    assert!(rest.contains("1 machine runs its job and is left alone"), "{}", ran.out);
    assert!(matches!(end_of(&world, &stray), Some(RegistrationEnd::Deleted(_))));
    let alive = |world: &World| {
        processes::of_deployment(&old).iter().filter(|process| process.is_supervisor()).count() == 2
            && machines(world) == 2
    };
    assert!(alive(&world), "{:?}", processes::of_deployment(&old));

    let ran = gc(&world, &["--deployment", &old, "--force"]);
    check_done(&ran);
    assert!(ran.out.contains(held_back.handle.as_str()), "{}", ran.out);
    assert!(world.is(&running, Status::Running) && world.is(&held_back, Status::Waiting) && machines(&world) == 1);

    world.let_go("running");
    world.until_is(&running, Status::Success);
    check_done(&gc(&world, &["--deployment", &old]));
    world.check_success(&[done, running]);
    assert!(names(&world.state()).iter().all(|name| !name.starts_with("gc-")));
    world.check_nothing_left();
}

#[test]
fn registrations_of_a_deployment_that_has_left_nothing_on_this_host_are_removed() {
    let world = World::new(&Setup::new(1));
    let job = world.push_job(JobSpec::shell("deploy", &["elsewhere"], "echo deployed"), Concurrency::unlimited());
    let stray = foreign::register(&world, &DeploymentId::new("old"), &job);
    let other = foreign::register(&world, &DeploymentId::new("older"), &job);
    assert!(!world.state().exists());
    let ran = gc(&world, &["--deployment", "old", "--dry-run"]);
    check_done(&ran);
    assert_eq!(listed(&ran, "would be removed, or stopped and removed").len(), 1, "{}", ran.out);
    assert_eq!(end_of(&world, &stray), Some(RegistrationEnd::StillThere));
    let ran = gc(&world, &["--deployment", "old"]);
    check_done(&ran);
    assert!(matches!(listed(&ran, "removed")[..], [line] if line.contains(job.handle.as_str())), "{}", ran.out);
    assert!(matches!(end_of(&world, &stray), Some(RegistrationEnd::Deleted(_))));
    assert_eq!(end_of(&world, &other), Some(RegistrationEnd::StillThere));
    assert!(!world.state().exists());
}

#[test]
fn what_it_waits_for_is_told_while_it_waits_and_nothing_of_its_log() {
    let world = World::new(&Setup::new(1));
    let refuses = Matcher::when(|kind, _, _| kind == RouteKind::ListRunners);
    let fault = world.emulator.faults().add(FaultRule::always(refuses, Effect::status(500)));
    let said = world.place.path().join("said");
    let mut command = forgescale(["gc", "--config"]);
    command.arg(world.config()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.stderr(File::create(&said).expect("a file")).stdout(Stdio::null());
    let mut gc = command.spawn().expect("the binary starts");
    let text = || fs::read_to_string(&said).unwrap_or_default();
    world.until("it tells what it waits for", || text().contains("org:acme at "));
    assert!(text().starts_with("waiting for ") && text().contains("cannot be listed: "), "{}", text());
    world.emulator.faults().remove(fault);
    assert!(gc.wait().expect("an end").success());
    assert!(text().lines().all(|line| line.starts_with("waiting for ")), "{}", text());
}
