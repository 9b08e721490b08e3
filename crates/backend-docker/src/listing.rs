//! Listing the machines.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::backend::Machines;
use futures_util::{StreamExt as _, stream};
use planner::seen::{Exit, MachineSeen, MachineState};

use crate::backend::Docker;
use crate::binding::Bound;
use crate::companions;
use crate::ended;
use crate::error::DockerError;
use crate::machines::{self, Found, Phase};
use crate::unstarted::{AT_A_TIME, Unstarted};
use crate::warm;

/// How many containers are asked about at once.
const AT_ONCE: usize = 8;

/// What a shell, and Docker's init, end with when the program was not there, and what Podman's ends with. A runner may end so
/// too, and then it costs a look.
const NO_PROGRAM: [i32; 2] = [127, 1];

/// Every machine of ours.
pub(crate) async fn list(docker: &Arc<Docker>) -> Result<Machines, DockerError> {
    let (mut found, unreadable) = machines::all(&docker.engine, &docker.whose).await?;
    found.dedup_by(|later, first| later.name == first.name);
    let has_unreadable = !unreadable.is_empty();
    tell(docker, unreadable);
    let (all_looked, gone) = look_at_ended(docker, &found).await;
    // The next listing will not show them: nobody knows how they ended.
    found.retain(|found| !gone.contains(&found.id));
    let found = settled(docker, found).await;
    found
        .iter()
        .filter(|found| warm::is_half_done(docker, found))
        .take(AT_A_TIME)
        .for_each(|found| warm::mend(docker, found));
    let (mut names, ids): (BTreeSet<_>, BTreeSet<_>) =
        found.iter().map(|found| (found.name.clone(), found.id.clone())).unzip();
    let half = companions::without_machine(docker, &names).await?;
    names.extend(half.iter().map(|row| row.name.clone()));
    docker.memory.forget_gone(|name| names.contains(name), |id| ids.contains(id));
    let shown: Vec<Option<MachineSeen>> = found.into_iter().map(|found| row(docker, found)).collect();
    let all_shown = shown.iter().all(Option::is_some);
    let mut rows: Vec<MachineSeen> = shown.into_iter().flatten().collect();
    rows.extend(docker.memory.unstarted.rows());
    rows.extend(half);
    Ok(Machines { complete: !has_unreadable && all_looked && all_shown, rows })
}

/// Names what cannot be read, when that is news.
fn tell(docker: &Docker, unreadable: BTreeSet<String>) {
    let names = unreadable.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if docker.memory.cannot_read(unreadable) && !names.is_empty() {
        tracing::warn!(
            containers = names,
            "containers with our labels cannot be read as machines, and hide what there is: remove them by hand"
        );
    }
}

/// Asks about containers that may have ended: whether all answers came, and which of them are gone since they were listed.
async fn look_at_ended(docker: &Arc<Docker>, found: &[Found]) -> (bool, BTreeSet<String>) {
    let ended: Vec<Found> = found.iter().filter(|found| needs_a_look(docker, found)).cloned().collect();
    let looks = ended.into_iter().map(|found| {
        let docker = Arc::clone(docker);
        async move { (ended::inspected(&docker, &found.id).await, found) }
    });
    let mut looked = stream::iter(looks).buffer_unordered(AT_ONCE);
    let (mut all, mut gone) = (true, BTreeSet::new());
    while let Some((state, found)) = looked.next().await {
        match state {
            Ok(None) => drop(gone.insert(found.id)),
            Ok(Some(state)) => {
                if let Some(exit) = ended::judged(&state) {
                    note(docker, &found, exit).await;
                }
            }
            // The next listing may know; until then this one hides it.
            Err(_) => all = false,
        }
    }
    (all, gone)
}

/// Without the containers that an earlier daemon bound and did not start, as far as they could be removed.
async fn settled(docker: &Docker, found: Vec<Found>) -> Vec<Found> {
    let mut there = Vec::with_capacity(found.len());
    let mut tried = 0;
    for found in found {
        if tried < AT_A_TIME && Unstarted::is_one(docker, &found) {
            tried += 1;
            if docker.memory.unstarted.settle(docker, &found).await {
                continue;
            }
        }
        there.push(found);
    }
    there
}

/// What is told only when a container is asked for: how it ended, or that it could not be started.
fn needs_a_look(docker: &Docker, found: &Found) -> bool {
    let may_have_ended = found.phase == Phase::Exited && !matches!(found.bound, Bound::Back(_))
        || found.phase == Phase::Created && found.bound != Bound::No;
    may_have_ended && docker.memory.exit(&found.id).is_none()
}

async fn note(docker: &Docker, found: &Found, exit: Exit) {
    docker.memory.ended(found.id.clone(), warm::exit(found, exit));
    if NO_PROGRAM.map(Exit::Code).contains(&exit) {
        // Perhaps somebody has removed the volume: the engine then makes an empty one.
        docker.runner_volume.forget().await;
    }
}

/// A machine; none where a container has ended and nobody knows how.
fn row(docker: &Docker, found: Found) -> Option<MachineSeen> {
    let asked = docker.memory.asked_to_end(&found.name);
    let known = docker.memory.exit(&found.id);
    let state = match (found.phase, &found.bound) {
        // The end of one that is taken back is no end of it.
        (Phase::Removing, _) | (_, Bound::Back(_)) => MachineState::Stopping,
        (Phase::Created | Phase::Running, _) if asked => MachineState::Stopping,
        (Phase::Created | Phase::Running, Bound::No) if found.is_ready() => MachineState::Ready,
        (Phase::Created, Bound::No) => MachineState::Creating,
        (Phase::Created, Bound::To(_)) => known.map_or(MachineState::Creating, |exit| MachineState::Ended { exit }),
        // One of which nothing is known for now proves nothing.
        (Phase::Exited, _) => MachineState::Ended { exit: known? },
        (Phase::Running, _) => MachineState::Running,
    };
    Some(MachineSeen { name: found.name, tags: found.tags, binding: found.bound.binding(), state })
}
