//! The supervisor's signals, as bytes in sockets that can be polled.
//!
//! Everything is caught, nothing ignored: an ignored signal stays ignored in the runner, a caught one does not.

use std::io::{self, ErrorKind, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::Signal;

/// The two signals that matter; interrupts and hang-ups of a terminal are dropped.
pub(super) struct Signals {
    stops: UnixStream,
    children: UnixStream,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        for dropped in [Signal::INT, Signal::HUP] {
            signal_hook::flag::register(dropped.as_raw(), Arc::new(AtomicBool::new(false)))?;
        }
        Ok(Self { stops: caught(Signal::TERM)?, children: caught(Signal::CHILD)? })
    }

    /// What to poll: readable after a signal.
    pub(super) fn sources(&self) -> [BorrowedFd<'_>; 2] {
        [self.stops.as_fd(), self.children.as_fd()]
    }

    /// How often SIGTERM came since the last call. Two at the very same time can count as one.
    pub(super) fn take_stops(&mut self) -> usize {
        drain(&mut self.children);
        drain(&mut self.stops)
    }
}

fn caught(signal: Signal) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal.as_raw(), write)?;
    Ok(read)
}

fn drain(source: &mut UnixStream) -> usize {
    let (mut count, mut buffer) = (0, [0; 64]);
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return count,
            Ok(length) => count += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return count,
        }
    }
}
