//! Waiting for descriptors and reaping children.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// Waits until one of them can be read (or has closed), a signal came, or the time is over.
pub(super) fn readable(sources: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let mut polled: Vec<PollFd<'_>> =
        sources.iter().map(|source| PollFd::from_borrowed_fd(*source, PollFlags::IN)).collect();
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What reaping found.
pub(super) struct Reaped {
    /// How the runner ended, if it was among those reaped.
    pub(super) runner: Option<WaitStatus>,
    /// Whether any child is left, and with it any descendant.
    pub(super) children_left: bool,
}

/// Reaps every child that has ended: the runner, and orphans that were handed to the subreaper.
pub(super) fn reap(runner: Pid) -> io::Result<Reaped> {
    let mut reaped = Reaped { runner: None, children_left: true };
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((child, status))) if child == runner => reaped.runner = Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(reaped),
            Err(Errno::CHILD) => return Ok(Reaped { children_left: false, ..reaped }),
            Err(error) => return Err(error.into()),
        }
    }
}
