//! A backend that nobody answers for.

use std::fs;

use forge_model::Status;
use forge_model::script::{Concurrency, JobSpec};

use super::config::Setup;
use super::world::World;

#[test]
fn jobs_of_an_engine_that_is_away_say_so_and_all_others_run() {
    let mut world = World::new(&Setup::new(1));
    let socket = world.place.path().join("engine.sock");
    let far = format!(
        "\n[[pool]]\nname = \"far\"\nlabels = [\"far:docker://image:1\"]\nbackend = \"far\"\nmax = 1\n\
         \n[backend.far]\nkind = \"docker\"\nhost = \"unix://{}\"\nrunner = [\"{}\", \"stand-in-runner\"]\n\
         interval = \"200ms\"\n",
        socket.display(),
        env!("CARGO_BIN_EXE_forgescale")
    );
    let text = fs::read_to_string(world.config()).expect("a configuration");
    fs::write(world.config(), text + &far).expect("a written configuration");
    let waiting = world.push_job(JobSpec::shell("build", &["far"], "true"), Concurrency::unlimited());
    world.start(&[]);
    let words = ["backend far has been away for ", &format!("no connection to unix://{}", socket.display())];
    world.until_explained(&waiting, &words);
    world.until_told("an alert names it", |told| told.contains("  backend far is away; nothing new is made there"));
    let all = world.explain("all");
    assert!(all.contains("\nbackends that are not seen\n  far: away for "), "{all}");

    let job = world.push("job", "true");
    world.until_is(&job, Status::Success);
    assert_eq!(world.attempt(&waiting).hand_outs, 0);
    assert!(world.registrations(&waiting).is_empty() && world.explain("all").contains("backend far has been away"));
}
