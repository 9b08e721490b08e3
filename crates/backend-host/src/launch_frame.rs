//! The launch on its way from the daemon to a supervisor: a length of four bytes, then one JSON document.
//!
//! The length is what makes a launch complete: a daemon that dies half-way leaves less than was announced, and nothing
//! is started. The whole fits the buffer of a pipe, so that writing it never waits for the supervisor.

use std::path::{Path, PathBuf};

use planner::seen::Binding;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer, Serialize};

use crate::user::User;

/// The largest document. Labels and environment are what can grow; both come from a configuration of this order.
pub(crate) const DOCUMENT_LIMIT: usize = (64 << 10) - LENGTH_BYTES;

/// The bytes of the length before the document.
pub(crate) const LENGTH_BYTES: usize = 4;

/// What a supervisor is to start. Everything but the token may be seen.
#[derive(Serialize)]
pub(crate) struct LaunchOut<'a> {
    pub(crate) binding: &'a Binding,
    pub(crate) user: Option<&'a User>,
    pub(crate) control_group: Option<&'a Path>,
    pub(crate) containers: bool,
    pub(crate) program: &'a PathBuf,
    pub(crate) arguments: &'a [String],
    pub(crate) environment: &'a [(String, String)],
    pub(crate) stop_grace_ms: u64,
    pub(crate) log_limit: u64,
    pub(crate) token: &'a str,
}

/// The same, as it arrives.
#[derive(Debug, Deserialize)]
pub(crate) struct LaunchIn {
    pub(crate) binding: Binding,
    pub(crate) user: Option<User>,
    pub(crate) control_group: Option<PathBuf>,
    pub(crate) containers: bool,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) stop_grace_ms: u64,
    pub(crate) log_limit: u64,
    #[serde(deserialize_with = "secret")]
    pub(crate) token: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// The bytes of a launch, wiped when dropped; `None` if it is larger than allowed.
pub(crate) fn encode(launch: &LaunchOut<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, serde_json::Error> {
    // Room for all from the start: a vector that grows leaves copies of the token behind.
    let mut frame = Zeroizing::new(Vec::with_capacity(LENGTH_BYTES + DOCUMENT_LIMIT));
    frame.extend_from_slice(&[0; LENGTH_BYTES]);
    let mut document = Bounded { frame: &mut frame, overflown: false };
    let written = serde_json::to_writer(&mut document, launch);
    if document.overflown {
        return Ok(None);
    }
    written?;
    let Ok(length) = u32::try_from(frame.len() - LENGTH_BYTES) else { return Ok(None) };
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(Some(frame))
}

/// The launch in what has arrived so far: `None` while it is not complete.
pub(crate) fn decode(frame: &[u8]) -> Option<Result<LaunchIn, String>> {
    let (length, document) = frame.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > DOCUMENT_LIMIT {
        return Some(Err(format!("a launch of {length} bytes is larger than allowed")));
    }
    let document = document.get(..length)?;
    // An error of serde_json quotes no values of a document that is ours, but the token stays out of reach this way.
    Some(
        serde_json::from_slice(document)
            .map_err(|error| format!("the launch cannot be read (column {})", error.column())),
    )
}

/// Ends at the limit instead of growing.
struct Bounded<'a> {
    frame: &'a mut Vec<u8>,
    overflown: bool,
}

impl std::io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.frame.len() + bytes.len() > LENGTH_BYTES + DOCUMENT_LIMIT {
            self.overflown = true;
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use planner::ids::{Handle, RunnerUuid, Try};
    use planner::seen::Binding;
    use secrecy::ExposeSecret as _;

    use super::{LaunchOut, decode, encode};

    fn frame(argument: &str) -> Option<Vec<u8>> {
        let binding = Binding { handle: Handle::new("h"), attempt: Try(2), runner: RunnerUuid::new("u"), at: None };
        let launch = LaunchOut {
            binding: &binding,
            user: None,
            control_group: None,
            containers: false,
            program: &"/bin/runner".into(),
            arguments: &[argument.to_owned()],
            environment: &[("A".to_owned(), "b".to_owned())],
            stop_grace_ms: 30,
            log_limit: 40,
            token: "secret",
        };
        encode(&launch).unwrap().map(|frame| frame.to_vec())
    }

    #[test]
    fn a_launch_arrives_as_it_was_sent_and_prints_without_its_token() {
        let launch = decode(&frame("one-job").unwrap()).unwrap().unwrap();
        assert_eq!((launch.binding.attempt, launch.arguments.as_slice()), (Try(2), &["one-job".to_owned()][..]));
        assert_eq!(launch.token.expose_secret(), "secret");
        assert!(!format!("{launch:?}").contains("secret"));
    }

    #[test]
    fn a_cut_launch_is_never_complete() {
        let frame = frame("one-job").unwrap();
        for length in 0..frame.len() {
            assert!(decode(&frame[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_launch_over_the_limit_is_refused_on_both_sides() {
        assert_eq!(frame(&"x".repeat(64 << 10)), None);
        assert!(decode(&u32::MAX.to_be_bytes()).unwrap().is_err());
    }
}
