//! Logs: to standard error, as coloured text on a terminal, as JSON lines otherwise.

use std::io::{self, IsTerminal as _};

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;

/// The variable that says what is logged when the command line does not.
const VARIABLE: &str = "FORGESCALE_LOG";

/// The client of container engines logs every answer whole, without bounds: nobody sees that who does not ask for it.
const QUIET: &str = "bollard=warn";

/// Begins logging, once per process; `default` is what is logged when nobody says anything.
pub(crate) fn start(filter: Option<&str>, default: &str) -> Result<(), Failure> {
    let (filter, origin) = match (filter, std::env::var(VARIABLE)) {
        (Some(filter), _) => (filter.to_owned(), "--log"),
        (None, Ok(filter)) if !filter.is_empty() => (filter, VARIABLE),
        (None, _) => (default.to_owned(), "default"),
    };
    let filter = EnvFilter::builder()
        .parse(format!("{QUIET},{filter}"))
        // Its text repeats its cause already.
        .map_err(|error| anyhow!("{origin} is no filter of logs: `{filter}`: {error}"))
        .map_err(|error| Failure::usage(error).hint("for example: --log debug, or --log warn,daemon=trace"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = if io::stderr().is_terminal() {
        // A variable of this name switches colours off, whatever its value (no-color.org), unless it is empty.
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder.with_ansi(colours).finish().try_init()
    } else {
        builder.json().finish().try_init()
    };
    begun.map_err(Failure::not_done)
}
