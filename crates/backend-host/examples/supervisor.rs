//! The supervisor as a program, for the tests: the last argument is a machine's folder, one before it the longest time in
//! milliseconds that a machine may live.

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, before)) = arguments.split_last() else { return ExitCode::FAILURE };
    let longest = before.first().and_then(|text| text.parse().ok()).map(Duration::from_millis);
    backend_host::supervise(folder.into(), longest)
}
