//! `forgescale confirm`: kills that are held go on.

use std::io::Write;
use std::time::Duration;

use daemon::control::{Reply, Request};
use planner::report::short;

use super::asking::{asked, unexpected};
use crate::arguments::Place;
use crate::failure::Failure;

/// Asks the daemon, and says how many there were and when they are stopped.
pub(super) fn run(place: &Place, out: &mut impl Write) -> Result<(), Failure> {
    let Reply::Confirmed { kills, grace_ms } = asked(place, &Request::Confirm)? else { return Err(unexpected()) };
    let (processes, their) = match kills {
        0 => return Ok(writeln!(out, "nothing is held: there is nothing to confirm")?),
        1 => ("1 process whose job vanished is".to_owned(), "its"),
        _ => (format!("{kills} processes whose jobs vanished are"), "their"),
    };
    if grace_ms == 0 {
        writeln!(out, "confirmed: {processes} stopped now")?;
    } else {
        let left = short(Duration::from_millis(grace_ms));
        writeln!(out, "confirmed: {processes} stopped when {their} grace is over, of which {left} is left at most")?;
    }
    Ok(())
}
