//! The claim on a deployment's name: on one host, of two daemons with one deployment, one acts.
//!
//! The [lock](crate::lock) on the state directory does not see a daemon that has another directory. The two would exceed
//! `max` together, and take each other's runners for strays.
//!
//! ```text
//! daemon ─ listens at the abstract address `forgescale/deployment/NAME` ◄─ connects ─ another start, or a check
//!                                                                └► the kernel says whose it is
//! ```
//!
//! Promises: the claim ends with the process, however that ends, and leaves nothing behind. Only a process of the same user
//! or of root holds up a start: anybody may listen at any such address.
//!
//! Deliberately absent: other hosts, and containers with a network of their own.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::{Duration, Instant};

use backend_host::Holder;
use planner::ids::DeploymentId;

use crate::lock::{LockError, MOMENT, PAUSE};

/// How long nobody is let in after that has failed.
const REST: Duration = Duration::from_secs(1);

/// A deployment's name that is ours, on this host.
#[derive(Debug)]
pub(crate) struct Claim {
    listener: tokio::net::UnixListener,
}

impl Claim {
    /// Claims a name; nothing when that cannot be done here, or when somebody else's process keeps it from us, which is
    /// logged. Blocks for a moment while another daemon has it. To be called within a runtime.
    pub(crate) fn of(deployment: &DeploymentId) -> Result<Option<Self>, LockError> {
        let deadline = Instant::now() + MOMENT;
        loop {
            let error = match listen(deployment) {
                Ok(listener) => return Ok(Some(Self { listener })),
                Err(error) => error,
            };
            let holder = if error.kind() == io::ErrorKind::AddrInUse { holder(deployment) } else { None };
            let is_over = Instant::now() >= deadline;
            match holder {
                Some(Holder { is_trusted: true, process }) if is_over => {
                    return Err(LockError::Served { deployment: deployment.clone(), process });
                }
                Some(Holder { is_trusted: false, .. }) => {
                    tracing::warn!(%deployment, "another user's process has claimed this deployment on this host");
                    return Ok(None);
                }
                _ if is_over || error.kind() != io::ErrorKind::AddrInUse => {
                    tracing::warn!(%deployment, %error, "a second daemon of this deployment would not be noticed");
                    return Ok(None);
                }
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Lets one in who asks whose the name is; it has been answered by connecting.
    pub(crate) async fn let_in(&self) {
        if self.listener.accept().await.is_err() {
            tokio::time::sleep(REST).await;
        }
    }
}

/// Who has a deployment's name now, if anybody. Waits for nobody. To be called within a runtime.
pub(crate) fn holder(deployment: &DeploymentId) -> Option<Holder> {
    backend_host::holder(&name(deployment))
}

fn listen(deployment: &DeploymentId) -> io::Result<tokio::net::UnixListener> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name(deployment))?)?;
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// The address, of 107 bytes at most: names of deployments have 64.
fn name(deployment: &DeploymentId) -> String {
    format!("forgescale/deployment/{deployment}")
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

    use super::*;

    #[tokio::test]
    async fn a_deployment_has_one_daemon_on_a_host_and_is_free_again_after_it() {
        let deployment = DeploymentId::new(format!("claim-{}", std::process::id()));
        let other = DeploymentId::new(format!("{deployment}-b"));
        assert_eq!(holder(&deployment), None);
        let claim = Claim::of(&deployment).unwrap().expect("the name is free");
        let ourselves = i32::try_from(std::process::id()).unwrap();
        assert_eq!(holder(&deployment), Some(Holder { process: Some(ourselves), is_trusted: true }));
        claim.let_in().await;
        let error = Claim::of(&deployment).unwrap_err().to_string();
        assert!(error.contains(deployment.as_str()) && error.contains(&ourselves.to_string()), "{error}");
        assert!(Claim::of(&other).unwrap().is_some());
        drop(claim);
        assert!(Claim::of(&deployment).unwrap().is_some());
    }

    #[tokio::test]
    async fn who_lets_nobody_in_is_waited_for_by_nobody() {
        let deployment = DeploymentId::new(format!("full-{}", std::process::id()));
        let address = SocketAddrUnix::new_abstract_name(name(&deployment).as_bytes()).unwrap();
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        while holder(&deployment).is_some_and(|holder| holder.is_trusted) {}
        assert_eq!(holder(&deployment), Some(Holder { process: None, is_trusted: false }));
        assert!(Claim::of(&deployment).unwrap().is_none(), "it holds up no start");
    }
}
