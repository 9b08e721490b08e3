//! Who listens at an abstract address of this host.
//!
//! Such an address is a name that one process at a time can have, that ends with it, and that leaves nothing behind. Anybody
//! may take any, so it matters who has it. Containers with a network of their own have addresses of their own.

use std::io;
use std::os::unix::net::UnixStream;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Who has an abstract address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The process that began to listen, as far as it can be seen from here.
    pub process: Option<i32>,
    /// Whether it is our own user's or root's.
    pub is_trusted: bool,
}

/// Who has an address now, if anybody. Waits for nobody: one that lets nobody in is not known. To be called within a runtime.
pub fn holder(address: &str) -> Option<Holder> {
    match ask(address) {
        Ok((process, user)) => {
            let ours = rustix::process::geteuid().as_raw();
            // It is 0 for a process that is in none of our process namespaces.
            let process = process.filter(|&id| id > 0);
            Some(Holder { process, is_trusted: user == ours || user == 0 })
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Holder { process: None, is_trusted: false }),
        Err(_) => None,
    }
}

/// What the kernel says of who listens: process and user.
fn ask(address: &str) -> io::Result<(Option<i32>, u32)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new_abstract_name(address.as_bytes())?)?;
    // Not rustix's own call: it knows no process 0.
    let peer = tokio::net::UnixStream::from_std(UnixStream::from(socket))?.peer_cred()?;
    Ok((peer.pid(), peer.uid()))
}
