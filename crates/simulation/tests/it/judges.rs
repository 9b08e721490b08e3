//! A rule that nothing can break says nothing: the table of `docs/concepts/safety.md` says how each was seen broken.

use std::collections::BTreeSet;
use std::fs;

use planner::sabotage::Sabotage;
use simulation::Rule;

#[expect(clippy::disallowed_methods, reason = "the table is read, and the tests that it names")]
fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
}

/// The rows of the table: the rule, its invariant, and what it was seen broken by.
fn rows() -> Vec<[String; 3]> {
    let text = read("../../docs/concepts/safety.md");
    let table =
        text.split("\n## Judges seen red\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a table");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).skip(1);
    let cells = rows.map(|row| row.split(" | ").map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| <[String; 3]>::try_from(cells).expect("three cells")).collect()
}

#[test]
fn the_table_of_rules_is_complete() {
    let named: Vec<(String, String)> = rows().into_iter().map(|[rule, invariant, _]| (rule, invariant)).collect();
    let all = Rule::ALL.iter().map(|rule| (rule.word().to_owned(), rule.invariant().to_string()));
    assert_eq!(named, all.collect::<Vec<_>>());
}

#[test]
fn every_defect_and_every_test_that_it_names_exists() {
    let defects: BTreeSet<&str> = Sabotage::ALL.iter().map(|defect| defect.word()).collect();
    let tests = read("src/judge/objections.rs") + &read("tests/it/scenarios.rs");
    for [rule, _, by] in rows() {
        let exists = match by.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
            Some(name) => tests.contains(&format!("#[test]\nfn {}()", name.rsplit("::").next().unwrap_or_default())),
            None => defects.contains(by.as_str()) || by.starts_with("by hand: "),
        };
        assert!(exists, "{rule}: {by}");
    }
}
