//! The programs that live in the same binary.

use crate::{forgescale, run};

#[test]
fn the_stand_in_ends_with_1_when_its_flags_are_wrong() {
    // 2 would mean that there was no task (protocol 3.6).
    for arguments in [
        &["stand-in-runner", "one-job", "--no-such-flag"][..],
        &["stand-in-runner", "-c", "/nonexistent", "one-job", "--url", "http://127.0.0.1:9"],
    ] {
        let ran = run(&mut forgescale(arguments));
        assert_eq!(ran.status, Some(1), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_supervisor_without_its_machine_says_so() {
    let ran = run(&mut forgescale(["supervise", "/nonexistent/machine"]));
    assert_eq!(ran.status, Some(1), "{}", ran.err);
    assert!(ran.err.starts_with("supervisor: "), "{}", ran.err);
}
