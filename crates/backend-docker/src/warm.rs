//! Machines that are made without a job, and wait for one.
//!
//! ```text
//!           create               start                        end
//! image ─► "fs-1", a shell ─► "fs-1.TRY.RUNNER.HANDLE…" ─► exited ─► removed
//!            waits, running     launch ─► the shell becomes the runner
//!               ▲                          │ release
//!               └── restarted ◄── "….r" ◄──┘
//! ```
//!
//! A warm container is like any other, but for its program: a shell that reads one line, the handle, and becomes the runner, for
//! which it leaves the rest of its input. So a launch needs no new process in the container, exit codes are the container's,
//! and what ends without a launch ends with a code of its own, [`NO_LAUNCH`].
//!
//! Taking a runner back is marked in the name first, then the engine restarts the container, then it has its plain name again.
//! Whoever is killed between any two of these leaves a mark, and who lists next goes on; a marked machine is never ready, and
//! never ended. Likewise a machine that was made and not begun is begun, and one that was bound by a daemon that died is told
//! that no launch comes any more: where it has got one before, that changes nothing.
//!
//! Deliberately absent: looking whether a job's code ran before. Whoever takes a runner back knows that it was fenced.

use std::sync::Arc;

use bollard::query_parameters::{
    AttachContainerOptionsBuilder, ContainerArchiveInfoOptionsBuilder, RemoveContainerOptionsBuilder,
    RenameContainerOptionsBuilder, RestartContainerOptionsBuilder, StartContainerOptions,
};
use planner::ids::MachineName;
use planner::seen::Exit;
use tokio::io::AsyncWriteExt as _;

use crate::backend::{Caller, Docker};
use crate::binding::{self, Bound};
use crate::engine::if_there;
use crate::error::DockerError;
use crate::machines::{self, Found, Phase};
use crate::settings::WithUnstarted;

/// Waits for a launch, and becomes what its arguments say.
const SHELL: &str = "/bin/sh";

/// What the shell ends with when its input ends before there was a launch. No runner does (protocol 3.6).
const NO_LAUNCH: i32 = 97;

/// The program of a warm container: the runner as it is for a job, but for its handle, in the hands of a shell. That one reads
/// byte by byte, so that all behind the first line is left.
pub(crate) fn waiting_for_its_launch(runner: Vec<String>) -> Vec<String> {
    let script = format!("IFS= read -r handle || exit {NO_LAUNCH}; exec \"$@\" \"--handle=$handle\"");
    let mut program = vec![SHELL.to_owned(), "-c".to_owned(), script, "sh".to_owned()];
    program.extend(runner);
    program
}

/// How a container ended, when it ended like this by the engine's word.
pub(crate) fn exit(found: &Found, exit: Exit) -> Exit {
    let was_launched = found.bound != Bound::No && exit != Exit::Code(NO_LAUNCH);
    if found.is_warm() && !was_launched { Exit::NeverStarted } else { exit }
}

/// Lets a container wait for its launch. One that cannot is removed: nothing was bound to it.
pub(crate) async fn begin(docker: &Docker, id: &str, image: &str) -> Result<(), DockerError> {
    let begun = begun(docker, id, image).await;
    if begun.is_err() {
        docker.forget_prepared().await;
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let client = docker.engine.client().await?;
        // Should that fail as well, the next list shows the container, and it is tried again.
        let _ = docker.engine.long_call("remove a container", client.remove_container(id, Some(options))).await;
    }
    begun
}

async fn begun(docker: &Docker, id: &str, image: &str) -> Result<(), DockerError> {
    let client = docker.engine.client().await?;
    let shell = ContainerArchiveInfoOptionsBuilder::default().path(SHELL).build();
    let shell = docker.engine.call("look for a shell", client.get_container_archive_info(id, Some(shell))).await;
    if if_there(shell)?.is_none() {
        return Err(DockerError::NoShell { image: image.to_owned() });
    }
    docker.engine.long_call("start a container", client.start_container(id, None::<StartContainerOptions>)).await
}

/// Takes the runner of a warm machine back.
pub(crate) async fn release(docker: &Arc<Docker>, name: &MachineName, caller: &Caller) -> Result<(), DockerError> {
    let _turn = docker.memory.turn(name).await;
    let found = machines::of(&docker.engine, &docker.whose, name).await?;
    let machine = found.into_iter().next().ok_or(DockerError::NoMachine)?;
    if !machine.is_warm() {
        return Err(DockerError::NotWarm);
    }
    match &machine.bound {
        _ if docker.memory.asked_to_end(name) => return Err(DockerError::NoMachine),
        Bound::No if machine.is_ready() => return Ok(()),
        Bound::Back(_) => {}
        Bound::To(binding) if machine.phase == Phase::Running => {
            if docker.memory.has_handed_over(name) && !docker.memory.has_ended_input(name) {
                return Err(DockerError::HandedOver);
            }
            caller.still_waits()?;
            rename(docker, &machine, &binding::back_name(name, binding)?).await?;
        }
        Bound::No | Bound::To(_) => return Err(DockerError::NoMachine),
    }
    take_back(docker, &machine).await.map_err(DockerError::once_asked)?;
    docker.changed();
    Ok(())
}

/// Ends whatever runs in a marked machine, and lets it wait for another launch.
async fn take_back(docker: &Docker, machine: &Found) -> Result<(), DockerError> {
    let client = docker.engine.client().await?;
    let at_once = RestartContainerOptionsBuilder::default().t(0).build();
    let restarted = client.restart_container(&machine.id, Some(at_once));
    docker.engine.long_call("restart a container", restarted).await?;
    docker.memory.took_back(&machine.name);
    rename(docker, machine, machine.name.as_str()).await
}

async fn rename(docker: &Docker, machine: &Found, name: &str) -> Result<(), DockerError> {
    let options = RenameContainerOptionsBuilder::default().name(name).build();
    let client = docker.engine.client().await?;
    match docker.engine.call("rename a container", client.rename_container(&machine.id, options)).await {
        // Perhaps a call of a daemon that has ended was faster.
        Err(error) if docker.engine.container(name).await?.is_none_or(|found| found.id != machine.id) => Err(error),
        _ => Ok(()),
    }
}

/// Whether a call of an earlier daemon stopped half-way at a machine, or may have.
pub(crate) fn is_half_done(docker: &Docker, found: &Found) -> bool {
    let is_ours = docker.settings.unstarted == WithUnstarted::Settle && !docker.memory.asked_to_end(&found.name);
    let is_half_done = match (&found.bound, found.phase) {
        (Bound::Back(_), Phase::Created | Phase::Running | Phase::Exited) | (Bound::No, Phase::Created) => true,
        (Bound::To(_), Phase::Running) => !docker.memory.has_ended_input(&found.name),
        (Bound::No | Bound::To(_) | Bound::Back(_), _) => false,
    };
    is_ours && found.is_warm() && is_half_done
}

/// Goes on with it, unless a call of this daemon is about it. Nobody waits for that.
pub(crate) fn mend(docker: &Arc<Docker>, found: &Found) {
    let (docker, name) = (Arc::clone(docker), found.name.clone());
    let Some(turn) = docker.memory.try_turn(&name) else { return };
    tokio::spawn(async move {
        let _turn = turn;
        match mended(&docker, &name).await {
            Ok(()) => docker.changed(),
            Err(error) => {
                tracing::warn!(machine = %name, error = ::backend::chain(&error), "a machine is left half-way");
            }
        }
    });
}

async fn mended(docker: &Docker, name: &MachineName) -> Result<(), DockerError> {
    let found = machines::of(&docker.engine, &docker.whose, name).await?;
    let Some(machine) = found.into_iter().next().filter(|found| is_half_done(docker, found)) else { return Ok(()) };
    match &machine.bound {
        Bound::Back(_) => take_back(docker, &machine).await,
        Bound::To(_) => end_input(docker, &machine).await,
        Bound::No => {
            let image = machine.tags.warm().and_then(|tags| tags.image.as_deref());
            begin(docker, &machine.id, image.or(docker.settings.image.as_deref()).unwrap_or_default()).await
        }
    }
}

/// Says that no launch comes any more.
async fn end_input(docker: &Docker, machine: &Found) -> Result<(), DockerError> {
    let client = docker.engine.client().await?;
    let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).build();
    let attached = client.attach_container(&machine.id, Some(options));
    let mut attached = docker.engine.call("attach to a container", attached).await?;
    attached.input.shutdown().await.map_err(|source| DockerError::LaunchNotTaken { source })?;
    docker.memory.ended_input(&machine.name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use planner::ids::{Handle, PoolId, RunnerUuid, Try};
    use planner::seen::{Binding, WarmTags};

    use super::*;

    #[test]
    fn a_warm_machine_that_ends_without_a_launch_was_never_started() {
        let binding = Binding { handle: Handle::new("h"), attempt: Try(1), runner: RunnerUuid::new("u"), at: None };
        let found = |bound| Found {
            id: "id".to_owned(),
            name: MachineName::new("fs-1"),
            tags: WarmTags { pool: PoolId::new("p"), image: None, made_of: "x".to_owned() }.into(),
            is_nested: false,
            bound,
            phase: Phase::Exited,
        };
        let cases = [
            (Bound::No, Exit::Code(0), Exit::NeverStarted),
            (Bound::No, Exit::Signal(9), Exit::NeverStarted),
            (Bound::To(binding.clone()), Exit::Code(NO_LAUNCH), Exit::NeverStarted),
            (Bound::To(binding.clone()), Exit::Code(1), Exit::Code(1)),
            (Bound::To(binding), Exit::Signal(9), Exit::Signal(9)),
        ];
        for (bound, by_the_engine, expected) in cases {
            assert_eq!(exit(&found(bound), by_the_engine), expected);
        }
    }
}
