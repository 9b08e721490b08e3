//! The follower: a second daemon on one host that takes over when the first has ended, however that ended.
//!
//! ```text
//! lock taken ─► look again every second ─► free ─► locked: go on as any daemon does
//!                   └─► told to end
//! ```
//!
//! Promises: while it waits it calls nobody and changes nothing; the service manager hears that it is ready and lives.
//! What the first one had under way is found as after any other end: by names, tags and bindings.

use std::path::Path;
use std::time::Duration;

use crate::lock::{LockError, StateDirectory};
use crate::notify::Notifier;

/// How often the lock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Waits for the state directory. Nothing when `end` came first.
pub async fn follow(directory: &Path, end: impl Future<Output = ()>) -> Result<Option<StateDirectory>, LockError> {
    let mut notifier = Notifier::of_process();
    let every = notifier.sign_every().map_or(LOOK_EVERY, |sign_every| sign_every.min(LOOK_EVERY));
    let mut known = String::new();
    tokio::pin!(end);
    loop {
        match StateDirectory::try_lock(directory) {
            Ok(locked) => {
                if !known.is_empty() {
                    tracing::info!(process = known, "the other daemon has ended: taking over");
                }
                return Ok(Some(locked));
            }
            Err(LockError::Taken { process, .. }) if process != known || known.is_empty() => {
                tracing::info!(process, directory = %directory.display(), "waiting for the daemon that has the state directory to end");
                known = process;
            }
            Err(LockError::Taken { .. }) => {}
            Err(error) => return Err(error),
        }
        notifier.waiting(&known);
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = &mut end => return Ok(None),
        }
    }
}
