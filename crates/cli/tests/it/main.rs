//! The binary, each command of it: output, exit status, what goes where.

mod check;
mod config;
mod e2e;
mod explain;
mod hidden;
mod readme;
#[cfg(test)]
#[path = "../../../backend-docker/tests/it/real_engine.rs"]
mod real_engine;
mod real_forgejo;
#[path = "../../../backend-host/tests/it/root.rs"]
mod root;
#[path = "../../../backend-host/tests/it/skipped.rs"]
mod skipped;
mod usage;

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

/// The binary in an environment of its own.
fn forgescale<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forgescale"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").env("PATH", "/nonexistent").stdin(Stdio::null());
    command
}

/// What a run left behind.
struct Ran {
    status: Option<i32>,
    out: String,
    err: String,
}

fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    Ran { status: status.code(), out: text(stdout), err: text(stderr) }
}

/// Checks status and standard output of a run that has nothing to complain about.
#[track_caller]
fn check_quiet(ran: &Ran) {
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
}

/// The line of a host backend by which jobs run as whoever runs the tests: root has to say so.
fn as_this_user() -> &'static str {
    if rustix::process::geteuid().is_root() { "user = \"root\"\n" } else { "" }
}
