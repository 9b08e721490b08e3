//! Making a machine: the folder first, complete under another name, then the supervisor in it.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ::backend::CreateRequest;
use planner::ids::MachineName;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::acknowledgement::{Acknowledgement, LINE_LIMIT};
use crate::backend::Host;
use crate::error::{At as _, HostError};
use crate::folder::{self, Folder, MARKER};
use crate::held::{Phase, Pipes};
use crate::kept::{self, Kept};
use crate::process::{self, Process};
use crate::promises;
use crate::records::MachineRecord;
use crate::runner_config;
use crate::settings::RunAs;
use crate::shared_places;
use crate::user::User;
use crate::user_claim::UserClaim;

/// How long a supervisor may take for its next word: it has little to do, but the host may be busy with jobs.
pub(crate) const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// Makes a machine, or finds it living.
pub(crate) async fn create(host: &Arc<Host>, request: CreateRequest) -> Result<(), HostError> {
    let name = request.name.clone();
    let folder = host.folder(&name)?;
    let _turn = host.turn(&name).await;
    // Before there is a folder, so that no listing takes one without a supervisor for an ended machine.
    let fresh = host.update(&name, |held| match held.phase {
        Phase::Unheld if held.asked_to_end.is_none() => {
            held.phase = Phase::Creating;
            Ok(true)
        }
        Phase::Creating | Phase::Open(_) | Phase::HandedOver if held.asked_to_end.is_none() => Ok(false),
        _ => Err(HostError::AlreadyUsed),
    })?;
    let opened = match host.blocking(move |host| make_folder(host, &request)).await {
        Ok(Made::Living) => Ok(None),
        Ok(Made::New(claim)) => open(host, &name, &folder, claim).await.map(Some),
        Err(error) => Err(error),
    };
    let (phase, done) = match opened {
        Ok(Some(pipes)) => (Some(Phase::Open(pipes)), Ok(())),
        Ok(None) => (fresh.then_some(Phase::Unheld), Ok(())),
        Err(error) => (fresh.then_some(Phase::Unheld), Err(error)),
    };
    if let Some(phase) = phase {
        host.update(&name, |held| held.phase = phase);
    }
    host.changed();
    done
}

enum Made {
    /// With the claim on its user, if it has one of its own.
    New(Option<UserClaim>),
    Living,
}

fn make_folder(host: &Host, request: &CreateRequest) -> Result<Made, HostError> {
    let folder = host.folder(&request.name)?;
    match kept::read_now(&folder, &host.settings.deployment)? {
        Kept::Missing => {}
        Kept::Foreign => return Err(HostError::OtherDeployment),
        Kept::Unreadable(source) => return Err(source).at(folder.path()),
        Kept::Ours(machine) => {
            let living = machine.supervisor.is_some() && !machine.stopping && machine.exit.is_none();
            return if living { Ok(Made::Living) } else { Err(HostError::AlreadyUsed) };
        }
    }
    let temporary = Folder::new(temporary_path(host, &request.name)?);
    // From the choice of a user until its machine can be found.
    let _choosing = host.choosing();
    let (user, claim) = match &host.settings.run_as {
        RunAs::Daemon => (None, None),
        RunAs::One(user) => (Some(user.clone()), None),
        RunAs::OnePerMachine(users) => {
            let (user, claim) = free_user(host, users)?;
            (Some(user), Some(claim))
        }
    };
    let record = record(host, request, user);
    let filled = fill(host, &record, &temporary).and_then(|()| match fs::rename(temporary.path(), folder.path()) {
        // A folder of this name came into being meanwhile; none of ours is ever empty, so it was not replaced.
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            Err(HostError::AlreadyUsed)
        }
        renamed => renamed.at(folder.path()),
    });
    if let Err(error) = filled {
        // What is left over otherwise is found by the next listing.
        let _ = fs::remove_dir_all(temporary.path());
        remove_group(host, &record.name);
        return Err(error);
    }
    folder::sync_directory(&host.settings.directory).at(&host.settings.directory)?;
    Ok(Made::New(claim))
}

/// Names the process that makes it, so that a later one can tell a crashed create from one under way. Each call has one of
/// its own: a call that was given up and the next one, through a backend that a reload has made, may be under way at once.
fn temporary_path(host: &Host, name: &MachineName) -> Result<PathBuf, HostError> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let own = Process::current().map_err(|source| HostError::Processes { source })?;
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    Ok(host.settings.directory.join(format!("{}{}.{}.{call}.{name}", folder::NEW_PREFIX, own.id, own.started)))
}

fn record(host: &Host, request: &CreateRequest, user: Option<User>) -> MachineRecord {
    MachineRecord {
        deployment: host.settings.deployment.clone(),
        name: request.name.clone(),
        tags: request.tags.clone(),
        stop_grace_ms: u64::try_from(request.stop_grace.as_millis()).unwrap_or(u64::MAX),
        created_ms: ::backend::wall_ms(),
        user,
        own_user: matches!(host.settings.run_as, RunAs::OnePerMachine(_)),
        control_group: None,
    }
}

/// The first user that no machine on this host has, whosever and in whatever state it is, and no process: one that was left
/// while records could not be read would meet the next job. So would files, which are removed; a user who has more of them
/// than one call removes is passed over.
fn free_user(host: &Host, users: &[User]) -> Result<(User, UserClaim), HostError> {
    let processes = |source| HostError::Processes { source };
    let mut used = kept::users(&host.settings.directory, None)?;
    used.extend(process::users().map_err(processes)?);
    for user in users.iter().filter(|user| !used.contains(&user.uid)) {
        let Some(claim) = UserClaim::of(user.uid, Duration::ZERO).map_err(processes)? else { continue };
        // Another deployment may have had it in between.
        let is_unused = process::of_user(user.uid).map_err(processes)?.is_empty();
        if is_unused && shared_places::clear(user) {
            return Ok((user.clone(), claim));
        }
    }
    Err(HostError::NoUserFree { users: users.len() })
}

fn fill(host: &Host, record: &MachineRecord, folder: &Folder) -> Result<(), HostError> {
    let mut record = record.clone();
    let user = record.user.as_ref();
    let make = |path: &Path, mode: u32| DirBuilder::new().mode(mode).create(path).at(path);
    // Another user passes through the folder to its own, and sees nothing of it.
    make(folder.path(), if user.is_some() { 0o711 } else { 0o700 })?;
    for name in [folder::HOME, folder::WORK, folder::TEMPORARY] {
        let path = folder.file(name);
        make(&path, 0o700)?;
        give(&path, user)?;
    }
    let config = folder.file(folder::CONFIG);
    let text = runner_config::text(host.settings.cache.as_ref(), &host.marker(&record.name));
    folder::create_file(&config).and_then(|mut file| file.write_all(text.as_bytes())).at(&config)?;
    give(&config, user)?;
    let group = host.control_groups().map(|groups| groups.make(&record.name)).transpose()?;
    record.control_group = group.map(|group| group.path().to_owned());
    folder.write(folder::MACHINE, &record).at(&folder.file(folder::MACHINE))
}

/// Removes the group of a machine that did not come into being. One that is in use stays.
fn remove_group(host: &Host, name: &MachineName) {
    let _ = host.control_groups().map(|groups| groups.of(name).remove());
}

fn give(path: &Path, user: Option<&User>) -> Result<(), HostError> {
    user.map_or(Ok(()), |user| std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)).at(path))
}

/// Starts the supervisor and waits until it is ready for a launch.
async fn open(
    host: &Arc<Host>,
    name: &MachineName,
    folder: &Folder,
    claim: Option<UserClaim>,
) -> Result<Pipes, HostError> {
    let (child, mut pipes) = match spawn(host, name, folder, claim) {
        Ok(spawned) => spawned,
        Err(error) => {
            let path = folder.path().to_owned();
            // If it stays, it is listed as a machine that was never started.
            let unused = name.clone();
            let _ = host
                .blocking(move |host| {
                    remove_group(host, &unused);
                    fs::remove_dir_all(&path).at(&path)
                })
                .await;
            return Err(error);
        }
    };
    host.update(name, |held| held.watched = true);
    tokio::spawn(reap(child, Arc::downgrade(host), name.clone()));
    match answer(&mut pipes.answers).await? {
        Acknowledgement::Ready => Ok(pipes),
        Acknowledgement::NotStarted { reason } => Err(HostError::NotStarted { reason }),
        Acknowledgement::Started => Err(HostError::Silent),
    }
}

fn spawn(
    host: &Host,
    name: &MachineName,
    folder: &Folder,
    claim: Option<UserClaim>,
) -> Result<(Child, Pipes), HostError> {
    let program = &host.settings.supervisor;
    let log = folder.file(folder::SUPERVISOR_LOG);
    let log = folder::create_file(&log).at(&log)?;
    let failed = |source| HostError::Supervisor { program: program.path.clone(), source };
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .arg(folder.path())
        // The daemon's environment may hold secrets; a supervisor needs none of it.
        .env_clear()
        .env(MARKER, host.marker(name))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(false);
    promises::inherits_nothing(&mut command, claim.and_then(UserClaim::into_socket));
    let mut child = command.spawn().map_err(failed)?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(launch), Some(answers)) => Ok((child, Pipes { launch, answers: BufReader::new(answers) })),
        _ => Err(failed(io::Error::other("no pipes"))),
    }
}

/// Reaps a supervisor of ours. It holds on to nothing, so that dropping the backend closes the pipes.
async fn reap(mut child: Child, host: Weak<Host>, name: MachineName) {
    if let Err(error) = child.wait().await {
        tracing::warn!(machine = %name, %error, "could not wait for a supervisor");
    }
    if let Some(host) = host.upgrade() {
        supervisor_ended(&host, &name);
    }
}

/// Notes that nobody waits for this machine's supervisor any more, and says so.
pub(crate) fn supervisor_ended(host: &Host, name: &MachineName) {
    if let Some(held) = host.held().get_mut(name) {
        held.watched = false;
    }
    host.changed();
}

/// Reads a supervisor's next word.
pub(crate) async fn answer(answers: &mut BufReader<ChildStdout>) -> Result<Acknowledgement, HostError> {
    let mut line = Vec::new();
    let mut bounded = answers.take(LINE_LIMIT as u64);
    match timeout(ANSWER_DEADLINE, bounded.read_until(b'\n', &mut line)).await {
        Ok(Ok(_)) => serde_json::from_slice(&line).map_err(|_| HostError::Silent),
        Ok(Err(_)) | Err(_) => Err(HostError::Silent),
    }
}
