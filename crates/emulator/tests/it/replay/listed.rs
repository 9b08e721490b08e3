//! Every recorded case is replayed or listed as not modelled, with a reason.

use std::collections::BTreeMap;

use super::Case;

pub(super) const V15: &str = include_str!("../../data/v15.jsonl");
pub(super) const V16: &str = include_str!("../../data/v16.jsonl");
const NOT_MODELLED: &str = include_str!("../../data/not-modelled.txt");

/// Most cases per version that may be left out.
const LIMIT: usize = 60;

/// Beginnings of names that may never be left out: what the autoscaler and its runners live on.
const MUST_BE_REPLAYED: [&str; 15] = [
    "jobs.",
    "register.",
    "runners.list.",
    "runner.",
    "rpc.",
    "declare.",
    "fetch.",
    "updatetask.",
    "updatelog.",
    "ephemeral.",
    "early-end.",
    "concurrency.",
    "cancel",
    "fetchtask.",
    "zombie.",
];

pub(super) fn cases(data: &str) -> Vec<Case> {
    data.lines().map(|line| serde_json::from_str(line).expect("a recorded exchange")).collect()
}

/// Names and reasons of the cases that one version does not replay.
pub(super) fn not_modelled(version: &str) -> BTreeMap<String, &'static str> {
    let mut listed = BTreeMap::new();
    for line in NOT_MODELLED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [versions, name, reason] = parts.as_slice() else { panic!("versions | case | reason: {line}") };
        assert!(versions.split(' ').all(|version| ["15", "16"].contains(&version)), "no such version: {line}");
        if versions.split(' ').any(|listed| listed == version) {
            assert!(listed.insert((*name).to_owned(), *reason).is_none(), "{name} is listed twice");
        }
    }
    listed
}

#[test]
fn what_is_left_out_exists_has_a_reason_and_stays_little() {
    for (version, data, recorded) in [("15", V15, 510), ("16", V16, 511)] {
        let cases = cases(data);
        assert_eq!(cases.len(), recorded, "exchanges are missing");
        let names: BTreeMap<&str, u16> = cases.iter().map(|case| (case.name.as_str(), case.status)).collect();
        assert_eq!(names.len(), recorded, "a name stands twice");
        let listed = not_modelled(version);
        assert!(listed.len() <= LIMIT, "{} cases of version {version} are left out", listed.len());
        for (name, reason) in &listed {
            assert!(names.contains_key(name.as_str()), "{name} was never recorded");
            assert!(reason.len() > 10, "{name} is left out without a reason");
            let needed = MUST_BE_REPLAYED.iter().any(|group| name.starts_with(group));
            assert!(!needed, "{name} must be replayed");
        }
        for (name, status) in names {
            assert!(listed.contains_key(name) || status != 0, "{name} is neither listed nor can it be replayed");
        }
    }
}

#[test]
fn every_group_that_matters_was_recorded() {
    for data in [V15, V16] {
        let cases = cases(data);
        for group in MUST_BE_REPLAYED {
            assert!(cases.iter().any(|case| case.name.starts_with(group)), "no case of {group}");
        }
    }
}
