//! The only unsafe code: four things that the compiler cannot check and that are promised here.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Gid, Signal, Uid, getpid, getppid, set_parent_process_death_signal};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::user::User;

/// What the command's process does before it becomes the program: it joins a control group, becomes a user for good, and
/// makes the kernel kill it when the calling *thread* ends. Call it on the thread that spawns, in a process whose main
/// thread is its only one.
pub(crate) fn begins_life(command: &mut Command, user: Option<&User>, control_group: Option<File>) {
    let supervisor = getpid();
    let identity = user.map(Identity::of);
    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe things are allowed. It
    // makes a few system calls through rustix, which neither allocate nor lock, and builds an `io::Error` from a number,
    // which does not allocate. It captures numbers and a file that were made before, and touches no other memory. The
    // child has one thread, so changing the identity of a thread changes that of the process.
    unsafe {
        command.pre_exec(move || {
            if let Some(group) = &control_group {
                // As root still: the group is not the user's. Zero means the writer.
                rustix::io::write(group, b"0")?;
            }
            if let Some(identity) = &identity {
                identity.take()?;
            }
            // After the change of identity, which forgets it.
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the line above: then nobody would send the signal.
            if getppid() == Some(supervisor) { Ok(()) } else { Err(io::Error::from(rustix::io::Errno::SRCH)) }
        });
    }
}

/// The command's process becomes this user for good before it becomes the program.
pub(crate) fn becomes(command: &mut tokio::process::Command, user: &User) {
    let identity = Identity::of(user);
    // SAFETY: as above: `take` makes system calls through rustix and neither allocates nor locks, and the child has one
    // thread.
    unsafe {
        command.pre_exec(move || identity.take());
    }
}

/// Who a process becomes.
struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Identity {
    fn of(user: &User) -> Self {
        let groups = user.groups.iter().copied().map(Gid::from_raw).collect();
        Self { uid: Uid::from_raw(user.uid), gid: Gid::from_raw(user.gid), groups }
    }

    fn take(&self) -> io::Result<()> {
        // The groups first: afterwards it has no right to any of it.
        set_thread_groups(&self.groups)?;
        set_thread_gid(self.gid)?;
        Ok(set_thread_uid(self.uid)?)
    }
}

/// Keeps what this process inherited from being passed on: our own files close by themselves, but not those that a
/// shell, a build tool or a service manager left open. A supervisor would hold them for hours.
/// One may be excepted.
pub(crate) fn inherits_nothing(command: &mut tokio::process::Command, but: Option<OwnedFd>) {
    // SAFETY: as above: `passes_nothing_on` makes system calls through rustix with a buffer on its stack, and neither
    // allocates nor locks; nor does the one after it, for a descriptor that the closure owns.
    unsafe {
        command.pre_exec(move || {
            passes_nothing_on()?;
            Ok(but.as_ref().map_or(Ok(()), |but| fcntl_setfd(but, FdFlags::empty()))?)
        });
    }
}

/// Marks every descriptor above the three standard ones to be closed by exec. To be called where there is one thread.
pub(crate) fn passes_nothing_on() -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(c"/proc/self/fd", flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(&directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let number = std::str::from_utf8(entry.file_name().to_bytes()).ok().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: the kernel has just listed it, and the only thread closes nothing meanwhile.
            fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

/// Makes a pidfd something to await: readable when its process has ended. Needs the runtime's context.
pub(crate) fn awaitable(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open for as long as it lives, always names the same descriptor, and lives in the `AsyncFd`,
    // out of which nothing here takes it.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(io::Error::from)
}
