//! Answers that are no answers, to every call but those of runners: those are not ours.

use std::time::Duration;

use emulator::{Effect, FaultRule, Matcher, RouteKind};

use super::{check_served, with_bystander};
use crate::e2e::config::Setup;

/// What a forge up to 15.0.3 answers when its database fails: an error, and an apparent success behind it (protocol 1.5).
const DOUBLED: &str = "{\"message\":\"database is locked\",\"url\":\"u\"}\n\
                       {\"id\":0,\"uuid\":\"d4637a60-7fea-4075-a81c-7e4ae01bdf0d\",\"token\":\"never\"}\n";

fn json() -> (String, String) {
    ("Content-Type".to_owned(), "application/json".to_owned())
}

fn doubled() -> Effect {
    Effect::Answer { status: 500, headers: vec![json()], body: DOUBLED.to_owned() }
}

fn slow_down() -> Effect {
    let pause = ("Retry-After".to_owned(), "1".to_owned());
    Effect::Answer { status: 429, headers: vec![json(), pause], body: "{\"message\":\"slow down\"}".to_owned() }
}

/// Every kind of trouble that an answer can be.
fn troubles() -> [Effect; 8] {
    [
        Effect::status(500),
        slow_down(),
        Effect::html(200),
        Effect::html(502),
        Effect::CutBody,
        Effect::DropAnswer,
        doubled(),
        Effect::DelayAnswer(Duration::from_mins(1)),
    ]
}

#[test]
fn a_forge_in_trouble_leaves_running_jobs_alone_and_launching_resumes() {
    let (world, bystander) = with_bystander(&Setup::new(4).limit("forge_deadline", "500ms"), |_| {});
    for (number, effect) in troubles().into_iter().enumerate() {
        let trouble = Matcher::when(|kind, _, _| !kind.is_rpc());
        let fault = world.emulator.faults().add(FaultRule::always(trouble, effect.clone()));
        let job = world.push(&format!("job {number}"), "echo served");
        // One that began before is answered well.
        world.until("some calls failed", || world.emulator.faults().fired(fault) >= 2);
        bystander.check_untouched(&world);
        world.emulator.faults().remove(fault);
        check_served(&world, &[job]);
    }
    bystander.finish(world);
}

#[test]
fn a_registration_in_trouble_is_tried_again_and_its_job_runs_once() {
    let (world, bystander) = with_bystander(&Setup::new(2).limit("forge_deadline", "500ms"), |_| {});
    let troubles = [doubled(), slow_down(), Effect::CutBody, Effect::DelayAnswer(Duration::from_mins(1))];
    for (number, effect) in troubles.into_iter().enumerate() {
        let fault = FaultRule::once(Matcher::kind(RouteKind::RegisterRunner), effect.clone());
        let fault = world.emulator.faults().add(fault);
        let job = world.push(&format!("job {number}"), "echo served");
        check_served(&world, &[job]);
        assert_eq!(world.emulator.faults().fired(fault), 1, "{effect:?}");
        bystander.check_untouched(&world);
    }
    bystander.finish(world);
}
