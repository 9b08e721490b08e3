//! The supervisor as a program, for the tests: the one argument is a machine's folder.

use std::process::ExitCode;

fn main() -> ExitCode {
    std::env::args_os().nth(1).map_or(ExitCode::FAILURE, |folder| backend_host::supervise(folder.into()))
}
