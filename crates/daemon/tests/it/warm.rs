//! Machines that wait for their job.

use forge_model::Status;
use forge_model::script::Concurrency;

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
