//! The claim on a user that each machine has for itself: on one host, no other machine has it, whatever its deployment.
//!
//! ```text
//! daemon ─ listens at the abstract address `forgescale/user/UID` ─► looks whether the user is unused, clears what it left
//!              └─ the socket is inherited ─► supervisor: holds it for as long as it lives, passes it to nobody
//! ```
//!
//! After a supervisor's end the daemon claims the user again for each step of the clean-up. If another machine has it by
//! then, nothing of the earlier one was left when that was made.
//!
//! Deliberately absent: whoever uses such a user otherwise. Only a process of our own user or of root keeps a user from us:
//! a job may listen anywhere.

use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::{Duration, Instant};

use crate::holder::holder;

/// How long a clean-up waits for a daemon that only looks whether it can have the user.
pub(crate) const MOMENT: Duration = Duration::from_millis(500);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// A user that is ours for as long as this, or what inherited it, lives.
#[derive(Debug)]
pub(crate) struct UserClaim {
    socket: Option<OwnedFd>,
}

impl UserClaim {
    /// Claims a user; nothing while somebody else has it. Blocks for as long as that one is waited for. To be called within
    /// a runtime.
    pub(crate) fn of(uid: u32, patience: Duration) -> io::Result<Option<Self>> {
        let name = format!("forgescale/user/{uid}");
        let address = SocketAddr::from_abstract_name(&name)?;
        let deadline = Instant::now() + patience;
        loop {
            match UnixListener::bind_addr(&address) {
                Ok(listener) => return Ok(Some(Self { socket: Some(listener.into()) })),
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Err(error),
                Err(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(_) => break,
            }
        }
        let squatted = holder(&name).is_some_and(|holder| !holder.is_trusted);
        if squatted {
            tracing::warn!(uid, "another user's process has claimed this user of jobs on this host");
        }
        Ok(squatted.then_some(Self { socket: None }))
    }

    /// What a supervisor is to inherit.
    pub(crate) fn into_socket(self) -> Option<OwnedFd> {
        self.socket
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MOMENT, UserClaim};

    #[tokio::test]
    async fn a_user_is_had_by_one_and_free_again_after_it() {
        let uid = 2_000_000_000 + std::process::id();
        let claim = UserClaim::of(uid, Duration::ZERO).unwrap().unwrap();
        assert!(UserClaim::of(uid, Duration::ZERO).unwrap().is_none());
        assert!(UserClaim::of(uid + 1, Duration::ZERO).unwrap().is_some());
        let inherited = claim.into_socket().unwrap().try_clone().unwrap();
        assert!(UserClaim::of(uid, Duration::ZERO).unwrap().is_none(), "what inherited it has it");
        let last = std::thread::spawn(move || drop(inherited));
        assert!(UserClaim::of(uid, 100 * MOMENT).unwrap().is_some());
        last.join().unwrap();
    }
}
