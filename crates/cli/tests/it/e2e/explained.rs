//! `explain` of a running daemon: each reason with its numbers.

use forge_model::Status;
use forge_model::script::{Concurrency, JobSpec};

use super::config::{Pool, Setup};
use super::rival::Rival;
use super::world::{Pushed, World};

#[test]
fn each_reason_is_told_with_its_numbers() {
    let mut setup = Setup::new(4).limit("suspect", "5m").limit("suspect_max", "10m").limit("park", "30m");
    setup.pools[0].claim = "1s";
    setup.pools.push(Pool::new("small", 1));
    let mut world = World::new(&setup);
    let job = |label: &str, script: &str| JobSpec::shell("build", &[label], script).named(&format!("on {label}"));

    let nowhere = world.push_job(job("windows", "echo never"), Concurrency::unlimited());
    let small = |name: &str| world.push_job(job("small", &world.held("small")).named(name), Concurrency::unlimited());
    let (first, second) = (small("first"), small("second"));
    let rival = Rival::join(&world, &["elsewhere"]);
    let in_the_way = world.push_job(job("elsewhere", "echo"), Concurrency::queue("production"));
    let task = rival.take(&world, &in_the_way);
    let blocked = world.push_job(job("debian", "echo deployed"), Concurrency::queue("production"));
    world.start(&[]);

    world.until_explained(&nowhere, &["state:      waiting", "no pool has the label `windows`\n"]);
    world.until_explained(&first, &["state:      running", "why:        runs on fs-"]);
    world.until_explained(&second, &["state:      waiting", "why:        pool small is full: 1 of 1 machines"]);
    world.until_explained(&blocked, &["held back by the forge", "released once, next try in ", "m "]);
    world.until_explained(&in_the_way, &["state:      running", "runs on a runner that is not ours"]);
    let all = world.explain("all");
    for job in [&nowhere, &first, &second, &blocked, &in_the_way] {
        assert!(all.contains(&format!("\n\n{}\n  job:", job.handle)), "{}\n{all}", job.handle);
    }
    for words in [
        "repository: acme/site at http://127.0.0.1",
        "  run:        id ",
        "(backend here, pool small) for",
        "its job runs",
    ] {
        assert!(all.contains(words), "{words}\n{all}");
    }

    // What is held back is tried again as soon as what blocked it has left, long before its rest is over.
    rival.finish(&world, task);
    world.let_go("small");
    let ours = [first, second, blocked];
    world.until("the jobs have ended", || ours.iter().all(|job| world.is(job, Status::Success)));
    world.check_success(&ours);
    let logged = |job: &Pushed| format!("\"job\":\"{}\",\"repository\":\"acme/site\",\"run\":{}", "second", job.run.0);
    assert!(world.logged(&logged(&ours[1])), "{}", logged(&ours[1]));
    world.cancel(&nowhere);
    world.check_left_alone(&super::leftovers::Others { runners: vec![rival.name], ..Default::default() });
}

#[test]
fn a_job_whose_launches_fail_backs_off_and_is_parked_with_an_alert() {
    // Long enough to be seen on a busy machine, too.
    let mut setup = Setup::new(1).limit("backoff", "5s").limit("backoff_max", "5s").limit("park", "30m");
    setup.pools.push(Pool { backend: "broken", ..Pool::new("odd", 3) });
    setup.broken_runner = Some("#!/bin/sh\necho 'cannot find my engine' >&2\nexit 1\n");
    let mut world = World::new(&setup);
    let bad = world.push_job(JobSpec::shell("build", &["odd"], "echo never"), Concurrency::unlimited());
    world.start(&[]);

    let why = "its runner ended without its job: exit code 1, cannot find my engine";
    world.until_explained(&bad, &["why:        backing off for ", &format!(" after try 1: {why}")]);
    world.until_explained(&bad, &["why:        backing off for ", &format!(" after try 2: {why}")]);
    world.until_explained(&bad, &["why:        parked for ", "m ", &format!(" after 3 failed launches: {why}")]);
    let alert = format!("\nalerts\n  job {} is parked after 3 failed launches: {why}\n", bad.handle);
    let all = world.explain("all");
    assert!(all.contains(&alert), "{alert}\n{all}");
    assert_eq!(world.registrations(&bad).len(), 3);
    assert_eq!((world.attempt(&bad).status, world.attempt(&bad).hand_outs), (Status::Waiting, 0));

    // It keeps nobody else from running.
    let good = world.push("good", "echo fine");
    world.until_is(&good, Status::Success);
    world.check_success(&[good]);
    world.check_nothing_left();
}
