//! The rules that no compiler checks.
//!
//! The words that are looked for are put together from halves, so that this file does not breach its own rules.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tidy::Complaint;
use crate::tree::TextFile;

/// The crate that starts processes and needs one unsafe call for it.
const MAY_BE_UNSAFE: &str = "crates/backend-host/src/lib.rs";

/// Longer files have more than one subject.
const MOST_LINES: usize = 500;

/// What unfinished code is marked with.
const UNFINISHED: [&str; 4] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("db", "g!("), concat!("XX", "X:")];

/// Folders of whoever wrote the file.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// All breaches in one file.
pub(crate) fn of_file(file: &TextFile) -> Vec<Complaint> {
    let mut found = machine_paths(file);
    if is_source(&file.path) {
        found.extend(source(file));
        found.extend(forbids_unsafe(file));
    }
    if is_rust(&file.path) {
        found.extend(unfinished(file));
    }
    if file.path == "Cargo.toml" {
        found.extend(reasons_of_dependencies(file));
    } else if file.path.ends_with("/Cargo.toml") {
        found.extend(folder_is_crate(file));
        found.extend(no_sabotage(file));
    }
    found
}

/// All breaches that only the files together show.
pub(crate) fn of_tree(files: &[TextFile]) -> Vec<Complaint> {
    let folders: BTreeSet<&str> =
        files.iter().filter_map(|file| file.path.rsplit_once('/')).map(|(at, _)| at).collect();
    let beside = |file: &&TextFile| file.path.strip_suffix(".rs").is_some_and(|stem| folders.contains(stem));
    let rule = "a module with a folder is that folder's `mod.rs`, not a file beside it";
    files.iter().filter(beside).map(|file| complaint(file, None, rule)).collect()
}

fn complaint(file: &TextFile, line: Option<usize>, rule: impl Into<String>) -> Complaint {
    Complaint { path: file.path.clone(), line, rule: rule.into() }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// `crates/NAME/src/….rs`.
fn is_source(path: &str) -> bool {
    let mut parts = path.splitn(4, '/').skip(2);
    path.starts_with("crates/") && parts.next() == Some("src") && is_rust(path)
}

/// A breach for each line that holds one of the words.
fn lines_with(file: &TextFile, words: &[&str], rule: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if let Some(word) = words.iter().find(|word| line.contains(**word)) {
            found.push(complaint(file, Some(index + 1), format!("`{word}`: {rule}")));
        }
    }
    found
}

fn machine_paths(file: &TextFile) -> Vec<Complaint> {
    lines_with(file, &MACHINE_PATHS, "a path of somebody's machine")
}

fn unfinished(file: &TextFile) -> Vec<Complaint> {
    lines_with(file, &UNFINISHED, "finish it, or file an issue")
}

fn source(file: &TextFile) -> Vec<Complaint> {
    let mut found = Vec::new();
    if !file.text.starts_with("//!") {
        found.push(complaint(file, Some(1), "a module begins with what it is for: `//! …`"));
    }
    let lines = file.text.lines().count();
    if lines > MOST_LINES {
        found.push(complaint(file, None, format!("{lines} lines, more than {MOST_LINES}: one subject per file")));
    }
    found
}

fn forbids_unsafe(file: &TextFile) -> Option<Complaint> {
    let root = file.path.ends_with("/src/lib.rs") || file.path.ends_with("/src/main.rs");
    let forbids = file.text.lines().any(|line| line == "#![forbid(unsafe_code)]");
    (root && !forbids && file.path != MAY_BE_UNSAFE)
        .then(|| complaint(file, None, "a crate root has #![forbid(unsafe_code)]"))
}

fn folder_is_crate(file: &TextFile) -> Option<Complaint> {
    let folder = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
    if folder.contains('/') {
        return None; // a package within a crate's folder is none of the workspace
    }
    let named = file.text.lines().any(|line| line == format!("name = \"{folder}\""));
    (!named).then(|| complaint(file, None, format!("the crate in {folder} is not called so")))
}

/// Deliberate defects are for the simulation alone: no other crate may enable them.
fn no_sabotage(file: &TextFile) -> Vec<Complaint> {
    let allowed = ["crates/planner/Cargo.toml", "crates/simulation/Cargo.toml"];
    if allowed.contains(&file.path.as_str()) {
        return Vec::new();
    }
    lines_with(file, &["sabotage"], "no product has deliberate defects")
}

/// Each line of `[workspace.dependencies]`, other than our own crates, says why.
fn reasons_of_dependencies(file: &TextFile) -> Vec<Complaint> {
    let mut found = Vec::new();
    let mut table = "";
    for (index, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            table = line;
        }
        let dependency = table == "[workspace.dependencies]" && line.starts_with(|c: char| c.is_ascii_lowercase());
        if dependency && !line.contains("path = \"crates/") && !line.contains(" # ") {
            found.push(complaint(file, Some(index + 1), "a dependency has its reason beside it: `# …`"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that a file with this text has as many breaches, each with these words.
    fn check(path: &str, text: &str, count: usize, words: &str) {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        let found = of_file(&file);
        assert_eq!(found.len(), count, "{path}: {found:?}");
        assert!(found.iter().all(|complaint| complaint.rule.contains(words)), "{path}: {found:?}");
    }

    #[test]
    fn a_module_without_its_purpose_is_found() {
        check("crates/a/src/b.rs", "fn f() {}\n", 1, "what it is for");
        check("crates/a/src/b.rs", "//! B.\nfn f() {}\n", 0, "");
        check("crates/a/tests/it/main.rs", "fn f() {}\n", 0, "");
    }

    #[test]
    fn a_crate_root_that_allows_unsafe_code_is_found() {
        check("crates/a/src/lib.rs", "//! A.\n", 1, "forbid(unsafe_code)");
        check("crates/a/src/main.rs", "//! A.\n#![forbid(unsafe_code)]\n", 0, "");
        check(MAY_BE_UNSAFE, "//! A.\n", 0, "");
    }

    #[test]
    fn a_long_file_is_found() {
        let lines = |count: usize| format!("//! A.\n{}", "//\n".repeat(count - 1));
        check("crates/a/src/b/c.rs", &lines(501), 1, "501 lines");
        check("crates/a/src/b/c.rs", &lines(500), 0, "");
    }

    #[test]
    fn marks_of_unfinished_code_and_machine_paths_are_found() {
        for word in UNFINISHED {
            check("crates/a/tests/it/main.rs", &format!("// {word}\n"), 1, "finish it");
        }
        for path in MACHINE_PATHS {
            check("README.md", &format!("see {path}main\n\nand {path}other\n"), 2, "somebody's machine");
        }
    }

    #[test]
    fn a_crate_in_a_folder_of_another_name_is_found() {
        check("crates/a/Cargo.toml", "[package]\nname = \"b\"\n", 1, "not called so");
        check("crates/a/Cargo.toml", "[package]\nname = \"a\"\n", 0, "");
        check("crates/a/b/Cargo.toml", "[package]\nname = \"c\"\n", 0, "");
    }

    #[test]
    fn a_crate_that_enables_sabotage_is_found() {
        let manifest = "[package]\nname = \"a\"\nplanner = { features = [\"sabotage\"] }\n";
        check("crates/a/Cargo.toml", manifest, 1, "deliberate defects");
        check("crates/simulation/Cargo.toml", "name = \"simulation\"\nsabotage = []\n", 0, "");
    }

    #[test]
    fn a_module_beside_its_folder_is_found() {
        let file = |path: &str| TextFile { path: path.to_owned(), text: String::new() };
        let beside = [file("crates/a/src/b.rs"), file("crates/a/src/b/c.rs")];
        assert_eq!(of_tree(&beside).len(), 1);
        let within = [file("crates/a/src/b/mod.rs"), file("crates/a/src/b/c.rs"), file("crates/a/src/bc.rs")];
        assert!(of_tree(&within).is_empty());
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest =
            "[workspace.dependencies]\na = { path = \"crates/a\" }\nb = \"1\"\nc = \"1\" # why\n[profile.dev]\nd = 1\n";
        check("Cargo.toml", manifest, 1, "reason");
    }
}
