//! Waiting for the launch.

use std::io;

use secrecy::zeroize::Zeroizing;

use super::signals::Signals;
use super::wait;
use crate::launch_frame::{self, DOCUMENT_LIMIT, LENGTH_BYTES, LaunchIn};

/// How the wait ended.
pub(super) enum Awaited {
    /// With a launch.
    Launch(Box<LaunchIn>),
    /// Without one, and none can come.
    Nothing {
        /// Why, for people.
        reason: String,
    },
}

/// Waits for as long as the daemon holds its end of the pipe: a machine may be kept ready for a while.
pub(super) fn launch(signals: &mut Signals) -> io::Result<Awaited> {
    let stdin = rustix::stdio::stdin();
    let mut frame = Zeroizing::new(Vec::with_capacity(LENGTH_BYTES + DOCUMENT_LIMIT));
    let mut chunk = Zeroizing::new([0; 4096]);
    loop {
        let [stops, children] = signals.sources();
        wait::readable(&[stops, children, stdin], None)?;
        if signals.take_stops() > 0 {
            return Ok(Awaited::Nothing { reason: "it was stopped before a launch came".to_owned() });
        }
        if !is_readable_now(stdin)? {
            continue;
        }
        let length = rustix::io::retry_on_intr(|| rustix::io::read(stdin, &mut chunk[..]))?;
        if length == 0 {
            return Ok(Awaited::Nothing { reason: "the pipe was closed before a launch was complete".to_owned() });
        }
        frame.extend_from_slice(&chunk[..length]);
        match launch_frame::decode(&frame) {
            None => {}
            Some(Ok(launch)) => return Ok(Awaited::Launch(Box::new(launch))),
            Some(Err(reason)) => return Ok(Awaited::Nothing { reason }),
        }
    }
}

/// A poll that returned for a signal says nothing about the pipe, and reading it would wait.
fn is_readable_now(stdin: std::os::fd::BorrowedFd<'_>) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::from_borrowed_fd(stdin, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(rustix::io::retry_on_intr(|| poll(&mut polled, Some(&at_once)))? > 0)
}
