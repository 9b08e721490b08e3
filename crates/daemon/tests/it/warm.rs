//! Machines that wait for their job.

use forge_model::script::Concurrency;
use forge_model::{Handle, Status};

use crate::world::World;

#[tokio::test]
async fn a_job_gets_a_machine_that_waits_which_goes_with_it_and_another_one_is_made() {
    let mut world = World::new("max = 4\nwarm = 2").await;
    world.until_ready(2).await;
    let before = world.names().await;
    assert_eq!((before.len(), world.registrations()), (2, 0), "nothing is registered ahead");

    let job = world.push(Concurrency::unlimited());
    let (machine, launch) = world.until_started(&job, 1).await;
    assert!(before.contains(&machine), "{machine} of {before:?}");
    let task = world.ask(&launch).expect("its job");
    world.until("another one is made", || world.report().pools[0].used == 3).await;
    world.succeed(&machine, &launch, task);
    world.until_ready(2).await;
    assert_eq!((world.status(&job), world.registrations()), (Status::Success, 1));
    let after = world.names().await;
    let kept: Vec<_> = before.iter().filter(|name| after.contains(name)).collect();
    assert_eq!(kept, before.iter().filter(|name| **name != machine).collect::<Vec<_>>());
    world.drain().await;
    assert!(world.names().await.is_empty(), "a drain removes them");
}

#[tokio::test]
async fn a_stop_leaves_them_and_the_next_life_uses_them() {
    let mut world = World::new("max = 4\nwarm = 2").await;
    world.until_ready(2).await;
    let before = world.names().await;
    world.stop().await;
    assert_eq!(world.names().await, before);
    world.start();
    world.until_ready(2).await;
    assert_eq!(world.names().await, before);
    let job = world.push(Concurrency::unlimited());
    let (machine, launch) = world.until_started(&job, 1).await;
    assert!(before.contains(&machine), "{machine} of {before:?}");
    let task = world.ask(&launch).expect("its job");
    // Bound, it is found as what its job runs on.
    world.stop().await;
    world.start();
    world
        .until("it is known to run", || {
            let report = world.report();
            report
                .jobs
                .iter()
                .any(|of| of.handle.as_str() == job.as_str() && of.reason.to_string().contains(machine.as_str()))
        })
        .await;
    world.succeed(&machine, &launch, task);
    world.until_ready(2).await;
    assert_eq!((world.status(&job), world.registrations()), (Status::Success, 1));
    world.drain().await;
}

#[tokio::test]
async fn the_hour_says_how_many() {
    let always = "[[pool.warm_schedule]]\nfrom = \"00:00\"\nto = \"24:00\"\ntimezone = \"UTC\"\nwarm = 3";
    let mut world = World::new(&format!("max = 4\nwarm = 1\n{always}")).await;
    world.until_ready(3).await;
    world.drain().await;
}

#[tokio::test]
async fn what_is_taken_back_from_jobs_that_are_held_back_serves_others_and_none_is_made_in_its_place() {
    let mut world = World::new("max = 4\nwarm = 1").await;
    world.until_ready(1).await;
    let jobs: Vec<Handle> = (0..5).map(|_| world.push(Concurrency::queue("deploy"))).collect();
    let mut asked = 0;
    // The first holds the others back until runners were taken back from two.
    let mut held = None;
    world
        .until("all jobs have succeeded", || {
            let started = world.started();
            let new = &started[asked..];
            asked = started.len();
            let first = new.iter().map(|(machine, launch)| (machine, launch, world.ask(launch)));
            let again = started.iter().map(|(machine, launch)| (machine, launch, world.ask_again(launch)));
            for (machine, launch, task) in first.chain(again) {
                match task {
                    Some(task) if world.taken_back() >= 2 => world.succeed(machine, launch, task),
                    Some(task) => held = Some((machine.clone(), launch.clone(), task)),
                    None => {}
                }
            }
            if world.taken_back() >= 2
                && let Some((machine, launch, task)) = held.take()
            {
                world.succeed(&machine, &launch, task);
            }
            jobs.iter().all(|job| world.status(job) == Status::Success)
        })
        .await;
    world.until_ready(1).await;
    assert!(world.made() <= jobs.len() + 1, "{} machines for {} jobs", world.made(), jobs.len());
    world.drain().await;
}
