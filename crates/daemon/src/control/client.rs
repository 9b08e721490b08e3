//! Asking a daemon, from another process. Blocks, within a deadline.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::message::{Reply, Request};
use super::socket;

/// The longest answer that is read, in bytes. The server's are far shorter.
const LONGEST: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no daemon listens in the state directory {}", directory.display())]
    Nobody {
        /// Which.
        directory: PathBuf,
    },
    /// The socket cannot be used.
    #[error("cannot reach the daemon in the state directory {}", directory.display())]
    Unreachable {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The daemon went away, or said nothing within the deadline: whether it has done what was asked for is not known.
    #[error("the daemon did not answer")]
    NoAnswer {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The answer cannot be understood: the daemon is of another version, most likely.
    #[error("the daemon's answer cannot be understood")]
    Form {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl ControlError {
    /// What may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Nobody { .. } => {
                "is `forgescale run` running, and is this its state directory? (a daemon that waits with --follow does not listen)"
            }
            Self::Unreachable { .. } => "ask as the user that the daemon runs as, or as root",
            Self::NoAnswer { .. } => "look at the daemon's log, and at `forgescale explain`",
            Self::Form { .. } => "use the version that the daemon runs, or restart the daemon",
        }
    }
}

/// Asks the daemon whose state directory this is, and waits for its answer until the deadline.
pub fn ask(directory: &Path, request: &Request, deadline: Duration) -> Result<Reply, ControlError> {
    let until = Instant::now() + deadline;
    let nobody = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
        )
    };
    let mut stream = socket::connect(directory).map_err(|source| {
        let directory = directory.to_owned();
        if nobody(&source) {
            ControlError::Nobody { directory }
        } else {
            ControlError::Unreachable { directory, source }
        }
    })?;
    let no_answer = |source| ControlError::NoAnswer { source };
    let mut line = serde_json::to_vec(request).map_err(|source| ControlError::Form { source })?;
    line.push(b'\n');
    stream.set_write_timeout(Some(deadline)).map_err(no_answer)?;
    stream.write_all(&line).map_err(no_answer)?;
    let answer = read_line(&mut stream, until).map_err(no_answer)?;
    serde_json::from_slice(&answer).map_err(|source| ControlError::Form { source })
}

/// Reads to the end of a line.
fn read_line(stream: &mut std::os::unix::net::UnixStream, until: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    while !line.ends_with(b"\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        line.extend_from_slice(&piece[..count]);
        if line.len() > LONGEST {
            return Err(io::Error::other("it is longer than any answer"));
        }
    }
    Ok(line)
}
