//! The daemon as a child process: started, killed, asked to end.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::processes;
use crate::forgescale;

/// How long a daemon that was asked to end may take, before the test gives up on it.
const LIMIT: Duration = Duration::from_secs(20);

/// A running daemon. Dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts `forgescale run` with further arguments; what it says is appended to `log`.
    pub(crate) fn start(config: &Path, log: &Path, arguments: &[&str]) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let mut command = forgescale(["--log", "info,daemon=debug", "run"]);
        command.arg("--config").arg(config).args(arguments);
        Self { child: spawn(&mut command, log) }
    }

    /// The same, with everything that it could say.
    pub(crate) fn start_talkative(config: &Path, log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let mut command = forgescale(["--log", "trace", "run"]);
        command.arg("--config").arg(config);
        Self { child: spawn(&mut command, log) }
    }

    /// The same, of another file with the program.
    pub(crate) fn start_program(program: &Path, config: &Path, log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let mut command = std::process::Command::new(program);
        command.args(["--log", "info,daemon=debug", "run", "--config"]).arg(config).env_clear().stdin(Stdio::null());
        Self { child: spawn(&mut command, log) }
    }

    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a daemon that can be killed");
        self.child.wait().expect("a daemon that ended");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        processes::signal(self.id(), signal);
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child's status")
    }

    /// Waits until it has ended by itself or by a signal that was sent.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.ended() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut std::process::Command, log: File) -> Child {
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").stdout(Stdio::null()).stderr(log);
    command.spawn().expect("the binary starts")
}
