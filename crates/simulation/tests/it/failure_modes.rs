//! The table of failure modes is complete, and what it names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// How many rows of each letter, and how many defects of each program there are.
const COUNTS: [(&str, usize); 19] = [
    ("fj-bellows", 10),
    ("runnerforge", 8),
    ("farm", 6),
    ("flanforge", 2),
    ("shaula", 5),
    ("ephemeral-runner", 3),
    ("anas", 5),
    ("nsc", 6),
    ("keda", 3),
    ("goodmanners", 1),
    ("ephemerd", 1),
    ("rustunit", 4),
    ("f33rx", 2),
    ("bapung", 1),
    ("bearlyplayz", 1),
    ("hfra", 1),
    ("F", 43),
    ("P", 17),
    ("G", 10),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[expect(clippy::disallowed_methods, reason = "the table and the sources are read")]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each row: its name, what goes wrong, and what proves it.
fn rows() -> Vec<[String; 3]> {
    let text = read(&repository().join("docs/reference/failure-modes.md"));
    let cells = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        match <[String; 5]>::try_from(cells) {
            Ok([_, row, wrong, proof, _]) => [row, wrong, proof],
            Err(cells) => panic!("not three cells: {cells:?}"),
        }
    };
    let is_row = |line: &&str| line.starts_with('|') && !line.starts_with("| Row ") && !line.starts_with("|---");
    let table = text.split("\n## Scenarios that were seen red").next().unwrap_or_default();
    table.lines().filter(is_row).map(cells).collect()
}

/// What stands between backticks.
fn quoted(proof: &str) -> impl Iterator<Item = &str> {
    proof.split('`').skip(1).step_by(2)
}

/// The rows of the backends' suite that a proof names in quotation marks.
fn conformance_rows(proof: &str) -> impl Iterator<Item = &str> {
    proof.split('"').skip(1).step_by(2)
}

/// The files of scenarios to which a proof links.
fn linked(proof: &str) -> impl Iterator<Item = &str> {
    proof.split("tests/scenarios/").skip(1).filter_map(|rest| rest.split(')').next())
}

/// All source files of a crate, by the module that they hold: `e2e::kills`, or nothing for the root.
fn modules(place: &Path, module: &str, all: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        let below = if module.is_empty() { stem.clone() } else { format!("{module}::{stem}") };
        if path.is_dir() {
            modules(&path, &below, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = if matches!(stem.as_str(), "mod" | "main" | "lib") { module } else { &below };
            all.entry(module.to_owned()).or_default().push_str(&read(&path));
        }
    }
}

/// The deliberate defects of the planner and the scenarios that the last table names for each of them.
fn seen_red() -> BTreeMap<String, Vec<String>> {
    let text = read(&repository().join("docs/reference/failure-modes.md"));
    let table = text.split("\n## Scenarios that were seen red").nth(1).expect("the last table");
    let mut all = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [broken, red] = cells[..] else { panic!("not two cells: {line}") };
        let broken: Vec<&str> = quoted(broken).collect();
        let red: Vec<&str> = red.split(';').collect();
        assert_eq!(broken.len(), red.len(), "{line}");
        for (defect, files) in broken.into_iter().zip(red) {
            all.insert(defect.to_owned(), files.split(',').map(|file| file.trim().to_owned()).collect());
        }
    }
    all
}

#[test]
fn every_deliberate_defect_has_its_scenarios_or_is_said_to_break_nearly_all() {
    let text = read(&repository().join("docs/reference/failure-modes.md"));
    let (_, below) = text.split_once("\n## Scenarios that were seen red").expect("the last table");
    let named: BTreeSet<&str> = quoted(below).filter(|name| !name.contains("::")).collect();
    let all: Vec<String> = planner::sabotage::Sabotage::ALL.iter().map(|defect| format!("{defect:?}")).collect();
    assert_eq!(named, all.iter().map(String::as_str).collect());
    assert!(seen_red().values().flatten().all(|file| scenario(file).is_file()), "{:?}", seen_red());
}

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(format!("{name}.txt"))
}

#[cfg(feature = "sabotage")]
mod sabotage {
    use simulation::Scenario;
    use simulation::sabotage::{Sabotage, choose};

    #[test]
    fn scenarios_are_red_as_the_table_says() {
        for (defect, files) in super::seen_red() {
            let sabotage = Sabotage::ALL.iter().copied().find(|sabotage| format!("{sabotage:?}") == defect);
            for file in files {
                let scenario = Scenario::parse(&super::read(&super::scenario(&file))).expect("a scenario");
                choose(Some(sabotage.expect("a defect")));
                let broken = scenario.play().broken;
                choose(None);
                assert!(broken.is_some(), "{defect} does not break {file}");
            }
        }
    }
}

#[test]
fn every_failure_mode_has_one_row() {
    let mut expected = BTreeSet::new();
    for (name, count) in COUNTS {
        let prefix = if name.len() == 1 { name.to_owned() } else { format!("D-{name}-") };
        expected.extend((1..=count).map(|number| format!("{prefix}{number}")));
    }
    let rows: Vec<String> = rows().into_iter().map(|[row, ..]| row).collect();
    let named: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(named, expected);
    assert_eq!(rows.len(), expected.len(), "a row appears twice");
}

#[test]
fn every_row_is_proven_or_says_why_it_cannot_occur() {
    for [row, wrong, proof] in rows() {
        assert!(wrong.len() > 20, "{row} does not say what goes wrong");
        match proof.strip_prefix("Cannot occur:") {
            Some(reason) => assert!(reason.trim().len() > 40, "{row} does not say why"),
            None => assert!(quoted(&proof).count() + linked(&proof).count() > 0, "{row} is proven by nothing"),
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut crates: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for [row, _, proof] in rows() {
        for name in quoted(&proof) {
            let (of, rest) = name.split_once("::").unwrap_or_else(|| panic!("{row}: {name} names no crate"));
            let (module, test) = rest.rsplit_once("::").unwrap_or(("", rest));
            let sources = crates.entry(of.to_owned()).or_insert_with(|| {
                let mut all = BTreeMap::new();
                let place = repository().join("crates").join(of);
                modules(&place.join("src"), "", &mut all);
                modules(&place.join("tests/it"), "", &mut all);
                all
            });
            let source = sources.get(module).map(String::as_str).unwrap_or_default();
            let found = [format!("fn {test}("), format!(" {test}: "), format!("({test},")];
            assert!(found.iter().any(|form| source.contains(form)), "{row}: there is no test {name}");
        }
    }
}

#[test]
fn every_row_of_the_backends_suite_that_is_named_exists() {
    let suite = read(&repository().join("crates/backend/src/conformance/rows/mod.rs"));
    let rows = rows();
    let named: Vec<(&str, &str)> = rows
        .iter()
        .flat_map(|[row, _, proof]| conformance_rows(proof).map(move |words| (row.as_str(), words)))
        .collect();
    assert!(named.len() > 5, "{named:?}");
    for (row, words) in named {
        assert!(suite.contains(&format!("\"{words}\"")), "{row}: no row of the backends' suite is called {words}");
    }
}

#[test]
fn every_scenario_is_linked_in_the_row_of_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files: BTreeSet<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut all = BTreeSet::new();
    for [row, _, proof] in rows() {
        for file in linked(&proof) {
            assert!(files.contains(file), "{row}: there is no scenario {file}");
            all.insert(file.to_owned());
        }
        let own = format!("{row}.txt");
        assert!(!files.contains(&own) || linked(&proof).any(|file| file == own), "{row} does not link to {own}");
    }
    // What shrinking has written tells of a seed and not of a row.
    let of_rows: BTreeSet<String> = files.into_iter().filter(|file| !file.starts_with("seed-")).collect();
    assert_eq!(all, of_rows, "a scenario has no row");
}
