//! The README cannot lie: its configuration is valid, its commands exist, and `.ci/run` runs what it promises.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::{check_quiet, forgescale, run};

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)).expect("a file of the project")
}

/// The fenced blocks of a language, in order.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    document.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_configuration_of_the_readme_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef01234567").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let runner = directory.path().join("forgejo-runner");
    fs::write(&runner, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).unwrap();
    let [configuration] = &blocks(&text("README.md"), "toml")[..] else { panic!("one configuration") };
    let file = directory.path().join("forgescale.toml");
    fs::write(&file, configuration.replace("/etc/forgescale/token", token.to_str().unwrap())).unwrap();

    let ran = run(forgescale(["config", "show", "--config", file.to_str().unwrap()]).env("PATH", directory.path()));
    check_quiet(&ran);
    assert!(ran.out.contains("ci-berlin"));
}

#[test]
fn every_command_of_the_readme_exists() {
    let help = run(&mut forgescale(["--help"])).out;
    let readme = text("README.md");
    let commands: Vec<String> = blocks(&readme, "sh")
        .concat()
        .lines()
        .filter_map(|line| line.strip_prefix("forgescale ")?.split(' ').next().map(str::to_owned))
        .collect();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands {
        assert!(help.contains(&format!("  {command} ")), "{command} is in the README and not in the help");
    }
}

#[test]
fn the_first_commands_are_two_and_the_ci_script_runs_them() {
    let readme = text("README.md");
    let first: Vec<String> = blocks(&readme, "sh").into_iter().take(2).map(|block| block.trim().to_owned()).collect();
    assert_eq!(first, ["cargo run --release -- demo", "cargo test --workspace"]);
    let script = text(".ci/run");
    for command in first {
        assert!(script.contains(&command), "{command}");
    }
}

/// The text of every Rust file below a folder.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).expect("a source"));
        }
    }
}

#[test]
fn the_tests_that_the_architecture_names_exist() {
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut all);
    let architecture = text("ARCHITECTURE.md");
    let (_, table) = architecture.split_once("| Invariant | Broken |").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with('|'));
    let named: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let (module, test) = name.rsplit_once("::").unwrap_or(("", name));
        let wanted = match test.trim_end_matches('*') {
            "" => format!("mod {module};"),
            start => format!("fn {start}"),
        };
        assert!(all.contains(&wanted), "{name} is in ARCHITECTURE.md and not in the tests");
    }
}
