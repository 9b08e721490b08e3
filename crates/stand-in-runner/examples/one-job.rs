//! The runner as a program of its own: for trying it out by hand, and for the tests of its exit codes and signals.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stand_in_runner::{OneJob, Pace};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    one_job: OneJob,
    /// Milliseconds after the first try to bring the last report to the forge; doubles with every further try
    #[arg(long, default_value_t = 100)]
    first_pause_ms: u64,
    /// Milliseconds between two reports
    #[arg(long, default_value_t = 1000)]
    report_interval_ms: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let pace = Pace {
        report_interval: Duration::from_millis(arguments.report_interval_ms),
        first_pause: Duration::from_millis(arguments.first_pause_ms),
        ..Pace::default()
    };
    stand_in_runner::run_at(&arguments.one_job, pace)
}
