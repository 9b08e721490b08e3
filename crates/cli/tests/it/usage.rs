//! The command line itself.

use std::process::Stdio;

use crate::{check_quiet, forgescale, run};

#[test]
fn the_version_is_data() {
    for arguments in [["version"], ["--version"]] {
        let ran = run(&mut forgescale(arguments));
        check_quiet(&ran);
        assert_eq!(ran.out, format!("forgescale {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn help_names_the_commands_for_people_and_no_other() {
    let ran = run(&mut forgescale(["--help"]));
    check_quiet(&ran);
    for command in ["config", "explain", "version", "--log"] {
        assert!(ran.out.contains(command), "{command}: {}", ran.out);
    }
    assert!(!ran.out.contains("supervise") && !ran.out.contains("stand-in"), "{}", ran.out);
}

#[test]
fn a_wrong_command_line_is_refused_with_status_2() {
    for arguments in [
        &["nonsense"][..],
        &[],
        &["explain"],
        &["config", "show"],
        &["explain", "--config", "a", "--state-directory", "b"],
    ] {
        let ran = run(&mut forgescale(arguments));
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.err.contains("Usage"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_wrong_filter_of_logs_is_refused_wherever_it_comes_from() {
    for command in [
        forgescale(["version", "--log", "daemon=loud"]).env("FORGESCALE_LOG", "info"),
        forgescale(["version"]).env("FORGESCALE_LOG", "daemon=loud"),
    ] {
        let ran = run(command);
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""));
        assert_eq!(ran.err.matches("is no filter of logs: `daemon=loud`").count(), 1, "{}", ran.err);
        assert_eq!(ran.err.matches("error parsing level filter").count(), 1, "its cause is told once: {}", ran.err);
        assert!(ran.err.contains("\nhint: for example"), "{}", ran.err);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = run(forgescale(["config", "init"]).stdout(Stdio::from(writer)));
    check_quiet(&ran);
}
