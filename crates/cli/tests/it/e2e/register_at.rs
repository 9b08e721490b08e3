//! Runners that are registered at their jobs' repositories: `register_at = "repository"`.

use std::fs;
use std::time::Duration;

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::{Area, RegistrationEnd, RepoId, Status};
use planner::identity::{RunnerIdentity, machine_name};
use planner::ids::{DeploymentId, ForgeId, Handle, JobKey, Ordinal, PoolId, Try};

use super::config::Setup;
use super::leftovers::names;
use super::world::{Pushed, World};

/// Longer than a test may take.
const FOR_EVER: Duration = Duration::from_mins(10);

/// A world whose only scope registers at repositories.
fn world(max: u32) -> World {
    world_of(&Setup::new(max))
}

fn world_of(setup: &Setup) -> World {
    let world = World::new(setup);
    let text = fs::read_to_string(world.config()).expect("a configuration");
    let changed = text.replace("[\"org:acme\"]", "[{ scope = \"org:acme\", register_at = \"repository\" }]");
    assert_ne!(text, changed);
    fs::write(world.config(), changed).expect("a changed configuration");
    world
}

#[track_caller]
fn check_registered_at_the_repository(world: &World, job: &Pushed) {
    let made = world.registrations(job);
    assert!(!made.is_empty(), "a registration");
    assert!(made.iter().all(|row| row.area == Area::Repository(world.repository)), "{made:?}");
}

#[test]
fn each_runner_is_registered_at_its_jobs_repository() {
    let mut world = world(3);
    let jobs: Vec<Pushed> = (0..4).map(|number| world.push(&format!("job {number}"), "echo done")).collect();
    world.start(&[]);
    world.until("all jobs have ended", || jobs.iter().all(|job| world.attempt(job).ended_at.is_some()));
    world.check_success(&jobs);
    for job in &jobs {
        check_registered_at_the_repository(&world, job);
    }
    world.check_nothing_left();
}

/// The store, the report and what the daemon remembers are gone, in the middle of a job; and an unused registration is left
/// in a repository that shows no job, which nobody remembers.
#[test]
fn killed_with_everything_deleted_it_finds_its_runners_in_every_repository_again() {
    let mut world = world(3);
    let job = world.push("job", &world.held("job"));
    world.start(&[]);
    world.until_is(&job, Status::Running);
    world.kill();
    for name in names(&world.state()) {
        if name.starts_with("forgescale.sqlite") || name == "report.json" {
            fs::remove_file(world.state().join(name)).expect("a removed file");
        }
    }
    let silent = world
        .emulator
        .with_forge(|forge, _| forge.create_repository(world.organization, "silent", false).expect("a repository"));
    let stray = register(&world, silent);
    let later = world.push("later", "echo later");
    world.start(&[]);
    world.until("the stray is deleted", || end_of(&world, &stray) != RegistrationEnd::StillThere);
    assert!(world.is(&job, Status::Running), "a running job was disturbed");
    world.until_is(&later, Status::Success);
    world.let_go("job");
    world.until_is(&job, Status::Success);
    check_registered_at_the_repository(&world, &job);
    check_registered_at_the_repository(&world, &later);
    world.check_success(&[job, later]);
    world.check_nothing_left();
}

/// The organization shows the job that was pushed before its repository went away (protocol 1.3).
#[test]
fn after_another_repository_took_the_name_of_one_that_was_given_away_nothing_is_registered_there() {
    let mut world = world(3);
    let running = world.push("running", &world.held("running"));
    world.start(&[]);
    world.until_is(&running, Status::Running);
    let unseen = FaultRule::always(Matcher::kind(RouteKind::ListJobs), Effect::status(500));
    let unseen = world.emulator.faults().add(unseen);
    let waiting = world.push("waiting", "echo served");
    world.emulator.with_forge(|forge, _| {
        let dana = forge.owner_named("dana").expect("dana").id;
        let beta = forge.create_organization("beta", &[dana]);
        forge.transfer_repository(world.repository, beta).expect("an owner");
        forge.create_repository(world.organization, "site", false).expect("a repository");
    });
    world.emulator.faults().remove(unseen);
    world.until_is(&waiting, Status::Success);
    assert!(world.is(&running, Status::Running), "a running job was disturbed");
    world.let_go("running");
    world.until_is(&running, Status::Success);
    for job in [&running, &waiting] {
        check_registered_at_the_repository(&world, job);
    }
    world.check_success(&[running, waiting]);
    world.check_nothing_left();
}

#[test]
fn a_repository_that_hangs_delays_no_poll_and_no_job() {
    let mut world = world_of(&Setup::new(1).limit("forge_deadline", "5m"));
    world
        .emulator
        .with_forge(|forge, _| forge.create_repository(world.organization, "silent", false).expect("a repository"));
    let of_silent = Matcher::when(|_, _, path| path.starts_with("/api/v1/repos/acme/silent/"));
    let hanging = world.emulator.faults().add(FaultRule::always(of_silent, Effect::DelayRequest(FOR_EVER)));
    world.start(&[]);
    world.until("it hangs", || world.emulator.faults().fired(hanging) > 0);
    let polls = world.emulator.calls().of(RouteKind::ListJobs);
    let job = world.push("job", "echo done");
    world.until_is(&job, Status::Success);
    world.until("the jobs are polled", || world.emulator.calls().of(RouteKind::ListJobs) >= polls + 10);
    assert_eq!(world.emulator.faults().fired(hanging), 1, "the very call that hung hangs still");
}

#[test]
fn repositories_that_may_not_be_listed_are_told_once_and_asked_for_less_often() {
    let mut world = world(1);
    let refused = Matcher::kind(RouteKind::ListRepositories);
    let refused = world.emulator.faults().add(FaultRule::always(refused, Effect::status(403)));
    world.start(&[]);
    world.until("it is refused twice", || world.emulator.faults().fired(refused) > 1);
    world.until_told("the alert is there", |said| said.contains("the token lacks a right in org:acme"));
    let polls = world.emulator.calls().of(RouteKind::ListJobs);
    world.until("the jobs are polled", || world.emulator.calls().of(RouteKind::ListJobs) >= polls + 10);
    let (asked, polls) = (world.emulator.faults().fired(refused), world.emulator.calls().of(RouteKind::ListJobs));
    assert!(u64::from(asked) * 2 < polls, "asked {asked} times in {polls} polls");
    let log = fs::read_to_string(world.log()).expect("a log");
    assert_eq!(log.matches("the repositories could not be listed").count(), 1, "{log}");
    world.emulator.faults().clear();
    world.until_told("the alert is gone", |said| !said.contains("lacks a right"));
}

/// A registration of our deployment for a job that has long ended.
fn register(world: &World, repository: RepoId) -> String {
    let deployment = DeploymentId::new(world.deployment.as_str());
    let key = JobKey { forge: ForgeId::new(world.emulator.url()), handle: Handle::new("ended-long-ago") };
    let name_of_machine = machine_name(&deployment, &key, Try(1));
    let identity =
        RunnerIdentity { pool: PoolId::new("debian"), handle: key.handle, attempt: Try(1), ordinal: Ordinal(1) };
    let name = identity.runner_name(&name_of_machine);
    let description = identity.description(&deployment);
    world
        .emulator
        .with_forge(|forge, now| forge.register_runner(now, Area::Repository(repository), &name, &description, true))
        .expect("a registration");
    name
}

fn end_of(world: &World, runner: &str) -> RegistrationEnd {
    world.emulator.with_forge(|forge, _| {
        let mut rows = forge.books().registrations().iter();
        rows.find(|row| row.name == runner).expect("the registration is in the books").end
    })
}
