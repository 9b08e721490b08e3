//! `config init` and `config show`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{check_quiet, forgescale, run};

/// A folder with a small configuration, its token and a runner.
fn place(configuration: &str) -> (TempDir, PathBuf) {
    let place = TempDir::new().expect("a folder");
    for (name, text, mode) in
        [("c.toml", configuration, 0o600), ("token", "s3cret\n", 0o600), ("runner", "#!/bin/true\n", 0o700)]
    {
        fs::write(place.path().join(name), text).expect("a file");
        fs::set_permissions(place.path().join(name), Permissions::from_mode(mode)).expect("its mode");
    }
    let file = place.path().join("c.toml");
    (place, file)
}

const SMALL: &str = r#"deployment = "ci-berlin"
[[forge]]
url = "https://forge.example"
token_file = "token"
scopes = ["org:acme"]
[[pool]]
name = "debian"
labels = ["tools:host"]
backend = "here"
max = 4
[backend.here]
kind = "host"
runner = "./runner"
"#;

/// That one, as this user may have it.
fn small() -> String {
    SMALL.replace("kind = \"host\"\n", &format!("kind = \"host\"\n{}", crate::as_this_user()))
}

#[test]
fn init_writes_the_example_once() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("forgescale.toml");
    let init = || forgescale([&"config".into(), &"init".into(), &"--output".into(), &file]);
    check_quiet(&run(&mut init()));
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, run(&mut forgescale(["config", "init"])).out);
    assert!(text.contains("[[forge]]"));

    fs::write(&file, "mine").unwrap();
    let ran = run(&mut init());
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("exists already\nhint: "), "{}", ran.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn show_prints_each_value_with_its_origin_and_no_secret() {
    let (place, file) = place(&small());
    let mut show = forgescale([&"config".into(), &"show".into(), &"--config".into(), &file]);
    let ran = run(show.env("STATE_DIRECTORY", "/var/lib/fs"));
    check_quiet(&ran);
    let origin = |key: &str| {
        let line = ran.out.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap_or_default();
        let (setting, origin) = line.split_once(" # ").unwrap_or_default();
        (setting.trim_end().rsplit_once(" = ").unwrap_or_default().1.to_owned(), origin.to_owned())
    };
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(origin("deployment"), pair("\"ci-berlin\"", "line 1"));
    assert_eq!(origin("state_directory"), pair("\"/var/lib/fs\"", "environment STATE_DIRECTORY"));
    assert_eq!(origin("pool[0].run"), pair("\"3h\"", "default"));
    assert_eq!(origin("pool[0].max"), pair("4", "line 10"));
    let token = format!("file {}", place.path().join("token").display());
    assert_eq!(origin("forge[0].token"), pair("<hidden>", &token));
    assert!(ran.out.contains("# pool[0].max_per_repository "), "{}", ran.out);
    assert!(!ran.out.contains("s3cret"));
}

#[test]
fn show_reports_all_mistakes_at_once_with_places_and_hints() {
    let (_place, file) = place(&small().replace("max = 4", "max = \"4\"").replace("deployment", "deploiment"));
    let ran = run(&mut forgescale([&"config".into(), &"show".into(), &"--config".into(), &file]));
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""));
    let file = file.display();
    let expected = format!(
        "error: the configuration {file} has 2 problems\n\
         {file}:1:1: deploiment: is not a known key\n  hint: did you mean `deployment`?\n\
         {file}:10:7: pool[0].max: expected a whole number, found a string\n  hint: write it without quotes, point and \
         unit, like 4\n"
    );
    assert_eq!(ran.err, expected);
}

#[test]
fn show_warns_of_what_is_doubtful_and_goes_on() {
    let (place, file) = place(&small());
    fs::set_permissions(place.path().join("token"), Permissions::from_mode(0o644)).unwrap();
    let ran = run(&mut forgescale([&"config".into(), &"show".into(), &"--config".into(), &file]));
    assert_eq!(ran.status, Some(0));
    assert!(ran.err.starts_with("warning: ") && ran.err.contains("everybody"), "{}", ran.err);
    assert!(ran.out.starts_with("deployment = "), "{}", ran.out);
}

#[test]
fn show_without_a_file_says_why() {
    let ran = run(&mut forgescale(["config", "show", "--config", "/nonexistent/c.toml"]));
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""));
    assert!(
        ran.err.starts_with("error: cannot read the configuration /nonexistent/c.toml: No such file"),
        "{}",
        ran.err
    );
}
