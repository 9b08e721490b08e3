//! Credentials of runners: in memory, and one 0600 file each where the runtime directory is in memory too.
//!
//! With the files, fencing and early ends survive a restart of the daemon; without them both degrade, and a restart says
//! so. A token is never written to a file system that may reach a disk (invariant 11).

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use planner::ids::RunnerUuid;
use secrecy::{ExposeSecret as _, SecretString};

use crate::chain;
use crate::made::Made;
use crate::private;

/// A file of credentials longer than this is none of ours: a token has 40 characters.
const LONGEST: u64 = 256;

/// What is lost without a runtime directory that can keep secrets.
pub(crate) const LOST: &str = "the daemon's memory alone holds the credentials of runners, and after its restart one that \
    waits in vain is ended without being kept from new jobs first: in an unlucky instant that hits a job which it has just got";

/// How to have one.
pub(crate) const MAKE_ONE: &str = "name a directory on a tmpfs that is the daemon's user's own: for root runtime_directory = \
    \"/run/forgescale\", for another user a directory below $XDG_RUNTIME_DIR; a systemd unit gives one by RuntimeDirectory=";

/// Begins the name of a file that is not complete yet; no uuid begins so.
const UNFINISHED: char = '.';

/// Credentials at hand.
#[derive(Debug)]
pub(crate) struct Vault {
    directory: Option<PathBuf>,
    /// What was made of it.
    made: Mutex<Made>,
    orphaned: Duration,
    tokens: Mutex<BTreeMap<RunnerUuid, (SecretString, Instant)>>,
}

impl Vault {
    /// Opens it and reads what an earlier life has left in `directory`, if that is in memory. Credentials that nothing
    /// refers to are kept for `orphaned`, which must be longer than a register call and its answer take.
    pub(crate) fn open(directory: Option<&Path>, orphaned: Duration) -> Self {
        let mut made = Made::default();
        let directory = directory.and_then(|directory| match usable(directory, &mut made) {
            Ok(true) => Some(directory.to_owned()),
            Ok(false) => {
                tracing::warn!(
                    directory = %directory.display(), hint = MAKE_ONE,
                    "the runtime directory is not in memory, and secrets are written to no disk: {LOST}"
                );
                None
            }
            Err(error) => {
                tracing::warn!(
                    directory = %directory.display(), error = chain(&*error), hint = MAKE_ONE,
                    "the runtime directory is not usable: {LOST}"
                );
                None
            }
        });
        if directory.is_none() {
            // It was made to be looked at.
            made = Made::default();
        }
        let now = Instant::now();
        let found = directory.iter().flat_map(|directory| read_all(directory));
        let tokens = found.map(|(uuid, token)| (uuid, (token, now))).collect();
        Self { directory, made: Mutex::new(made), orphaned, tokens: Mutex::new(tokens) }
    }

    /// Whose credentials are at hand.
    pub(crate) fn runners(&self) -> Vec<RunnerUuid> {
        self.tokens().keys().cloned().collect()
    }

    /// Keeps the credentials of a new registration. Blocks for one small file in memory.
    pub(crate) fn put(&self, uuid: &RunnerUuid, token: &SecretString) {
        if let Some(directory) = &self.directory
            && let Err(error) = write(directory, uuid, token)
        {
            tracing::warn!(%uuid, %error, "credentials of a runner are kept in memory only");
        }
        self.tokens().insert(uuid.clone(), (token.clone(), Instant::now()));
    }

    /// The token of a runner.
    pub(crate) fn token(&self, uuid: &RunnerUuid) -> Option<SecretString> {
        self.tokens().get(uuid).map(|(token, _)| token.clone())
    }

    /// Drops what nothing has referred to for long enough.
    pub(crate) fn retain(&self, in_use: impl Fn(&RunnerUuid) -> bool) {
        self.keep(|uuid, since| in_use(uuid) || since.elapsed() < self.orphaned);
    }

    /// Drops what nothing refers to, where no register call can be under way.
    pub(crate) fn retain_only(&self, in_use: impl Fn(&RunnerUuid) -> bool) {
        self.keep(|uuid, _| in_use(uuid));
    }

    /// Removes the directory if it is empty, and those above it that this life has made. The next one makes them again.
    pub(crate) fn close(&self) {
        // One that is not empty stays: the kernel refuses.
        let _ = self.directory.as_ref().map(fs::remove_dir);
        drop(std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    fn keep(&self, is_kept: impl Fn(&RunnerUuid, Instant) -> bool) {
        let mut dropped = Vec::new();
        self.tokens().retain(|uuid, (_, since)| {
            let keep = is_kept(uuid, *since);
            if !keep {
                dropped.push(uuid.clone());
            }
            keep
        });
        for uuid in dropped {
            self.remove_file(&uuid);
        }
    }

    /// Drops the credentials of a runner that is over.
    pub(crate) fn drop_runner(&self, uuid: &RunnerUuid) {
        self.tokens().remove(uuid);
        self.remove_file(uuid);
    }

    fn remove_file(&self, uuid: &RunnerUuid) {
        if let Some(directory) = &self.directory
            && is_plain(uuid)
            && let Err(error) = fs::remove_file(directory.join(uuid.as_str()))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%uuid, %error, "the credentials of a runner that is over could not be removed");
        }
    }

    fn tokens(&self) -> MutexGuard<'_, BTreeMap<RunnerUuid, (SecretString, Instant)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the directory; whether it is in memory. An error when others could read it or put another in its place: half of
/// that is the runtime directory two levels above, which may have been there before us.
fn usable(directory: &Path, made: &mut Made) -> Result<bool, Box<dyn Error>> {
    made.folder(directory)?;
    private::closed(directory)?;
    for above in directory.ancestors().skip(1).take(2) {
        private::guarded(above)?;
    }
    Ok(private::is_in_memory(directory)?)
}

/// Whether a uuid, which a forge has chosen, can be the name of a file and leads nowhere else.
fn is_plain(uuid: &RunnerUuid) -> bool {
    let text = uuid.as_str();
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Writes a file that is there with the whole token or not at all: half a token would be refused by the forge, and that
/// reads as a registration that is gone.
fn write(directory: &Path, uuid: &RunnerUuid, token: &SecretString) -> io::Result<()> {
    if !is_plain(uuid) {
        return Err(io::Error::other("the forge gave a uuid that can be no file's name"));
    }
    let unfinished = directory.join(format!("{UNFINISHED}{uuid}"));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(token.expose_secret().as_bytes())?;
    fs::rename(unfinished, directory.join(uuid.as_str()))
}

/// What an earlier life has left. A file that was not finished is removed: its runner was never started. One that cannot
/// be read, or is no credentials of ours, is left alone.
fn read_all(directory: &Path) -> Vec<(RunnerUuid, SecretString)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if name.strip_prefix(UNFINISHED).is_some_and(|rest| is_plain(&RunnerUuid::new(rest))) {
                // What stays is a file that nobody reads, in memory.
                let _ = fs::remove_file(entry.path());
                return None;
            }
            let uuid = Some(RunnerUuid::new(name)).filter(is_plain)?;
            let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= LONGEST)?;
            let text = fs::read_to_string(entry.path()).ok().filter(|_| metadata.len() > 0)?;
            Some((uuid, SecretString::from(text)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORPHANED: Duration = Duration::from_mins(1);

    #[test]
    fn a_directory_on_a_disk_gets_no_file() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("credentials");
        if usable(&directory, &mut Made::default()).unwrap() {
            // The directory for temporary files is in memory here: then the other half of the rule is what holds.
            return check_files(&directory);
        }
        let vault = Vault::open(Some(&directory), ORPHANED);
        vault.put(&RunnerUuid::new("u"), &SecretString::from("secret"));
        assert!(vault.token(&RunnerUuid::new("u")).is_some() && !directory.exists());
    }

    #[test]
    fn credentials_in_memory_survive_and_go_with_their_runner() {
        let shared_memory = Path::new("/dev/shm");
        if shared_memory.is_dir() && private::is_in_memory(shared_memory).unwrap_or(false) {
            check_files(&tempfile::tempdir_in(shared_memory).unwrap().path().join("credentials"));
        } else {
            eprintln!("skipped: /dev/shm is no tmpfs here");
        }
    }

    #[test]
    fn a_directory_that_others_can_enter_gets_no_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let shared_memory = Path::new("/dev/shm");
        let place = if shared_memory.is_dir() { tempfile::tempdir_in(shared_memory) } else { tempfile::tempdir() };
        let place = place.unwrap();
        let directory = place.path().join("credentials");
        fs::create_dir(&directory).unwrap();
        let in_use = RunnerUuid::new("u");
        fs::write(directory.join("planted"), "secret").unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        let vault = Vault::open(Some(&directory), ORPHANED);
        assert!(vault.runners().is_empty(), "what others have left is not believed");
        vault.put(&in_use, &SecretString::from("secret"));
        assert!(vault.token(&in_use).is_some() && !directory.join("u").exists());
    }

    fn check_files(directory: &Path) {
        let uuid = RunnerUuid::new("d4637a60-7fea-4075-a81c-7e4ae01bdf0d");
        Vault::open(Some(directory), ORPHANED).put(&uuid, &SecretString::from("secret"));
        let vault = Vault::open(Some(directory), ORPHANED);
        assert_eq!(vault.runners(), std::slice::from_ref(&uuid));
        assert_eq!(vault.token(&uuid).unwrap().expose_secret(), "secret");
        vault.drop_runner(&uuid);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
        fs::write(directory.join(format!(".{uuid}")), "secr").unwrap();
        assert!(Vault::open(Some(directory), ORPHANED).runners().is_empty());
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
        let elsewhere = RunnerUuid::new("../elsewhere");
        vault.put(&elsewhere, &SecretString::from("secret"));
        assert!(vault.token(&elsewhere).is_some() && !directory.join(elsewhere.as_str()).exists());
        let vault = Vault::open(Some(directory), ORPHANED);
        assert!(vault.runners().is_empty());
        vault.put(&uuid, &SecretString::from("secret"));
        vault.close();
        assert!(directory.join(uuid.as_str()).exists(), "it is kept for the next life");
        vault.drop_runner(&uuid);
        vault.close();
        assert!(!directory.exists());
        // With those above it that it made itself.
        let deep = directory.join("credentials/ci");
        let vault = Vault::open(Some(&deep), ORPHANED);
        assert!(deep.exists());
        vault.close();
        assert!(!directory.exists() && directory.parent().is_some_and(Path::exists));
    }

    #[test]
    fn credentials_that_nothing_refers_to_are_kept_for_a_while() {
        for (orphaned, kept) in [(ORPHANED, true), (Duration::ZERO, false)] {
            let vault = Vault::open(None, orphaned);
            vault.put(&RunnerUuid::new("used"), &SecretString::from("secret"));
            vault.put(&RunnerUuid::new("unused"), &SecretString::from("secret"));
            vault.retain(|uuid| uuid.as_str() == "used");
            assert!(vault.token(&RunnerUuid::new("used")).is_some());
            assert_eq!(vault.token(&RunnerUuid::new("unused")).is_some(), kept);
            vault.retain_only(|uuid| uuid.as_str() == "used");
            assert_eq!(vault.runners(), [RunnerUuid::new("used")]);
        }
    }
}
