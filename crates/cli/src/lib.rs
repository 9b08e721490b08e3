//! The program forgescale.
//!
//! ```text
//! arguments ─► command ─► Ok: 0
//!                 └► Failure ─► stderr: one chain, hints ─► 1 not done, 2 asked wrongly
//! ```
//!
//! Promises: standard output carries what was asked for and nothing else; whoever stops reading it (a pipe to `head`) is
//! no error. Decisions are made elsewhere.
//!
//! It is a library so that manuals and completions can be made from the very definition of its command line.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod failure;
mod logging;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Asked, Command};
use failure::Failure;

/// What our own parser's refusals end with.
const USAGE: u8 = 2;

/// All that the program does; its exit status.
pub fn main() -> ExitCode {
    let ring = rustls::crypto::ring::default_provider().install_default();
    assert!(ring.is_ok(), "something else has chosen a TLS provider before main");
    let arguments = match Arguments::<Command>::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    match arguments.command {
        // Programs of their own that happen to live in this file: they have their own channels and exit codes.
        Command::Supervise { longest, directory } => {
            backend_host::supervise(directory, longest.map(Duration::from_secs))
        }
        Command::StandInRunner(runner) => runner.run(),
        Command::Asked(asked) => {
            let logging = logging::start(arguments.log.as_deref(), asked.default_log());
            finish(logging.and_then(|()| commands::run(asked)))
        }
    }
}

/// The command line that people use, as manuals, completions and the reference need it.
pub fn command_line() -> clap::Command {
    Arguments::<Asked>::command()
}

/// Prints the parser's answer: help and version are answers, everything else is a mistake.
fn refused(error: &clap::Error) -> ExitCode {
    // Nobody may be there to read it.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(arguments::refusal_status(USAGE)) } else { ExitCode::SUCCESS }
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_closed_output() {
                let _ = write!(io::stderr().lock(), "{failure}");
            }
            failure.exit_code()
        }
    }
}
