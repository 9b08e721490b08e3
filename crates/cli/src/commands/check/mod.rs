//! `forgescale check`: everything that the daemon will need, looked at before it needs it.
//!
//! What is looked at and how it is judged is in `daemon::check`; here it is printed and becomes an exit status: 2 when
//! something does not work, 1 when there are warnings and `--strict` was given.

mod print;

use std::io::Write;

use daemon::check::{self, Finding, Verdict};
use daemon::config::Surroundings;

use super::run::on_runtime;
use crate::arguments::Check;
use crate::failure::Failure;

/// The exit status when something does not work.
const BROKEN: u8 = 2;

/// The exit status when something is doubtful, and that was asked for.
const DOUBTFUL: u8 = 1;

/// Looks, prints, judges.
pub(super) fn run(arguments: &Check, out: &mut impl Write) -> Result<(), Failure> {
    let findings = findings(arguments)?;
    if arguments.json {
        print::json(&findings, out)?;
    } else {
        print::lines(&findings, out)?;
    }
    match findings.iter().map(|finding| finding.verdict).max() {
        Some(Verdict::Error) => Err(Failure::Told { status: BROKEN }),
        Some(Verdict::Warning) if arguments.strict => Err(Failure::Told { status: DOUBTFUL }),
        _ => Ok(()),
    }
}

fn findings(arguments: &Check) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    on_runtime(async {
        findings = check::check(&arguments.config, &Surroundings::of_process()).await;
        Ok(())
    })?;
    Ok(findings)
}
