//! `forgescale config show`: checks a configuration and prints what it comes to.

use std::io::{self, Write};
use std::path::Path;

use daemon::config::{Config, Surroundings};

use crate::failure::{Failure, Located};

/// The origins begin here, unless a value is longer.
const ORIGIN_COLUMN: usize = 60;

/// Prints every value with its origin; warnings go to standard error.
pub(super) fn run(file: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let config = Config::load(file, &Surroundings::of_process())?;
    for problem in &config.warnings {
        // Nobody may be there to read it.
        let _ = write!(io::stderr(), "warning: {}", Located { file, problem });
    }
    for setting in &config.settings {
        match &setting.value {
            Some(value) => {
                let line = format!("{} = {value}", setting.key);
                writeln!(out, "{line:ORIGIN_COLUMN$} # {}", setting.origin)?;
            }
            None => writeln!(out, "{:ORIGIN_COLUMN$} # not set", format!("# {}", setting.key))?,
        }
    }
    Ok(())
}
