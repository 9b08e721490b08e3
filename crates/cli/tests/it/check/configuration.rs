//! The configuration's own mistakes and doubts, the two forms of output, and the status.

use serde_json::Value;

use super::place::Place;
use crate::{check_quiet, forgescale, run};

#[test]
fn five_mistakes_are_five_errors_with_places_and_hints_and_hide_nothing_else() {
    let place = Place::new();
    let text = place
        .text("\"org:acme\"", "intervall = \"3s\"")
        .replace("\"ci\"", "\"CI\"")
        .replace("max = 4", "max = \"4\"")
        .replace("\"here\"", "\"her\"")
        .replace("\"token\"", "\"no-such-token\"");
    place.write("c.toml", &text, 0o600);
    let found = place.found();
    let file = place.folder.path().join("c.toml");
    let places: Vec<String> = [(1, 14), (6, 14), (8, 1), (12, 11), (13, 7)]
        .map(|(line, column)| format!("{}:{line}:{column}", file.display()))
        .into();
    assert_eq!(found.subjects("error"), places, "{found:#?}");
    assert_eq!(found.status, Some(2));
    let (mistakes, others) = found.findings.split_at(5);
    assert!(mistakes.iter().all(|mistake| mistake.verdict == "error" && !mistake.hint.is_empty()), "{found:#?}");
    for (subject, words) in [
        ("runners' way to ", "runners reach the forge"),
        ("backend here", "12.8.2"),
        ("state_directory", "can be made"),
    ] {
        let found = others.iter().any(|other| other.subject.starts_with(subject) && other.message.contains(words));
        assert!(found, "{subject}: {others:#?}");
    }
    place.unchanged();
    let lines = place.run(&[]).out;
    assert!(lines.starts_with(&format!("error    {}: deployment: ", places[0])), "{lines}");
    assert!(lines.contains("(hint: did you mean `interval`?)"), "{lines}");
    assert!(lines.ends_with(" and 5 errors\n"), "{lines}");
}

#[test]
fn a_mistake_in_a_pool_hides_neither_a_lacking_right_nor_a_doubt() {
    let place = Place::new();
    place.token(place.dana, &[forge_model::TokenScope::Read(forge_model::Category::Organization)]);
    place.write("c.toml", &place.text("\"org:acme\"", "").replace("max = 4", "max = -4"), 0o600);
    place.finds("scope org:acme", "error", &["write:organization"]);
    place.finds(
        &place.folder.path().join("c.toml").display().to_string(),
        "error",
        &["pool[0].max: -4 is not between 0"],
    );
}

#[test]
fn a_slip_in_toml_itself_is_one_error() {
    let place = Place::new();
    place.write("c.toml", &place.text("\"org:acme\"", "").replace("\"org:acme\"]", "\"org:acme\""), 0o600);
    let found = place.found();
    assert_eq!((found.status, found.findings.len()), (Some(2), 1), "{found:#?}");
    assert!(found.has("", "error", &["is missing here or above"]), "{found:#?}");
}

#[test]
fn a_token_that_everybody_can_read_is_a_doubt_and_status_1_if_strict() {
    let place = Place::new();
    let token = std::fs::read_to_string(place.folder.path().join("token")).unwrap();
    place.write("token", &token, 0o644);
    let file = place.folder.path().join("c.toml").display().to_string();
    place.finds(&format!("{file}:6:"), "warning", &["everybody on this machine", "chmod 600"]);
    let ran = place.run(&[]);
    check_quiet(&ran);
    assert!(!ran.out.contains(&token), "{}", ran.out);
    assert!(ran.out.lines().count() > 8 && ran.out.lines().all(|line| line.len() < 400), "{}", ran.out);
    assert_eq!((place.run(&["--strict"]).status, place.run(&["--strict"]).err), (Some(1), String::new()));
}

#[test]
fn where_no_token_can_be_read_nothing_is_said_of_runners_that_nobody_looked_at() {
    let place = Place::new();
    assert!(place.found().findings.iter().any(|of| of.subject.starts_with("runners of ")), "they are looked at");
    place.write("token", "", 0o600);
    let found = place.found();
    assert!(!found.findings.iter().any(|of| of.subject.starts_with("runners of ")), "{found:#?}");
}

#[test]
fn json_holds_counts_and_findings() {
    let place = Place::new();
    let ran = place.run(&["--json", "--strict"]);
    assert_eq!((ran.status, ran.err.as_str()), (Some(1), ""));
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((json["warnings"].as_u64(), json["errors"].as_u64()), (Some(1), Some(0)));
    assert_eq!(json["ok"].as_u64(), Some(8));
    assert_eq!(json["findings"].as_array().unwrap().len(), 9);
    assert!(json["findings"][0]["hint"].is_null());
}

#[test]
fn a_configuration_that_is_not_there_is_an_error_like_any_other() {
    let ran = run(&mut forgescale(["check", "--config", "/nonexistent/c.toml"]));
    assert_eq!((ran.status, ran.err.as_str()), (Some(2), ""));
    assert!(
        ran.out.starts_with("error    configuration: cannot read the configuration /nonexistent/c.toml"),
        "{}",
        ran.out
    );
}

#[test]
fn a_directory_in_the_place_of_a_configuration_is_answered_with_a_hint() {
    for (command, words) in [("check", "(hint: name the file in it"), ("run", "hint: name the file in it")] {
        let ran = run(&mut forgescale([command, "--config", "/"]));
        assert_eq!(ran.status, Some(2), "{}", ran.err);
        assert!(format!("{}{}", ran.out, ran.err).contains(words), "{}{}", ran.out, ran.err);
    }
}
