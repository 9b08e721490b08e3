//! The supervisor's ends of the two pipes to the daemon.

use std::fs::File;
use std::io::{self, Write as _};

use crate::acknowledgement::Acknowledgement;

/// The daemon, as long as it is there.
pub(super) struct Daemon {
    listening: bool,
}

impl Daemon {
    pub(super) fn new() -> Self {
        Self { listening: true }
    }

    /// Says one thing. After the last one the pipe is closed. A daemon that is gone hears nothing, and nothing is lost:
    /// what is said is in the folder too.
    pub(super) fn say(&mut self, acknowledgement: &Acknowledgement) {
        if !self.listening {
            return;
        }
        self.listening = *acknowledgement == Acknowledgement::Ready;
        if let Ok(mut line) = serde_json::to_vec(acknowledgement) {
            line.push(b'\n');
            let mut out = io::stdout().lock();
            let _ = out.write_all(&line).and_then(|()| out.flush());
        }
        if !self.listening {
            let _ = nowhere().and_then(|nowhere| Ok(rustix::stdio::dup2_stdout(nowhere)?));
        }
    }
}

/// Closes the pipe that the launch came through, so that nothing can wait in it for a reader that does not read.
pub(super) fn stop_listening() {
    let _ = nowhere().and_then(|nowhere| Ok(rustix::stdio::dup2_stdin(nowhere)?));
}

fn nowhere() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/null")
}
