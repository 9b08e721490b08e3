//! Scenario files: each is played, its expectations hold, and the reasons that were told are those that it keeps.
//!
//! `BLESS=1 cargo test -p simulation scenarios` writes the reasons anew.

use std::fs;
use std::path::{Path, PathBuf};

use simulation::Scenario;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the scenarios").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// What is wrong with a file, if anything.
#[expect(clippy::disallowed_methods, reason = "the files are read, and written where a person says so")]
fn check(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).expect("a scenario");
    let scenario = Scenario::parse(&text)?;
    let played = scenario.play();
    if let Some(broken) = played.broken {
        return Err(format!("{broken}\n{}", played.trace.join("\n")));
    }
    if played.reasons != scenario.reasons() {
        if std::env::var("BLESS").is_ok() {
            let kept = text.split("\nreasons\n").next().unwrap_or_default().trim_end();
            fs::write(file, format!("{kept}\nreasons\n{}\n", played.reasons.join("\n"))).expect("a file to write");
            return Ok(());
        }
        return Err(format!("other reasons than kept (BLESS=1 keeps these):\n{}", played.reasons.join("\n")));
    }
    Ok(())
}

#[test]
fn scenarios_come_out_as_they_say() {
    let files = files();
    assert!(!files.is_empty());
    let wrong: Vec<String> =
        files.iter().filter_map(|file| check(file).err().map(|why| format!("{}: {why}", file.display()))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_line_that_is_not_understood_is_named() {
    for (text, words) in [
        ("forge v14", "line 1: not understood: forge v14"),
        ("\nat 3x push build", "line 2: 3x is no time"),
        ("at 0 strike nothing any", "line 1: no fault is called nothing"),
        ("pool size 3", "line 1: a pool has no size"),
    ] {
        assert_eq!(Scenario::parse(text), Err(words.to_owned()));
    }
}

#[test]
fn an_expectation_that_is_not_met_is_told() {
    let scenario = Scenario::parse("at 0 push build for 5s\nend expect build failure").unwrap();
    assert!(scenario.play().broken.unwrap().contains("build is success, not failure"));
}
