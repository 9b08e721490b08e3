//! The same forge and scope, written in another way: what carries them is still ours.

use forge_model::Status;

use super::config::Setup;
use super::control::ask;
use super::world::World;
use crate::check_quiet;

#[test]
fn a_running_job_goes_on_when_its_forge_and_scope_are_written_in_another_way() {
    let mut world = World::new(&Setup::new(2));
    let plain = world.emulator.url().replace("127.0.0.1", "localhost");
    let (slash, capitals) = (format!("{plain}/"), plain.to_uppercase());
    world.rewrite(&world.emulator.url(), &plain);
    let job = world.push("running", &world.held("running"));
    world.start(&[]);
    world.until_is(&job, Status::Running);
    world.until_explained(&job, &["why:        runs on fs-"]);

    world.rewrite(&format!("\"{plain}\""), &format!("\"{slash}\""));
    let ran = ask(&world, "reload");
    check_quiet(&ran);
    assert_eq!(ran.out, "reloaded: no key has another value than before\n");
    world.rewrite(&format!("\"{slash}\""), &format!("\"{capitals}\""));
    world.rewrite("org:acme", "org:ACME");
    check_quiet(&ask(&world, "reload"));
    world.until_explained(&job, &["why:        runs on fs-"]);

    // What is found after a restart is compared as well, with the store and without.
    world.kill();
    std::fs::remove_file(world.state().join("forgescale.sqlite")).expect("a store");
    world.rewrite(&format!("\"{capitals}\""), &format!("\"{slash}\""));
    world.start(&[]);
    world.until_explained(&job, &["why:        runs on fs-"]);
    let next = world.push("next", "echo served");
    world.until_is(&next, Status::Success);
    assert!(world.is(&job, Status::Running));
    world.let_go("running");
    world.until_is(&job, Status::Success);
    assert_eq!(world.registrations(&job).len(), 1);
    world.check_success(&[job, next]);
    world.check_nothing_left();
}
