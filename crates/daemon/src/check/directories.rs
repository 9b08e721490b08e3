//! State and runtime directory: whether the daemon will be able to use them, without making or touching anything; and
//! whether another daemon of the deployment runs on this host.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use backend_host::Holder;
use planner::ids::DeploymentId;
use rustix::fs::{Access, AtFlags, CWD};

use super::finding::Finding;
use super::machines::Machines;
use crate::chain;
use crate::claim;
use crate::config::Config;
use crate::lock::{self, LockError, ONE_OF_TWO};
use crate::private;
use crate::report_file::ReportFile;
use crate::vault::{LOST, MAKE_ONE};

/// Logs, records and jobs' folders need some room: with less than this, work will soon fail.
const LEAST_ROOM: u64 = 64 << 20;

/// Where a state directory could be.
const A_PLACE: &str =
    "name a directory on a disk that is there or can be made: state_directory = \"/var/lib/forgescale\"";

/// Both directories. What the configuration does not say is passed over.
pub(super) fn check(config: &Config, machines: &Machines) -> Vec<Finding> {
    let directory = &config.state_directory;
    let is_given = !directory.as_os_str().is_empty();
    let mut findings = if is_given { state(directory) } else { Vec::new() };
    let is_taken = |file: File| lock::is_taken(&file).unwrap_or(false);
    let runs_with_it = is_given && File::open(directory.join(lock::NAME)).is_ok_and(is_taken);
    if !config.deployment.as_str().is_empty() {
        if is_given {
            findings.extend(of_others(config, machines, runs_with_it));
        }
        if !runs_with_it {
            findings.extend(another(&config.deployment));
        }
    }
    findings.extend(runtime(config.runtime_directory.as_deref()));
    findings
}

/// A daemon of the deployment that is not the one with our state directory.
fn another(deployment: &DeploymentId) -> Option<Finding> {
    let subject = format!("deployment {deployment}");
    let Holder { process, is_trusted } = claim::holder(deployment)?;
    Some(if is_trusted {
        let error = LockError::Served { deployment: deployment.clone(), process };
        Finding::error(subject, error.to_string()).hint(error.hint())
    } else {
        Finding::warning(subject, "another user's process on this host has claimed it")
            .hint(format!("if that is another forgescale: {ONE_OF_TWO}"))
    })
}

/// Other deployments whose state directory this is, or was.
fn of_others(config: &Config, machines: &Machines, runs_with_it: bool) -> Option<Finding> {
    let subject = format!("state_directory {}", config.state_directory.display());
    // The last daemon with this directory has written it.
    let last = ReportFile::read(&config.state_directory).ok().map(|file| file.deployment);
    let last = last.filter(|last| *last != config.deployment);
    if let (Some(last), true) = (&last, runs_with_it) {
        let message = format!("the daemon that runs with it is of another deployment: {last}");
        return Some(Finding::error(subject, message).hint("give each deployment a `state_directory` of its own"));
    }
    let others: BTreeSet<_> = machines.of_others.iter().cloned().chain(last).collect();
    let names: Vec<_> = others.iter().map(ToString::to_string).collect();
    let first = names.first()?;
    let message = format!("another deployment has used it, of which something may be left: {}", names.join(", "));
    Some(Finding::warning(subject, message).hint(format!(
        "if `deployment` was changed on purpose, `forgescale gc --deployment {first}` cleans up after the old one; if not, give \
         each deployment a `state_directory` of its own"
    )))
}

fn state(directory: &Path) -> Vec<Finding> {
    let subject = format!("state_directory {}", directory.display());
    let there = match existing(directory) {
        Ok(there) => there,
        Err(error) => return vec![Finding::error(subject, error.to_string()).hint(A_PLACE)],
    };
    if private::is_the_kernels(there).unwrap_or(false) {
        let message = format!("{} shows the kernel, and holds no files", there.display());
        return vec![Finding::error(subject, message).hint(A_PLACE)];
    }
    if let Err(error) = writable(there) {
        let message = format!("cannot write to {}: {error}", there.display());
        return vec![
            Finding::error(subject, message)
                .hint("run this as the user that the daemon will run as; chown it to that one"),
        ];
    }
    let mut findings = vec![if there == directory { in_use(&subject, directory) } else { to_come(&subject, there) }];
    findings.extend(room(&subject, there));
    findings.extend(others(&subject, there, directory));
    findings
}

/// The directory, or the nearest above it that is there.
fn existing(directory: &Path) -> io::Result<&Path> {
    for path in directory.ancestors() {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Ok(path),
            Ok(_) => return Err(io::Error::other(format!("{} is not a directory", path.display()))),
            // A file is in the way where a directory should be: it is met further up.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(io::Error::other(format!("cannot look at {}: {error}", path.display()))),
        }
    }
    Err(io::Error::other("there is no directory above it"))
}

/// Whether this process may make files in it, by its effective user.
fn writable(directory: &Path) -> io::Result<()> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    Ok(rustix::fs::accessat(CWD, directory, access, AtFlags::EACCESS)?)
}

/// A directory that is there: whether a daemon has it.
fn in_use(subject: &str, directory: &Path) -> Finding {
    let unused = || Finding::ok(subject, "it can be written to, and no daemon has it");
    match File::open(directory.join(lock::NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => unused(),
        Err(error) => Finding::error(subject, format!("cannot open its lock: {error}"))
            .hint("run this as the user that the daemon runs as"),
        Ok(file) => match lock::is_taken(&file) {
            Ok(false) => unused(),
            Ok(true) => Finding::ok(subject, "it can be written to; a daemon runs with it now"),
            Err(error) => Finding::error(subject, format!("files in it cannot be locked: {error}"))
                .hint("use a local file system"),
        },
    }
}

fn to_come(subject: &str, there: &Path) -> Finding {
    Finding::ok(subject, format!("it is not there yet, and can be made in {}", there.display()))
}

fn room(subject: &str, there: &Path) -> Option<Finding> {
    let about = rustix::fs::statvfs(there).ok()?;
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    (free < LEAST_ROOM).then(|| {
        let message = format!("only {} MiB are free there", free >> 20);
        Finding::warning(subject, message).hint("make room: jobs on the host backend work below it")
    })
}

fn others(subject: &str, there: &Path, directory: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(directory).ok()?.mode() & 0o7777;
    (there == directory && mode & private::WRITABLE_BY_OTHERS != 0).then(|| {
        Finding::warning(subject, format!("other users can change what is in it (mode {mode:04o})"))
            .hint(format!("chmod go-w {}", directory.display()))
    })
}

fn runtime(directory: Option<&Path>) -> Vec<Finding> {
    let Some(directory) = directory else {
        let finding = Finding::warning("runtime_directory", format!("there is none: {LOST}"));
        return vec![finding.hint(MAKE_ONE)];
    };
    let subject = format!("runtime_directory {}", directory.display());
    vec![match looked_at(directory) {
        Ok(Runtime::Usable) => Finding::ok(subject, "it is in memory, and ours alone to change"),
        Ok(Runtime::ToCome) => Finding::ok(subject, "it is not there yet, and can be made, in memory"),
        Ok(Runtime::OnDisk) => {
            let message = format!("it is not in memory, and secrets are written to no disk: {LOST}");
            Finding::warning(subject, message).hint(in_memory_elsewhere(directory))
        }
        Err(reason) => Finding::warning(subject, format!("{reason}: {LOST}"))
            .hint("it must be a directory of the daemon's user, mode 0700, or one that the daemon can make"),
    }]
}

/// Where it could be instead. What is not in memory here is not recommended.
fn in_memory_elsewhere(directory: &Path) -> &'static str {
    if directory.starts_with("/run") {
        "that is no tmpfs here: mount one there, or name a directory of the daemon's user's own that is on one, such as \
         runtime_directory = \"/dev/shm/forgescale\""
    } else {
        MAKE_ONE
    }
}

/// How a runtime directory is.
enum Runtime {
    Usable,
    ToCome,
    OnDisk,
}

fn looked_at(directory: &Path) -> Result<Runtime, String> {
    let there = existing(directory).map_err(|error| error.to_string())?;
    if !private::is_in_memory(there).map_err(|error| error.to_string())? {
        return Ok(Runtime::OnDisk);
    }
    writable(there).map_err(|error| format!("cannot write to {}: {error}", there.display()))?;
    if there != directory {
        return Ok(Runtime::ToCome);
    }
    private::guarded(directory).map_err(|error| chain(&error))?;
    Ok(Runtime::Usable)
}
