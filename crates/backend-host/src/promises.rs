//! The only unsafe code: two things that the compiler cannot check and that are promised here.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Makes the kernel kill the command's process when the calling *thread* ends. Call it on the thread that spawns, in a
/// process whose main thread is its only one.
pub(crate) fn dies_with_this_process(command: &mut Command) {
    let supervisor = getpid();
    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe things are allowed. It
    // makes two system calls through rustix, which neither allocate nor lock, and builds an `io::Error` from a number,
    // which does not allocate. It captures a plain number and touches no other memory.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the line above: then nobody would send the signal.
            if getppid() == Some(supervisor) { Ok(()) } else { Err(io::Error::from(rustix::io::Errno::SRCH)) }
        });
    }
}

/// Makes a pidfd something to await: readable when its process has ended. Needs the runtime's context.
pub(crate) fn awaitable(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open for as long as it lives, always names the same descriptor, and lives in the `AsyncFd`,
    // out of which nothing here takes it.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(io::Error::from)
}
