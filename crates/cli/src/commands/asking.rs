//! Asking a running daemon, for the commands that do nothing else.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use daemon::config::{self, Surroundings};
use daemon::control::{self, ControlError, Reply, Request};

use crate::arguments::Place;
use crate::failure::Failure;

/// Longer than a daemon that lives takes for anything that it is asked for.
const PATIENCE: Duration = Duration::from_mins(1);

/// What may be where the configuration says where the daemon is: it goes on in the directory that it was started with.
const ELSEWHERE: &str = "after a change of `state_directory`, until the daemon is restarted, ask it with \
                         `--state-directory OLD`, the directory that it was started with";

/// Asks the daemon of a place. A refusal is a failure, with all that the daemon says.
pub(super) fn asked(place: &Place, request: &Request) -> Result<Reply, Failure> {
    let directory = state_directory(place)?;
    match control::ask(&directory, request, PATIENCE) {
        Ok(Reply::Refused { reasons }) => Err(Failure::Refused { reasons }),
        Ok(Reply::Unusable { reasons }) => Err(Failure::Unusable { reasons }),
        Ok(reply) => Ok(reply),
        Err(error) => {
            let hint = error.hint();
            let may_be_elsewhere = matches!(error, ControlError::Nobody { .. }) && place.state_directory.is_none();
            let failure = Failure::not_done(error).hint(hint);
            Err(if may_be_elsewhere { failure.hint(ELSEWHERE) } else { failure })
        }
    }
}

/// The state directory of a place.
pub(super) fn state_directory(place: &Place) -> Result<PathBuf, Failure> {
    match (&place.state_directory, &place.config) {
        (Some(directory), _) => Ok(directory.clone()),
        (None, Some(file)) => Ok(config::state_directory(file, &Surroundings::of_process())?),
        (None, None) => Err(Failure::usage(anyhow!("give --config or --state-directory"))),
    }
}

/// What the daemon answered fits nothing that was asked for.
pub(super) fn unexpected() -> Failure {
    Failure::not_done(anyhow!("the daemon answered something else than what was asked for"))
        .hint("use the version that the daemon runs, or restart the daemon")
}
