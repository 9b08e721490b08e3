//! A job that runs for longer than its pool allows.

use super::config::Setup;
use super::world::World;

#[test]
fn a_job_that_runs_too_long_is_stopped_and_the_log_says_so() {
    let mut world = World::new(&Setup::new(1));
    world.rewrite("boot = \"60s\"", "boot = \"60s\"\nrun = \"1s\"");
    let job = world.push("endless", &world.held("never"));
    world.start(&[]);
    let over = "\"outcome\":\"ran_too_long\"";
    world.until("the log says that it ran too long", || world.logged(over) || world.logged("an assignment is over"));
    assert!(world.logged(over) && world.logged("a job ran too long and was stopped"));
    assert_eq!(world.attempt(&job).hand_outs, 1);
    world.check_nothing_left();
}
