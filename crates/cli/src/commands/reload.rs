//! `forgescale reload`: the daemon reads its configuration again.

use std::io::{self, Write};

use daemon::control::{Reloaded, Reply, Request};

use super::asking::{asked, unexpected};
use crate::arguments::Place;
use crate::failure::Failure;

/// Asks the daemon, and says what is different now.
pub(super) fn run(place: &Place, out: &mut impl Write) -> Result<(), Failure> {
    let Reply::Reloaded(reloaded) = asked(place, &Request::Reload)? else { return Err(unexpected()) };
    let Reloaded { changed, restart, draining, warnings } = reloaded;
    let mut err = io::stderr();
    for warning in warnings {
        // Nobody may be there to read it.
        let _ = writeln!(err, "warning: {}", warning.text);
        let _ = writeln!(err, "  hint: {}", warning.hint);
    }
    for key in &restart {
        let _ = writeln!(err, "warning: needs a restart, and the old value is used until then: {key}");
    }
    match (changed.is_empty(), restart.is_empty()) {
        (true, true) => writeln!(out, "reloaded: no key has another value than before")?,
        (true, false) => writeln!(out, "reloaded: no other key has another value than before")?,
        (false, _) => writeln!(out, "reloaded:")?,
    }
    changed.iter().try_for_each(|change| writeln!(out, "  {change}"))?;
    draining.iter().try_for_each(|pool| writeln!(out, "pool {pool}"))?;
    Ok(())
}
