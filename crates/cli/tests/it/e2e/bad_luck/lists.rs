//! Job lists that are strange: cut short, with a row that cannot be read, with words of a later version.

use emulator::{Effect, FaultRule, Matcher, RouteKind};
use forge_model::Status;
use serde_json::{Value, json};

use super::{MANY_POLLS, check_served, until_polled, with_bystander};
use crate::e2e::config::Setup;

/// Changes each row of the job lists.
fn change_rows(change: impl Fn(&mut Value) + Send + Sync + 'static) -> FaultRule {
    let effect = Effect::rewrite(move |body| {
        let mut rows: Value = serde_json::from_str(&body).expect("a list");
        rows.as_array_mut().into_iter().flatten().for_each(&change);
        rows.to_string()
    });
    FaultRule::always(Matcher::kind(RouteKind::ListJobs), effect)
}

#[test]
fn a_bad_row_in_the_place_of_a_running_job_ends_nothing() {
    let (world, bystander) = with_bystander(&Setup::new(3), |_| {});
    let handle = bystander.job.handle.to_string();
    let breaks: [fn(&mut Value); 3] =
        [|row| row["id"] = json!("many"), |row| row["handle"] = json!(7), |row| *row = json!("a row")];
    for (number, break_row) in breaks.into_iter().enumerate() {
        let handle = handle.clone();
        let broken = change_rows(move |row| {
            if row["handle"] == json!(handle) {
                break_row(row);
            }
        });
        let fault = world.emulator.faults().add(broken);
        until_polled(&world, MANY_POLLS);
        bystander.check_untouched(&world);
        // The rows around it are read.
        check_served(&world, &[world.push(&format!("job {number}"), "echo served")]);
        world.emulator.faults().remove(fault);
    }
    bystander.finish(world);
}

#[test]
fn an_unknown_status_and_unknown_fields_end_and_launch_nothing() {
    let (world, bystander) = with_bystander(&Setup::new(3), |_| {});
    let later = change_rows(|row| {
        row["status"] = json!("ready");
        row["colour"] = json!({ "red": [1, null] });
    });
    let later = world.emulator.faults().add(later);
    let waiting = world.push("waiting", "echo served");
    world.until_explained(&waiting, &["in a state that is not known"]);
    until_polled(&world, MANY_POLLS);
    bystander.check_untouched(&world);
    assert!(world.registrations(&waiting).is_empty());
    world.emulator.faults().remove(later);

    // Fields alone change nothing.
    let fields = change_rows(|row| row["colour"] = json!({ "red": [1, null] }));
    world.emulator.faults().add(fields);
    check_served(&world, &[waiting, world.push("next", "echo served")]);
    bystander.finish(world);
}

#[test]
fn a_list_without_its_end_is_an_alert_proves_no_absence_and_what_it_shows_is_served() {
    let (world, bystander) = with_bystander(&Setup::new(3), |_| {});
    let handle = bystander.job.handle.to_string();
    let cut = Effect::rewrite(move |body| {
        let rows: Vec<Value> = serde_json::from_str::<Option<_>>(&body).expect("a list").unwrap_or_default();
        let others = rows.iter().filter(|row| row["handle"] != json!(handle));
        let mut text = "[".to_owned();
        others.for_each(|row| text.extend([row.to_string().as_str(), ","]));
        text
    });
    let fault = world.emulator.faults().add(FaultRule::always(Matcher::kind(RouteKind::ListJobs), cut));
    let waiting = world.push("waiting", "echo served");
    world.until_is(&waiting, Status::Success);
    until_polled(&world, MANY_POLLS);
    let all = world.explain("all");
    assert!(all.contains("a list could not be read to its end: the jobs of org:acme"), "{all}");
    bystander.check_untouched(&world);
    world.emulator.faults().remove(fault);
    check_served(&world, &[waiting, world.push("next", "echo served")]);
    bystander.finish(world);
}
