//! Several scopes and forges in one daemon: who serves what, and that a broken one delays no other (invariant 9).

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use emulator::{Effect, Emulator, EmulatorSettings, FaultId, FaultRule, Matcher, RouteKind};
use forge_model::script::{JobSpec, RunSpec};
use forge_model::{Area, OwnerId, RegistrationEnd, RepoId, Status, TokenScope, TokenSpec, Version};
use tokio::runtime::Runtime;

use super::config::Setup;
use super::world::{Pushed, World, people, write};

/// Longer than a test may take: a call that hangs for so long is still hanging when the test has ended.
const FOR_EVER: Duration = Duration::from_mins(10);

#[test]
fn each_job_is_served_once_by_the_narrowest_of_the_scopes_that_show_it() {
    let mut world = World::new(&Setup::new(1));
    let places = Places::build(&world);
    serve(&world, "{ scope = \"instance\", token_file = \"token-boss\" }, \"org:acme\", \"user\", \"repo:acme/site\"");
    // The only machine is taken until all lists show all jobs.
    let first = world.push("first", &world.held("first"));
    world.start(&[]);
    world.until_is(&first, Status::Running);
    let expected = [
        ("of all", places.lone, Area::Instance),
        ("of the organization", places.docs, Area::Owner(world.organization)),
        ("of the user", places.home, Area::Owner(places.dana)),
        ("of the repository", world.repository, Area::Repository(world.repository)),
    ];
    let jobs: Vec<Pushed> = expected.iter().map(|(name, repo, _)| push(&world.emulator, *repo, name)).collect();
    let lists = ["admin", "orgs/acme", "user", "repos/acme/site"].map(|scope| count_lists(&world, scope));
    // A second call follows when the first one's answer has been read.
    world.until("all are listed", || lists.iter().all(|&list| world.emulator.faults().fired(list) > 2));
    world.let_go("first");
    world.until("all have ended", || jobs.iter().all(|job| world.attempt(job).ended_at.is_some()));
    for (job, (name, _, area)) in jobs.iter().zip(expected) {
        let areas: Vec<Area> = world.registrations(job).iter().map(|registration| registration.area).collect();
        assert_eq!(areas, [area], "{name}");
    }
    world.check_success(&jobs);
    world.check_nothing_left();
}

#[test]
fn a_job_of_a_scope_that_is_refused_is_served_by_the_wider_one_that_shows_it() {
    let mut world = World::new(&Setup::new(2));
    Places::build(&world);
    serve(&world, "{ scope = \"instance\", token_file = \"token-boss\" }, \"repo:acme/site\"");
    let refused = break_scope(&world, "/api/v1/repos/acme/site/", Effect::status(403));
    let job = push(&world.emulator, world.repository, "job");
    world.start(&[]);
    world.until_is(&job, Status::Success);
    assert!(world.emulator.faults().fired(refused) > 0, "the narrower scope was not asked");
    let areas: Vec<Area> = world.registrations(&job).iter().map(|registration| registration.area).collect();
    assert_eq!(areas, [Area::Instance]);
    world.check_success(&[job]);
    world.check_nothing_left();
}

#[test]
fn where_runners_in_reach_cannot_be_listed_the_scopes_own_are() {
    let mut world = World::new(&Setup::new(1));
    let in_reach = Matcher::target(|kind, _, target| kind == RouteKind::ListRunners && target.contains("visible=true"));
    let broken = world.emulator.faults().add(FaultRule::always(in_reach, Effect::status(500)));
    let job = push(&world.emulator, world.repository, "job");
    world.start(&[]);
    world.until_is(&job, Status::Success);
    world.until("the list is tried again", || world.emulator.faults().fired(broken) > 1);
    let lists = world.emulator.calls().of(RouteKind::ListRunners);
    assert!(lists > u64::from(world.emulator.faults().fired(broken)), "the scope's own list was never asked for");
    assert!(!world.explain("all").contains("runners are not seen"), "{}", world.explain("all"));
    world.check_success(&[job]);
    world.check_nothing_left();
}

#[test]
fn a_scope_that_is_refused_delays_no_other() {
    check_broken_scope(Effect::status(403));
}

#[test]
fn a_scope_that_fails_delays_no_other() {
    check_broken_scope(Effect::status(500));
}

#[test]
fn a_scope_that_drops_its_connections_delays_no_other() {
    check_broken_scope(Effect::DropAnswer);
}

#[test]
fn a_scope_whose_lists_are_cut_delays_no_other() {
    check_broken_scope(Effect::CutBody);
}

#[test]
fn a_scope_that_hangs_delays_no_other() {
    let mut world = World::new(&Setup::new(1).limit("forge_deadline", "5m"));
    let places = Places::build(&world);
    serve(&world, "\"org:acme\", \"user\"");
    world.start(&[]);
    let before = push(&world.emulator, world.repository, "before");
    world.until_is(&before, Status::Success);
    let hanging = break_scope(&world, "/api/v1/orgs/acme/actions/runners/jobs", Effect::DelayAnswer(FOR_EVER));
    world.until("it hangs", || world.emulator.faults().fired(hanging) == 1);
    let waiting = push(&world.emulator, world.repository, "waiting");
    let jobs: Vec<Pushed> = (0..3).map(|number| push(&world.emulator, places.home, &format!("job {number}"))).collect();
    world.until("the others have ended", || jobs.iter().all(|job| world.is(job, Status::Success)));
    // The very call that hung before them still hangs.
    assert_eq!(world.emulator.faults().fired(hanging), 1);
    assert_eq!(world.attempt(&waiting).hand_outs, 0);
    world.check_success(&jobs);

    // What hangs is waited for until its deadline, so the next daemon does the rest.
    world.emulator.faults().clear();
    assert_eq!(world.terminate(), Some(0), "the daemon's exit status");
    change_config(&world, "forge_deadline = \"5m\"", "forge_deadline = \"5s\"");
    world.start(&[]);
    world.until_is(&waiting, Status::Success);
    world.check_success(&[before, waiting]);
    world.check_nothing_left();
}

/// The organization's scope is broken from the start: the user's jobs run, one after the other, and the organization's
/// as soon as it is mended.
#[track_caller]
fn check_broken_scope(effect: Effect) {
    let mut world = World::new(&Setup::new(1));
    let places = Places::build(&world);
    serve(&world, "\"org:acme\", \"user\"");
    let broken = break_scope(&world, "/api/v1/orgs/acme/", effect);
    let waiting = push(&world.emulator, world.repository, "waiting");
    let jobs: Vec<Pushed> = (0..3).map(|number| push(&world.emulator, places.home, &format!("job {number}"))).collect();
    world.start(&[]);
    world.until("the others have ended", || jobs.iter().all(|job| world.is(job, Status::Success)));
    assert!(world.emulator.faults().fired(broken) > 0, "the broken scope was not asked");
    assert_eq!(world.attempt(&waiting).hand_outs, 0);
    world.emulator.faults().clear();
    world.until_is(&waiting, Status::Success);
    world.check_success(&jobs);
    world.check_success(&[waiting]);
    world.check_nothing_left();
}

#[test]
fn two_forges_with_the_same_handles_are_both_served() {
    let mut world = World::new(&Setup::new(2));
    let other = OtherForge::start();
    serve_also(&world, &other.emulator.url());
    let here = push(&world.emulator, world.repository, "here");
    let there = push(&other.emulator, other.repository, "there");
    assert_eq!(here.handle, there.handle, "the forges were to draw the same handle");
    world.start(&[]);
    world.until_is(&here, Status::Success);
    world.until("the other's is done", || other.hand_outs(&there) == (Status::Success, 1));
    world.check_success(&[here]);
    world.check_nothing_left();
    other.check_nothing_left(1);
}

#[test]
fn a_forge_that_hangs_delays_no_other() {
    let mut world = World::new(&Setup::new(1).limit("forge_deadline", "5m"));
    let other = OtherForge::start();
    serve_also(&world, &other.emulator.url());
    let hanging = other.emulator.faults().add(FaultRule::always(Matcher::any(), Effect::DelayRequest(FOR_EVER)));
    let there = push(&other.emulator, other.repository, "there");
    world.start(&[]);
    world.until("it hangs", || other.emulator.faults().fired(hanging) > 0);
    let asked = other.emulator.faults().fired(hanging);
    let jobs: Vec<Pushed> =
        (0..3).map(|number| push(&world.emulator, world.repository, &format!("job {number}"))).collect();
    world.until("the others have ended", || jobs.iter().all(|job| world.is(job, Status::Success)));
    // Whatever was asked hangs still: nothing else was asked again.
    let later = other.emulator.faults().fired(hanging);
    assert!(later <= asked + 2, "asked {asked} times, then {later} times");
    assert_eq!(other.hand_outs(&there).1, 0);
    world.check_success(&jobs);
    world.check_nothing_left();
    other.check_nothing_left(0);
}

#[test]
fn a_forge_that_is_down_delays_no_other() {
    let mut world = World::new(&Setup::new(1));
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    // Nobody listens there any more.
    serve_also(&world, &format!("http://127.0.0.1:{port}"));
    let jobs: Vec<Pushed> =
        (0..3).map(|number| push(&world.emulator, world.repository, &format!("job {number}"))).collect();
    world.start(&[]);
    world.until("they have ended", || jobs.iter().all(|job| world.is(job, Status::Success)));
    world.check_success(&jobs);
    world.check_nothing_left();
}

/// Repositories beside the one that every world has.
struct Places {
    dana: OwnerId,
    /// Of the organization.
    docs: RepoId,
    /// Of the user.
    home: RepoId,
    /// Of an organization that no scope but the instance shows.
    lone: RepoId,
}

impl Places {
    /// Makes them, and a site administrator whose token is in `token-boss`.
    fn build(world: &World) -> Self {
        let (places, token) = world.emulator.with_forge(|forge, _| {
            let boss = forge.create_user("boss", true);
            let token = forge.create_token(boss, TokenSpec::new(&[TokenScope::All])).expect("a token");
            let dana = forge.owner_named("dana").expect("a user").id;
            let zeta = forge.create_organization("zeta", &[boss]);
            let mut create = |owner, name| forge.create_repository(owner, name, false).expect("a repository");
            let docs = create(world.organization, "docs");
            let home = create(dana, "home");
            (Self { dana, docs, home, lone: create(zeta, "lone") }, token)
        });
        write(&world.place.path().join("token-boss"), &token, 0o600);
        places
    }
}

/// Another forge, with an organization `acme` of its own, open to the same token.
struct OtherForge {
    emulator: Emulator,
    repository: RepoId,
    // Last, so that what runs on it is dropped before.
    _runtime: Runtime,
}

impl OtherForge {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let emulator = runtime.block_on(Emulator::start(EmulatorSettings::new(Version::V16))).expect("a forge");
        let repository = people(&emulator).1;
        Self { emulator, repository, _runtime: runtime }
    }

    fn hand_outs(&self, job: &Pushed) -> (Status, u32) {
        self.emulator.with_forge(|forge, _| {
            let attempt = forge.books().attempt(&job.handle).expect("an attempt");
            (attempt.status, attempt.hand_outs)
        })
    }

    /// Checks how many registrations there ever were, and that none is left.
    #[track_caller]
    fn check_nothing_left(&self, made: usize) {
        self.emulator.with_forge(|forge, _| {
            let all = forge.books().registrations();
            assert_eq!(all.len(), made, "{all:?}");
            assert!(all.iter().all(|row| row.end != RegistrationEnd::StillThere), "{all:?}");
        });
    }
}

/// Pushes a run of one short job.
fn push(emulator: &Emulator, repository: RepoId, name: &str) -> Pushed {
    emulator.with_forge(|forge, now| {
        let job = JobSpec::shell("build", &["debian"], "echo done").named(name);
        let run = forge.push_run(now, RunSpec::new(repository, "ci.yaml", vec![job])).expect("a run");
        let handle = forge.handle_of(forge.jobs_of_run(run)[0]).expect("a handle").clone();
        Pushed { run, handle }
    })
}

/// Lets the daemon serve these scopes instead.
fn serve(world: &World, scopes: &str) {
    change_config(world, "scopes = [\"org:acme\"]", &format!("scopes = [{scopes}]"));
}

/// Lets the daemon serve the organization `acme` of another forge as well.
fn serve_also(world: &World, url: &str) {
    let forge =
        format!("[[forge]]\nurl = \"{url}\"\ntoken_file = \"token\"\nscopes = [\"org:acme\"]\ninterval = \"200ms\"\n");
    change_config(world, "\n[[pool]]", &format!("\n{forge}\n[[pool]]"));
}

#[track_caller]
fn change_config(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(world.config()).expect("a configuration");
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {text}");
    fs::write(world.config(), text.replace(from, to)).expect("a written configuration");
}

/// Counts the lists of a scope's jobs from now on, by a rule that does no harm.
fn count_lists(world: &World, scope: &str) -> FaultId {
    let path = format!("/api/v1/{scope}/actions/runners/jobs");
    let list = Matcher::when(move |_, _, asked| asked == path);
    world.emulator.faults().add(FaultRule::always(list, Effect::DelayAnswer(Duration::ZERO)))
}

/// Breaks everything below a path.
fn break_scope(world: &World, path: &'static str, effect: Effect) -> FaultId {
    let below = Matcher::when(move |_, _, asked| asked.starts_with(path));
    world.emulator.faults().add(FaultRule::always(below, effect))
}
