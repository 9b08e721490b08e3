//! `forgescale confirm`: kills that are held go on.

use std::io::Write;

use daemon::control::{Reply, Request};

use super::asking::{asked, unexpected};
use crate::arguments::Place;
use crate::failure::Failure;

/// Asks the daemon, and says how many there were.
pub(super) fn run(place: &Place, out: &mut impl Write) -> Result<(), Failure> {
    let Reply::Confirmed { kills } = asked(place, &Request::Confirm)? else { return Err(unexpected()) };
    match kills {
        0 => writeln!(out, "nothing is held: there is nothing to confirm")?,
        1 => writeln!(out, "confirmed: 1 process whose job vanished is stopped now")?,
        _ => writeln!(out, "confirmed: {kills} processes whose jobs vanished are stopped now")?,
    }
    Ok(())
}
