//! Machines without a job that are too old are replaced, one at a time.

use std::time::Duration;

use planner::action::Leaving;

use super::{changed, kept};
use crate::scene::{INTERVAL, Scene};

const MAX_AGE: Duration = Duration::from_mins(10);

/// Two machines that have just become too old, in a pool of so many.
fn too_old(max: u32) -> Scene {
    let mut scene = kept(changed(2, |policy| {
        policy.pools[0].warm.max_age = MAX_AGE;
        policy.pools[0].max = max;
    }));
    scene.goes_on(100);
    assert_eq!(scene.took(), [""; 0], "they are young");
    scene.passes(MAX_AGE);
    scene
}

#[test]
fn where_there_is_room_another_is_made_first() {
    let mut scene = too_old(3);
    let before = scene.names();
    scene.polls(3);
    assert_eq!(scene.took(), ["create_warm"], "one at a time");
    scene.does("create_warm");
    assert_eq!(scene.took(), ["destroy_warm"]);
    scene.polls(3);
    assert_eq!(scene.took(), [""; 0], "the next one waits for that");
    scene.goes_on(4);
    assert_eq!(scene.waiting(), 2);
    assert!(scene.names().is_disjoint(&before));
}

#[test]
fn where_there_is_none_it_goes_first() {
    let mut scene = too_old(2);
    scene.polls(3);
    assert_eq!(scene.left_for(), [Leaving::TooOld]);
    scene.does("destroy_warm");
    assert_eq!(scene.took(), ["create_warm"]);
    scene.does("create_warm");
    assert_eq!(scene.left_for(), [Leaving::TooOld], "then the next");
    scene.goes_on(3);
    assert_eq!(scene.waiting(), 2);
    scene.goes_on(20);
    assert!(scene.took().len() < 6);
}

#[test]
fn what_cannot_be_made_anew_stays() {
    let mut scene = too_old(2);
    let mut lost_one = false;
    for _ in 0..30 {
        scene.poll();
        while let Some((_, action)) = scene.open.first().cloned() {
            if action.word() == "create_warm" {
                scene.answers("create_warm", crate::scene::refused(planner::error_class::ErrorClass::Permanent));
                lost_one = true;
            } else {
                scene.does(action.word());
            }
        }
    }
    assert!(lost_one);
    assert_eq!(scene.waiting(), 1, "the other one is kept, since no other can be had");
}

#[test]
fn the_age_counts_from_the_making() {
    let mut scene = kept(changed(1, |policy| policy.pools[0].warm.max_age = MAX_AGE));
    let mut ages = Vec::new();
    let mut before = scene.names();
    let mut made = scene.now;
    for _ in 0..700 {
        scene.passes(INTERVAL);
        scene.goes_on(1);
        if scene.names() != before {
            before = scene.names();
            ages.push(scene.now.since(made));
            made = scene.now;
        }
    }
    assert!(ages.len() >= 5 && ages.iter().all(|age| *age > MAX_AGE && *age < MAX_AGE + INTERVAL * 8), "{ages:?}");
}
