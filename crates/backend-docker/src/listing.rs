//! Listing the machines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use ::backend::Machines;
use bollard::query_parameters::InspectContainerOptions;
use futures_util::{StreamExt as _, stream};
use planner::seen::{Exit, MachineSeen, MachineState};

use crate::backend::Docker;
use crate::binding::Bound;
use crate::error::DockerError;
use crate::machines::{self, Found, Phase};
use crate::unstarted::Unstarted;

/// How many containers are asked about at once.
const AT_ONCE: usize = 8;

/// What a shell, and the engine's init, end with when the program was not there.
const NO_PROGRAM: i32 = 127;

/// Exit codes above this are signals: the engine and its init both count from here.
const SIGNALS: i64 = 128;

/// The last signal there is.
const LAST_SIGNAL: i64 = 64;

/// Every machine of our deployment.
pub(crate) async fn list(docker: &Arc<Docker>) -> Result<Machines, DockerError> {
    let (mut found, unreadable) = machines::all(&docker.engine, &docker.settings.deployment).await?;
    found.dedup_by(|later, first| later.name == first.name);
    let ended: Vec<Found> = found.iter().filter(|found| needs_a_look(docker, found)).cloned().collect();
    let mut complete = unreadable == 0;
    let looks = ended.into_iter().map(|found| {
        let docker = Arc::clone(docker);
        async move { (look(&docker, &found).await, found.id) }
    });
    let mut looked = stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some((outcome, id)) = looked.next().await {
        match outcome {
            Ok(Some(exit)) => note(docker, id, exit).await,
            Ok(None) => {}
            // The next listing may know; until then this one hides it.
            Err(_) => complete = false,
        }
    }
    let exits = docker.exits.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut there = Vec::with_capacity(found.len());
    for found in found {
        let is_unstarted = Unstarted::is_one(docker, &found) && !docker.has_an_exit(&found.id);
        if !(is_unstarted && docker.unstarted.settle(docker, &found).await) {
            there.push(found);
        }
    }
    let found = there;
    let (names, ids): (BTreeSet<_>, BTreeSet<_>) =
        found.iter().map(|found| (found.name.clone(), found.id.clone())).unzip();
    docker.forget_gone(|name| names.contains(name), |id| ids.contains(id));
    let mut rows: Vec<MachineSeen> = found.into_iter().filter_map(|found| row(docker, &exits, found)).collect();
    rows.extend(docker.unstarted.rows());
    if unreadable > 0 {
        tracing::warn!(unreadable, "containers of this deployment cannot be read as machines");
    }
    Ok(Machines { complete, rows })
}

/// What is told only when a container is asked for: how it ended, or that it could not be started.
fn needs_a_look(docker: &Docker, found: &Found) -> bool {
    let may_have_ended = found.phase == Phase::Exited || found.phase == Phase::Created && found.bound != Bound::No;
    may_have_ended && !docker.has_an_exit(&found.id)
}

async fn look(docker: &Docker, found: &Found) -> Result<Option<Exit>, DockerError> {
    let client = docker.engine.client().await?;
    let inspected = client.inspect_container(&found.id, None::<InspectContainerOptions>);
    let state = match docker.engine.call("look at a container", inspected).await {
        Ok(container) => container.state.unwrap_or_default(),
        // Gone since it was listed.
        Err(error) if error.status() == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    };
    let code = state.exit_code.unwrap_or_default();
    Ok(match found.phase {
        // The engine notes why a start has failed. Without that it may be under way.
        Phase::Created if code != 0 || state.error.is_some_and(|error| !error.is_empty()) => Some(Exit::NeverStarted),
        Phase::Created => None,
        _ => Some(exit(code)),
    })
}

fn exit(code: i64) -> Exit {
    let signal = code - SIGNALS;
    if (1..=LAST_SIGNAL).contains(&signal) {
        Exit::Signal(i32::try_from(signal).unwrap_or_default())
    } else {
        i32::try_from(code).map_or(Exit::Unknown, Exit::Code)
    }
}

async fn note(docker: &Docker, id: String, exit: Exit) {
    docker.exits.lock().unwrap_or_else(PoisonError::into_inner).insert(id, exit);
    if exit == Exit::Code(NO_PROGRAM) {
        // Perhaps somebody has removed the volume: the engine then makes an empty one.
        docker.runner_volume.forget().await;
    }
}

fn row(docker: &Docker, exits: &BTreeMap<String, Exit>, found: Found) -> Option<MachineSeen> {
    let asked = docker.asked_to_end(&found.name);
    let known = exits.get(&found.id).copied();
    let state = match (found.phase, &found.bound) {
        (Phase::Removing, _) => MachineState::Stopping,
        (Phase::Created | Phase::Running, _) if asked => MachineState::Stopping,
        (Phase::Created, Bound::No) => MachineState::Ready,
        (Phase::Created, Bound::To(_)) => known.map_or(MachineState::Creating, |exit| MachineState::Ended { exit }),
        // One that is gone since it was listed proves nothing, and the next listing will not show it.
        (Phase::Exited, _) => MachineState::Ended { exit: known? },
        (Phase::Running, _) => MachineState::Running,
    };
    Some(MachineSeen { name: found.name, tags: found.tags, binding: found.bound.binding(), state })
}

#[cfg(test)]
mod tests {
    use super::*;

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
