//! `forgescale explain`: the last report of the daemon, in sentences.
//!
//! Whose view it is comes first: the report says what the daemon saw and decided when it wrote it, and nothing here asks
//! a forge. An old report, or one whose writer is gone, is shown with a warning.

mod named;
mod print;
mod sentence;
mod subject;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context as _;
use daemon::report_file::{ReportFile, ReportFileError};
use daemon::wall_ms;
use planner::report::short;

use super::asking::state_directory;
use crate::arguments::Explain;
use crate::failure::Failure;
pub(super) use sentence::plain;
use subject::Subject;

/// The daemon writes its report far more often than this.
const OLD: Duration = Duration::from_secs(30);

/// Prints what was asked for.
pub(super) fn run(arguments: &Explain, out: &mut impl Write) -> Result<(), Failure> {
    let directory = state_directory(&arguments.place)?;
    let file = ReportFile::read(&directory).map_err(|error| match error {
        ReportFileError::Absent { .. } => Failure::not_done(error).hint(
            "the daemon writes it: is `forgescale run` running, and is this its state directory (--state-directory)?",
        ),
        error => Failure::not_done(error),
    })?;
    let age = Duration::from_millis(file.age_ms(wall_ms()));
    warn(&file, age);
    let subject = Subject::find(arguments.subject.as_deref(), &file)?;
    if let Subject::Jobs(jobs) = &subject {
        jobs.doubt.iter().for_each(|doubt| say(doubt));
    }
    let file = subject.cut(file);
    if arguments.json {
        let text = serde_json::to_string_pretty(&file).context("cannot write JSON").map_err(Failure::not_done)?;
        return Ok(writeln!(out, "{text}")?);
    }
    match subject {
        Subject::Summary => print::summary(&file, age, out)?,
        Subject::Pool(pool) => print::pool(&pool, &file, age, out)?,
        Subject::Scope(_) => print::scope(&file, age, out)?,
        Subject::Machine(..) => print::machine(&file, age, out)?,
        Subject::All | Subject::Jobs(_) => print::each(&file, age, out)?,
    }
    Ok(())
}

/// Says on standard error what makes the report doubtful.
fn warn(file: &ReportFile, age: Duration) {
    let gone = !file.writer_lives();
    let doubt = match (gone, age > OLD) {
        (true, _) => format!("process {} that wrote the report is gone: it shows how things were", file.pid),
        (false, true) => "the report is old: the daemon may be stuck, or writes elsewhere".to_owned(),
        (false, false) => return,
    };
    say(&format!("{doubt} ({} ago)", short(age)));
}

fn say(doubt: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "warning: {}", plain(doubt));
}
