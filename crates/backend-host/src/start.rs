//! Handing the launch over.

use std::sync::Arc;

use ::backend::Launch;
use planner::ids::MachineName;
use planner::seen::{Binding, Exit};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::acknowledgement::Acknowledgement;
use crate::backend::Host;
use crate::containers;
use crate::create::{ANSWER_DEADLINE, answer};
use crate::error::HostError;
use crate::folder::{self, Folder, MARKER};
use crate::held::{Phase, Pipes};
use crate::kept::{self, Bound, Kept, Machine};
use crate::launch_frame::{self, LaunchOut};
use crate::records::MachineRecord;

/// Starts the runner of a machine, once.
pub(crate) async fn start(host: &Arc<Host>, name: &MachineName, launch: &Launch) -> Result<(), HostError> {
    if launch.handle.as_str().is_empty() {
        return Err(HostError::NoHandle);
    }
    let folder = host.folder(name).map_err(|_| HostError::NoMachine)?;
    let _turn = host.turn(name).await;
    let (read, binding) = (folder.clone(), launch.binding());
    let before = host.blocking(move |host| look(host, &read, &binding)).await?;
    let Before::Open(record) = before else { return Ok(()) };
    let frame = encode(host, &record, &folder, launch)?;
    let pipes = host.update(name, |held| match std::mem::take(&mut held.phase) {
        Phase::Open(pipes) => {
            held.phase = Phase::HandedOver;
            Ok(pipes)
        }
        Phase::HandedOver => {
            held.phase = Phase::HandedOver;
            Err(HostError::Silent)
        }
        Phase::Unheld | Phase::Creating => Err(HostError::NoPipe),
    })?;
    let done = hand_over(pipes, &frame).await;
    host.changed();
    done
}

enum Before {
    /// The very same launch was started.
    Started,
    /// Nothing was started.
    Open(Box<MachineRecord>),
}

fn look(host: &Host, folder: &Folder, binding: &Binding) -> Result<Before, HostError> {
    let machine = match kept::read_now(folder, &host.settings.deployment)? {
        Kept::Ours(machine) => machine,
        Kept::Missing | Kept::Foreign => return Err(HostError::NoMachine),
        Kept::Unreadable(source) => return Err(HostError::File { path: folder.path().to_owned(), source }),
    };
    let Machine { record, supervisor, bound, exit, .. } = *machine;
    if let Some(exit) = exit.filter(|exit| exit.exit == Exit::NeverStarted && bound != Bound::No) {
        return Err(HostError::NotStarted { reason: exit.reason.unwrap_or_default() });
    }
    match bound {
        Bound::To(bound) if bound == *binding => Ok(Before::Started),
        Bound::To(_) | Bound::Unreadable => Err(HostError::OtherBinding),
        Bound::No if supervisor.is_none() => Err(HostError::NoMachine),
        Bound::No => Ok(Before::Open(Box::new(record))),
    }
}

fn encode(
    host: &Host,
    record: &MachineRecord,
    folder: &Folder,
    launch: &Launch,
) -> Result<Zeroizing<Vec<u8>>, HostError> {
    let frame = LaunchOut {
        binding: &launch.binding(),
        user: record.user.as_ref(),
        control_group: record.control_group.as_deref(),
        containers: containers::may_be_made(&launch.labels),
        program: &host.settings.runner.path,
        arguments: &arguments(&host.settings.runner.arguments, folder, launch),
        environment: &environment(host, record, folder),
        stop_grace_ms: record.stop_grace_ms,
        log_limit: host.settings.log_limit,
        token: launch.token.expose_secret(),
    };
    launch_frame::encode(&frame)
        .map_err(|source| HostError::LaunchEncoding { source })?
        .ok_or(HostError::LaunchTooLarge)
}

/// The command line of `forgejo-runner` (protocol 3.6). The token comes on standard input.
fn arguments(first: &[String], folder: &Folder, launch: &Launch) -> Vec<String> {
    let mut arguments = first.to_vec();
    arguments.extend(["-c".to_owned(), text(folder, folder::CONFIG), "one-job".to_owned()]);
    arguments.push(format!("--url={}", launch.url));
    arguments.push(format!("--uuid={}", launch.uuid));
    arguments.push("--token-url=file:/dev/stdin".to_owned());
    arguments.extend(launch.labels.iter().map(|label| format!("--label={label}")));
    arguments.push(format!("--handle={}", launch.handle));
    arguments.push("--wait".to_owned());
    arguments.push(format!("--fetch-interval={}ms", launch.fetch_interval.as_millis().max(1)));
    arguments
}

/// All of the runner's environment. Host jobs inherit it (protocol 3.6).
fn environment(host: &Host, record: &MachineRecord, folder: &Folder) -> Vec<(String, String)> {
    let mut environment = vec![
        ("PATH".to_owned(), host.settings.path.clone()),
        ("HOME".to_owned(), text(folder, folder::HOME)),
        ("TMPDIR".to_owned(), text(folder, folder::TEMPORARY)),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
    ];
    for name in ["USER", "LOGNAME"] {
        let value = record.user.as_ref().map(|user| user.name.clone()).or_else(|| std::env::var(name).ok());
        environment.extend(value.map(|value| (name.to_owned(), value)));
    }
    environment.extend(host.settings.environment.iter().cloned());
    // Last, so that nothing takes its place.
    environment.push((MARKER.to_owned(), host.marker(&record.name)));
    environment
}

/// A path as text: the directory is known to be UTF-8, the rest is ours.
fn text(folder: &Folder, name: &str) -> String {
    folder.file(name).to_string_lossy().into_owned()
}

async fn hand_over(mut pipes: Pipes, frame: &[u8]) -> Result<(), HostError> {
    // The frame fits an ordinary pipe, so this waits for nobody; a pipe may be smaller where a user has many. If it fails
    // the supervisor has ended without all of it.
    let late = |_| Err(std::io::ErrorKind::TimedOut.into());
    let handed_over = timeout(ANSWER_DEADLINE, pipes.launch.write_all(frame)).await.unwrap_or_else(late);
    handed_over.map_err(|source| HostError::LaunchNotTaken { source })?;
    match answer(&mut pipes.answers).await? {
        Acknowledgement::Started => Ok(()),
        Acknowledgement::NotStarted { reason } => Err(HostError::NotStarted { reason }),
        Acknowledgement::Ready => Err(HostError::Silent),
    }
}
