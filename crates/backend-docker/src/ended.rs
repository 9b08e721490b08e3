//! How a container ended, by what the engine says of it when it is asked for it.
//!
//! ```text
//! created ─ bound, with an error or a code ─► never started     otherwise: not ended, its start may be under way
//! exited, dead ─► its exit code, or a signal; unknown without one
//! anything else ─► not ended
//! ```

use planner::seen::Exit;

use crate::backend::Docker;
use crate::error::DockerError;
use crate::look::{State, Status};

/// Exit codes above this are signals: the engine and its init both count from here.
const SIGNALS: i64 = 128;

/// The last signal there is.
const LAST_SIGNAL: i64 = 64;

/// How it is with a container now; none if there is no such container.
pub(crate) async fn inspected(docker: &Docker, id: &str) -> Result<Option<State>, DockerError> {
    Ok(docker.engine.container(id).await?.map(|container| container.state))
}

/// Whether it was made, and not started so far.
pub(crate) fn is_created(state: &State) -> bool {
    state.status == Status::Created
}

/// How a bound container ended, if it has. What a list said of it earlier is of no matter: it may have run since.
pub(crate) fn judged(state: &State) -> Option<Exit> {
    match state.status {
        Status::Created => {
            // The engine notes why a start has failed. Without that it may be under way.
            let has_error = state.error.as_ref().is_some_and(|error| !error.is_empty());
            (has_error || state.exit_code.is_some_and(|code| code != 0)).then_some(Exit::NeverStarted)
        }
        Status::Exited => Some(state.exit_code.map_or(Exit::Unknown, exit)),
        Status::Running | Status::Removing | Status::Unknown => None,
    }
}

fn exit(code: i64) -> Exit {
    let signal = code - SIGNALS;
    if (1..=LAST_SIGNAL).contains(&signal) {
        Exit::Signal(i32::try_from(signal).unwrap_or_default())
    } else {
        i32::try_from(code).map_or(Exit::Unknown, Exit::Code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: Status, exit_code: Option<i64>, error: &str) -> State {
        State { status, exit_code, error: Some(error.to_owned()) }
    }

    #[test]
    fn only_a_container_that_is_still_created_can_never_have_started() {
        let cases = [
            (state(Status::Created, Some(0), ""), None),
            (state(Status::Created, None, ""), None),
            (state(Status::Created, Some(127), ""), Some(Exit::NeverStarted)),
            (state(Status::Created, Some(0), "no such network"), Some(Exit::NeverStarted)),
            (state(Status::Exited, Some(127), "no such file"), Some(Exit::Code(127))),
            (state(Status::Exited, Some(0), ""), Some(Exit::Code(0))),
            (state(Status::Exited, None, ""), Some(Exit::Unknown)),
            (state(Status::Exited, Some(137), ""), Some(Exit::Signal(9))),
            (state(Status::Running, Some(1), "x"), None),
            (state(Status::Removing, Some(1), ""), None),
            (State::default(), None),
        ];
        for (state, expected) in cases {
            assert_eq!(judged(&state), expected, "{state:?}");
        }
    }

    #[test]
    fn codes_beyond_128_are_signals() {
        let cases = [
            (0, Exit::Code(0)),
            (2, Exit::Code(2)),
            (128, Exit::Code(128)),
            (137, Exit::Signal(9)),
            (143, Exit::Signal(15)),
            (192, Exit::Signal(64)),
            (255, Exit::Code(255)),
            (i64::MAX, Exit::Unknown),
        ];
        for (code, expected) in cases {
            assert_eq!(exit(code), expected, "{code}");
        }
    }
}
