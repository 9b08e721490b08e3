//! What blocked a job ends in the very moment in which the job's runner is taken back (protocol 2.11).
//!
//! ```text
//! decision ──── fence reaches the forge ──── answer ──── poll ──── stop ──── deletion
//!           ▲                            ▲
//!        Before                        After          the blocker ends
//! ```

use std::time::Duration;

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::script::{Concurrency, JobSpec};
use forge_model::{RegistrationEnd, Status, TaskId, Version};

use super::config::Setup;
use super::leftovers::Others;
use super::processes;
use super::rival::Rival;
use super::world::{Pushed, World};

/// The only label of a fenced runner.
const FENCE: &str = "forgescale-fenced";

/// How long the fence is on its way. It ends the test early if a machine is so slow that the blocked job is not taken
/// within it.
const ON_ITS_WAY: Duration = Duration::from_secs(3);

#[test]
fn a_runner_that_got_its_job_just_before_the_fence_keeps_it_on_15() {
    check_before(Version::V15);
}

#[test]
fn a_runner_that_got_its_job_just_before_the_fence_keeps_it_on_16() {
    check_before(Version::V16);
}

#[test]
fn a_runner_that_was_fenced_just_before_its_job_came_free_never_gets_it_on_15() {
    check_after(Version::V15, Effect::DelayAnswer(Duration::from_secs(1)));
}

#[test]
fn a_runner_that_was_fenced_just_before_its_job_came_free_never_gets_it_on_16() {
    check_after(Version::V16, Effect::DelayAnswer(Duration::from_secs(1)));
}

#[test]
fn a_fence_whose_answer_is_lost_holds() {
    check_after(Version::V16, Effect::DropAnswer);
}

/// A job that waits behind another one, with a runner of ours that has declared itself and asks for it in vain. The next
/// Declare is the fence.
struct Scene {
    world: World,
    rival: Rival,
    in_the_way: TaskId,
    blocked: Pushed,
    first: forge_model::RunnerId,
}

impl Scene {
    #[track_caller]
    fn set(version: Version) -> Self {
        let mut setup = Setup::new(2).limit("settle", "1s");
        setup.version = version;
        setup.pools[0].claim = "1s";
        let mut world = World::new(&setup);
        let rival = Rival::join(&world, &["elsewhere"]);
        let deploy = |name: &str, label: &str, script: &str| {
            world.push_job(JobSpec::shell("deploy", &[label], script).named(name), Concurrency::queue("production"))
        };
        let blocking = deploy("blue", "elsewhere", "echo");
        let in_the_way = rival.take(&world, &blocking);
        let blocked = deploy("green", "debian", &world.held("green"));
        world.start(&[]);
        world.until("a runner asks for the blocked job", || {
            world.registrations(&blocked).first().is_some_and(|first| !world.labels(first.id).is_empty())
        });
        let first = world.registrations(&blocked)[0].id;
        Self { world, rival, in_the_way, blocked, first }
    }

    /// To whom the blocked job was given.
    fn takers(&self) -> Vec<forge_model::RunnerId> {
        self.world.emulator.with_forge(|forge, _| {
            let hand_outs = forge.books().hand_outs().iter();
            hand_outs
                .filter(|hand_out| hand_out.handle == self.blocked.handle)
                .map(|hand_out| hand_out.runner)
                .collect()
        })
    }

    #[track_caller]
    fn end(mut self) {
        self.world.let_go("green");
        self.world.until_is(&self.blocked, Status::Success);
        self.world.check_success(std::slice::from_ref(&self.blocked));
        self.world.check_left_alone(&Others { runners: vec![self.rival.name], ..Others::default() });
    }
}

/// The blocker ends between the decision to release and the fence.
#[track_caller]
fn check_before(version: Version) {
    let scene = Scene::set(version);
    let world = &scene.world;
    let rule = FaultRule::once(Matcher::kind(RouteKind::Declare), Effect::DelayRequest(ON_ITS_WAY));
    let fence = world.emulator.faults().add(rule);
    world.until("the fence is on its way", || world.emulator.faults().fired(fence) == 1);
    scene.rival.finish(world, scene.in_the_way);
    world.until("the job is taken", || !scene.takers().is_empty());
    assert_eq!(scene.takers(), [scene.first]);
    assert_ne!(world.labels(scene.first), [FENCE], "the fence came first");

    // The fence comes while the job runs; the daemon sees whose the job is and leaves it alone.
    world.until("the runner is fenced", || world.labels(scene.first) == [FENCE]);
    world.until("the daemon sees it run", || world.logged("its job runs after all"));
    world.until_explained(&scene.blocked, &["why:        runs on fs-"]);
    assert!(world.is(&scene.blocked, Status::Running));
    assert_eq!(world.registrations(&scene.blocked).len(), 1);
    scene.end();
}

/// The blocker ends between the fence and the stop.
#[track_caller]
fn check_after(version: Version, answer: Effect) {
    let scene = Scene::set(version);
    let world = &scene.world;
    world.emulator.faults().add(FaultRule::once(Matcher::kind(RouteKind::Declare), answer));
    world.until("the runner is fenced", || world.labels(scene.first) == [FENCE]);
    scene.rival.finish(world, scene.in_the_way);
    assert!(!processes::of_deployment(&world.deployment).is_empty(), "the runner was stopped before the job came free");

    world.until("the job is taken", || !scene.takers().is_empty());
    let registrations = world.registrations(&scene.blocked);
    let [first, second] = registrations.as_slice() else { panic!("not two registrations: {registrations:#?}") };
    assert_eq!(scene.takers(), [second.id]);
    assert!(matches!(first.end, RegistrationEnd::Deleted(_)), "{first:?}");
    scene.end();
}
